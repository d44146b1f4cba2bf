"""Coding: one pass over the bytes of blobs makes everything that is wanted of them.

While a slab is in the processor's cache it is hashed, kept, coded, and written to the
spool. Three files are under way at once, so that the digest of one, which must be taken
in order, does not hold up the rest.
"""

import contextlib
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from blake3 import blake3

from airlift import lanes
from airlift.digest import Sha256, sha256
from airlift.errors import AirliftError
from airlift.format import block, difference, head
from airlift.format.head import Codec, PartHead, Slab
from airlift.format.packing import PART_LIMIT, SLAB, Head, PackedBlob, Part
from airlift.lanes import Lane
from airlift.outbound.recipe import Cut, Portion
from airlift.outbound.slabs import Hold, Reader, Slot, Slots
from airlift.outbound.spool import Coded, Done, Spool, places
from airlift.progress import Advance
from airlift.store import direct
from airlift.store.direct import PAGE

_AT_ONCE: Final = 3
"""Files under way at once."""
_ALIVE: Final = lanes.THREADS + 2
"""Slabs under way at once, of 8 MiB of memory each."""


class Keeper(Protocol):
    """Keeps the bytes of a blob that goes by."""

    def write(self, some: memoryview, at: int) -> None:
        """Take *some* bytes, which begin at byte *at*; from any thread."""
        ...

    def finish(self, sha256: Sha256) -> None:
        """Make them durable under their name: all are there, and right."""
        ...

    def close(self) -> None:
        """Let go; what is not finished is worth nothing. May be called twice."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A blob to be coded.

    Attributes:
        name: Tells it from the others.
        sha256: What its bytes must hash to; None if that is to be found out.
        size: Bytes, at least 1.
        recipe: Tells its stored slabs from others of the same blob.
        codec: Of its slabs.
        portions: Its parts; none if it is only to be hashed and kept.
        open: Opens it.
        open_base: Opens a blob that its slabs are differences to.
        keep: Opens what its bytes are kept in besides, if they are.
        refuse: Called with what it hashes to where that is not ``sha256``; returns
            the error to raise.
    """

    name: str
    sha256: Sha256 | None
    size: int
    codec: Codec
    portions: tuple[Portion, ...]
    open: Callable[[], Reader]
    refuse: Callable[[Sha256], AirliftError]
    recipe: str = ""
    open_base: Callable[[Sha256], Reader] | None = None
    keep: Callable[[], "Keeper"] | None = None

    @property
    def whole(self) -> bool:
        """Whether its slabs are all its bytes in order."""
        return not any(one.pieces for one in self.portions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a load turned out to be.

    Attributes:
        sha256: Of its bytes.
        key: Names it in the spool.
        done: How it is packed; None if it was only hashed and kept.
    """

    sha256: Sha256
    key: str
    done: Done | None


def plain(size: int, lead: int = 0) -> tuple[Portion, ...]:
    """Return the parts of a blob of *size* bytes that is made of nothing else.

    Args:
        size: At least 1.
        lead: Bytes that are a slab of their own in front.
    """
    cuts = [Cut(0, lead)] if lead else []
    cuts += [Cut(at, min(SLAB, size - at)) for at in range(lead, size, SLAB)]
    return tuple(
        Portion(
            start=some[0].start,
            raw=sum(one.length for one in some),
            bases=(),
            pieces=(),
            cuts=tuple(some),
        )
        for some in (
            cuts[at : at + head.SLABS] for at in range(0, len(cuts), head.SLABS)
        )
    )


def key_of(blob: Sha256, recipe: str = "") -> str:
    """Return what names *blob*, made by *recipe* if it has one, in the spool."""
    return f"{blob}-{recipe}" if recipe else blob


def aligned(portions: Iterable[Portion]) -> bool:
    """Say whether all that is read for *portions* begins at pages."""
    return all(cut.start % PAGE == 0 for one in portions for cut in one.cuts)


def run(
    loads: Iterable[Load],
    spool: Spool,
    advance: Advance,
    finished: Callable[[Load, Outcome], None],
) -> None:
    """Code *loads*, in the order given as far as threads allow.

    Args:
        loads: What to code.
        spool: Where stored slabs go.
        advance: Told of raw bytes once they are dealt with.
        finished: Called once for each load, from any thread, with what it became.

    Raises:
        AirliftError: Of the load that failed; the others stop.
    """
    site = _Site(spool, advance, finished)
    try:
        jobs = _jobs(loads, site)
        lanes.run(jobs, lambda job, done: job.passage.do(job, done), alive=_ALIVE)
    finally:
        for passage in list(site.under_way):
            passage.close()
        site.slots.clear()


@dataclass(slots=True)
class _Site:
    """What the passages of one run share."""

    spool: Spool
    advance: Advance
    finished: Callable[[Load, Outcome], None]
    slots: Slots = field(default_factory=Slots)
    under_way: "set[_Passage]" = field(default_factory=set)


def _jobs(loads: Iterable[Load], site: _Site) -> "Iterator[_Job]":
    """Yield the slabs of a few blobs in turn."""
    waiting = iter(loads)
    active: deque[Iterator[_Job]] = deque()
    while True:
        while len(active) < _AT_ONCE and (load := next(waiting, None)):
            active.append(_Passage(load, site).jobs())
        if not active:
            return
        if job := next(active[0], None):
            yield job
            active.rotate(-1)
        else:
            active.popleft()


@dataclass(frozen=True, slots=True)
class _Job:
    """One slab; its number in the lane of each thing that is done with it, if it is."""

    passage: "_Passage"
    cut: Cut
    hashed: int | None
    coded: int | None


@dataclass(frozen=True, slots=True)
class _Stored:
    """A slab as it is stored, and who holds its memory."""

    data: memoryview
    slab: Slab
    hold: Hold


class _Passage:
    """One blob on its way."""

    def __init__(self, load: Load, site: _Site) -> None:
        self._load, self._site = load, site
        self._closing = contextlib.ExitStack()
        site.under_way.add(self)
        self._reader = load.open()
        self._closing.callback(self._reader.close)
        self._bases: dict[Sha256, Reader] = {}
        self._lock = threading.Lock()
        self._out: Coded | None = None
        if load.codec and load.portions:
            self._out = site.spool.begin(load.name, load.size)
            self._closing.callback(self._out.close)
        self._keeper: Keeper | None = None
        if load.keep:
            self._keeper = load.keep()
            self._closing.callback(self._keeper.close)
        self._table = _Table(load)
        self._lanes = Lane(self._hash), Lane(self._table.add)
        cuts = [cut for portion in load.portions for cut in portion.cuts]
        self._places = list(places(cut.length for cut in cuts))
        self._jobs = list(self._list(cuts))
        self._left = Hold(len(self._jobs), self._finish)

    def _list(self, cuts: list[Cut]) -> Iterator[_Job]:
        if self._load.whole and cuts:
            for number, cut in enumerate(cuts):
                yield _Job(self, cut, number, number)
            return
        # What a recipe leaves out is read too: rot in it must be found here.
        for number, start in enumerate(range(0, self._load.size, SLAB)):
            length = min(SLAB, self._load.size - start)
            yield _Job(self, Cut(start, length), number, None)
        for number, cut in enumerate(cuts):
            yield _Job(self, cut, None, number)

    def jobs(self) -> Iterator[_Job]:
        """Yield what there is to do."""
        return iter(self._jobs)

    def do(self, job: _Job, done: Callable[[], None]) -> None:
        """Do all there is to do with a slab."""
        slot = self._site.slots.take()

        def last() -> None:
            done()
            self._left.drop()

        uses = (job.hashed is not None) + (job.coded is not None)
        hold = self._site.slots.hold(slot, uses, last)
        raw = slot.raw[: job.cut.length]
        self._reader.into(slot.raw, job.cut.start, job.cut.length)
        if job.hashed is not None:
            if self._keeper:
                self._keeper.write(raw, job.cut.start)
            self._lanes[0].put(job.hashed, (raw, hold))
        if job.coded is not None:
            data = self._code(job.cut, job.coded, slot)
            slab = Slab(len(data), job.cut.length, blake3(data).digest())
            self._lanes[1].put(job.coded, _Stored(data, slab, hold))

    def _hash(self, item: tuple[memoryview, Hold]) -> None:
        raw, hold = item
        self._table.whole.update(raw)
        self._site.advance(len(raw))
        hold.drop()

    def _code(self, cut: Cut, number: int, slot: Slot) -> memoryview:
        """Return the stored bytes of a slab, which are in the spool where it has some."""
        raw = slot.raw[: cut.length]
        if cut.base is not None:
            self._base(cut.base).into(slot.coded, cut.offset, cut.length)
            raw[:] = difference.difference(raw, slot.coded[: cut.length], cut.width)
        if self._out is None:
            return raw
        size = block.encode_slab_into(raw, slot.coded)
        end = direct.whole_pages(size)
        slot.coded[size:end] = bytes(end - size)
        self._out.write(slot.coded[:end], self._places[number])
        return slot.coded[:size]

    def _base(self, base: Sha256) -> Reader:
        with self._lock:
            if base not in self._bases:
                assert self._load.open_base
                self._bases[base] = self._load.open_base(base)
                self._closing.callback(self._bases[base].close)
            return self._bases[base]

    def _finish(self) -> None:
        """Believe nothing before the whole has the digest it must have."""
        self._reader.close()
        load, found = self._load, Sha256(self._table.whole.hexdigest())
        if load.sha256 not in (None, found):
            raise load.refuse(found)
        key = key_of(found, load.recipe)
        if self._out:
            self._out.finish(key)
        if self._keeper:
            self._keeper.finish(found)
        done = self._table.done(found) if load.portions else None
        self.close()
        self._site.finished(load, Outcome(sha256=found, key=key, done=done))

    def close(self) -> None:
        """Let go of its files; what is not finished stays unfinished."""
        self._site.under_way.discard(self)
        with contextlib.suppress(AirliftError):
            self._closing.close()


class _Table:
    """Digests of a blob and its parts, and their heads, slab by slab in order."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.whole = hashlib.sha256()
        # A raw blob of one part has the part's digest: hash its bytes only once.
        self._one = load.codec is Codec.RAW and load.size <= PART_LIMIT
        self._parts: list[tuple[PartHead, str]] = []
        self._slabs: list[Slab] = []
        self._part = hashlib.sha256()

    def add(self, stored: _Stored) -> None:
        """Take the next slab in."""
        if not self._one:
            self._part.update(stored.data)
        self._slabs.append(stored.slab)
        portion = self._load.portions[len(self._parts)]
        if len(self._slabs) == len(portion.cuts):
            table = PartHead(
                self._load.codec, tuple(self._slabs), portion.bases, portion.pieces
            )
            self._parts.append((table, self._part.hexdigest()))
            self._slabs, self._part = [], hashlib.sha256()
        stored.hold.drop()

    def done(self, whole: Sha256) -> Done:
        """Return the blob *whole* and its heads; every slab was added."""
        load = self._load
        parts, heads = [], []
        for table, digest in self._parts:
            # The digest of one raw slab says all that a head would.
            alone = self._one and len(table.slabs) == 1
            data = b"" if alone else head.encode(table)
            parts.append(
                Part(
                    sha256=whole if self._one else Sha256(digest),
                    size=table.stored,
                    raw=table.raw,
                    head=Head(sha256=sha256(data), size=len(data)) if data else None,
                )
            )
            heads.append(None if alone else table)
        blob = PackedBlob(sha256=whole, size=load.size, parts=tuple(parts))
        return blob, tuple(heads)
