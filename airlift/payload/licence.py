"""Whether a licence, as upstream states it, is one of those a site allows.

Upstream's word is an SPDX expression at best (``MIT OR Apache-2.0``) and a tag of its
own at worst (``llama3``). An expression is judged by its operators, anything else as
one word.

Source: SPDX specification 3.0, annex B, "SPDX license expressions".
"""

import re
from collections.abc import Iterable

_TOKEN = re.compile(r"[()]|[^\s()]+")


def is_allowed(stated: str, allowed: Iterable[str]) -> bool:
    """Say whether who takes something under *stated* stays within *allowed*.

    Args:
        stated: An SPDX expression or an upstream's tag; empty where it states none,
            which is never allowed.
        allowed: Licences, licences with an exception, or upstream's tags; case does
            not count. Of alternatives (``OR``) one has to be among them, of what
            applies together (``AND``) all.
    """
    known = frozenset((expression(one) or one.strip()).casefold() for one in allowed)
    spelt = expression(stated)
    if not spelt:
        return bool(stated.strip()) and stated.strip().casefold() in known
    tokens = _TOKEN.findall(spelt.casefold())
    tokens.reverse()  # so that the next one is popped
    return _either(tokens, known)


def expression(text: str) -> str:
    """Return the SPDX expression *text* in its one spelling; empty where it is none."""
    # 20 ms to import, and few commands ask.
    from packaging.licenses import (  # noqa: PLC0415 - see above
        InvalidLicenseExpression,
        canonicalize_license_expression,
    )

    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return ""


# The grammar, on tokens that `packaging` found to be an expression: each function
# consumes what it reads, so every operand is read whatever came before it.


def _either(tokens: list[str], known: frozenset[str]) -> bool:
    found = _both(tokens, known)
    while tokens and tokens[-1] == "or":
        tokens.pop()
        found |= _both(tokens, known)
    return found


def _both(tokens: list[str], known: frozenset[str]) -> bool:
    found = _one(tokens, known)
    while tokens and tokens[-1] == "and":
        tokens.pop()
        found &= _one(tokens, known)
    return found


def _one(tokens: list[str], known: frozenset[str]) -> bool:
    word = tokens.pop()
    if word == "(":
        found = _either(tokens, known)
        tokens.pop()
        return found
    if tokens and tokens[-1] == "with":
        tokens.pop()
        word = f"{word} with {tokens.pop()}"
    return word in known
