"""Large pieces of files: the right bytes, in memory that is used again."""

import os
import random
from pathlib import Path

import pytest

from airlift.store import direct
from airlift.store.bulk import Buffers, BulkFile
from airlift.store.direct import PAGE

BODY = random.Random(8).randbytes(40 * PAGE + 99)
ROOM = 64 * PAGE


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, len(BODY)), (1, 30 * PAGE), (PAGE, PAGE), (4095, 2), (40 * PAGE, 99)],
)
def test_a_piece_of_a_file_is_read(
    tmp_path: Path, offset: int, length: int, *, cached: bool
) -> None:
    """Wherever a slab begins, and whether the kernel still has it or not."""
    path = tmp_path / "file"
    path.write_bytes(BODY)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        if not cached:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    buffer = Buffers(ROOM).take()
    with BulkFile(path) as file:
        found = file.read(buffer, offset, length)
    assert bytes(found) == BODY[offset : offset + length]


def test_a_file_that_ends_early_gives_what_it_has(tmp_path: Path) -> None:
    """What memory held before is never taken for bytes of the file."""
    path = tmp_path / "file"
    path.write_bytes(BODY)
    buffer = Buffers(ROOM).take()
    with BulkFile(path) as file:
        assert bytes(file.read(buffer, 40 * PAGE + 90, 2 * PAGE)) == BODY[-9:]
        assert bytes(file.read(buffer, len(BODY), 10)) == b""
        assert bytes(file.read(buffer, len(BODY) + PAGE, 10)) == b""


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A medium must not choose which file of this host is read."""
    (tmp_path / "file").write_bytes(BODY)
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        BulkFile(tmp_path / "link")


def test_memory_is_used_again() -> None:
    """A model of a terabyte takes the memory of the slabs that are under way."""
    buffers = Buffers(ROOM)
    first, second = buffers.take(), buffers.take()
    first[:1] = b"a"
    buffers.give(first[5:10])
    buffers.give(b"bytes of a pipe are nobody's memory")
    assert bytes(buffers.take()[:1]) == b"a"
    buffers.give(second)
    assert buffers.take().obj is second.obj


def test_bytes_lie_to_a_page_as_they_will_in_their_file() -> None:
    """Only such can be written past the page cache, which costs a third of an import."""
    buffers = Buffers(ROOM)
    room = buffers.room(100, 5 * PAGE + 7)
    room[:5] = b"bytes"
    assert (len(room), direct.lead(room)) == (100, 7)
    assert buffers.placed(room, PAGE + 7) is room
    placed = buffers.placed(room, 8)
    assert (bytes(placed), direct.lead(placed)) == (b"bytes" + bytes(95), 8)
    assert buffers.take().obj is room.obj
    piped = buffers.placed(b"of a pipe", PAGE - 1)
    assert (bytes(piped), direct.lead(piped)) == (b"of a pipe", PAGE - 1)
