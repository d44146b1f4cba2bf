"""Tables of a report, laid out so that a sheet of A4 holds them. Pure.

A question has up to fifteen columns. On paper nothing scrolls, and columns of three
letters cannot be read: what is empty in every row goes, digests and times are short with
the whole in a title, and what is widest stands in a line of its own beneath its row.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airlift import naming
from airlift.audit.plain import plain
from airlift.serve.page import words

_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)
_DAY: Final = 10
_FEW: Final = 6
"""Columns beside which a time has room for its minute."""
_SHEET: Final = 150
"""Characters of a row on A4 upright, at the size that tables are printed in."""
_BETWEEN: Final = 3
"""Characters that a column takes beside its text."""
_NAMES: Final = 3
"""Columns that say what a row is about, and stay; the widest of them may be broken."""
_NAME: Final = 30
"""Characters that a broken name takes at least."""
_WHOLE: Final = 16
"""Characters of a cell that is never broken: an id of a finding, a date with its time."""
_UNSAID: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A value as it is shown.

    Attributes:
        text: What is read.
        title: The whole of it, where that is more; else empty.
        is_code: Whether it is a digest.
    """

    text: str
    title: str = ""
    is_code: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it is too short to be broken."""
        return len(self.text) <= _WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row: its cells, and what stands beneath it, each with its heading."""

    cells: tuple[Cell, ...]
    beneath: tuple[tuple[str, Cell], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Headings and rows."""

    head: tuple[str, ...]
    rows: tuple[Row, ...]


def cell(value: object, *, brief: bool = False) -> Cell:
    """Return *value* as it is shown: of a digest twelve digits, of a time its minute.

    Args:
        value: Of a table of the report.
        brief: Whether the day is enough of a time.
    """
    text = naming.show(plain(value)) or _UNSAID  # type: ignore[arg-type]
    if words.HEX.fullmatch(text):
        return Cell(text=text[: words.SHORT], title=text, is_code=True)
    if _TIME.fullmatch(text):
        shown = text[:_DAY] if brief else f"{text[:_DAY]} {text[11:16]}"
        return Cell(text=shown, title=text)
    return Cell(text=text)


def laid_out(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of a question as a sheet of paper holds it."""
    told = _said(columns, rows)
    many = len(told) > _FEW
    made = [{key: _cell(key, row.get(key), brief=many) for key in told} for row in rows]
    beneath = _beneath(told, made)
    beside = [key for key in told if key not in beneath]
    return Table(
        head=tuple(map(_heading, beside)),
        rows=tuple(
            Row(
                cells=tuple(one[key] for key in beside),
                beneath=tuple(
                    (_heading(key), one[key])
                    for key in beneath
                    if one[key].text != _UNSAID
                ),
            )
            for one in made
        ),
    )


def _cell(key: str, value: object, *, brief: bool) -> Cell:
    if key.endswith("bytes") and isinstance(value, int):
        return Cell(text=words.size(value), title=f"{value} bytes")
    return cell(value, brief=brief)


def _said(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns that say something in some row."""
    return [key for key in columns if any(plain(row.get(key)) for row in rows)]


def _beneath(told: Sequence[str], made: Sequence[Mapping[str, Cell]]) -> list[str]:
    """Return the columns that stand beneath their rows: the widest, until all fit."""
    wide = {key: _width(key, [one[key] for one in made]) for key in told}
    name = max(told[:_NAMES], key=wide.__getitem__, default="")
    if name:
        wide[name] = min(wide[name], _NAME)
    left = list(told)
    while sum(wide[key] + _BETWEEN for key in left) > _SHEET and len(left) > _NAMES:
        left.remove(max(left[_NAMES:], key=wide.__getitem__))
    return [key for key in told if key not in left]


def _width(key: str, cells: Sequence[Cell]) -> int:
    heads = _heading(key).split()
    return max(*(len(one) for one in heads), *(len(one.text) for one in cells))


def _heading(key: str) -> str:
    return key.replace("_", " ")
