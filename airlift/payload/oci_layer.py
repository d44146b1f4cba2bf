"""Layers of images: an uncompressed tar around files that lie elsewhere.

Only what stands between the files is made here, so a layer of any size is streamed
from files that are kept as they are, and is the same bytes whenever it is asked for:
owner, times and modes are fixed, nothing depends on a clock.

Source: OCI image specification, "Image Layer Filesystem Changeset"; POSIX.1-2008,
``pax``, "ustar Interchange Format" and "pax Extended Header".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

RECORD: Final = 512
END: Final = bytes(2 * RECORD)

_NAME_BYTES: Final = 100
_OCTAL_LIMIT: Final = 1 << 33  # the first size that eleven octal digits cannot state
_FILE, _FOLDER, _PAX = b"0", b"5", b"x"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file of a layer.

    Attributes:
        path: Where it is unpacked, relative to the root.
        size: Bytes.
    """

    path: str
    size: int


def framed(members: Sequence[Member]) -> Iterator[bytes | Member]:
    """Yield a layer in order: the bytes between files, and each file as its member.

    Folders come before what is in them, so that no unpacker chooses their modes.

    Args:
        members: In the order to be written; files only.
    """
    known: set[str] = set()
    between = bytearray()
    for member in members:
        for folder in _folders(member.path):
            if folder not in known:
                between += _entry(f"{folder}/", 0, _FOLDER)
                known.add(folder)
        between += _entry(member.path, member.size, _FILE)
        if member.size:
            yield bytes(between)
            yield member
            between = bytearray(-member.size % RECORD)
    yield bytes(between) + END


def _folders(path: str) -> Iterator[str]:
    parts = path.split("/")[:-1]
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[:count])


def _entry(path: str, size: int, kind: bytes) -> bytes:
    """Return all that stands before the content of one member."""
    name = path.encode()
    extended = b""
    if len(name) > _NAME_BYTES or not path.isascii():
        extended += _record("path", path)
        # What readers without pax would call it; all unpackers of images know pax.
        name = path.encode("ascii", "replace")[:_NAME_BYTES]
    if size >= _OCTAL_LIMIT:
        extended += _record("size", str(size))
    front = b""
    if extended:
        front = _header(b"PaxHeaders/0", len(extended), _PAX)
        front += extended + bytes(-len(extended) % RECORD)
    return front + _header(name, 0 if size >= _OCTAL_LIMIT else size, kind)


def _header(name: bytes, size: int, kind: bytes) -> bytes:
    mode = b"0000755\0" if kind == _FOLDER else b"0000644\0"
    owner = b"0000000\0"
    front = name.ljust(_NAME_BYTES, b"\0") + mode + owner + owner
    front += b"%011o\0" % size + b"00000000000\0"
    back = (kind + bytes(100) + b"ustar\x0000").ljust(RECORD - 156, b"\0")
    checksum = sum(front) + sum(back) + 8 * 0x20
    return front + b"%06o\0 " % checksum + back


def _record(key: str, value: str) -> bytes:
    """Return an extended header's record; its length counts its own digits."""
    rest = f" {key}={value}\n".encode()
    size = len(rest)
    while size != len(rest) + len(str(size)):
        size = len(rest) + len(str(size))
    return str(size).encode() + rest
