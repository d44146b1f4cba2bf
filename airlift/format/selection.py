"""Selections: some of a delivery's volumes, in a line that a person can read out.

    7,12-14@1a2b3c4d

Ordinals count in one cutting of the delivery only, so what an import asks for ends with
the first digits of the cutting it saw. The connected side refuses a selection of
another: it would give whole, good volumes that fill no gap.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from airlift import naming
from airlift.errors import FormatError
from airlift.format.volume import LIMIT

CUTTING_DIGITS: Final = 8
"""Hexadecimal digits that tell the few cuttings of one delivery apart."""

_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
_CUTTING = re.compile(r"[0-9a-f]{4,16}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Some volumes.

    Attributes:
        ordinals: Which, in order, each once.
        cutting: How the cutting begins in which they count; empty where nobody says.
    """

    ordinals: tuple[int, ...]
    cutting: str = ""


def ranges(ordinals: Iterable[int]) -> str:
    """Return *ordinals* as people write them: ``7,12-14``."""
    runs: list[list[int]] = []
    for one in sorted(set(ordinals)):
        if runs and one == runs[-1][1] + 1:
            runs[-1][1] = one
        else:
            runs.append([one, one])
    return ",".join(
        str(first) if first == last else f"{first}-{last}" for first, last in runs
    )


def encode(selection: Selection) -> str:
    """Return the one spelling of *selection*."""
    cutting = selection.cutting[:CUTTING_DIGITS]
    return ranges(selection.ordinals) + (f"@{cutting}" if cutting else "")


def decode(text: str) -> Selection:
    """Return the selection that *text* means; any order, spaces, and overlaps.

    Raises:
        FormatError: It means none.
    """
    listed, at, cutting = text.lower().partition("@")
    ordinals: set[int] = set()
    for item in listed.replace(" ", "").split(","):
        match = _RANGE.fullmatch(item)
        first = int(match[1]) if match else 0
        last = int(match[2] or match[1]) if match else 0
        if not 1 <= first <= last <= LIMIT:
            raise _refused(text)
        ordinals.update(range(first, last + 1))
    if at and not _CUTTING.fullmatch(cutting):
        raise _refused(text)
    return Selection(ordinals=tuple(sorted(ordinals)), cutting=cutting)


def _refused(text: str) -> FormatError:
    problem = f"`{naming.show(text)}` does not say which volumes"
    return FormatError(problem, hint="give numbers, as in 7,12-14")
