"""A volume in a file: read past the page cache, into memory that is used again."""

import io
import os

from airlift.format.packing import SLAB
from airlift.format.reading import Lent, VolumeStream
from airlift.store.bulk import Buffers, BulkFile
from airlift.store.direct import PAGE

SMALL = 64 << 10
"""Bytes; less than this is read through a window and handed out as a copy."""
_WINDOW = 256 << 10
"""Most that is read at once where small things lie end to end."""
ROOM = SLAB + 3 * PAGE
"""Bytes of memory for a slab as stored, with the rests of pages around it."""
_UNREADABLE = 64
"""Slabs that may fail to be read before a volume is given up. A scratched disc has a
few; of one that was pulled out every slab fails, and nobody reads 500 lines of that."""


class VolumeFile(VolumeStream):
    """A volume in a regular file.

    It is read in order by one thread at a time: discs and sticks are fastest so, and
    slabs of 4 MiB keep a fast disk busy as well.

    Args:
        file: The volume, unbuffered.
        bulk: The same file, for its slabs.
        name: What to call the volume in an error.
        buffers: Where memory for slabs comes from; each of ``ROOM`` bytes.
    """

    def __init__(
        self, file: io.FileIO, bulk: BulkFile, name: str, buffers: Buffers
    ) -> None:
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
        buffer = self._buffers.take()
        try:
            found = self._bulk.read(buffer, self.offset, size)
            if (left := size - len(found)) > 0:
                self._buffers.give(buffer)
                raise self.ended(self.offset + len(found), left)
        except OSError as error:
            self._buffers.give(buffer)
            raise self._refused(error) from error
        self.offset += size
        self._ahead = PAGE
        return found

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
