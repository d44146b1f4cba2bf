"""The slabs of a volume: where each of them lies, and whether it is what was signed.

The law of this file: the place and the digest of every byte follow from signed data;
nothing is decoded before its digest was checked. A fault is noted with its place and
reading goes on, because the place of everything after it is known too.

    walk -> a slab's stored bytes -> ``judge`` -> ``restore``

Only ``walk`` has an order; the rest may happen to many slabs at once.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from blake3 import blake3

from airlift.digest import sha256
from airlift.errors import FormatError
from airlift.format import block, framing, head, volume
from airlift.format.grounds import Grounds
from airlift.format.head import Codec, PartHead, Slab
from airlift.format.packing import Head, PackedBlob, Part
from airlift.format.reading import Fault, Lent, VolumeError, VolumeStream, fault_of
from airlift.format.volume import Label, Run

_BLOBS = "blobs/sha256/"

_Placed: TypeAlias = tuple[int, PackedBlob, Part]
"""A part with its blob and its index in the packing list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSlab:
    """A slab as it was read; nothing of it was looked at yet.

    Attributes:
        run: The slabs of its part in this volume.
        table: The head of its part; None for a part that is one raw slab.
        number: Index of the slab in its part.
        place: Where what it decodes to begins among what its part's slabs decode to;
            in a part without pieces that is its place in the part.
        offset: Byte of the volume where its stored bytes begin.
        data: Its stored bytes.
    """

    run: Run
    table: PartHead | None
    number: int
    place: int
    offset: int
    data: Lent

    @property
    def slab(self) -> Slab:
        """Its sizes and its digest."""
        return self.run.slabs[self.number - self.run.first]

    @property
    def blob(self) -> PackedBlob:
        """The blob it is of."""
        return self.run.blob

    @property
    def coded(self) -> bool:
        """Whether its raw bytes are other than its stored bytes."""
        return self.table is not None and self.table.codec is Codec.BLOCKS

    @property
    def pieced(self) -> bool:
        """Whether its part is put together out of it and of other blobs."""
        return self.table is not None and bool(self.table.pieces)


def walk(
    source: VolumeStream, label: Label, grounds: Grounds
) -> Iterator[StoredSlab | Fault]:
    """Yield every slab of a volume, and every fault of what lies between them.

    Args:
        source: Positioned behind the signed files, which were verified.
        label: The volume's own; its cut points are compared as framing.
        grounds: The verified packing list, and what its parts may build on.
    """
    try:
        for placed in volume.spanned(grounds.packing, label.first, label.end):
            yield from _part(source, label, grounds, placed)
        yield from _expect(source, framing.END)
    except FormatError as error:
        yield fault_of(source, error)


def judge(stored: StoredSlab, volume: str) -> Fault | None:
    """Return what is wrong with a slab that was read; None if nothing is.

    Args:
        stored: The slab.
        volume: What the volume is called.
    """
    slab, run, data = stored.slab, stored.run, stored.data
    # A head vouches for each slab, so nobody has to hash the part as a whole.
    good = (
        blake3(data).digest() == slab.blake3
        if slab.blake3
        else sha256(data) == run.part.sha256
    )
    if good:
        return None
    stop = stored.offset + len(data)
    problem = f"{run.name}: bytes up to {stop} differ from their signed digest"
    return Fault(volume=volume, offset=stored.offset, problem=problem)


def second(source: VolumeStream, stored: StoredSlab) -> StoredSlab | None:
    """Return a slab that was judged bad as it is when it is read again.

    None where that is no better. A loose contact gives other bytes each time.
    """

    def right(data: Lent) -> bool:
        return judge(replace(stored, data=data), source.name) is None

    data = source.again(stored.offset, len(stored.data), right)
    return None if data is None else replace(stored, data=data)


def restore(stored: StoredSlab, out: memoryview, volume: str) -> None:
    """Decode a coded slab that was judged good.

    Args:
        stored: The slab.
        out: Memory for its raw bytes, of exactly that length.
        volume: What the volume is called.

    Raises:
        FormatError: What was signed cannot be decoded: no other copy of the volume
            will help.
    """
    try:
        block.decode_slab_into(memoryview(stored.data), out)
    except FormatError as error:
        name = stored.run.name
        problem = f"{volume}: byte {stored.offset}: {name}: {error.problem}"
        raise FormatError(problem, hint=error.hint) from error


def _part(
    source: VolumeStream, label: Label, grounds: Grounds, placed: _Placed
) -> Iterator[StoredSlab | Fault]:
    (index, blob, part), table = placed, None
    if part.head:
        table = yield from _head(source, label, grounds, placed)
        if table is None:
            return
    run = volume.run_of(index, blob, part, table, label)
    if run is None:
        problem = "the label's cut points lie outside the parts"
        raise source.error(problem)
    yield from _expect(source, framing.header(run.name, run.size))
    place = sum(one.raw for one in volume.slabs_of(part, table)[: run.first])
    for number, slab in enumerate(run.slabs, run.first):
        start = source.offset
        try:
            data = source.slab(slab.stored)
        except VolumeError as error:
            if not source.resume(start + slab.stored):
                raise
            yield error.fault
        else:
            yield StoredSlab(
                run=run,
                table=table,
                number=number,
                place=place,
                offset=start,
                data=data,
            )
        place += slab.raw
    yield from _expect(source, bytes(framing.padding(run.size)))


def _head(
    source: VolumeStream, label: Label, grounds: Grounds, placed: _Placed
) -> Generator[Fault, None, PartHead | None]:
    """Take a part's head; None when it is damaged and the part was passed over."""
    index, _, part = placed
    assert part.head
    size = part.head.size
    name = f"{_BLOBS}{part.head.sha256}"
    yield from _expect(source, framing.header(name, size))
    start = source.offset
    data = yield from _take(source, size)
    yield from _expect(source, bytes(framing.padding(size)))
    if data is not None:
        if (found := _right_head(source, start, data, part.head)) is not None:
            return _table(source, start, found, grounds, placed)
        yield _fault(source, start, f"head hashes to {sha256(data)}, expected {name}")
    if index == label.end.part or (index == label.first.part and label.first.slab):
        problem = "what follows a damaged head of a cut part cannot be placed"
        raise source.error(problem)
    source.skip(framing.RECORD + part.size + framing.padding(part.size))
    return None


def _right_head(
    source: VolumeStream, start: int, data: bytes, expected: Head
) -> Lent | None:
    """Return a head that is what was signed: *data*, or what is read the second time."""

    def right(found: Lent) -> bool:
        return sha256(found) == expected.sha256

    return data if right(data) else source.again(start, len(data), right)


def _table(
    source: VolumeStream, start: int, data: Lent, grounds: Grounds, placed: _Placed
) -> PartHead:
    """Decode a head that was signed, and compare it with what else was."""
    _, blob, part = placed
    assert part.head
    name = f"{_BLOBS}{part.head.sha256}"
    table = head.decode(bytes(data), name=name)
    if (table.stored, table.raw) != (part.size, part.raw):
        problem = f"{name} contradicts the packing list"
        raise source.error(problem, offset=start)
    if fault := grounds.fault(table, blob.sha256):
        problem = f"{name} {fault}"
        raise source.error(problem, offset=start)
    return table


def _expect(source: VolumeStream, expected: bytes) -> Iterator[Fault]:
    """Take framing that can only be *expected*."""
    start = source.offset
    found = yield from _take(source, len(expected))
    if found is None or found == expected:
        return
    if source.again(start, len(expected), lambda data: data == expected) is not None:
        return
    pairs = enumerate(zip(found, expected, strict=True))
    at = next(i for i, (a, b) in pairs if a != b)
    problem = "framing differs from what signed data gives"
    yield _fault(source, start + at, problem)


def _take(source: VolumeStream, size: int) -> Generator[Fault, None, bytes | None]:
    """Take *size* bytes; None where the medium refuses them and reading can go on."""
    start = source.offset
    try:
        return source.take(size)
    except VolumeError as error:
        if not source.resume(start + size):
            raise
        yield error.fault
        return None


def _fault(source: VolumeStream, offset: int, problem: str) -> Fault:
    return Fault(volume=source.name, offset=offset, problem=problem)
