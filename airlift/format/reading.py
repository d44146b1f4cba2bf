"""Reading a volume from its first byte to its last, without a seek.

The law of this file: nothing is parsed before it was authenticated except the label
and the names and sizes of the signed files, within bounds; every further byte is
known from signed data, or is hashed before anything looks at it. A fault is noted with
its place and reading goes on, because the place of everything after it is known too.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from blake3 import blake3

from airlift import naming
from airlift.digest import sha256
from airlift.errors import FormatError
from airlift.format import block, framing, head, volume
from airlift.format.head import Codec, PartHead
from airlift.format.packing import SLAB, PackedBlob, PackingList, Part
from airlift.format.volume import Label, Run
from airlift.lookahead import ahead

RECORDS_LIMIT = 512 << 20
"""Most bytes of signed files a volume may carry; bounds memory before any check."""
RECORDS_COUNT = 100_000

_BLOBS = "blobs/sha256/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a volume, and where.

    Attributes:
        volume: What the volume is called.
        offset: Byte in the volume file where the damaged thing begins.
        problem: What was expected and found.
    """

    volume: str
    offset: int
    problem: str

    def __str__(self) -> str:
        return f"{self.volume}: byte {self.offset}: {self.problem}"


class VolumeError(FormatError):
    """A fault of a volume that ends the reading of it."""

    def __init__(self, fault: Fault) -> None:
        hint = "copy this volume again from its source; what verified is kept"
        super().__init__(str(fault), hint=hint)
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodSlab:
    """Raw bytes of a slab whose stored bytes had the signed digest.

    Attributes:
        index: Of its part in the packing list.
        blob: Which blob it is of.
        number: Index of the slab in its part.
        offset: Where its raw bytes lie in the part's raw bytes.
    """

    index: int
    blob: PackedBlob
    number: int
    offset: int
    raw: bytes | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What a volume says before its slabs; nothing of it is believed yet."""

    label: Label
    records: Mapping[str, bytes]


@dataclass(slots=True)
class VolumeStream:
    """A volume being read: counts its bytes so that every fault has a place.

    Args:
        stream: Positioned at the volume's first byte; never seeked.
        name: What to call the volume in an error.
    """

    stream: BinaryIO
    name: str
    offset: int = 0
    _pushed: bytes = field(default=b"", repr=False)

    def take(self, size: int) -> bytes:
        """Return exactly *size* bytes.

        Raises:
            FormatError: The volume ends or cannot be read before that.
        """
        chunks, left = [self._pushed], size - len(self._pushed)
        self._pushed = b""
        while left > 0:
            chunk = self._read(left)
            if not chunk:
                end = self.offset + size - left
                problem = f"the volume ends {left} bytes too soon, or even earlier"
                raise self.error(problem, offset=end)
            chunks.append(chunk)
            left -= len(chunk)
        self.offset += size
        return b"".join(chunks)

    def push_back(self, data: bytes) -> None:
        """Give the bytes just taken back, to be taken again."""
        self._pushed = data
        self.offset -= len(data)

    def at_end(self) -> bool:
        """Say whether no byte is left."""
        if not self._pushed:
            self._pushed = self._read(1)
        return not self._pushed

    def next(self, name: str) -> "VolumeStream":
        """Return the volume that follows this one on the same stream."""
        return VolumeStream(self.stream, name, _pushed=self._pushed)

    def error(self, problem: str, *, offset: int | None = None) -> "VolumeError":
        """Return the error that says *problem* about a place of this volume."""
        place = self.offset if offset is None else offset
        return VolumeError(Fault(volume=self.name, offset=place, problem=problem))

    def _read(self, size: int) -> bytes:
        try:
            return self.stream.read(size)
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            raise self.error(problem) from error


def read_label(source: VolumeStream) -> Label:
    """Read and check the label, the first member of every volume.

    Raises:
        FormatError: This is not a volume, or its first bytes are damaged.
    """
    top = source.take(framing.RECORD)
    try:
        name, size = framing.parse(top, limit=volume.LABEL_LIMIT)
    except FormatError:
        name, size = "", 0
    if name != volume.LABEL:
        problem = "not an airlift volume, or its first bytes are damaged"
        raise source.error(problem, offset=0)
    data = source.take(size)
    _take_padding(source, size)
    return volume.decode_label(data, name=f"{source.name}: {volume.LABEL}")


def read_front(source: VolumeStream) -> Front:
    """Read the label and every signed file; stop before the first slab.

    Raises:
        FormatError: The framing is not canonical, or a bound is passed.
    """
    label = read_label(source)
    records: dict[str, bytes] = {}
    total, last = 0, ""
    while True:
        start = source.offset
        top = source.take(framing.RECORD)
        if not top.startswith(b"airlift/"):
            source.push_back(top)
            return Front(label=label, records=records)
        try:
            name, size = framing.parse(top, limit=RECORDS_LIMIT - total)
        except FormatError as error:
            raise source.error(error.problem, offset=start) from error
        total += framing.footprint(size)
        if name <= last or len(records) >= RECORDS_COUNT or total > RECORDS_LIMIT:
            problem = f"`{naming.show(name)}` is out of order or one too many"
            raise source.error(problem, offset=start)
        last = name
        records[name.removeprefix("airlift/")] = source.take(size)
        _take_padding(source, size)


def read_slabs(
    source: VolumeStream,
    label: Label,
    packing: PackingList,
    wanted: Callable[[PackedBlob], bool],
) -> Iterator[GoodSlab | Fault]:
    """Read the rest of a volume whose signed files were verified.

    Yields every good slab of a wanted blob in order, and every fault with its place.
    What is not wanted is still read and checked in full.

    Args:
        source: Positioned behind the signed files.
        label: The volume's own; its cut points are compared as framing.
        packing: The verified packing list.
        wanted: Whether a blob's raw bytes are needed.
    """
    reader = _Slabs(source, label, packing)
    decoded = ahead(reader.stored(), lambda item: _decode(item, source.name, wanted))
    yield from (item for item in decoded if item is not None)
    yield from reader.tail()


@dataclass(frozen=True, slots=True)
class _Stored:
    run: Run
    codec: Codec
    number: int
    raw_offset: int
    offset: int
    data: bytes


class _Slabs:
    """Walks a volume's members; the places of all of them follow from signed data."""

    def __init__(
        self, source: VolumeStream, label: Label, packing: PackingList
    ) -> None:
        self._source, self._label, self._packing = source, label, packing
        self._broken = False

    def stored(self) -> Iterator[_Stored | Fault]:
        """Yield the stored bytes of every slab, and every fault of the framing."""
        label = self._label
        parts = volume.spanned(self._packing, label.first, label.end)
        try:
            for index, blob, part in parts:
                yield from self._part(index, blob, part)
        except FormatError as error:
            self._broken = True
            yield fault_of(self._source, error)

    def tail(self) -> Iterator[Fault]:
        """Check what follows the last slab: the end mark, and nothing more."""
        if self._broken:
            return
        start = self._source.offset
        try:
            if self._source.take(len(framing.END)) != framing.END:
                yield self._fault(start, "the end mark is damaged")
        except FormatError as error:
            yield fault_of(self._source, error)

    def _part(
        self, index: int, blob: PackedBlob, part: Part
    ) -> Iterator[_Stored | Fault]:
        table = None
        if part.head:
            table = yield from self._head(index, part)
            if table is None:
                return
        run = volume.run_of(index, blob, part, table, self._label)
        if run is None:
            problem = "the label's cut points lie outside the parts"
            raise self._source.error(problem)
        yield from self._expect(framing.header(run.name, run.size))
        raw = sum(one.raw for one in volume.slabs_of(part, table)[: run.first])
        codec = table.codec if table else Codec.RAW
        for number, slab in enumerate(run.slabs, run.first):
            start = self._source.offset
            data = self._source.take(slab.stored)
            yield _Stored(run, codec, number, raw, start, data)
            raw += slab.raw
        yield from self._expect(bytes(framing.padding(run.size)))

    def _head(self, index: int, part: Part) -> Generator[Fault, None, PartHead | None]:
        """Take a part's head; None when it is damaged and the part was passed over."""
        assert part.head
        size = part.head.size
        name = f"{_BLOBS}{part.head.sha256}"
        yield from self._expect(framing.header(name, size))
        start = self._source.offset
        data = self._source.take(size)
        yield from self._expect(bytes(framing.padding(size)))
        if sha256(data) == part.head.sha256:
            table = head.decode(data, name=name)
            if table.pieces:
                problem = f"{name}: the part refers to {len(table.bases)} other blobs"
                raise FormatError(problem, hint="a newer airlift is needed here")
            if (table.stored, table.raw) != (part.size, part.raw):
                problem = f"{name} contradicts the packing list"
                raise self._source.error(problem, offset=start)
            return table
        yield self._fault(start, f"head hashes to {sha256(data)}, expected {name}")
        label = self._label
        if index == label.end.part or (index == label.first.part and label.first.slab):
            problem = "what follows a damaged head of a cut part cannot be placed"
            raise self._source.error(problem)
        left = framing.RECORD + part.size + framing.padding(part.size)
        while left:
            left -= len(self._source.take(min(left, SLAB)))
        return None

    def _expect(self, expected: bytes) -> Iterator[Fault]:
        """Take framing that can only be *expected*."""
        start = self._source.offset
        found = self._source.take(len(expected))
        if found != expected:
            at = next(
                i
                for i, (a, b) in enumerate(zip(found, expected, strict=True))
                if a != b
            )
            yield self._fault(start + at, "framing differs from what signed data gives")

    def _fault(self, offset: int, problem: str) -> Fault:
        return Fault(volume=self._source.name, offset=offset, problem=problem)


def fault_of(source: VolumeStream, error: FormatError) -> Fault:
    """Return *error* as a fault of the volume it came out of."""
    if isinstance(error, VolumeError):
        return error.fault
    return Fault(volume=source.name, offset=source.offset, problem=error.problem)


def _decode(
    item: _Stored | Fault, name: str, wanted: Callable[[PackedBlob], bool]
) -> GoodSlab | Fault | None:
    """Check a slab's digest, then decode it; runs on a worker thread."""
    if isinstance(item, Fault):
        return item
    run, slab = item.run, item.run.slabs[item.number - item.run.first]
    good = (
        blake3(item.data).digest() == slab.blake3
        if slab.blake3
        else sha256(item.data) == run.part.sha256
    )
    if not good:
        stop = item.offset + len(item.data)
        problem = f"{run.name}: bytes up to {stop} differ from their signed digest"
        return Fault(volume=name, offset=item.offset, problem=problem)
    if not wanted(run.blob):
        return None
    raw: bytes | memoryview = item.data
    if item.codec is Codec.BLOCKS:
        try:
            raw = block.decode_slab(memoryview(item.data), slab.raw)
        except FormatError as error:
            # Signed so: no other copy of the volume will help, and reading ends.
            problem = f"{name}: byte {item.offset}: {run.name}: {error.problem}"
            raise FormatError(problem, hint=error.hint) from error
    return GoodSlab(
        index=run.index,
        blob=run.blob,
        number=item.number,
        offset=item.raw_offset,
        raw=raw,
    )


def _take_padding(source: VolumeStream, size: int) -> None:
    start = source.offset
    if any(source.take(framing.padding(size))):
        problem = "padding is not zero"
        raise source.error(problem, offset=start)
