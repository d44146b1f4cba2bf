"""The staging area: what has arrived of a delivery that is not complete yet.

Verified slabs gather in private files until every blob of the delivery is whole; only
then do the blobs enter the store, all of them before the one transaction that records
them. What is noted as done was synced before, so that a kill or a power cut costs at
most the volume that was being read.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from airlift.artifact import Json
from airlift.digest import Sha256, sha256, sha256_of
from airlift.errors import AirliftError, StoreError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.format.packing import PackedBlob, PackingList
from airlift.format.reading import GoodSlab
from airlift.inbound.small import SmallBlobs
from airlift.store.blobs import SMALL, BlobStore, Partial
from airlift.store.durable import Disk, failing

_FORMAT = "airlift/staging/1"


@dataclass(slots=True)
class _Arriving:
    """A blob that is arriving: which slabs are here, and the hash so far.

    Attributes:
        size: Bytes of the whole blob.
        slabs: For each part, by index in the packing list, a bit mask of its slabs.
        arrived: Bytes that are here.
        partial: The open file, once something arrived in this process.
        hasher: Hashes the bytes as they come, while they come in order.
        hashed: Bytes the hasher has seen; less than ``arrived`` out of order.
    """

    size: int
    slabs: dict[int, int] = field(default_factory=dict)
    arrived: int = 0
    partial: Partial | None = None
    hasher: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    hashed: int = 0


class Staging:
    """What has arrived of one delivery.

    Args:
        folder: Its own folder, made if need be.
        key: Names its files in the store's area for partial blobs.
        packing: The delivery's verified packing list.
        store: Where whole blobs go in the end.
    """

    def __init__(
        self, folder: Path, key: str, packing: PackingList, store: BlobStore
    ) -> None:
        self._folder, self._key, self._store = folder, key, store
        self._starts = _part_starts(packing)
        self._sizes = {blob.sha256: blob.size for blob in packing.blobs}
        self._missing = store.missing(self._sizes)
        self._arriving: dict[Sha256, _Arriving] = {}
        self.volumes: set[tuple[str, int]] = set()
        Disk().make_folder(folder, mode=0o700)
        with failing("create", folder):
            self._small = SmallBlobs(folder / "small.bin")
        self._whole = self._small.names & self._missing
        self._load()
        if (empty := sha256(b"")) in self._missing:
            self._take_small(empty, b"")

    def wanted(self, blob: PackedBlob) -> bool:
        """Say whether bytes of *blob* are still needed."""
        return blob.sha256 in self._missing and blob.sha256 not in self._whole

    def expecting(self) -> bool:
        """Say whether the store lacked anything of the delivery to begin with."""
        return bool(self._missing)

    def missing(self) -> set[Sha256]:
        """Return the blobs that are neither in the store nor whole here."""
        return self._missing - self._whole

    def bytes_missing(self) -> int:
        """Return how many bytes of blobs have yet to arrive."""
        arrived = sum(one.arrived for one in self._arriving.values())
        return sum(self._sizes[one] for one in self.missing()) - arrived

    def take(self, slab: GoodSlab) -> None:
        """Take a good slab in; a second copy of one is passed over.

        Raises:
            StoreError: It cannot be written, or a whole blob does not hash to its
                name although every slab had its signed digest.
        """
        name = slab.blob.sha256
        if not self.wanted(slab.blob):
            return
        if slab.blob.size < SMALL:
            self._take_small(name, bytes(slab.raw))
            return
        blob = self._arriving.setdefault(name, _Arriving(slab.blob.size))
        bit = 1 << slab.number
        if blob.slabs.get(slab.index, 0) & bit:
            return
        offset = self._starts[slab.index] + slab.offset
        if blob.partial is None:
            blob.partial = self._store.partial(self._partial_key(name), blob.size)
        blob.partial.write(slab.raw, offset)
        blob.slabs[slab.index] = blob.slabs.get(slab.index, 0) | bit
        blob.arrived += len(slab.raw)
        if offset == blob.hashed:
            blob.hasher.update(slab.raw)
            blob.hashed += len(slab.raw)
        if blob.arrived == blob.size:
            self._finish(name, blob)

    def save(self) -> None:
        """Make all that arrived durable, then note it."""
        for blob in self._arriving.values():
            if blob.partial:
                blob.partial.sync()
        with failing("write", self._folder):
            self._small.sync()
        blobs: dict[str, Json] = {
            name: {
                "slabs": {str(part): f"{mask:x}" for part, mask in one.slabs.items()},
                "arrived": one.arrived,
            }
            for name, one in self._arriving.items()
        }
        record: dict[str, Json] = {
            "format": _FORMAT,
            "volumes": [
                {"cutting": cutting, "ordinal": ordinal}
                for cutting, ordinal in sorted(self.volumes)
            ],
            "whole": tuple(sorted(self._whole - self._small.names)),
            "arriving": blobs,
        }
        Disk().write_file(self._folder / "progress.json", canonical.encode(record))

    def deliver(self) -> None:
        """Move every whole blob into the store; all are durable on return."""
        self.save()
        self._store.add_small(self._small.entries())
        for name in sorted(self._whole - self._small.names):
            if not self._store.has(name):
                with self._store.partial(self._partial_key(name)) as partial:
                    self._store.adopt(partial, name)

    def close(self) -> None:
        """Close every open file; what was saved stays."""
        self._small.close()
        for blob in self._arriving.values():
            if blob.partial:
                blob.partial.close()

    def clear(self) -> None:
        """Delete the staging area after its delivery was recorded or given up."""
        self.close()
        for name in self._arriving.keys() | self._whole:
            self._store.discard(self._partial_key(name))
        Disk().remove_tree(self._folder)

    def _partial_key(self, name: Sha256) -> str:
        return f"{self._key}-{name}"

    def _take_small(self, name: Sha256, raw: bytes) -> None:
        if sha256(raw) != name:
            raise _contradiction(name, sha256(raw))
        with failing("write", self._folder):
            self._small.add(name, raw)
        self._whole.add(name)

    def _finish(self, name: Sha256, blob: _Arriving) -> None:
        assert blob.partial
        found = blob.hasher.hexdigest()
        if blob.hashed != blob.size:
            found = _hash_file(blob.partial)
        if found != name:
            blob.partial.close()
            self._store.discard(self._partial_key(name))
            del self._arriving[name]
            raise _contradiction(name, found)
        blob.partial.sync()
        blob.partial.close()
        del self._arriving[name]
        self._whole.add(name)

    def _load(self) -> None:
        """Take up what an earlier process noted; anything odd is simply not used."""
        path = self._folder / "progress.json"
        if not path.exists():
            return
        try:
            self._load_progress(path)
        except (AirliftError, ValueError):
            # Private, but a disk may fail: then its volumes are simply read again.
            self._arriving, self.volumes = {}, set()
            self._whole = self._small.names & self._missing

    def _load_progress(self, path: Path) -> None:
        data = canonical.decode(path.read_bytes(), name=str(path), limit=1 << 30)
        record = Fields(data, record=str(path))
        record.expect("format", _FORMAT)
        kept = set(self._store.partials())
        for name in record.sha256s("whole"):
            if self._partial_key(name) in kept and name in self._missing:
                self._whole.add(name)
        arriving = record.table("arriving")
        for name in map(Sha256, arriving.names()):
            if self._partial_key(name) in kept and name in self._missing:
                one = arriving.table(name)
                slabs = one.table("slabs")
                self._arriving[name] = _Arriving(
                    size=self._sizes[name],
                    slabs={
                        int(part): int(slabs.text(part), 16) for part in slabs.names()
                    },
                    arrived=one.number("arrived"),
                )
        self.volumes = {
            (one.text("cutting"), one.number("ordinal"))
            for one in record.tables("volumes")
        }


def _part_starts(packing: PackingList) -> list[int]:
    """Return where each part's raw bytes begin in its blob, by index of the part."""
    starts = []
    for blob in packing.blobs:
        position = 0
        for part in blob.parts:
            starts.append(position)
            position += part.raw
    return starts


def _hash_file(partial: Partial) -> str:
    def chunks() -> Iterator[bytes]:
        position = 0
        while chunk := os.pread(partial.fd, 1 << 20, position):
            position += len(chunk)
            yield chunk

    return sha256_of(chunks())[0]


def _contradiction(name: str, found: str) -> StoreError:
    problem = f"blob {name} came out as {found} although every slab had its digest"
    hint = "the sender's packing is wrong or this host's memory fails; ask the sender"
    return StoreError(problem, hint=hint)
