"""Slabs on their way: where their bytes are read from, and the memory they pass through."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import StoreError
from airlift.format.packing import HEADERS, SLAB
from airlift.store import direct
from airlift.store.bulk import BulkFile
from airlift.store.durable import FLAGS, failing, let_go
from airlift.store.span import Span
from airlift.store.store import Store

CODED: Final = direct.whole_pages(SLAB + HEADERS)
"""Most bytes of a coded slab, in whole pages."""


class Reader(Protocol):
    """Gives ranges of a file, to several threads at once."""

    def into(self, view: memoryview, offset: int, length: int) -> None:
        """Read *length* bytes at byte *offset* to the front of *view*.

        Args:
            view: Begins at a page and has whole pages; what lies behind *length* may
                be written over.
            offset: In the file.
            length: At most that of *view*.

        Raises:
            AirliftError: They cannot be had.
        """
        ...

    def close(self) -> None:
        """Let go of the file. May be called twice.

        Raises:
            AirliftError: It is not what it was when it was opened.
        """
        ...


class FileReader:
    """The file *path*, whose ranges all begin at pages.

    Raises:
        StoreError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with failing("open", path):
            self._file = BulkFile(path)

    def into(self, view: memoryview, offset: int, length: int) -> None:
        """Read *length* bytes at byte *offset* to the front of *view*.

        Raises:
            StoreError: It ends early, or the disk refuses.
        """
        with failing("read", self._path):
            found = len(self._file.read(view, offset, length))
        if found < length:
            where = naming.show(str(self._path))
            problem = f"{where} ends at byte {offset + found} of {offset + length}"
            raise StoreError(problem, hint="run the same command again")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class BlobReader:
    """A blob of *store*.

    Args:
        store: What holds it.
        blob: Which.
        aligned: Whether every range begins at a page, and so may be read past the
            page cache: what is packed is read once and would only push out what
            others need.

    Raises:
        StoreError: It is not held.
    """

    def __init__(self, store: Store, blob: Sha256, *, aligned: bool) -> None:
        self._store, self._blob, self._fd = store, blob, -1
        self._packed: Span | None = None
        span = store.span(blob)
        if span is None or span.offset:
            self._packed = span
            return
        self._path, self._size = span.path, span.length
        with failing("open", span.path):
            self._fd = os.open(span.path, os.O_RDONLY | FLAGS)
        if aligned:
            direct.past_cache(self._fd)

    def into(self, view: memoryview, offset: int, length: int) -> None:
        """Read *length* bytes at byte *offset* to the front of *view*.

        Raises:
            StoreError: It is not held, or ends early.
        """
        if self._packed is not None:
            # A pack may be replaced at any time: the store is asked again then.
            with contextlib.suppress(StoreError):
                data = self._packed.read(offset, offset + length)
                if len(data) == length:
                    view[:length] = data
                    return
        if self._fd < 0:
            at = 0
            stop = offset + length
            for chunk in self._store.read(self._blob, start=offset, stop=stop):
                view[at : at + len(chunk)] = chunk
                at += len(chunk)
            return
        with failing("read", self._path):
            found = direct.read_into(self._fd, view, offset, length)
        if found < length:
            where = naming.show(str(self._path))
            end, stop = offset + found, offset + length
            problem = f"blob {self._blob} in {where} ends at byte {end} of {stop}"
            raise StoreError(problem, hint="run `airlift verify` to set it aside")

    def close(self) -> None:
        """Let go of the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            let_go(fd)


class Slot:
    """Memory of one slab: as it is, and as it is stored."""

    def __init__(self) -> None:
        self.raw = direct.buffer(SLAB)
        self.coded = direct.buffer(CODED)


class Slots:
    """Slots used again and again: fresh memory costs more than a copy into it."""

    def __init__(self) -> None:
        self._free: list[Slot] = []

    def take(self) -> Slot:
        """Return one that nobody uses."""
        try:
            return self._free.pop()
        except IndexError:
            return Slot()

    def clear(self) -> None:
        """Give back the memory of those that nobody uses."""
        self._free.clear()

    def hold(self, slot: Slot, uses: int, done: Callable[[], None]) -> "Hold":
        """Return what gives *slot* back, and calls *done*, after so many uses."""

        def last() -> None:
            self._free.append(slot)
            done()

        return Hold(uses, last)


class Hold:
    """Counts the uses of a slot that are left; *last* is called after the last.

    One ``drop`` is one use; safe from any threads.
    """

    def __init__(self, uses: int, last: Callable[[], None]) -> None:
        self._left, self._last = list(range(uses)), last

    def drop(self) -> None:
        """One use less."""
        # Taking the last of a list is one step under the interpreter lock, and only
        # one thread gets the 0.
        if self._left.pop() == 0:
            # Forgotten first: what it refers to refers to this, and would stay in
            # memory until somebody looks for such rings.
            last, self._last = self._last, _nothing
            last()


def _nothing() -> None:
    """Do nothing."""
