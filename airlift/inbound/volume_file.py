"""A volume in a file: read past the page cache, into memory that is used again."""

import io
import mmap
import os

from airlift.format.packing import SLAB
from airlift.format.reading import Lent, VolumeStream
from airlift.store import direct
from airlift.store.direct import PAGE

SMALL = 64 << 10
"""Bytes; less than this is read through a window and handed out as a copy."""
_WINDOW = 256 << 10
"""Most that is read at once where small things lie end to end."""
_ROOM = SLAB + 3 * PAGE
"""Of a buffer: a slab as stored, and the rests of pages before and behind it."""
_UNREADABLE = 64
"""Slabs that may fail to be read before a volume is given up. A scratched disc has a
few; of one that was pulled out every slab fails, and nobody reads 500 lines of that."""


class Buffers:
    """Memory for slabs, each piece beginning at a page, used again and again.

    New memory costs the kernel as much as a gigabyte costs SHA-256 in half its time:
    it is cleared page by page. There are never more pieces than were out at once.
    """

    def __init__(self) -> None:
        self._free: list[mmap.mmap] = []

    def take(self) -> memoryview:
        """Return memory for a slab, raw or as stored, with any content."""
        try:
            return memoryview(self._free.pop())
        except IndexError:
            return direct.buffer(_ROOM)

    def give(self, lent: Lent) -> None:
        """Take memory back by any view of it; other bytes are nobody's concern."""
        if isinstance(lent, memoryview) and isinstance(lent.obj, mmap.mmap):
            self._free.append(lent.obj)


class VolumeFile(VolumeStream):
    """A volume in a regular file.

    It is read in order by one thread at a time: discs and sticks are fastest so, and
    slabs of 4 MiB keep a fast disk busy as well.

    Args:
        file: The volume, unbuffered.
        bulk: The same file opened once more, for slabs; goes past the page cache
            where that can be.
        name: What to call the volume in an error.
        buffers: Where memory for slabs comes from.
    """

    def __init__(self, file: io.FileIO, bulk: int, name: str, buffers: Buffers) -> None:
        super().__init__(file, name)
        self._fd, self._bulk, self._buffers = file.fileno(), bulk, buffers
        self._size = os.fstat(self._fd).st_size
        self._window, self._start, self._ahead = b"", 0, PAGE
        self._unreadable = 0

    def take(self, size: int) -> bytes:
        """Return exactly *size* bytes."""
        self._must_have(size)
        begin = self.offset - self._start
        if not 0 <= begin <= len(self._window) - size:
            self._look(size)
            begin = 0
        self.offset += size
        return self._window[begin : begin + size]

    def slab(self, size: int) -> Lent:
        """Return exactly *size* bytes; lent if they are many."""
        if size < SMALL:
            return self.take(size)
        self._must_have(size)
        first = self.offset // PAGE * PAGE
        lead = self.offset - first
        buffer = self._buffers.take()
        try:
            got = direct.read_into(self._bulk, buffer, first, lead + size)
            if got < lead + size:
                raise self.ended(first + got, lead + size - got)
        except OSError as error:
            self._buffers.give(buffer)
            raise self._refused(error) from error
        self.offset += size
        self._ahead = PAGE
        return buffer[lead : lead + size]

    def resume(self, offset: int) -> bool:
        """Go on at byte *offset*, behind bytes that could not be read."""
        self._unreadable += 1
        self.offset = offset
        return offset <= self._size and self._unreadable <= _UNREADABLE

    def push_back(self, data: bytes) -> None:
        """Give the bytes just taken back, to be taken again."""
        self.offset -= len(data)

    def at_end(self) -> bool:
        """Say whether no byte is left."""
        return self.offset >= self._size

    def _must_have(self, size: int) -> None:
        if (left := self.offset + size - self._size) > 0:
            raise self.ended(self._size, left)

    def _look(self, size: int) -> None:
        """Read a window that begins here and holds at least *size* bytes."""
        try:
            self._window = os.pread(self._fd, max(size, self._ahead), self.offset)
        except OSError:
            # What is damaged may lie behind what is wanted.
            try:
                self._window = os.pread(self._fd, size, self.offset)
            except OSError as error:
                raise self._refused(error) from error
        self._start = self.offset
        self._ahead = min(2 * self._ahead, _WINDOW)
        if (left := size - len(self._window)) > 0:
            raise self.ended(self.offset + len(self._window), left)

    def _refused(self, error: OSError) -> Exception:
        return self.error(f"cannot be read: {error.strerror}")
