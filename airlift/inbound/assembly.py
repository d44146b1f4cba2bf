"""Assembly: a blob put together from slabs that landed and blobs that are here.

    steps of at most 4 MiB, in order -> read, check, decode, restore, write
    -> SHA-256 of the whole                               (docs/format.md, "Pieces")

Each step stands for itself, so several are done at once and any of them may be done
again: after a kill the same blob is put together from the front. Nothing is decoded
before its digest was checked, and what comes out is believed only by its own.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from blake3 import blake3

from airlift import lanes
from airlift.digest import Sha256
from airlift.errors import FormatError, StoreError
from airlift.format import block, difference
from airlift.format.head import Codec, Op, PartHead, Piece, Slab
from airlift.format.packing import SLAB
from airlift.lanes import Lane
from airlift.progress import Advance
from airlift.store.bulk import Buffers, BulkFile
from airlift.store.durable import failing
from airlift.store.partial import Partial
from airlift.store.span import Span

_DAMAGED: Final = "`airlift verify` says what is damaged"
_ALIVE: Final = lanes.THREADS + 2
"""Steps under way at once; each has a buffer, and two more while it is worked on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPart:
    """A part of which everything has landed.

    Attributes:
        start: Where its raw bytes begin in the blob.
        raw: How many they are.
        table: Its head; None where its raw bytes lie in the blob's file already.
        place: Where its stored slabs begin in the file of slabs.
    """

    start: int
    raw: int
    table: PartHead | None = None
    place: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """All that a blob is put together from.

    Attributes:
        parts: In the order of the blob's bytes.
        slabs: The file of stored slabs.
        bases: Where the blobs lie that its pieces refer to.
    """

    parts: tuple[KeptPart, ...]
    slabs: Path
    bases: Mapping[Sha256, Span]


class RottenBaseError(StoreError):
    """A blob that another builds on is not what its name says any more."""


class RottenSlabError(StoreError):
    """The stored bytes of a slab are not those that landed any more."""


def assemble(
    blob: Sha256,
    materials: Materials,
    file: Partial,
    buffers: Buffers,
    advance: Advance,
) -> None:
    """Write the bytes of *blob* into *file*; its digest is right on return.

    Args:
        blob: Its digest.
        materials: What it is made of; not changed.
        file: Where it goes; holds the raw bytes of parts without pieces already.
        buffers: Memory to work in, with room for a stored slab and two pages.
        advance: Told of raw bytes put together.

    Raises:
        RottenBaseError: It came out wrong because a base's bytes are.
        RottenSlabError: Stored slabs are not what landed.
        FormatError: What was signed cannot be decoded, or does not give the blob.
        StoreError: The disk refuses.
    """
    hasher = hashlib.sha256()

    def hash_in_order(made: tuple[memoryview, Callable[[], None]]) -> None:
        view, done = made
        hasher.update(view)
        buffers.give(view)
        done()

    lane = Lane(hash_in_order)
    with ExitStack() as stack:
        bench = _Bench(materials, file, buffers, stack)

        def do(step: _Step, done: Callable[[], None]) -> None:
            view = bench.make(step)
            length = len(view)
            lane.put(step.number, (view, done))
            advance(length)

        lanes.run(_steps(materials.parts), do, alive=_ALIVE)
    if (found := hasher.hexdigest()) != blob:
        raise _wrong(blob, found, materials.bases)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """At most 4 MiB of the blob.

    Attributes:
        number: Of the step.
        start: Where its bytes begin in the blob.
        length: How many they are.
        piece: What they are a run of; None where they lie in the file already.
        codec: Of the slab.
        slab: That carries them; None for a reference.
        place: Where its stored bytes begin in the file of slabs.
        base: That they come from, if any.
        offset: Where they begin in the base.
    """

    number: int
    start: int
    length: int
    piece: Piece | None = None
    codec: Codec = Codec.RAW
    slab: Slab | None = None
    place: int = 0
    base: Sha256 | None = None
    offset: int = 0


def _steps(parts: Iterable[KeptPart]) -> Iterator[_Step]:
    numbers = count()
    for part in parts:
        if part.table is not None:
            yield from _steps_of_pieces(part, part.table, numbers)
            continue
        for at in range(0, part.raw, SLAB):
            length = min(SLAB, part.raw - at)
            yield _Step(number=next(numbers), start=part.start + at, length=length)


def _steps_of_pieces(
    part: KeptPart, table: PartHead, numbers: Iterator[int]
) -> Iterator[_Step]:
    slabs, start, place = iter(table.slabs), part.start, part.place
    for piece in table.pieces:
        base = None if piece.op is Op.LITERAL else table.bases[piece.base]
        for at in range(0, piece.length, SLAB):
            slab = None if piece.op is Op.REFERENCE else next(slabs)
            length = min(SLAB, piece.length - at)
            yield _Step(
                number=next(numbers),
                start=start,
                length=length,
                piece=piece,
                codec=table.codec,
                slab=slab,
                place=place,
                base=base,
                offset=piece.offset + at,
            )
            start += length
            place += slab.stored if slab else 0


class _Bench:
    """Makes the bytes of steps; used by several threads at once.

    Args:
        materials: What to make them from.
        file: Where they go.
        buffers: Memory to work in.
        stack: Closes what is opened.
    """

    def __init__(
        self, materials: Materials, file: Partial, buffers: Buffers, stack: ExitStack
    ) -> None:
        self._file, self._buffers = file, buffers
        whole = Span(path=file.path, offset=0, length=file.size or 0)
        self._own = _Source(whole, buffers, stack)
        tables = ((part.place, part.table) for part in materials.parts if part.table)
        length = max((place + table.stored for place, table in tables), default=0)
        slabs = Span(path=materials.slabs, offset=0, length=length)
        self._slabs = _Source(slabs, buffers, stack)
        self._bases = {
            name: _Source(span, buffers, stack)
            for name, span in materials.bases.items()
        }

    def make(self, step: _Step) -> memoryview:
        """Return the bytes of *step*, which are in the file by then."""
        if step.piece is None:
            return self._own.read(step.start, step.length)
        if step.slab:
            view = self._decode(step, step.slab)
        else:
            view = self._buffers.placed(self._base(step), step.start)
        if step.slab and step.base:
            old = self._base(step)
            difference.restore(view, old, view, step.piece.width)
            self._buffers.give(old)
        self._file.write(view, step.start)
        return view

    def _base(self, step: _Step) -> memoryview:
        assert step.base
        return self._bases[step.base].read(step.offset, step.length)

    def _decode(self, step: _Step, slab: Slab) -> memoryview:
        stored = self._slabs.read(step.place, slab.stored)
        if blake3(stored).digest() != slab.blake3:
            problem = f"{self._file.path.name}: stored bytes from {step.place} on"
            problem += " are no longer those that arrived"
            raise RottenSlabError(problem, hint="check this disk, then import again")
        if step.codec is Codec.RAW:
            return self._buffers.placed(stored, step.start)
        view = self._buffers.room(step.length, step.start)
        block.decode_slab_into(stored, view)
        self._buffers.give(stored)
        return view


class _Source:
    """A run of bytes on the disk."""

    def __init__(self, span: Span, buffers: Buffers, stack: ExitStack) -> None:
        self._span, self._buffers = span, buffers
        with failing("open", span.path):
            self._file = stack.enter_context(BulkFile(span.path))

    def read(self, offset: int, length: int) -> memoryview:
        """Return *length* bytes, at most a stored slab's, in lent memory."""
        span = self._span
        if offset + length > span.length:
            problem = f"{span.path.name} has {span.length} bytes, no byte"
            problem += f" {offset + length}"
            raise StoreError(problem, hint=_DAMAGED)
        begin = span.offset + offset
        with failing("read", span.path):
            view = self._file.read(self._buffers.take(), begin, length)
        if len(view) < length:
            problem = f"{span.path.name} ended early, at byte {begin + len(view)}"
            raise StoreError(problem, hint=_DAMAGED)
        return view[:length]


def _wrong(blob: Sha256, found: str, bases: Mapping[Sha256, Span]) -> Exception:
    """Return the error that says why *blob* came out wrong."""
    for base, span in sorted(bases.items()):
        if (actual := _digest(span)) != base:
            problem = (
                f"blob {blob} builds on blob {base}, whose bytes here hash to {actual}"
            )
            hint = (
                "run `airlift verify`, import the delivery again that brought the"
                " damaged blob, then this one"
            )
            return RottenBaseError(problem, hint=hint)
    problem = f"blob {blob} came out as {found} although all it is made of is right"
    hint = "the sender's packing is wrong or this host's memory fails; ask the sender"
    return FormatError(problem, hint=hint)


def _digest(span: Span) -> str:
    hasher = hashlib.sha256()
    with failing("read", span.path), span.path.open("rb", buffering=0) as file:
        file.seek(span.offset)
        left = span.length
        while left and (chunk := file.read(min(left, SLAB))):
            hasher.update(chunk)
            left -= len(chunk)
    return hasher.hexdigest()
