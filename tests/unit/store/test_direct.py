"""Past the page cache where that can be, the same bytes everywhere."""

import os
import random
from pathlib import Path

import pytest

from airlift.store import direct
from airlift.store.direct import PAGE
from airlift.store.durable import Disk

BODY = random.Random(1).randbytes(5 * PAGE + 123)


@pytest.mark.parametrize("length", [0, 1, PAGE - 1, PAGE, PAGE + 1, 4 * PAGE + 123])
@pytest.mark.parametrize("past", [True, False])
def test_a_range_is_read_whole(tmp_path: Path, length: int, *, past: bool) -> None:
    """Ends of files are rarely those of pages."""
    path = tmp_path / "file"
    path.write_bytes(BODY[: PAGE + length])
    fd = os.open(path, os.O_RDONLY)
    view = direct.buffer(8 * PAGE)
    if past:
        direct.past_cache(fd)
    assert direct.read_into(fd, view, PAGE, length) == length
    os.close(fd)
    assert bytes(view[:length]) == BODY[PAGE : PAGE + length]


@pytest.mark.parametrize("past", [True, False])
def test_a_file_that_ends_early_says_where(tmp_path: Path, *, past: bool) -> None:
    """Whoever reads it must not take what memory held before for its bytes."""
    path = tmp_path / "file"
    path.write_bytes(BODY)
    fd = os.open(path, os.O_RDONLY)
    if past:
        direct.past_cache(fd)
    view = direct.buffer(8 * PAGE)
    assert direct.read_into(fd, view, PAGE, 7 * PAGE) == len(BODY) - PAGE
    assert direct.read_into(fd, view, 16 * PAGE, PAGE) == 0
    os.close(fd)


def test_bytes_of_any_length_and_place_are_written(tmp_path: Path) -> None:
    """What cannot go past the cache goes through it, and nobody notices."""
    path, disk = tmp_path / "file", Disk()
    fd = disk.create(path)
    direct.past_cache(fd)
    view = direct.buffer(8 * PAGE)
    view[: len(BODY)] = BODY
    disk.write(fd, path, view[: 4 * PAGE], 0)
    disk.write(fd, path, view[4 * PAGE : len(BODY)], 4 * PAGE)
    disk.write(fd, path, b"behind", len(BODY))
    disk.write(fd, path, view[PAGE : 2 * PAGE], 8 * PAGE)
    os.close(fd)
    expected = (BODY + b"behind").ljust(8 * PAGE, b"\0") + BODY[PAGE : 2 * PAGE]
    assert path.read_bytes() == expected


def test_going_through_the_cache_is_said_once(tmp_path: Path) -> None:
    """A second try after EINVAL would otherwise go on for ever."""
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    assert not direct.through_cache(fd)
    direct.past_cache(fd)
    assert not (direct.through_cache(fd) and direct.through_cache(fd))
    os.close(fd)
