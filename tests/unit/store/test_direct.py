"""Past the page cache where that can be, the same bytes everywhere."""

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airlift.errors import StoreError
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


def test_threads_that_fall_back_at_once_lose_nothing(tmp_path: Path) -> None:
    """A model whose numbers begin at an odd byte: no slab of it is of whole pages."""
    size, disk = 512, Disk()
    for attempt in range(50):
        path = tmp_path / str(attempt)
        fd = disk.create(path)
        direct.past_cache(fd)

        def write(at: int, fd: int = fd, path: Path = path) -> None:
            disk.write(fd, path, BODY[at * size : (at + 1) * size], 1 + at * size)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(8)))
        os.close(fd)
        assert path.read_bytes() == b"\0" + BODY[: 8 * size]


def test_a_second_refusal_is_an_error(tmp_path: Path) -> None:
    """Falling back must end: a place no file can have is refused through the cache too."""
    path, disk = tmp_path / "file", Disk()
    fd = disk.create(path)
    direct.past_cache(fd)
    with pytest.raises(StoreError) as caught:
        disk.write(fd, path, b"x", -1)
    with pytest.raises(OSError, match="Invalid argument"):
        direct.read_into(fd, direct.buffer(PAGE), -PAGE, 1)
    os.close(fd)
    assert caught.value.problem == f"cannot write {path}: invalid argument"
