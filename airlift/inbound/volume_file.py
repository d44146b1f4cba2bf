"""A volume in a file: read past the page cache, into memory that is used again."""

import io
import os
from collections.abc import Callable

from airlift.format.packing import SLAB
from airlift.format.reading import Lent, VolumeStream
from airlift.inbound.patience import TRIES, Doubts, Patience
from airlift.store import direct
from airlift.store.bulk import Buffers, BulkFile
from airlift.store.direct import PAGE

SMALL = 64 << 10
"""Bytes; less than this is read through a window and handed out as a copy."""
_WINDOW = 256 << 10
"""Most that is read at once where small things lie end to end."""
ROOM = SLAB + 3 * PAGE
"""Bytes of memory for a slab as stored, with the rests of pages around it."""
_UNREADABLE = 64
"""Pieces that may fail to be read before a volume is given up. A scratched disc has a
few; nobody reads 500 lines of a dying one."""


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
        self._patience, self._doubts = Patience(bulk, self._size), Doubts()

    @property
    def doubts(self) -> int:
        """How many pieces were right only when they were read again."""
        return self._doubts.count

    @property
    def gone(self) -> bool:
        """Whether the medium was there no more when the last read failed."""
        return self._patience.gone

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
            found = self._slab(buffer, size)
        except BaseException:
            self._buffers.give(buffer)
            raise
        self.offset += size
        self._ahead = PAGE
        return found

    def skip(self, size: int) -> None:
        """Pass over *size* bytes, none of which is read."""
        self._must_have(size)
        self.offset += size

    def resume(self, offset: int) -> bool:
        """Go on at byte *offset*, behind bytes that could not be read."""
        self.offset = offset
        given_up = self.gone or self._patience.failures > _UNREADABLE
        return offset <= self._size and not given_up

    def again(
        self, offset: int, size: int, right: Callable[[Lent], bool]
    ) -> Lent | None:
        """Return bytes that are *right* when they are read again; from any thread.

        They are lent if they are many.
        """
        for _ in range(TRIES - 1):
            if not self._doubts.may_try():
                return None
            found = self._second(offset, size)
            good = found is not None and right(found)
            self._doubts.settle(right=good)
            if good:
                return found
            self._buffers.give(found or b"")
        return None

    def push_back(self, data: bytes) -> None:
        """Give the bytes just taken back, to be taken again."""
        self.offset -= len(data)

    def at_end(self) -> bool:
        """Say whether no byte is left."""
        return self.offset >= self._size

    def _must_have(self, size: int) -> None:
        if (left := self.offset + size - self._size) > 0:
            raise self.ended(self._size, left)

    def _slab(self, buffer: memoryview, size: int) -> memoryview:
        try:
            found = self._bulk.read(buffer, self.offset, size)
        except OSError:
            self._ask_again(buffer[:size])
            self._doubts.settle(right=True)
            return buffer[:size]
        if (left := size - len(found)) > 0:
            raise self.ended(self.offset + len(found), left)
        return found

    def _second(self, offset: int, size: int) -> Lent | None:
        """Read a piece once more, past every cache; None where that fails."""
        many = size >= SMALL
        memory = self._buffers.take() if many else direct.buffer(SMALL + 2 * PAGE)
        try:
            found = self._bulk.again(memory, offset, size)
        except OSError:
            found = memory[:0]
        if len(found) == size:
            return found if many else bytes(found)
        if many:
            self._buffers.give(memory)
        return None

    def _look(self, size: int) -> None:
        """Read a window that begins here and holds at least *size* bytes."""
        try:
            self._window = os.pread(self._fd, max(size, self._ahead), self.offset)
        except OSError:
            # What is damaged may lie behind what is wanted.
            self._window = b""
        # Less than the file has: the kernel gives what lies in front of a bad sector.
        if len(self._window) < size:
            room = memoryview(bytearray(size))
            self._ask_again(room)
            self._window = bytes(room)
        self._start = self.offset
        self._ahead = min(2 * self._ahead, _WINDOW)

    def _ask_again(self, room: memoryview) -> None:
        """Fill *room* with what was refused, page by page.

        Raises:
            VolumeError: Some of it cannot be read.
        """
        if gaps := self._patience.read(room, self.offset):
            raise self.unread(str(gaps), gaps.first)
