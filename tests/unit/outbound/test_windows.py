"""Windows: any threads, any order, the right bytes in the right places."""

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from airlift import lanes
from airlift.crew import Stop, StoppedError
from airlift.outbound.windows import WINDOW, Windows

BODY = random.Random(1).randbytes(3 * WINDOW + 777)


@pytest.mark.parametrize("size", [1, 4096, WINDOW, WINDOW + 1, len(BODY)])
def test_a_file_is_filled_whole(tmp_path: Path, size: int) -> None:
    """Volumes end anywhere, and slabs lie across any border."""
    told: list[int] = []
    cuts = sorted({0, size, *(random.Random(2).randrange(size) for _ in range(40))})
    with (tmp_path / "file").open("wb", buffering=0) as out:
        windows = Windows(out.fileno(), size, told.append, Stop())

        def do(at: int, done: Callable[[], None]) -> None:
            windows.put(memoryview(BODY)[cuts[at] : cuts[at + 1]], cuts[at])
            done()

        lanes.run(range(len(cuts) - 1), do, threads=4)
    assert (tmp_path / "file").read_bytes() == BODY[:size]
    assert sum(told) == size


def test_who_is_too_far_ahead_waits_and_ends_with_the_rest(tmp_path: Path) -> None:
    """A slow stick must not fill the memory, nor an error leave a thread behind."""
    stop, ended = Stop(), threading.Event()
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    windows = Windows(fd, 100 * WINDOW, lambda _: None, stop)

    def put() -> None:
        with pytest.raises(StoppedError):
            windows.put(memoryview(BODY)[:1], 50 * WINDOW)
        ended.set()

    thread = threading.Thread(target=put)
    thread.start()
    assert not ended.wait(0.3)
    stop.set()
    thread.join(10)
    os.close(fd)
    assert ended.is_set()
