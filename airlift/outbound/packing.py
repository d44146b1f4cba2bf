"""Packing: blobs of the store become parts, each byte read once (docs/format.md).

A blob whose bytes shrink is coded into the spool; every other blob travels as it lies
in the store. Either way its SHA-256 is checked again on the way, so that rot in the
store is found here and not at the far end of a trip.
"""

import contextlib
import hashlib
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from blake3 import blake3

from airlift import naming
from airlift.artifact import Json, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.errors import AirliftError, StoreError
from airlift.format import block, canonical, head, packing
from airlift.format.fields import Fields
from airlift.format.head import Codec, PartHead, Slab
from airlift.format.packing import SLAB, Head, PackedBlob, PackingList, Part
from airlift.lookahead import ahead
from airlift.progress import Advance, Progress
from airlift.store.store import Store

CODED_FORMATS = frozenset({"safetensors", "gguf", "onnx", "hdf5"})
"""Only weights are coded: a scan station must be able to open everything else."""


_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What travels, with the heads of its parts in travelling order."""

    listing: PackingList
    heads: tuple[PartHead | None, ...]


@dataclass(frozen=True, slots=True)
class _Slab:
    raw: bytes
    stored: bytes
    blake3: bytes


class _Parts:
    """Gathers slabs into parts and heads, and hashes the blob on the way."""

    def __init__(self, codec: Codec, size: int, out: BinaryIO | None) -> None:
        self._codec, self._out = codec, out
        self._whole = hashlib.sha256()
        # A raw blob of one part has the part's digest: hash its bytes only once.
        one_part = codec is Codec.RAW and size <= packing.PART_LIMIT
        self._part = self._whole if one_part else hashlib.sha256()
        self._slabs: list[Slab] = []
        self.parts: list[Part] = []
        self.heads: list[PartHead | None] = []

    def add(self, slab: _Slab) -> None:
        """Take the next slab in; write its stored bytes where they are coded."""
        if self._out:
            self._out.write(slab.stored)
        self._whole.update(slab.raw)
        if self._part is not self._whole:
            self._part.update(slab.stored)
        self._slabs.append(Slab(len(slab.stored), len(slab.raw), slab.blake3))
        if len(self._slabs) == head.SLABS:
            self._close()

    def finish(self) -> str:
        """Close the last part and return the blob's SHA-256 as read."""
        if self._slabs:
            self._close()
        if self._out:
            self._out.flush()
            os.fsync(self._out.fileno())
        return self._whole.hexdigest()

    def _close(self) -> None:
        table = PartHead(self._codec, tuple(self._slabs))
        name = Sha256(self._part.hexdigest())
        # The digest of one raw slab says all that a head would.
        alone = self._codec is Codec.RAW and len(self._slabs) == 1 and not self.parts
        data = b"" if alone else head.encode(table)
        self.parts.append(
            Part(
                sha256=name,
                size=table.stored,
                raw=table.raw,
                head=Head(sha256=sha256(data), size=len(data)) if data else None,
            )
        )
        self.heads.append(table if data else None)
        self._slabs, self._part = [], hashlib.sha256()


def _sink(path: Path | None) -> contextlib.AbstractContextManager[BinaryIO | None]:
    return path.open("wb") if path else contextlib.nullcontext()


_Done: TypeAlias = tuple[PackedBlob, tuple[PartHead | None, ...]]
"""A packed blob and the heads of its parts."""


class Packer:
    """Packs blobs of *store*, keeping coded bytes and results in the folder *spool*.

    A blob packed once is not packed again: its result lies in the spool until
    ``clear``. That is also how packing goes on after a kill.
    """

    def __init__(self, store: Store, spool: Path) -> None:
        self._store, self._spool = store, spool
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)

    def pack(self, files: Sequence[ReleaseFile], progress: Progress) -> Packed:
        """Pack the blobs of *files*, each once, in the order they are first named.

        Raises:
            StoreError: A blob is missing, or its bytes are no longer those of its
                digest; or the spool is full.
        """
        blobs = {file.sha256: file for file in reversed(files)}
        order = dict.fromkeys(file.sha256 for file in files)
        done: list[_Done] = []
        total = sum(blobs[one].size for one in order)
        with progress.task("packing", total) as advance:
            done.extend(
                self._recall(one) or self._pack(blobs[one], advance) for one in order
            )
        listing = PackingList(blobs=tuple(blob for blob, _ in done))
        return Packed(
            listing=listing, heads=tuple(one for _, heads in done for one in heads)
        )

    def read(self, blob: PackedBlob, offset: int, stop: int) -> Iterator[bytes]:
        """Yield the stored bytes of *blob*, all its parts end to end, of a range."""
        coded = self._coded(blob.sha256)
        if not coded.exists():
            yield from self._store.read(blob.sha256, start=offset, stop=stop)
            return
        with coded.open("rb") as stream:
            stream.seek(offset)
            while offset < stop and (data := stream.read(min(SLAB, stop - offset))):
                offset += len(data)
                yield data

    def clear(self) -> None:
        """Delete the spool; the next packing starts afresh."""
        for path in self._spool.iterdir():
            path.unlink()

    def _coded(self, blob: Sha256) -> Path:
        return self._spool / f"{blob}.coded"

    def _pack(self, file: ReleaseFile, advance: Advance) -> _Done:
        if file.size == 0:
            return PackedBlob(sha256=file.sha256, size=0, parts=()), ()
        codec = self._choose(file)
        coded = self._coded(file.sha256)
        unfinished = coded.with_suffix(".part")
        try:
            with _sink(unfinished if codec else None) as out:
                parts = _Parts(codec, file.size, out)
                for slab in self._slabs(file, codec):
                    parts.add(slab)
                    advance(len(slab.raw))
                found = parts.finish()
            if codec:
                unfinished.rename(coded)
        except OSError as error:
            problem = f"cannot write {unfinished}: {error.strerror}"
            raise StoreError(problem, hint="make room there, then run again") from error
        if found != file.sha256:
            _rotten(file, found)
        blob = PackedBlob(sha256=file.sha256, size=file.size, parts=tuple(parts.parts))
        self._remember(blob, parts.heads)
        return blob, tuple(parts.heads)

    def _choose(self, file: ReleaseFile) -> Codec:
        if file.format not in CODED_FORMATS or file.size <= SLAB:
            return Codec.RAW
        samples = [
            memoryview(b"".join(self._store.read(file.sha256, start=start, stop=stop)))
            for start, stop in block.probe_offsets(file.size, self._lead(file))
        ]
        return Codec.BLOCKS if block.shrinks(block.plan(samples)) else Codec.RAW

    def _slabs(self, file: ReleaseFile, codec: Codec) -> Iterator[_Slab]:
        """Yield the blob's slabs in order, coded a few ahead by other threads."""

        def make(raw: bytes) -> _Slab:
            stored = block.encode_slab(memoryview(raw)) if codec else raw
            return _Slab(raw, stored, blake3(stored).digest())

        lead = self._lead(file) if codec else 0
        return ahead(_regroup(self._store.read(file.sha256), lead), make)

    def _lead(self, file: ReleaseFile) -> int:
        """Return how many bytes make a slab of their own, so that numbers align.

        The numbers of a safetensors file begin behind its header, which nothing but
        custom keeps at a multiple of 8 bytes. Cut through their middle, they look
        like noise.
        """
        if file.format != "safetensors":
            return 0
        (length,) = _LENGTH.unpack(b"".join(self._store.read(file.sha256, stop=8)))
        return int(length) % 8

    def _remember(self, blob: PackedBlob, heads: Iterable[PartHead | None]) -> None:
        listing = packing.encode(PackingList(blobs=(blob,)))
        encoded = tuple(head.encode(one).hex() if one else "" for one in heads)
        record: dict[str, Json] = {"packing": listing.decode(), "heads": encoded}
        path = self._spool / f"{blob.sha256}.packed"
        path.with_suffix(".tmp").write_bytes(canonical.encode(record))
        path.with_suffix(".tmp").rename(path)

    def _recall(self, blob: Sha256) -> _Done | None:
        """Return an earlier result; none when it is absent or no longer whole."""
        path = self._spool / f"{blob}.packed"
        try:
            data = path.read_bytes()
            record = Fields(
                canonical.decode(data, name=path.name, limit=1 << 30), record=path.name
            )
            listing = packing.decode(record.text("packing").encode())
            heads = tuple(
                head.decode(bytes.fromhex(one)) if one else None
                for one in record.texts("heads")
            )
        except (OSError, ValueError, AirliftError):
            return None
        (found,) = listing.blobs
        coded = self._coded(blob)
        stored = sum(part.size for part in found.parts)
        if any(one and one.codec for one in heads) and not (
            coded.exists() and coded.stat().st_size == stored
        ):
            return None
        return found, heads


def _rotten(file: ReleaseFile, found: str) -> None:
    name = naming.show(file.path)
    problem = f"{name}: the store's bytes hash to {found}, expected {file.sha256}"
    hint = "`airlift verify` finds all such blobs; fetch it again"
    raise StoreError(problem, hint=hint)


def _regroup(chunks: Iterable[bytes], lead: int) -> Iterator[bytes]:
    """Yield the bytes of *chunks* in slabs: *lead* bytes, then 4 MiB each, then the rest."""
    pending, size = bytearray(), lead or SLAB
    for chunk in chunks:
        pending += chunk
        while len(pending) >= size:
            yield bytes(pending[:size])
            del pending[:size]
            size = SLAB
    if pending:
        yield bytes(pending)
