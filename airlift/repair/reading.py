"""Reading damaged media: what can be had of a file, piece by piece."""

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

from airlift.format import parity
from airlift.format.parity import STRIPE
from airlift.repair.scratch import Scratch
from airlift.store import direct
from airlift.store.durable import FLAGS, let_go

_TRIES: Final = 2
"""Times a piece is read that the medium refuses: a dirty contact often comes back."""
_SAMPLE: Final = 24
"""Stripes looked at to tell which volume a file is that does not say so."""


class File:
    """A file at hand.

    Only a regular file is read: a pipe or a device left on a stick gives nothing.

    Attributes:
        path: Where it lies.
    """

    def __init__(self, path: Path, opened: contextlib.ExitStack) -> None:
        self.path, self._fd = path, -1
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | FLAGS)
            opened.callback(let_go, fd)
            if stat.S_ISREG(os.fstat(fd).st_mode):
                self._fd = fd

    def size(self) -> int:
        """Return its length in bytes; 0 where the medium does not tell."""
        with contextlib.suppress(OSError):
            return os.fstat(self._fd).st_size
        return 0

    def pieces(self, view: memoryview, at: int, size: int, count: int) -> list[int]:
        """Read *count* pieces of *size* bytes each, from byte *at* on, to *view*.

        Returns:
            How many bytes of each there are: fewer than *size* where the file ends,
            none where the medium refuses.
        """
        with contextlib.suppress(OSError):
            got = direct.read_into(self._fd, view, at, size * count)
            return [max(0, min(size, got - n * size)) for n in range(count)]
        return [
            self._piece(view[n * size : (n + 1) * size], at + n * size)
            for n in range(count)
        ]

    def _piece(self, view: memoryview, at: int) -> int:
        for _ in range(_TRIES):
            with contextlib.suppress(OSError):
                return direct.read_into(self._fd, view, at, len(view))
        return 0


def which(file: File, scratch: Scratch) -> int | None:
    """Return which volume of a group *file* is, by its stripes; None if of none.

    For files whose label is damaged. Stripes that several volumes have in common say
    nothing: the signed files in front are the same in each.

    Args:
        file: At hand.
        scratch: Has the tags of the group.
    """
    rows = parity.rows_of(file.size())
    view = direct.buffer(STRIPE)
    for row in range(0, rows, max(1, rows // _SAMPLE)):
        got = file.pieces(view, row * STRIPE, STRIPE, 1)[0]
        view[got:] = bytes(STRIPE - got)
        if got and (found := scratch.owners(row, parity.tag(view))) and len(found) == 1:
            return found[0]
    return None
