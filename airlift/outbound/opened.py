"""Blobs of the store held open, so that many small reads of them cost little."""

import os
from collections import OrderedDict
from types import TracebackType
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from airlift.digest import Sha256
from airlift.errors import StoreError
from airlift.store.durable import FLAGS, failing, let_go
from airlift.store.store import Store

Bytes: TypeAlias = NDArray[np.uint8]

_MOST: Final = 64
"""Files open at once; what was not read for longest is closed."""


class OpenedBlobs:
    """Reads blobs of *store* at any place; use it in a ``with`` statement.

    Not for several threads at once.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: OrderedDict[Sha256, tuple[int, int, int]] = OrderedDict()

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every file."""
        while self._open:
            let_go(self._open.popitem()[1][0])

    def holds(self, blob: Sha256) -> bool:
        """Say whether the store has it."""
        return blob in self._open or self._store.span(blob) is not None

    def size(self, blob: Sha256) -> int:
        """Return its bytes.

        Raises:
            StoreError: It is not held or cannot be opened.
        """
        return self._opened(blob)[2]

    def read(self, blob: Sha256, start: int, stop: int) -> bytes:
        """Return the bytes of *blob* from *start* to *stop*.

        Raises:
            StoreError: It is not held, cannot be read, or ends early.
        """
        out = np.empty(stop - start, np.uint8)
        self.fill(blob, start, out)
        return out.tobytes()

    def fill(self, blob: Sha256, start: int, out: Bytes) -> None:
        """Fill *out* with the bytes of *blob* from *start*.

        Raises:
            StoreError: It is not held, cannot be read, or ends early.
        """
        fd, offset, _ = self._opened(blob)
        done = 0
        while done < out.size:
            with failing("read", blob):
                count = os.preadv(fd, [out[done:].data], offset + start + done)
            if not count:
                problem = f"blob {blob} ends at byte {start + done} in the store"
                raise StoreError(problem, hint="run `airlift verify` to set it aside")
            done += count

    def _opened(self, blob: Sha256) -> tuple[int, int, int]:
        if blob in self._open:
            self._open.move_to_end(blob)
            return self._open[blob]
        span = self._store.span(blob)
        if span is None:
            problem = f"blob {blob} is not in the store"
            raise StoreError(problem, hint="`airlift verify` tells what else is not")
        with failing("open", span.path):
            fd = os.open(span.path, os.O_RDONLY | FLAGS)
        self._open[blob] = (fd, span.offset, span.length)
        if len(self._open) > _MOST:
            let_go(self._open.popitem(last=False)[1][0])
        return self._open[blob]
