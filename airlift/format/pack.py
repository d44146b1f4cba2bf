"""An evidence pack: the files of an audit in one canonical tar (docs/audit.md).

Every member lies in one top folder. ``DIGESTS`` lists all others but its own signature,
in the form of ``sha256sum``, sorted by name; ``DIGESTS.sig`` is of that file. A pack has
one spelling: whoever reads it makes the tar again and compares, so that no byte of it,
padding and headers too, can change unseen.
"""

import re
from collections.abc import Mapping
from typing import Final

from airlift import naming
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError
from airlift.format import framing

DIGESTS: Final = "DIGESTS"
SIGNATURE: Final = "DIGESTS.sig"
UNLISTED: Final = frozenset((DIGESTS, SIGNATURE))
"""Members that ``DIGESTS`` cannot list: itself, and what signs it."""
LIMIT: Final = 1 << 30
"""Bytes of a pack that is read; one of 100,000 files has some 60 MB."""
MEMBERS: Final = 100
"""Most members that are read; a pack has some 15."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_LINE: Final = re.compile(r"([0-9a-f]{64})  ([^ \n]+)\n", re.ASCII)


def encode(top: str, files: Mapping[str, bytes]) -> bytes:
    """Return the pack of *files* by name, all below the folder *top*."""
    assert is_name(top), top
    found = bytearray()
    for name in sorted(files):
        assert is_name(name), name
        data = files[name]
        found += framing.header(f"{top}/{name}", len(data))
        found += data + bytes(framing.padding(len(data)))
    return bytes(found + framing.END)


def decode(data: bytes, *, name: str = "pack") -> tuple[str, dict[str, bytes]]:
    """Return the top folder of the pack *data*, and its files by name.

    Raises:
        FormatError: It is not, byte for byte, what ``encode`` makes of them.
    """
    offset, top = 0, ""
    files: dict[str, bytes] = {}
    body = len(data) - len(framing.END)
    while offset < body and len(files) < MEMBERS:
        told, size = _header(data[offset : offset + framing.RECORD], offset, name)
        folder, _, member = told.partition("/")
        if top not in ("", folder) or not is_name(folder) or not is_name(member):
            _refuse(name, f"`{naming.show(told)}` is no place for a member")
        start = offset + framing.RECORD
        top, files[member] = folder, data[start : start + size]
        offset = start + size + framing.padding(size)
    # Whatever the walk did not look at, order and padding and end, shows here.
    if not files or encode(top, files) != data:
        _refuse(name, "bytes in it are not as airlift writes them, or are cut off")
    return top, files


def _header(record: bytes, offset: int, name: str) -> tuple[str, int]:
    try:
        return framing.parse(record, limit=LIMIT)
    except FormatError as error:
        problem = f"{naming.show(name)}: at byte {offset} is {error.problem}"
        raise FormatError(problem, hint=_HINT) from error


def is_name(text: str) -> bool:
    """Say whether *text* can be the name of a member, or of the top folder."""
    return _NAME.fullmatch(text) is not None


def list_digests(files: Mapping[str, bytes]) -> bytes:
    """Return what ``DIGESTS`` says of *files*; those it cannot list are left out."""
    listed = (name for name in sorted(files) if name not in UNLISTED)
    return "".join(f"{sha256(files[name])}  {name}\n" for name in listed).encode()


def read_digests(data: bytes, *, name: str = DIGESTS) -> dict[str, Sha256]:
    """Return the digests that *data* lists, by name.

    Raises:
        FormatError: It is not sorted lines of ``sha256sum``, each name once.
    """
    text = data.decode("ascii", errors="replace")
    found = {match[2]: Sha256(match[1]) for match in _LINE.finditer(text)}
    again = "".join(f"{found[one]}  {one}\n" for one in sorted(found))
    if not found or again != text or not all(map(is_name, found)):
        _refuse(name, "is not a sorted list of digests")
    return found


_HINT: Final = "take the pack from where it was made once more"


def _refuse(name: str, problem: str) -> None:
    told = f"{naming.show(name)}: {problem}"
    raise FormatError(told, hint=_HINT)
