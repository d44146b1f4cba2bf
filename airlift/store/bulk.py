"""Files read in large pieces, into memory that is used again."""

import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from airlift.store import direct
from airlift.store.direct import PAGE

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_AT_ONCE: Final = getattr(os, "RWF_NOWAIT", 0)


class Buffers:
    """Memory for pieces of files, each beginning at a page, used again and again.

    New memory costs the kernel as much as half a SHA-256 of what goes through it: it is
    cleared page by page. There are never more pieces than were out at once.

    Args:
        room: Bytes of each.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._free: list[mmap.mmap] = []

    def take(self) -> memoryview:
        """Return memory with any content."""
        try:
            return memoryview(self._free.pop())
        except IndexError:
            return direct.buffer(self._room)

    def room(self, length: int, offset: int) -> memoryview:
        """Return memory that lies to a page as bytes from *offset* on do in a file.

        So they can be written past the page cache, all but the rests of pages.

        Args:
            length: Of the bytes; a page less than there is room.
            offset: Where they will begin in the file.
        """
        lead = offset % PAGE
        return self.take()[lead : lead + length]

    def placed(self, lent: bytes | memoryview, offset: int) -> memoryview:
        """Return lent bytes as ``room`` wants them: a copy costs less than a cache."""
        if isinstance(lent, memoryview) and direct.lead(lent) == offset % PAGE:
            return lent
        room = self.room(len(lent), offset)
        room[:] = lent
        self.give(lent)
        return room

    def give(self, lent: bytes | memoryview) -> None:
        """Take memory back by any view of it; other bytes are nobody's concern."""
        if isinstance(lent, memoryview) and isinstance(lent.obj, mmap.mmap):
            self._free.append(lent.obj)


class BulkFile:
    """A file that is read from any thread: out of the page cache what lies there.

    What does not is read past it (``airlift.store.direct``): that costs half the time
    of the processor, and pushes nothing out that others need.

    Args:
        path: The file; not a link.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._cached = os.open(path, _FLAGS)
        try:
            self._past = os.open(path, _FLAGS)
        except BaseException:
            os.close(self._cached)
            raise
        # A look at one page must not make the kernel read the 128 KiB behind it.
        os.posix_fadvise(self._cached, 0, 0, os.POSIX_FADV_RANDOM)
        direct.past_cache(self._past)

    def read(self, buffer: memoryview, offset: int, length: int) -> memoryview:
        """Return the *length* bytes from byte *offset* on; fewer where the file ends.

        Args:
            buffer: Memory they may be put in, beginning at a page; room for *length*
                bytes and two pages.
            offset: Any.
            length: Any that fits.

        Raises:
            OSError: They cannot be read.
        """
        first = offset // PAGE * PAGE
        lead = offset - first
        fd = self._cached if self._lies_in_cache(offset + length // 2) else self._past
        got = direct.read_into(fd, buffer, first, lead + length)
        return buffer[lead : max(lead, got)]

    def again(self, buffer: memoryview, offset: int, length: int) -> memoryview:
        """Return bytes as ``read`` does, from the medium and not out of a cache.

        Nothing around them is read along: one bad sector fails a request as a whole.

        Raises:
            OSError: They cannot be read.
        """
        first = offset // PAGE * PAGE
        lead = offset - first
        # Also where this file goes through the cache because its file system wants it.
        # Said each time: it costs nothing beside a read that failed.
        os.posix_fadvise(self._past, 0, 0, os.POSIX_FADV_RANDOM)
        os.posix_fadvise(self._past, first, lead + length, os.POSIX_FADV_DONTNEED)
        got = direct.read_into(self._past, buffer, first, lead + length)
        return buffer[lead : max(lead, got)]

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        both, self._cached, self._past = (self._cached, self._past), -1, -1
        for fd in both:
            if fd >= 0:
                os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _lies_in_cache(self, offset: int) -> bool:
        # A byte in the middle stands for all: what was read or written lately lies
        # there whole, and where it does not the kernel reads the rest. Not one at an
        # end: the page around it may have come with the piece beside.
        try:
            return os.preadv(self._cached, [bytearray(1)], offset, _AT_ONCE) == 1
        except OSError:
            return False
