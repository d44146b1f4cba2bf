"""One file on its way into the store, resumable after any kind of death.

Bytes go to a partial of the store. A file of one segment grows from front to back, so
its length says how far it came. A larger one is fetched in several segments at once,
and a second, small partial beside it notes after each write how far each segment
came; a process killed in between fetches a chunk again, never too little. After a
power cut a note may be there and the bytes not: the digest finds that out, and what an
earlier run left is then fetched once more before upstream is blamed.
"""

import hashlib
import os
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from airlift import naming
from airlift.artifact import PinnedFile
from airlift.digest import Sha256, git_blob_hasher
from airlift.errors import SourceError
from airlift.fetch import RangeIgnoredError
from airlift.outbound.pulling import TRIES, Tap, pull
from airlift.progress import Advance
from airlift.store.blobs import BlobStore, Partial

SEGMENT = 64 << 20
"""Bytes fetched by one request of several: large beside its cost, small beside a
shard, so that a few workers share one file evenly."""

_CHUNK = 1 << 20
_NOTE = struct.Struct("<Q")
_NOTES = ".ranges"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What a file turned out to be: its digest and its length in bytes."""

    sha256: Sha256
    size: int


class Download:
    """A file that is being fetched; run all its ``tasks``, on any threads.

    Args:
        file: What to fetch.
        key: Names its partial; the same for the same content.
        tap: Where from.
        store: Where to.
        advance: Told of bytes that are there, once each.
        segment: Bytes of one request where there are several; the same in every run.
    """

    def __init__(  # noqa: PLR0913 - what, where from, where to, and who is told
        self,
        file: PinnedFile,
        key: str,
        tap: Tap,
        store: BlobStore,
        advance: Advance,
        *,
        segment: int = SEGMENT,
    ) -> None:
        self.key = key
        self.arrived: Arrived | None = None
        self._file, self._tap, self._store, self._advance = file, tap, store, advance
        self._step = segment
        self._lock = threading.Lock()
        self._partial: Partial | None = None
        self._notes: Partial | None = None
        self._resumed = False
        self._whole_only = False
        self._counted = 0
        self._left = 0

    def tasks(self) -> list[Callable[[], None]]:
        """Return what there is to do; the last to end finishes the file."""
        size = self._file.size
        if size is None or size <= self._step or not self._is_named:
            return [self._in_one]
        starts = range(0, size, self._step)
        self._left = len(starts)
        return [partial(self._segment, start, size) for start in starts]

    def close(self) -> None:
        """Let go of the partial, which stays; nothing is written after this."""
        with self._lock:
            for held in (self._partial, self._notes):
                if held is not None:
                    held.close()
            self._partial = self._notes = None

    @property
    def _is_named(self) -> bool:
        """Whether a digest will tell if what an earlier run left still fits."""
        return self._file.sha256 is not None or self._file.git_oid is not None

    # --- one request ------------------------------------------------------------

    def _in_one(self) -> None:
        at = self._open().length()
        if self._is_named and self._file.size is not None:
            self._resumed = at > 0
            self._count(at)
            try:
                pull(self._tap, self._file, at, self._file.size, self._keep)
            except RangeIgnoredError:
                self._from_start()
        else:
            self._from_start()
        self._finish()

    def _from_start(self) -> None:
        for left in reversed(range(TRIES)):
            self._throw_away()
            self._open()
            try:
                pull(self._tap, self._file, 0, self._file.size, self._keep)
            except RangeIgnoredError:
                if not left:
                    raise
            else:
                return

    # --- several requests -------------------------------------------------------

    def _segment(self, start: int, size: int) -> None:
        self._open()
        stop = min(start + self._step, size)
        at = min(start + self._noted(start), stop)
        if at > start:
            self._resumed = True
            self._add(at - start)
        if not self._whole_only:
            try:
                pull(self._tap, self._file, at, stop, partial(self._keep_noted, start))
            except RangeIgnoredError:
                self._whole_only = True
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            if self._whole_only:
                self._from_start()
            self._finish()

    def _noted(self, start: int) -> int:
        with self._lock:
            assert self._notes is not None
            place = start // self._step * _NOTE.size
            raw = os.pread(self._notes.fd, _NOTE.size, place)
        return int(_NOTE.unpack(raw)[0]) if len(raw) == _NOTE.size else 0

    def _keep_noted(self, start: int, chunk: bytes, at: int) -> None:
        with self._lock:
            filling, notes = self._held(), self._notes
            assert notes is not None
            filling.write(chunk, at)
            done = at + len(chunk) - start
            notes.write(_NOTE.pack(done), start // self._step * _NOTE.size)
        self._add(len(chunk))

    # --- both -------------------------------------------------------------------

    def _open(self) -> Partial:
        with self._lock:
            self._tap.stop.check()
            if self._partial is None:
                self._partial = self._store.partial(self.key, self._file.size)
                if self._left:
                    self._notes = self._store.partial(self.key + _NOTES)
            return self._partial

    def _held(self) -> Partial:
        # Closed under the same lock: a thread that hung in a read while everything
        # ended must not write to whatever has the file's number now.
        self._tap.stop.check()
        assert self._partial is not None
        return self._partial

    def _keep(self, chunk: bytes, at: int) -> None:
        with self._lock:
            self._held().write(chunk, at)
        self._count(at + len(chunk))

    def _count(self, reached: int) -> None:
        if reached > self._counted:
            self._add(reached - self._counted)

    def _add(self, length: int) -> None:
        with self._lock:
            self._counted += length
        self._advance(length)

    def _finish(self) -> None:
        wrong, arrived = self._examine()
        if wrong:
            if not self._resumed:
                self._throw_away()
                hint = "nothing was kept; if it happens again, upstream is damaged"
                raise SourceError(wrong, hint=hint)
            self._resumed = False
            self._from_start()
            self._finish()
            return
        with self._lock:
            self._store.adopt(self._held(), arrived.sha256)
            self._partial = None
        self.close()
        self._store.discard(self.key + _NOTES)
        self.arrived = arrived

    def _examine(self) -> tuple[str, Arrived]:
        """Return what is wrong with the bytes, empty if nothing, and what they are."""
        filling = self._open()
        size = filling.length()
        sha256, oid = hashlib.sha256(), git_blob_hasher(size)
        for chunk in self._bytes(filling, size):
            sha256.update(chunk)
            if self._file.git_oid is not None:
                oid.update(chunk)
        arrived = Arrived(sha256=Sha256(sha256.hexdigest()), size=size)
        return problem_of(self._file, arrived, oid.hexdigest()), arrived

    def _bytes(self, filling: Partial, size: int) -> Iterator[bytes]:
        for offset in range(0, size, _CHUNK):
            self._tap.stop.check()
            yield os.pread(filling.fd, _CHUNK, offset)

    def _throw_away(self) -> None:
        self.close()
        self._store.discard(self.key)
        self._store.discard(self.key + _NOTES)


def problem_of(file: PinnedFile, arrived: Arrived, oid: str) -> str:
    """Say how what arrived differs from what upstream stated; empty if it does not.

    Args:
        file: With what upstream stated.
        arrived: What was received.
        oid: Its git blob id.
    """
    stated = (
        ("bytes", file.size, arrived.size),
        ("sha256", file.sha256, arrived.sha256),
        ("git id", file.git_oid, oid),
    )
    shown = naming.show(file.path)
    for what, expected, found in stated:
        if expected is not None and expected != found:
            return f"`{shown}` arrived as {what} {found}, upstream states {expected}"
    return ""
