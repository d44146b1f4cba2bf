"""The framing of a volume: canonical ustar (docs/format.md, "Framing").

A reader never believes a tar header: it knows from signed data what each 512-byte
header must be, makes it again and compares. Only the few names and sizes in front of
the signed data are parsed, within bounds, and made again just the same.
"""

from typing import Final

from airlift.errors import FormatError

RECORD: Final = 512
END: Final = bytes(2 * RECORD)
"""What a volume ends with."""
NAME_LIMIT: Final = 100

_MIDDLE: Final = b"0000644\0" + 2 * b"0000000\0"  # mode, owner, group
_TIME: Final = b"00000000000\0"
_BACK: Final = (b"0" + bytes(100) + b"ustar\x0000").ljust(RECORD - 156, b"\0")
_SUM: Final = sum(_MIDDLE) + sum(_TIME) + sum(_BACK) + 8 * 0x20
"""What all headers add to their checksum, which counts itself as spaces."""


def header(name: str, size: int) -> bytes:
    """Return the one header a member of this name and size in bytes may have.

    Mode 0644, owner and time 0, no owner names, regular file, POSIX ustar.
    """
    encoded = name.encode("ascii")
    assert 0 < len(encoded) <= NAME_LIMIT
    assert 0 <= size < 1 << 33
    length = b"%011o\0" % size
    checksum = sum(encoded) + sum(length) + _SUM
    front = encoded.ljust(NAME_LIMIT, b"\0") + _MIDDLE + length + _TIME
    return front + b"%06o\0 " % checksum + _BACK


def padding(size: int) -> int:
    """Return how many zero bytes follow a member of *size* bytes."""
    return -size % RECORD


def footprint(size: int) -> int:
    """Return how many bytes a member of *size* takes in a volume, header included."""
    return RECORD + size + padding(size)


def parse(data: bytes, *, limit: int) -> tuple[str, int]:
    """Return name and size of the member whose canonical header *data* is.

    Raises:
        FormatError: It is not the canonical header of any member of at most *limit*
            bytes.
    """
    try:
        name = data[:NAME_LIMIT].rstrip(b"\0").decode("ascii")
        size = int(data[124:135], 8)
    except ValueError:
        name, size = "", 0
    if not name or not 0 <= size <= limit or header(name, size) != data:
        problem = "not a header airlift writes"
        raise FormatError(problem)
    return name, size
