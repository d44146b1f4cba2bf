"""What a chat template could do beside making text, told from its syntax tree.

A template is a program that runtimes run for every request, with the messages of users
in it. Here it is parsed by Jinja's own parser and never rendered; what reaches for the
inside of Python's objects, loads other templates or cannot be parsed is a sign.

Source: transformers, "Chat templates" (the tags it adds); Jinja, "Sandbox".
"""

import re
from collections.abc import Iterator
from typing import Final

from jinja2 import Environment, nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension
from jinja2.parser import Parser

from airlift.payload.signs import Rule, Sign, sign

LIMIT: Final = 1 << 20
"""Characters of a template that is parsed; the longest known have 30,000."""

_DUNDER = re.compile(r"__\w+__", re.ASCII)
_BY_NAME: Final = frozenset({"map", "select", "reject"})
"""Filters that apply another filter or test, which is named by a text."""
_FIRST: Final = frozenset({"selectattr", "rejectattr", "groupby"})
"""Filters whose first argument names an attribute; others take it by keyword."""
_LOADS: Final = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_UNPARSED: Final = (
    *(TemplateError, RecursionError, ValueError, OverflowError),
    # What a parser of hostile text might trip over beside its own errors.
    *(AssertionError, AttributeError, IndexError, KeyError, TypeError),
)


class _Generation(Extension):
    """The tag by which transformers marks what the model said; its body counts."""

    tags = {"generation"}  # noqa: RUF012 - the library's own shape

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Return what lies between the tags."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def of(text: str) -> tuple[Sign, ...]:
    """Return the signs in a template, sorted, each once.

    Args:
        text: The template; never rendered.
    """
    if len(text) > LIMIT:
        detail = f"{len(text)} characters, at most {LIMIT} are parsed"
        return (sign(Rule.TEMPLATE_UNPARSED, detail),)
    # nosec: nothing is ever rendered, so there is nothing to escape.
    environment = Environment(  # noqa: S701 - see above
        extensions=[_Generation, "jinja2.ext.loopcontrols"]
    )
    try:
        tree = environment.parse(text)
    except _UNPARSED as error:
        told = str(error) or type(error).__name__
        return (sign(Rule.TEMPLATE_UNPARSED, told),)
    return tuple(sorted({found for node in _nodes(tree) for found in _of(node)}))


def _nodes(tree: nodes.Node) -> Iterator[nodes.Node]:
    # A list, not recursion: a hostile tree is as deep as its author likes, and
    # Jinja's own walk costs its depth for every node.
    left = [tree]
    while left:
        node = left.pop()
        yield node
        left.extend(node.iter_child_nodes())


def _of(node: nodes.Node) -> Iterator[Sign]:
    if isinstance(node, nodes.Getattr):
        yield from _private(node.attr)
    elif isinstance(node, nodes.Const):
        if isinstance(node.value, str) and (found := _DUNDER.search(node.value)):
            yield sign(Rule.TEMPLATE_DUNDER, found[0])
    elif isinstance(node, nodes.Getitem):
        key = node.arg.value if isinstance(node.arg, nodes.Const) else None
        yield from _private(key) if isinstance(key, str) else ()
    elif isinstance(node, nodes.Filter):
        yield from _filter(node)
    elif isinstance(node, _LOADS):
        yield sign(Rule.TEMPLATE_LOADS, type(node).__name__.casefold())


def _private(name: str) -> Iterator[Sign]:
    # What Jinja's sandbox refuses at run time; not every runtime has it on.
    if name.startswith("_"):
        yield sign(Rule.TEMPLATE_DUNDER, name)


def _filter(node: nodes.Filter) -> Iterator[Sign]:
    if node.name == "attr":
        yield sign(Rule.TEMPLATE_ATTR, f"attr({_shown(node.args)})")
        return
    if node.name in _BY_NAME and node.args:
        named = _text(node.args[0])
        if named is None or named == "attr":
            yield sign(Rule.TEMPLATE_ATTR, f"{node.name}({_shown(node.args)})")
    stated = [one.value for one in node.kwargs if one.key == "attribute"]
    if node.name in _FIRST and node.args:
        stated.append(node.args[0])
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        yield sign(Rule.TEMPLATE_ATTR, f"{node.name}(*...)")
    for value in stated:
        name = _text(value)
        hidden = name is None or name.startswith("_") or "._" in name
        rule = Rule.TEMPLATE_ATTR if hidden else Rule.TEMPLATE_ATTRIBUTE
        yield sign(rule, f"{node.name}(attribute={_shown([value])})")


def _text(node: nodes.Expr) -> str | None:
    """Return the text that *node* is; None where it has to be computed."""
    value = node.value if isinstance(node, nodes.Const) else None
    return value if isinstance(value, str) else None


def _shown(arguments: list[nodes.Expr]) -> str:
    told = (_text(one) for one in arguments)
    return ", ".join("computed" if one is None else repr(one) for one in told)
