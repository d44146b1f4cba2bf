"""The rules a catalogue carries: those that come with airlift, or a file's."""

import tomllib
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Final

from airlift import naming
from airlift.errors import RequestError
from airlift.format import rule
from airlift.format.fields import Fields
from airlift.format.rule import Rule
from airlift.store.durable import read_file

LIMIT: Final = 1 << 20
"""Bytes of a file of rules; the one that comes with airlift has 3 KB."""
_HINT: Final = "docs/catalogue.md, `Rules`, shows how one is written"


def shipped() -> tuple[Rule, ...]:
    """Return the rules that come with airlift."""
    text = files("airlift.outbound").joinpath("rules.toml").read_text(encoding="utf-8")
    return _read(text, "airlift's own rules")


def read(path: Path) -> tuple[Rule, ...]:
    """Return the rules of the file *path*.

    Raises:
        RequestError: It is no file of rules; names the place.
    """
    shown = naming.show(str(path))
    data = read_file(path, limit=LIMIT, error=RequestError)
    try:
        return _read(data.decode(), shown)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problem = f"{shown} is not TOML: {naming.show(str(error))}"
        raise RequestError(problem, hint=_HINT) from error


def _read(text: str, shown: str) -> tuple[Rule, ...]:
    top = Fields(tomllib.loads(text), record=shown, error=RequestError)
    top.only("rule")
    found = sorted(
        (rule.read(one) for one in top.tables("rule")), key=lambda one: one.id
    )
    for one, other in pairwise(found):
        if one.id == other.id:
            problem = f"{shown}: two rules have the id `{one.id}`"
            raise RequestError(problem, hint="give one of them another id")
    return tuple(found)
