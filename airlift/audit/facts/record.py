"""Facts of a file as the registry keeps them, and back."""

from collections.abc import Mapping
from typing import Final

from airlift.artifact import ContentClass, Json
from airlift.format.fields import Fields
from airlift.payload.file_facts import FileFacts, Scanned
from airlift.payload.signs import Rule, Sign

_LISTS: Final = ("auto_map", "pipelines", "shards", "outside", "globals")


def table(facts: FileFacts) -> Mapping[str, Json]:
    """Return *facts* as records hold them; what is empty is left out."""
    whole: dict[str, Json] = {
        "format": facts.format,
        "class": facts.content_class.value,
        "architecture": facts.architecture,
        "quantisation": facts.quantisation,
        "tensors": facts.tensors,
        "parameters": dict(facts.parameters),
        "templates": dict(facts.templates),
        "scanned": [
            {
                "name": one.name,
                "version": one.version,
                "verdict": one.verdict,
                "notes": one.notes,
            }
            for one in facts.scanned
        ],
        "signs": [
            {"rule": one.rule.value, "detail": one.detail} for one in facts.signs
        ],
        **{name: getattr(facts, name) for name in _LISTS},
    }
    return {key: value for key, value in whole.items() if value}


def from_table(value: Json) -> FileFacts:
    """Return the facts that ``table`` made *value* of.

    Raises:
        FormatError: It made something else, or a later airlift did.
    """
    fields = Fields(value, record="facts")
    lists = {name: fields.texts(name) for name in _LISTS}
    return FileFacts(
        format=fields.text("format"),
        content_class=fields.choice("class", ContentClass),
        architecture=fields.text("architecture", ""),
        quantisation=fields.text("quantisation", ""),
        tensors=fields.number("tensors", 0),
        parameters=_numbers(fields, "parameters"),
        templates=_texts(fields, "templates"),
        scanned=tuple(_scanned(one) for one in fields.tables("scanned")),
        signs=tuple(
            Sign(one.choice("rule", Rule), one.text("detail"))
            for one in fields.tables("signs")
        ),
        **lists,
    )


def _scanned(one: Fields) -> Scanned:
    return Scanned(
        name=one.text("name"),
        version=one.text("version"),
        verdict=one.text("verdict"),
        notes=one.texts("notes"),
    )


def _numbers(fields: Fields, key: str) -> Mapping[str, int]:
    if not fields.has(key):
        return {}
    inner = fields.table(key)
    return {name: inner.number(name) for name in inner.names()}


def _texts(fields: Fields, key: str) -> Mapping[str, str]:
    if not fields.has(key):
        return {}
    inner = fields.table(key)
    return {name: inner.text(name) for name in inner.names()}
