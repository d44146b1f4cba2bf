"""A file written front to back in windows that several threads fill.

The places of all bytes are known before the first is read, so whoever has some copies
them where they belong; a full window is written, in order, past the page cache where
that can be. In order, because sticks like that best, and because their file systems
fill what is skipped with zeros.
"""

import threading
from typing import Final

from airlift.crew import Stop
from airlift.lanes import Lane
from airlift.progress import Advance
from airlift.store import direct

WINDOW: Final = 4 << 20
"""Bytes."""
_LIMIT: Final = 6
"""Windows begun and not written; bounds memory where a medium is slow."""
_LOOK_S: Final = 0.1
"""How often whoever waits looks whether all is over."""


class Windows:
    """Fills the file *fd* of *size* bytes.

    Args:
        fd: Open for writing, empty.
        size: Bytes it will have.
        advance: Told of bytes written.
        stop: Set when it is over.
    """

    def __init__(self, fd: int, size: int, advance: Advance, stop: Stop) -> None:
        self._fd, self._size, self._advance, self._stop = fd, size, advance, stop
        self._open: dict[int, tuple[memoryview, list[int]]] = {}
        self._free: list[memoryview] = []
        self._written = 0
        self._changed = threading.Condition()
        self._lane = Lane(self._write)
        direct.past_cache(fd)

    def put(self, data: memoryview, offset: int) -> None:
        """Take *data*, which belongs at byte *offset*; every byte comes once.

        Waits while too much in front of it is missing.

        Raises:
            OSError: The disk refuses.
            StoppedError: It is over.
        """
        while data:
            number, at = divmod(offset, WINDOW)
            some = data[: WINDOW - at]
            view, left = self._window(number)
            view[at : at + len(some)] = some
            with self._changed:
                left[0] -= len(some)
                full = not left[0]
            if full:
                self._lane.put(number, view)
            data, offset = data[len(some) :], offset + len(some)

    def _window(self, number: int) -> tuple[memoryview, list[int]]:
        """Return the memory of a window, and how many of its bytes are missing."""
        with self._changed:
            while number >= self._written + _LIMIT:
                self._stop.check()
                self._changed.wait(_LOOK_S)
            if number not in self._open:
                view = self._free.pop() if self._free else direct.buffer(WINDOW)
                length = min(WINDOW, self._size - number * WINDOW)
                self._open[number] = view, [length]
            return self._open[number]

    def _write(self, view: memoryview) -> None:
        start = self._written * WINDOW
        length = min(WINDOW, self._size - start)
        # All but the last are of whole pages, and the last may go through the cache.
        direct.write_from(self._fd, view[:length], start)
        self._advance(length)
        with self._changed:
            del self._open[self._written]
            self._written += 1
            self._free.append(view)
            self._changed.notify_all()
