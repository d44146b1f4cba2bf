"""Unloading a volume: every slab is read, checked, decoded, written and hashed at once.

The worker that reads a slab does all the rest of it while its bytes are in the
processor's cache (``airlift.lanes``). Nothing is decoded before its digest was checked.
At most ``ALIVE`` slabs and one more for each worker are in memory.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from airlift import lanes
from airlift.format import slabs
from airlift.format.packing import PackedBlob
from airlift.format.reading import Fault, Lent, VolumeStream
from airlift.format.slabs import StoredSlab
from airlift.format.volume import Label
from airlift.inbound.arriving import Ticket
from airlift.inbound.staging import Staging
from airlift.progress import Advance
from airlift.store.blobs import SMALL
from airlift.store.bulk import Buffers

SAVE_EVERY = 2 << 30
"""Bytes between two notes of progress inside a volume: what a kill costs at most."""
_BATCH = 512
"""Small blobs that one worker takes in at once: each alone is less than the price of
passing it from thread to thread."""


@dataclass(frozen=True, slots=True)
class _Slab:
    stored: StoredSlab
    ticket: Ticket | None


_Job = _Slab | list[StoredSlab]


class Unloading:
    """Takes in what lies behind the signed files of one volume.

    Args:
        source: The volume, positioned there.
        label: Its own.
        staging: Where good slabs go.
        buffers: Where *source* has its memory from.
    """

    def __init__(
        self,
        source: VolumeStream,
        label: Label,
        staging: Staging,
        buffers: Buffers,
    ) -> None:
        self._source, self._staging, self._buffers = source, staging, buffers
        self._walk = slabs.walk(source, label, staging.grounds)
        self._faults: list[Fault] = []
        # Small blobs are work for the interpreter, which is one; each hash would let go
        # of it, and threads that want it back wait for each other.
        self._turn = threading.Lock()
        self._over = False

    def run(self, advance: Advance) -> list[Fault]:
        """Take all of it in; return what is wrong with it, by place.

        Progress is noted every 2 GiB, while no worker is at work; the caller notes
        the rest.

        Raises:
            FormatError: A signed slab cannot be decoded.
            StoreError: The disk refuses.
        """
        while not self._over:
            lanes.run(self._jobs(), lambda job, done: self._do(job, done, advance))
            if not self._over:
                self._staging.save()
        return sorted(self._faults, key=lambda fault: fault.offset)

    def _jobs(self) -> Iterator[_Job]:
        """Yield slabs up to the next note of progress; runs on one thread at a time."""
        batch: list[StoredSlab] = []
        unsaved = 0
        for item in self._walk:
            if isinstance(item, Fault):
                self._faults.append(item)
                continue
            if item.slab.raw == item.blob.size < SMALL and not item.pieced:
                batch.append(item)
                if len(batch) == _BATCH:
                    yield batch
                    batch = []
                continue
            yield _Slab(item, self._staging.expect(item))
            unsaved += item.slab.raw
            if unsaved > SAVE_EVERY:
                break
        else:
            self._over = True
        if batch:
            yield batch

    def _do(self, job: _Job, done: Callable[[], None], advance: Advance) -> None:
        if isinstance(job, _Slab):
            self._take(job, done, advance)
            return
        with self._turn:
            taken = self._take_small(job)
        done()
        advance(taken)

    def _take(self, job: _Slab, done: Callable[[], None], advance: Advance) -> None:
        stored, ticket = self._judged(job.stored), job.ticket
        if stored is None or ticket is None:
            self._buffers.give((stored or job.stored).data)
            done()
            if ticket:
                self._staging.lose(ticket)
            return
        raw = self._raw(stored, ticket.offset)

        def release() -> None:
            self._buffers.give(raw)
            done()

        advance(self._staging.take(ticket, raw, release))

    def _take_small(self, job: list[StoredSlab]) -> int:
        good: list[tuple[PackedBlob, bytes, str]] = []
        for stored in job:
            one = self._judged(stored)
            if one is not None and self._staging.wanted(stored.blob):
                lent = self._raw(one, 0)
                raw = bytes(lent)
                self._buffers.give(lent)
                # Without a head a slab is judged by the SHA-256 of just these bytes.
                hashed = stored.run.part.sha256 if stored.table is None else ""
                good.append((stored.blob, raw, hashed))
        self._staging.take_small(good)
        return sum(len(raw) for _, raw, _ in good)

    def _judged(self, stored: StoredSlab) -> StoredSlab | None:
        """Return a slab that is what was signed, if need be read again; else None."""
        fault = slabs.judge(stored, self._source.name)
        if fault is None:
            return stored
        good = slabs.second(self._source, stored)
        if good is None:
            self._faults.append(fault)
            return None
        self._buffers.give(stored.data)
        return good

    def _raw(self, stored: StoredSlab, offset: int) -> Lent:
        """Return what of a good slab goes to the staging area, lent like it was.

        Its raw bytes, where they can go past the page cache to *offset* of their file;
        of a part with pieces, which is put together when all that it builds on is here,
        its stored ones.
        """
        if stored.pieced:
            return stored.data
        if not stored.coded:
            return self._buffers.placed(stored.data, offset)
        raw = self._buffers.room(stored.slab.raw, offset)
        slabs.restore(stored, raw, self._source.name)
        self._buffers.give(stored.data)
        return raw
