"""The note on a medium that says where the other volumes are (docs/format.md, "Media").

For people, who read it, and for an import, which tells them what to fetch. It is not
signed and nothing is believed for it: it holds numbers only, and an import that knows
better ignores it.

    medium 2 of delivery 7 to plant7, cutting 1a2b3c4d5e6f7a8b
    medium 1 has volumes 1-3
    medium 2 has volumes 4-6
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from airlift import naming
from airlift.errors import FormatError
from airlift.format import selection

LIMIT: Final = 64 << 10
"""Bytes."""
MOST: Final = 9_999
"""Media of a delivery."""

_FIRST = re.compile(
    r"medium (\d{1,4}) of delivery (\d{1,15}) to ([a-z0-9-]{1,32}), "
    r"cutting ([0-9a-f]{16})",
    re.ASCII,
)
_LINE = re.compile(r"medium (\d{1,4}) has volumes ([0-9,-]+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediumNote:
    """Which medium this is, and what lies on those that were known when it was written.

    Attributes:
        site: The delivery's site.
        sequence: Its number.
        cutting: In which the volumes are counted.
        number: Of this medium.
        media: Ordinals of the volumes on each, by its number.
    """

    site: str
    sequence: int
    cutting: str
    number: int
    media: Mapping[int, tuple[int, ...]]


def encode(note: MediumNote) -> str:
    """Return the text of *note*."""
    first = (
        f"medium {note.number} of delivery {note.sequence} to {note.site}, "
        f"cutting {note.cutting}"
    )
    lines = [
        f"medium {number} has volumes {selection.ranges(ordinals)}"
        for number, ordinals in sorted(note.media.items())
        if ordinals
    ]
    return "\n".join([first, *lines, ""])


def decode(data: bytes) -> MediumNote:
    """Return the note that *data* is.

    Raises:
        FormatError: It is none, or a damaged one.
    """
    # What other systems did to the ends of lines does not matter.
    first, *lines = data[:LIMIT].decode(errors="replace").splitlines() or [""]
    match = _FIRST.fullmatch(first)
    if len(data) > LIMIT or not match or not naming.is_site(match[3]):
        problem = "this is not the note of a medium"
        raise FormatError(problem)
    media = {}
    for line in lines:
        if found := _LINE.fullmatch(line):
            media[int(found[1])] = selection.decode(found[2]).ordinals
        elif line:
            problem = f"the note of a medium says `{naming.show(line)}`"
            raise FormatError(problem)
    return MediumNote(
        site=match[3],
        sequence=int(match[2]),
        cutting=match[4],
        number=int(match[1]),
        media=media,
    )
