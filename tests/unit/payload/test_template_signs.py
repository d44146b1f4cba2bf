"""What chat templates could do, told from their syntax trees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.payload import template_signs
from airlift.payload.signs import Rule, Sign

USUAL = (
    "{%- if messages[0]['role'] == 'system' %}{{ messages[0].content | trim }}{% endif %}"
    "{% for message in loop_messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' }}"
    "{% generation %}{{ message.content }}{% endgeneration %}"
    "{% if loop.last %}{% break %}{% endif %}{% endfor %}"
    "{{ raise_exception('no') if tools | tojson(indent=4) else '' }}"
)


def found(text: str) -> list[tuple[str, str]]:
    """Return the signs in *text* as rule and detail."""
    return [(one.rule.value, one.detail) for one in template_signs.of(text)]


def test_a_usual_template_has_no_signs() -> None:
    """An alarm at every model is no alarm; the tags of transformers are known."""
    assert found(USUAL) == []


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        (
            "{{ ''.__class__.__mro__[1].__subclasses__() }}",
            [
                ("template-dunder", "__class__"),
                ("template-dunder", "__mro__"),
                ("template-dunder", "__subclasses__"),
            ],
        ),
        ("{{ cycler['__init__'] }}", [("template-dunder", "__init__")]),
        ("{{ x['_private'] }}", [("template-dunder", "_private")]),
        (
            "{{ '{0.__class__}'.format(x) }}",
            [("template-dunder", "__class__")],
        ),
        ("{{ x | attr('__cl' ~ 'ass__') }}", [("template-attr", "attr(computed)")]),
        ("{{ x | attr('name') }}", [("template-attr", "attr('name')")]),
        (
            "{{ [x] | map('attr', 'a' ~ 'b') | list }}",
            [("template-attr", "map('attr', computed)")],
        ),
        ("{{ [x] | map(f) | list }}", [("template-attr", "map(computed)")]),
        (
            "{{ [x] | map(attribute='a' ~ b) | list }}",
            [("template-attr", "map(attribute=computed)")],
        ),
        (
            "{{ [x] | sum(attribute='a._b') }}",
            [("template-attr", "sum(attribute='a._b')")],
        ),
        ("{{ [x] | map(*names) | list }}", [("template-attr", "map(*...)")]),
        (
            "{{ messages | selectattr('role', 'equalto', 'user') | list }}",
            [("template-attribute", "selectattr(attribute='role')")],
        ),
        ("{% include 'other' %}", [("template-loads", "include")]),
        ("{% import 'other' as o %}", [("template-loads", "import")]),
        ("{% from 'other' import o %}", [("template-loads", "fromimport")]),
        ("{% extends 'other' %}", [("template-loads", "extends")]),
    ],
)
def test_what_reaches_further_is_a_sign(
    text: str, signs: list[tuple[str, str]]
) -> None:
    """Runtimes have run such templates, as the user who serves the model."""
    assert found(text) == signs


@pytest.mark.parametrize(
    "text",
    [
        "{% for %}",
        "{% unknown_tag %}",
        "{{ " + "(" * 5000,
        "{{ " + "9" * 5000 + " }}",
        "{% generation %}",
        "x" * (template_signs.LIMIT + 1),
    ],
)
def test_what_cannot_be_parsed_is_a_sign(text: str) -> None:
    """Not understood is not harmless: another parser may understand it."""
    (sign,) = template_signs.of(text)
    assert sign.rule is Rule.TEMPLATE_UNPARSED


def test_a_deep_tree_is_walked_without_recursion() -> None:
    """A hostile tree is as deep as its author likes."""
    text = "{{ x" + ".a" * 20_000 + ".__class__ }}"
    assert template_signs.of(text) == (Sign(Rule.TEMPLATE_DUNDER, "__class__"),)


@given(st.text(alphabet="{}%|()[]'\"_.abcdef~=*, \n-:0", max_size=80))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Upstream chooses the text; an error would end the audit."""
    for one in template_signs.of("{{ " + text + " }}{% if " + text + " %}"):
        assert one.rule.value.startswith("template-")
