"""Names in a drop folder: what every link, file system and gateway between can keep.

Small letters, digits, dots and hyphens, at most 60 characters, unlike in more than
case. A file that is sent again gets a name of its own, because some receivers refuse
one that they have seen. No name is ever believed: volumes say themselves what they are.
"""

import re
from typing import Final

from airlift.digest import sha256

LONGEST: Final = 60
_TELLING: Final = 6
"""Hexadecimal digits that keep shortened names of two sites apart."""
_OURS: Final = re.compile(
    r"airlift-(?P<site>[a-z0-9-]+)-(?P<sequence>\d{6,})"
    r"(?P<middle>\.(?:\d{4,}|s\d{4,})-of-\d{4,})?"
    r"\.(?P<ending>tar|spare|sha256sums(?:\.sig|\.minisig)?)",
    re.ASCII,
)


def delivery_of(file_name: str) -> tuple[str, int] | None:
    """Return the site and sequence in a name that an export gave; None for others."""
    found = _OURS.fullmatch(file_name.lower())
    return (found["site"], int(found["sequence"])) if found else None


def rank(file_name: str) -> tuple[int, str]:
    """Return what sorts files into the order they are sent in.

    Volumes, spares, sums, signatures: what speaks for a file comes after it, so that
    a gateway that begins with the signature finds everything there.
    """
    name = file_name.lower()
    endings = (".tar", ".spare", ".sha256sums")
    return next((n for n, one in enumerate(endings) if name.endswith(one)), 3), name


def drop_name(file_name: str, turn: int) -> str:
    """Return the name of a file in a drop folder.

    Args:
        file_name: As an export gave it.
        turn: 1 when it is sent for the first time.
    """
    found = _OURS.fullmatch(file_name.lower())
    assert found
    again = f".r{turn}" if turn > 1 else ""
    rest = f"-{found['sequence']}{found['middle'] or ''}{again}.{found['ending']}"
    site, room = found["site"], LONGEST - len("airlift-") - len(rest)
    if len(site) > room:
        site = f"{site[: room - _TELLING - 1]}-{sha256(site.encode())[:_TELLING]}"
    return f"airlift-{site}{rest}"
