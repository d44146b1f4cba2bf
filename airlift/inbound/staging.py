"""The staging area: what has arrived of a delivery that is not complete yet.

Verified slabs gather in private files until every blob of the delivery is whole; only
then do the blobs enter the store, all of them before the one transaction that records
them. What is noted as done was synced before, so that a kill or a power cut costs at
most the volume that was being read.

    expect, in the order of the volume -> take or lose, from any thread, in any order
    -> SHA-256 of the blob, in the order of ``expect`` -> the blob is whole

A blob with pieces has landed when all its slabs are here as stored (``kits``); it is
put together when all has landed, after the blobs that it may build on (``assembly``).
"""

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from airlift.digest import Sha256, sha256
from airlift.errors import AirliftError, FormatError, IncompleteError
from airlift.format.grounds import Grounds
from airlift.format.packing import PackedBlob
from airlift.format.reading import Lent
from airlift.format.slabs import StoredSlab
from airlift.inbound import note
from airlift.inbound.arriving import (
    Arriving,
    Release,
    Ticket,
    Written,
    contradiction,
    part_starts,
)
from airlift.inbound.assembly import RottenSlabError, assemble
from airlift.inbound.kits import Kits
from airlift.inbound.note import Note, Progress
from airlift.inbound.small import SmallBlobs
from airlift.lanes import Lane
from airlift.progress import Advance
from airlift.progress import Progress as Watcher
from airlift.store.blobs import BlobStore, Partial
from airlift.store.bulk import Buffers
from airlift.store.durable import Disk, failing
from airlift.store.span import Span

_NOTE, _EMPTY = "progress.json", sha256(b"")


class Staging:
    """What has arrived of one delivery.

    Args:
        folder: Its own folder, made once something is kept.
        key: Names its files in the store's area for partial blobs.
        grounds: The delivery's verified packing list, and what it may build on.
        store: Where whole blobs go in the end.

    Attributes:
        grounds: The same.
        volumes: Those that were read without a fault, by cutting and ordinal.
    """

    def __init__(
        self, folder: Path, key: str, grounds: Grounds, store: BlobStore
    ) -> None:
        self.grounds, packing = grounds, grounds.packing
        self._folder, self._key, self._store = folder, key, store
        self._kits = Kits(folder, key, packing, store)
        self._starts = part_starts(packing)
        self._sizes = {blob.sha256: blob.size for blob in packing.blobs}
        self._missing = store.missing(self._sizes)
        self._arriving: dict[Sha256, Arriving] = {}
        self._lock = threading.Lock()
        self.volumes: set[tuple[str, int]] = set()
        with failing("open", folder):
            self._small = SmallBlobs(folder / "small.bin")
        self._whole = self._small.names & self._missing
        self._landed: dict[Sha256, Arriving] = {}
        self._load()
        self._whole |= {_EMPTY} & self._missing

    def wanted(self, blob: PackedBlob) -> bool:
        """Say whether bytes of *blob* are still needed."""
        name = blob.sha256
        kept = name in self._whole or name in self._landed
        return name in self._missing and not kept

    def expecting(self) -> bool:
        """Say whether the store lacked anything of the delivery to begin with."""
        return bool(self._missing)

    def missing(self) -> set[Sha256]:
        """Return the blobs of which something is neither in the store nor here."""
        return self._missing - self._whole - self._landed.keys()

    def bytes_missing(self) -> int:
        """Return how many bytes of blobs have yet to arrive."""
        arrived = sum(one.arrived for one in self._arriving.values())
        return sum(self._sizes[one] for one in self.missing()) - arrived

    def room(self) -> int:
        """Return how many bytes of disk will be needed, at most, until all is here.

        Parts with pieces, not known as such before they come, lie here as stored
        too: counted is every part that gives twice its stored bytes.
        """
        missing = self.missing()
        stored = sum(
            part.size
            for blob, part in self.grounds.packing.parts()
            if blob.sha256 in missing and part.head and part.raw >= 2 * part.size
        )
        landed = sum(self._sizes[one] for one in self._landed)
        return self.bytes_missing() + stored + landed

    def expect(self, slab: StoredSlab) -> Ticket | None:
        """Prepare for a slab that was read; None where it is not needed.

        Called in the order of the volume. Each ticket is used once, for ``take`` or
        for ``lose``; until then later slabs of its blob wait to be hashed.

        Raises:
            StoreError: The disk refuses to keep the head of a part with pieces.
        """
        if not self.wanted(slab.blob):
            return None
        with self._lock, failing("create", self._folder):
            # Before files in the store: by its name a collection knows whose they are.
            self._small.begin()
        if slab.pieced:
            self._kits.keep(slab)
        with self._lock:
            name, part, bit = slab.blob.sha256, slab.run.index, 1 << slab.number
            blob = self._arriving.get(name)
            if blob is None:
                blob = self._arriving[name] = Arriving(name, slab.blob.size)
            if not blob.expects(part, bit):
                return None
            blob.due[part] = blob.due.get(part, 0) | bit
            blob.turns += 1
            turn = blob.turns - 1
        offset = self._starts[part] + slab.place
        if slab.pieced:
            offset = self._kits.place(slab)
        return Ticket(
            blob=blob,
            part=part,
            bit=bit,
            turn=turn,
            offset=offset,
            pieced=slab.pieced,
        )

    def take(self, ticket: Ticket, data: Lent, release: Release) -> int:
        """Take a good slab in; may be called from several threads at once.

        Args:
            ticket: What ``expect`` gave for it.
            data: Its raw bytes; its stored bytes if its part has pieces.
            release: Called when *data* is not needed any more, which may be later.

        Returns:
            How many bytes of the blob are here by it.

        Raises:
            StoreError: It cannot be written, or a whole blob does not hash to its
                name although every slab had its signed digest.
        """
        blob, part = ticket.blob, ticket.part
        if ticket.pieced:
            self._kits.write(blob.name, data, ticket.offset)
        else:
            self._file_of(blob).write(data, ticket.offset)
        with self._lock:
            blob.due[part] &= ~ticket.bit
            blob.slabs[part] = blob.slabs.get(part, 0) | ticket.bit
            arrived = len(data)
            if ticket.pieced:
                arrived = self._kits.arrived(part, blob.slabs[part])
            blob.arrived += arrived
        piece = None if ticket.pieced else Written(ticket.offset, data, release)
        if ticket.pieced:
            release()
        self._lane_of(blob).put(ticket.turn, piece)
        return arrived

    def lose(self, ticket: Ticket) -> None:
        """Expect a slab no longer; another copy of it may come."""
        blob = ticket.blob
        with self._lock:
            blob.due[ticket.part] &= ~ticket.bit
        self._lane_of(blob).put(ticket.turn, None)

    def take_small(self, some: Sequence[tuple[PackedBlob, bytes, str]]) -> None:
        """Take in blobs below ``SMALL`` bytes that came as one slab each: many at once.

        Args:
            some: Each with its bytes, and what they hash to if that was just found out.

        Raises:
            StoreError: As ``take``.
        """
        for blob, raw, hashed in some:
            if (found := hashed or sha256(raw)) != blob.sha256:
                raise contradiction(blob.sha256, found)
        with self._lock, failing("write", self._folder):
            for blob, raw, _ in some:
                self._small.add(blob.sha256, raw)
                self._whole.add(blob.sha256)

    def _file_of(self, blob: Arriving) -> Partial:
        with self._lock:
            if blob.partial is None:
                key = self._partial_key(blob.name)
                blob.partial = self._store.partial(key, blob.size, scattered=True)
            return blob.partial

    def _lane_of(self, blob: Arriving) -> Lane[Written | None]:
        with self._lock:
            if blob.lane is None:
                blob.lane = Lane(partial(self._hash, blob))
            return blob.lane

    def _hash(self, blob: Arriving, piece: Written | None) -> None:
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
        self._kits.sync()
        with failing("write", self._folder):
            if _EMPTY in self._whole:
                self._small.add(_EMPTY, b"")
            self._small.sync()
        blobs = [*self._arriving.values(), *self._landed.values()]
        made = Note(
            volumes=frozenset(self.volumes),
            whole=frozenset(self._whole - self._small.names),
            pieced=self._kits.parts,
            arriving={
                one.name: Progress(slabs=one.slabs, arrived=one.arrived)
                for one in blobs
            },
        )
        Disk().write_file(self._folder / _NOTE, note.encode(made))

    def deliver(self, buffers: Buffers, progress: Watcher) -> None:
        """Move every blob into the store; all are durable on return.

        What has pieces is put together first, in the order of the packing list, in
        which a blob comes after those it builds on.

        Args:
            buffers: Memory to put blobs together in.
            progress: Who wants to know.

        Raises:
            FormatError: A blob does not come out as what its name says.
            IncompleteError: A blob that another builds on was lost.
            StoreError: The disk refuses, or damaged a blob that another builds on.
        """
        self.save()
        self._store.add_small(self._small.entries())
        total = sum(self._sizes[one] for one in self._landed)
        with progress.task("putting together", total) as advance:
            for blob in self.grounds.packing.blobs if self._landed else ():
                if blob.sha256 in self._landed:
                    self._assemble(blob, buffers, advance)
        for name in sorted(self._whole - self._small.names):
            if not self._store.has(name):
                with self._store.partial(self._partial_key(name)) as file:
                    self._store.adopt(file, name)

    def _assemble(self, blob: PackedBlob, buffers: Buffers, advance: Advance) -> None:
        name = blob.sha256
        materials = self._kits.materials(name, self._span)
        with self._store.partial(
            self._partial_key(name), blob.size, scattered=True
        ) as file:
            try:
                assemble(name, materials, file, buffers, advance)
            except (FormatError, RottenSlabError):
                # Nothing of it is any good: it has to come again, if that helps.
                del self._landed[name]
                self._kits.discard(name)
                self.save()
                raise
            file.sync()
        del self._landed[name]
        self._whole.add(name)
        self.save()
        self._kits.discard(name)

    def _span(self, base: Sha256) -> Span:
        """Return where a blob lies that another builds on: here, or in the store."""
        if base in self._whole - self._small.names:
            with self._store.partial(self._partial_key(base)) as file:
                return Span(path=file.path, offset=0, length=self._sizes[base])
        if span := self._store.span(base):
            return span
        problem = f"the delivery builds on blob {base}, which this site does not hold"
        hint = "import the delivery again that brought it, then this one"
        raise IncompleteError(problem, hint=hint)

    def close(self) -> None:
        """Close every open file; what was saved stays."""
        self._small.close()
        self._kits.close()
        for blob in self._arriving.values():
            if blob.partial:
                blob.partial.close()

    def clear(self) -> None:
        """Delete the staging area after its delivery was recorded or given up."""
        self.close()
        kept = self._arriving.keys() | self._whole | self._landed.keys()
        for name in kept - self._small.names:
            self._store.discard(self._partial_key(name))
            self._kits.discard(name)
        Disk().remove_tree(self._folder)

    def _partial_key(self, name: Sha256) -> str:
        return f"{self._key}-{name}"

    def _finish(self, blob: Arriving) -> None:
        name = blob.name
        if self._kits.has(name):
            self._land(blob)
            return
        assert blob.partial
        if (found := blob.digest()) != name:
            blob.partial.close()
            self._store.discard(self._partial_key(name))
            with self._lock:
                del self._arriving[name]
            raise contradiction(name, found)
        blob.partial.sync()
        blob.partial.close()
        with self._lock:
            del self._arriving[name]
            self._whole.add(name)

    def _land(self, blob: Arriving) -> None:
        """Close a blob that is to be put together, and of which all is here."""
        if blob.partial:
            blob.partial.sync()
            blob.partial.close()
            blob.partial = None
        self._kits.finish(blob.name)
        with self._lock:
            self._landed[blob.name] = self._arriving.pop(blob.name)

    def _load(self) -> None:
        """Take up what an earlier process noted; anything odd is simply not used."""
        path = self._folder / _NOTE
        if not path.exists():
            return
        try:
            self._take_up(note.read(path))
        except AirliftError:
            # Private, but a disk may fail: then its volumes are simply read again.
            self._arriving, self._landed, self.volumes = {}, {}, set()
            self._kits.forget()
            self._whole = self._small.names & self._missing

    def _take_up(self, found: Note) -> None:
        kept = set(self._store.partials())
        files = {name: {self._partial_key(name)} for name in found.whole}
        self._kits.load(found.pieced)
        for name, one in found.arriving.items():
            files[name] = self._files_of(name, one)
        here = {name for name in files.keys() & self._missing if files[name] <= kept}
        self._whole |= found.whole & here
        for name in found.arriving.keys() & here:
            size, slabs = self._sizes[name], dict(found.arriving[name].slabs)
            blob = Arriving(name, size, slabs, arrived=found.arriving[name].arrived)
            landed = blob.arrived == size
            (self._landed if landed else self._arriving)[name] = blob
        # What somebody deleted since, such as a collection, is in volumes noted as read.
        if files.keys() & self._missing == here:
            self.volumes = set(found.volumes)

    def _files_of(self, name: Sha256, progress: Progress) -> set[str]:
        """Return the keys of the files in which what arrived of a blob lies."""
        keys = {self._kits.key(name)} if self._kits.has(name) else set()
        if progress.slabs.keys() - set(self._kits.parts):
            keys.add(self._partial_key(name))
        return keys
