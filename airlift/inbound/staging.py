"""The staging area: what has arrived of a delivery that is not complete yet.

Verified slabs gather in private files until every blob of the delivery is whole; only
then do the blobs enter the store, all of them before the one transaction that records
them. What is noted as done was synced before, so that a kill or a power cut costs at
most the volume that was being read.

    expect, in the order of the volume -> take or lose, from any thread, in any order
    -> SHA-256 of the blob, in the order of ``expect`` -> the blob is whole
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from airlift.artifact import Json
from airlift.digest import Sha256, sha256
from airlift.errors import AirliftError, StoreError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.format.packing import PackedBlob, PackingList
from airlift.format.reading import Lent
from airlift.format.slabs import StoredSlab
from airlift.inbound.small import SmallBlobs
from airlift.lanes import Lane
from airlift.store import direct
from airlift.store.blobs import CHUNK, BlobStore, Partial
from airlift.store.durable import Disk, failing

_FORMAT = "airlift/staging/1"


Release = Callable[[], None]
"""Called once, when the bytes of a slab are not needed any more."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Raw bytes of a blob that were written, to be hashed; None if they never came."""

    offset: int
    raw: Lent
    release: Release


@dataclass(slots=True, eq=False)
class _Arriving:
    """A blob that is arriving: which slabs are here, and the hash so far.

    Attributes:
        name: Its digest.
        size: Bytes of the whole blob.
        slabs: For each part, by index in the packing list, a bit mask of its slabs.
        due: Slabs that are under way to here, in the same form.
        arrived: Bytes that are here.
        partial: The open file, once something arrived in this process.
        hasher: Hashes the bytes as they come, while they come in order.
        hashed: Bytes the hasher has seen; less than ``arrived`` out of order.
        lane: Brings the bytes to the hasher, in the order they were expected.
        turns: Slabs that were expected.
        passed: Slabs whose turn in the lane is over.
    """

    name: Sha256
    size: int
    slabs: dict[int, int] = field(default_factory=dict)
    due: dict[int, int] = field(default_factory=dict)
    arrived: int = 0
    partial: Partial | None = None
    hasher: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    hashed: int = 0
    lane: Lane[_Piece | None] | None = None
    turns: int = 0
    passed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A slab that is expected; of no use to anybody but the staging area.

    Attributes:
        blob: What it is of.
        part: Index of its part in the packing list.
        bit: Of the slab in the masks of its part.
        turn: When it is to be hashed.
        offset: Where its raw bytes begin in the blob.
    """

    blob: _Arriving
    part: int
    bit: int
    turn: int
    offset: int


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
        self._lock = threading.Lock()
        self.volumes: set[tuple[str, int]] = set()
        Disk().make_folder(folder, mode=0o700)
        with failing("create", folder):
            self._small = SmallBlobs(folder / "small.bin")
        self._whole = self._small.names & self._missing
        self._load()
        if (empty := sha256(b"")) in self._missing:
            self.take_small(PackedBlob(sha256=empty, size=0, parts=()), b"")

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

    def expect(self, slab: StoredSlab) -> Ticket | None:
        """Prepare for a slab that was read; None where it is not needed.

        Called in the order of the volume. Each ticket is used once, for ``take`` or
        for ``lose``; until then later slabs of its blob wait to be hashed.
        """
        with self._lock:
            if not self.wanted(slab.blob):
                return None
            name, part, bit = slab.blob.sha256, slab.run.index, 1 << slab.number
            blob = self._arriving.get(name)
            if blob is None:
                blob = self._arriving[name] = _Arriving(name, slab.blob.size)
            if (blob.slabs.get(part, 0) | blob.due.get(part, 0)) & bit:
                return None
            blob.due[part] = blob.due.get(part, 0) | bit
            blob.turns += 1
            offset = self._starts[part] + slab.place
            turn = blob.turns - 1
        return Ticket(blob=blob, part=part, bit=bit, turn=turn, offset=offset)

    def take(self, ticket: Ticket, raw: Lent, release: Release) -> None:
        """Take a good slab in; may be called from several threads at once.

        Args:
            ticket: What ``expect`` gave for it.
            raw: Its raw bytes.
            release: Called when *raw* is not needed any more, which may be later.

        Raises:
            StoreError: It cannot be written, or a whole blob does not hash to its
                name although every slab had its signed digest.
        """
        blob = ticket.blob
        self._file_of(blob).write(raw, ticket.offset)
        with self._lock:
            blob.due[ticket.part] &= ~ticket.bit
            blob.slabs[ticket.part] = blob.slabs.get(ticket.part, 0) | ticket.bit
            blob.arrived += len(raw)
        self._lane_of(blob).put(ticket.turn, _Piece(ticket.offset, raw, release))

    def lose(self, ticket: Ticket) -> None:
        """Expect a slab no longer; another copy of it may come."""
        blob = ticket.blob
        with self._lock:
            blob.due[ticket.part] &= ~ticket.bit
        self._lane_of(blob).put(ticket.turn, None)

    def take_small(self, blob: PackedBlob, raw: bytes) -> None:
        """Take in a blob below ``SMALL`` bytes that came as one slab.

        Raises:
            StoreError: As ``take``.
        """
        if (found := sha256(raw)) != blob.sha256:
            raise _contradiction(blob.sha256, found)
        with self._lock, failing("write", self._folder):
            self._small.add(blob.sha256, raw)
            self._whole.add(blob.sha256)

    def _file_of(self, blob: _Arriving) -> Partial:
        with self._lock:
            if blob.partial is None:
                key = self._partial_key(blob.name)
                blob.partial = self._store.partial(key, blob.size, scattered=True)
            return blob.partial

    def _lane_of(self, blob: _Arriving) -> Lane[_Piece | None]:
        with self._lock:
            if blob.lane is None:
                blob.lane = Lane(partial(self._hash, blob))
            return blob.lane

    def _hash(self, blob: _Arriving, piece: _Piece | None) -> None:
        """Bring the next expected slab to the hasher; the last one ends the blob."""
        if piece:
            if piece.offset == blob.hashed:
                blob.hasher.update(piece.raw)
                blob.hashed += len(piece.raw)
            piece.release()
        blob.passed += 1
        # Nothing is expected of a blob that has arrived: the last turn is the last.
        if blob.arrived == blob.size and blob.passed == blob.turns:
            self._finish(blob)

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
                with self._store.partial(self._partial_key(name)) as file:
                    self._store.adopt(file, name)

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

    def _finish(self, blob: _Arriving) -> None:
        name = blob.name
        assert blob.partial
        found = blob.hasher.hexdigest()
        if blob.hashed != blob.size:
            found = _hash_file(blob.partial)
        if found != name:
            blob.partial.close()
            self._store.discard(self._partial_key(name))
            with self._lock:
                del self._arriving[name]
            raise _contradiction(name, found)
        blob.partial.sync()
        blob.partial.close()
        with self._lock:
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
                    name=name,
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


def _hash_file(file: Partial) -> str:
    """Return the digest of a blob that did not come in order, or not at once."""
    hasher, position = hashlib.sha256(), 0
    view = direct.buffer(CHUNK)
    with failing("read", file.path):
        while got := direct.read_into(file.fd, view, position, len(view)):
            hasher.update(view[:got])
            position += got
    return hasher.hexdigest()


def _contradiction(name: str, found: str) -> StoreError:
    problem = f"blob {name} came out as {found} although every slab had its digest"
    hint = "the sender's packing is wrong or this host's memory fails; ask the sender"
    return StoreError(problem, hint=hint)
