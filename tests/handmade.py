"""Deliveries made by hand: what airlift would send, and what it never would."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from blake3 import blake3

from airlift.artifact import Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.format import (
    block,
    difference,
    dispatch,
    framing,
    head,
    packing,
    release,
    volume,
)
from airlift.format.dispatch import Dispatch, Need
from airlift.format.head import Codec, Op, PartHead, Piece, Slab
from airlift.format.packing import SLAB, Head, PackedBlob, PackingList, Part
from airlift.format.volume import Cut, Label
from crossing import NOW, Connected


@dataclass(frozen=True)
class MadePart:
    """A part: its table, and the stored bytes of its slabs."""

    table: PartHead
    stored: tuple[bytes, ...]

    @property
    def head(self) -> bytes:
        """The bytes of its head."""
        return head.encode(self.table)

    @property
    def entry(self) -> Part:
        """Its entry in the packing list."""
        return Part(
            sha256=sha256(b"".join(self.stored)),
            size=self.table.stored,
            raw=self.table.raw,
            head=Head(sha256=sha256(self.head), size=len(self.head)),
        )


@dataclass(frozen=True)
class Made:
    """A blob that travels, in parts."""

    data: bytes
    parts: tuple[MadePart, ...]

    @property
    def blob(self) -> PackedBlob:
        """Its entry in the packing list."""
        parts = tuple(one.entry for one in self.parts)
        return PackedBlob(sha256=sha256(self.data), size=len(self.data), parts=parts)


def slabs(raw: bytes, codec: Codec) -> tuple[tuple[Slab, ...], tuple[bytes, ...]]:
    """Return the table and the stored bytes of the slabs that *raw* is cut in."""
    cut = [raw[at : at + SLAB] for at in range(0, len(raw), SLAB)]
    coded = codec is Codec.BLOCKS
    stored = [block.encode_slab(memoryview(one)) if coded else one for one in cut]
    table = (
        Slab(len(two), len(one), blake3(two).digest())
        for one, two in zip(cut, stored, strict=True)
    )
    return tuple(table), tuple(stored)


def whole(data: bytes, codec: Codec = Codec.BLOCKS) -> Made:
    """Return *data* as one part that builds on nothing."""
    table, stored = slabs(data, codec)
    return Made(data, (MadePart(PartHead(codec, table), stored),))


@dataclass(frozen=True)
class Run:
    """A run of a blob: a literal, or what *base* has from *offset* on.

    With a *width* it is the difference of elements of so many bytes.
    """

    length: int
    base: bytes = b""
    offset: int = 0
    width: int = 0


def built(data: bytes, *parts: Sequence[Run], codec: Codec = Codec.BLOCKS) -> Made:
    """Return *data* made of *parts*; one without a base is a plain part."""
    made, at = [], 0
    for runs in parts:
        bases = sorted({sha256(one.base) for one in runs if one.base})
        pieces: list[Piece] = []
        table: list[Slab] = []
        stored: list[bytes] = []
        for one in runs:
            base = bases.index(sha256(one.base)) if one.base else 0
            op = Op.LITERAL
            if one.base:
                op = Op.DIFFERENCE if one.width else Op.REFERENCE
            pieces.append(Piece(op, one.width, base, one.length, one.offset))
            raw = data[at : at + one.length]
            if one.width:
                old = one.base[one.offset : one.offset + one.length]
                raw = bytes(difference.difference(raw, old, one.width))
            if op is not Op.REFERENCE:
                more, bytes_ = slabs(raw, codec)
                table += more
                stored += bytes_
            at += one.length
        built_of = (tuple(bases), tuple(pieces)) if bases else ((), ())
        made.append(MadePart(PartHead(codec, tuple(table), *built_of), tuple(stored)))
    return Made(data, tuple(made))


@dataclass(frozen=True)
class Delivery:
    """A delivery that is signed and not cut yet."""

    records: Mapping[str, bytes]
    record: Dispatch
    listing: PackingList
    parts: tuple[MadePart, ...]

    def write(self, folder: Path, *cuts: Cut) -> list[Path]:
        """Write its volumes, cut at *cuts*, into *folder*."""
        folder.mkdir(parents=True, exist_ok=True)
        ends = [*cuts, Cut(len(self.parts), 0)]
        labels = volume.labels(self.record, sha256(dispatch.encode(self.record)), ends)
        paths = []
        for label in labels:
            paths.append(folder / label.file_name)
            paths[-1].write_bytes(self._volume(label))
        return paths

    def _volume(self, label: Label) -> bytes:
        out = [_member(volume.LABEL, volume.encode_label(label))]
        out += [
            _member(f"airlift/{name}", self.records[name])
            for name in sorted(self.records)
        ]
        spanned = volume.spanned(self.listing, label.first, label.end)
        for index, blob, part in spanned:
            made = self.parts[index]
            run = volume.run_of(index, blob, part, made.table, label)
            assert run
            stored = made.stored[run.first : run.first + len(run.slabs)]
            out += [
                _member(run.head_name, made.head),
                _member(run.name, b"".join(stored)),
            ]
        return b"".join([*out, framing.END])


def written(records: Mapping[str, bytes], folder: Path) -> Path:
    """Write *records* of a delivery without content as its one volume in *folder*."""
    name = max(name for name in records if name.startswith("records/dispatch/"))
    record = dispatch.decode(records[name])
    Delivery(
        records=dict(records), record=record, listing=PackingList(blobs=()), parts=()
    ).write(folder)
    return folder


def _member(name: str, data: bytes) -> bytes:
    return framing.header(name, len(data)) + data + bytes(framing.padding(len(data)))


def send(
    connected: Connected,
    name: str,
    files: Mapping[str, bytes],
    made: Sequence[Made],
    *,
    needs: Mapping[Sha256, int] = MappingProxyType({}),
) -> Delivery:
    """Sign a delivery to plant7 of one release of a folder.

    Args:
        connected: Who signs.
        name: Of the release.
        files: Its files by path, whether they travel or not.
        made: The blobs that travel, in order.
        needs: Blobs the site must hold, and the delivery that brought each.
    """
    listing = PackingList(blobs=tuple(one.blob for one in made))
    packed = packing.encode(listing)
    latest = connected.publisher.latest_release(Kind.FOLDER, name)
    document = release.encode(
        Release(
            kind=Kind.FOLDER,
            name=name,
            revision=sha256(repr(sorted(files)).encode() + packed)[:40],
            counter=latest[1].counter + 1 if latest else 1,
            files=tuple(
                ReleaseFile(path=path, size=len(data), sha256=sha256(data))
                for path, data in sorted(files.items())
            ),
        )
    )
    earlier = connected.publisher.deliveries("plant7")
    record = Dispatch(
        site="plant7",
        sequence=earlier[0].sequence + 1 if earlier else 1,
        earlier=earlier[: dispatch.HISTORY],
        issued=NOW,
        operator="alice",
        releases=(sha256(document),),
        needs=tuple(Need(sha256=one, sequence=needs[one]) for one in sorted(needs)),
        packing_sha256=sha256(packed),
        packing_size=len(packed),
    )
    records = connected.publisher.publish(
        site="plant7",
        releases=[document],
        dispatch=dispatch.encode(record),
        packing=packed,
        signers=[connected.key],
        now=NOW,
    )
    parts = tuple(part for one in made for part in one.parts)
    return Delivery(records, record, listing, parts)
