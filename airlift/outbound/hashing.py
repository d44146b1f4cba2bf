"""The digest of a file as fast as one thread computes it, reading ahead of it."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from airlift import lanes
from airlift.digest import Sha256
from airlift.lanes import Lane
from airlift.progress import Advance
from airlift.store import direct
from airlift.store.durable import FLAGS, let_go

_CHUNK: Final = 4 << 20
_ALIVE: Final = 4


def sha256_of(path: Path, advance: Advance) -> tuple[Sha256, int]:
    """Return the SHA-256 and the length of the file *path*, read from its disk.

    Past the page cache where that can be: what a medium holds is not what memory
    remembers having written there.

    Args:
        path: A regular file.
        advance: Told of bytes that were read.

    Raises:
        OSError: It cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | FLAGS)
    try:
        direct.past_cache(fd)
        return _sha256_of(fd, os.fstat(fd).st_size, advance)
    finally:
        let_go(fd)


def _sha256_of(fd: int, size: int, advance: Advance) -> tuple[Sha256, int]:
    hasher, length, free = hashlib.sha256(), 0, list[memoryview]()

    def update(item: tuple[memoryview, int, Callable[[], None]]) -> None:
        nonlocal length
        view, got, done = item
        hasher.update(view[:got])
        length += got
        free.append(view)
        advance(got)
        done()

    lane = Lane(update)

    def do(number: int, done: Callable[[], None]) -> None:
        view = free.pop() if free else direct.buffer(_CHUNK)
        got = direct.read_into(fd, view, number * _CHUNK, _CHUNK)
        lane.put(number, (view, got, done))

    # One more than its length says: it may be longer than when it was looked at.
    jobs: Iterator[int] = iter(range(size // _CHUNK + 1))
    lanes.run(jobs, do, alive=_ALIVE, threads=2)
    return Sha256(hasher.hexdigest()), length
