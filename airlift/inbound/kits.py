"""Kits: what has landed of parts with pieces, until their blobs can be put together.

A blob's kit is one file in the store's area for partial blobs, with its parts' stored
slabs in the order they travel, and the heads of those parts in the staging folder. A
head is durable before the first slab that it vouches for is counted as here.
"""

import threading
from collections.abc import Callable, Iterable
from itertools import accumulate
from pathlib import Path

from airlift.digest import Sha256, sha256
from airlift.errors import FormatError
from airlift.format import head
from airlift.format.head import PartHead
from airlift.format.packing import PackingList
from airlift.format.reading import Lent
from airlift.format.slabs import StoredSlab
from airlift.inbound.assembly import KeptPart, Materials
from airlift.store.blobs import BlobStore
from airlift.store.durable import Disk, failing
from airlift.store.partial import Partial
from airlift.store.span import Span


class Kits:
    """The kits of one delivery.

    Args:
        folder: Of the delivery's staging area.
        key: Names its files in the store's area for partial blobs.
        packing: The delivery's verified packing list.
        store: Where these files lie.
    """

    def __init__(
        self, folder: Path, key: str, packing: PackingList, store: BlobStore
    ) -> None:
        self._folder, self._key, self._store = folder, key, store
        self._parts = tuple(packing.parts())
        self._first = _firsts(packing)
        self._tables: dict[int, PartHead] = {}
        self._places: dict[int, tuple[int, ...]] = {}
        self._of: dict[Sha256, list[int]] = {}
        self._files: dict[Sha256, Partial] = {}
        self._lock = threading.Lock()

    @property
    def parts(self) -> tuple[int, ...]:
        """Indexes of the parts with pieces of which something landed, rising."""
        return tuple(sorted(self._tables))

    def has(self, blob: Sha256) -> bool:
        """Say whether *blob* is to be put together."""
        return blob in self._of

    def keep(self, slab: StoredSlab) -> None:
        """Prepare for slabs of the part of *slab*, which has pieces.

        Raises:
            StoreError: The disk refuses.
        """
        index, table, part = slab.run.index, slab.table, slab.run.part
        if index not in self._tables:
            assert table
            assert part.head
            Disk().write_file(self._head_path(part.head.sha256), head.encode(table))
            self._add(index, table)

    def load(self, parts: Iterable[int]) -> None:
        """Take up what was kept by an earlier process.

        Raises:
            FormatError: A head is not what it was.
            StoreError: The disk refuses.
        """
        for index in parts:
            wanted = self._parts[index][1].head
            assert wanted
            path = self._head_path(wanted.sha256)
            with failing("read", path):
                data = path.read_bytes()
            if sha256(data) != wanted.sha256:
                problem = f"{path.name} hashes to {sha256(data)}"
                raise FormatError(problem)
            self._add(index, head.decode(data, name=path.name))

    def forget(self) -> None:
        """Forget what was taken up."""
        self._tables, self._places, self._of = {}, {}, {}

    def place(self, slab: StoredSlab) -> int:
        """Return where the stored bytes of *slab* go in the kit of its blob."""
        return self._places[slab.run.index][slab.number]

    def write(self, blob: Sha256, data: Lent, place: int) -> None:
        """Write a slab's stored bytes; from any thread.

        Raises:
            StoreError: The disk refuses.
        """
        self._file(blob).write(data, place)

    def arrived(self, part: int, mask: int) -> int:
        """Return the bytes of the blob that a part gives with the slabs of *mask*.

        All of them, or none: a part is put together once all its slabs are here.
        """
        table = self._tables[part]
        return table.raw if mask == (1 << len(table.slabs)) - 1 else 0

    def materials(self, blob: Sha256, span: Callable[[Sha256], Span]) -> Materials:
        """Return what *blob* is put together from, all of which has landed.

        Args:
            blob: Its digest.
            span: Says where a blob lies that it builds on.
        """
        kept, start, first = [], 0, self._first[blob]
        for index, part in enumerate(self._parts[first][0].parts, first):
            table = self._tables.get(index)
            place = self._places[index][0] if table else 0
            kept.append(KeptPart(start=start, raw=part.raw, table=table, place=place))
            start += part.raw
        names = {base for one in self._of[blob] for base in self._tables[one].bases}
        return Materials(
            parts=tuple(kept),
            slabs=self._file(blob).path,
            bases={name: span(name) for name in sorted(names)},
        )

    def finish(self, blob: Sha256) -> None:
        """Make the kit of *blob*, of which all has landed, durable, and close it.

        Raises:
            StoreError: The disk refuses.
        """
        with self._lock:
            file = self._files.pop(blob)
        with file:
            file.sync()

    def sync(self) -> None:
        """Make all that was written durable.

        Raises:
            StoreError: The disk refuses.
        """
        for file in self._files.values():
            file.sync()

    def close(self) -> None:
        """Close every file; what was synced stays."""
        while self._files:
            self._files.popitem()[1].close()

    def discard(self, blob: Sha256) -> None:
        """Delete the kit of *blob*, if there is one."""
        if file := self._files.pop(blob, None):
            file.close()
        for index in self._of.pop(blob, ()):
            del self._tables[index], self._places[index]
        self._store.discard(self.key(blob))

    def _add(self, index: int, table: PartHead) -> None:
        blob = self._parts[index][0].sha256
        before = self._parts[self._first[blob] : index]
        start = sum(part.size for _, part in before)
        stored = (slab.stored for slab in table.slabs)
        self._places[index] = tuple(accumulate(stored, initial=start))
        self._tables[index] = table
        self._of.setdefault(blob, []).append(index)

    def _file(self, blob: Sha256) -> Partial:
        with self._lock:
            if blob not in self._files:
                parts = self._parts[self._first[blob]][0].parts
                size = sum(part.size for part in parts)
                key = self.key(blob)
                self._files[blob] = self._store.partial(key, size, scattered=True)
            return self._files[blob]

    def key(self, blob: Sha256) -> str:
        """Return the key of the file of a kit in the store's area for partial blobs."""
        return f"{self._key}-{blob}.slabs"

    def _head_path(self, name: Sha256) -> Path:
        return self._folder / f"{name}.head"


def _firsts(packing: PackingList) -> dict[Sha256, int]:
    """Return the index of the first part of each blob."""
    found, index = {}, 0
    for blob in packing.blobs:
        found[blob.sha256] = index
        index += len(blob.parts)
    return found
