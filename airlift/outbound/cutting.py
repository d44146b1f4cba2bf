"""Cutting: finished parts become volume files on a medium (docs/format.md, "Volumes").

A name without ``.part`` is a whole volume (``putting``), whatever interrupts the
writing. One that is already there whole is not written again.
"""

import contextlib
import hashlib
import itertools
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from blake3 import blake3

from airlift import lanes
from airlift.crew import Stop
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError, StoreError
from airlift.format import framing, head, volume
from airlift.format.head import PartHead, Slab
from airlift.format.packing import PackingList
from airlift.format.volume import Label, Run
from airlift.lanes import Lane
from airlift.outbound import hashing, putting
from airlift.outbound.packing import Packer
from airlift.outbound.slabs import CODED, Hold, Slots
from airlift.outbound.spool import StoredSlabs
from airlift.outbound.windows import Windows
from airlift.progress import Advance, Progress
from airlift.store import direct
from airlift.store.blobs import SMALL

_CHUNK = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cargo:
    """All that the volumes of one delivery hold.

    Attributes:
        records: Every signed file by its name below ``airlift/``.
        listing: The packing list that is among them, decoded.
        heads: The heads of its parts in travelling order.
    """

    records: Mapping[str, bytes]
    listing: PackingList
    heads: Sequence[PartHead | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenVolume:
    """A volume file as it lies on the medium.

    Attributes:
        kept: Whether it was there already, whole.
    """

    label: Label
    path: Path
    size: int
    sha256: Sha256
    kept: bool


class Cutter:
    """Writes the volumes of *cargo*, reading stored bytes through *packer*."""

    def __init__(self, cargo: Cargo, packer: Packer) -> None:
        self._cargo, self._packer = cargo, packer
        self._heads = {index: one for index, one in enumerate(cargo.heads) if one}
        self._places = _places(cargo)

    def size(self, label: Label) -> int:
        """Return the exact size in bytes of the volume *label*."""
        return (
            sum(len(data) for data in self._front(label))
            + sum(
                framing.footprint(run.size) + self._head_footprint(run)
                for run in self._runs(label)
            )
            + len(framing.END)
        )

    def write(
        self, labels: Sequence[Label], folder: Path, progress: Progress
    ) -> list[WrittenVolume]:
        """Write every volume into *folder*; return them in order.

        Raises:
            StoreError: The medium is full, read-only or failing. What was finished
                stays; nothing unfinished keeps a volume's name.
        """
        total = sum(self.size(label) for label in labels)
        with progress.task("writing volumes", total) as advance:
            return [self.put(label, folder, advance) for label in labels]

    def put(
        self,
        label: Label,
        folder: Path,
        advance: Advance,
        expected: Sha256 | None = None,
    ) -> WrittenVolume:
        """Write the volume *label* into *folder*, or keep it where it is there whole.

        Args:
            label: Of the volume.
            folder: On the medium.
            advance: Told of bytes.
            expected: The digest of the volume, where it is known.

        Raises:
            RequestError: Something else has its name.
            MediumError: The medium is full, read-only or failing.
            StoreError: What it is made of is not what it was.
        """
        path = folder / label.file_name
        if path.exists():
            written = self._keep(label, path, advance)
            # A stick that was pulled has files of the right name and size with
            # anything inside; what is counted as written must be what was meant.
            if written.sha256 == (expected or self.digest(label, _unseen)):
                return written
            with putting.refusing(path):
                path.unlink()
        return self._write(label, path, advance)

    def pieces(self, label: Label) -> Generator[bytes | memoryview, None, None]:
        """Yield the bytes of the volume *label* in order; each lasts until the next.

        Raises:
            StoreError: What is to travel changed since it was packed.
        """
        room, small = direct.buffer(CODED), bytearray()
        with contextlib.ExitStack() as opened:
            for item in self._items(label, opened):
                if isinstance(item, bytes):
                    small += item
                if len(small) >= _CHUNK or not isinstance(item, bytes):
                    yield bytes(small)
                    small.clear()
                if not isinstance(item, bytes):
                    yield item.into(room)
            yield bytes(small)

    def digest(self, label: Label, advance: Advance) -> Sha256:
        """Return the SHA-256 of the volume *label* without writing it.

        Raises:
            StoreError: What it is made of is not what it was.
        """
        return self._run(label, lambda data, _: advance(len(data)), Stop())

    def _keep(self, label: Label, path: Path, advance: Advance) -> WrittenVolume:
        """Hash a volume that is already there, and refuse any other file."""
        front, size = self._opening(label), self.size(label)
        with putting.refusing(path), path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size != size or (
                stream.read(len(front)) != front
            ):
                problem = f"{path} is another volume, or one of another cutting"
                raise RequestError(problem, hint="choose an empty folder")
            found, _ = hashing.sha256_of(path, advance)
        return WrittenVolume(label=label, path=path, size=size, sha256=found, kept=True)

    def _write(self, label: Label, path: Path, advance: Advance) -> WrittenVolume:
        size = self.size(label)
        found = putting.create(path, lambda out: self._fill(label, out, size, advance))
        return WrittenVolume(
            label=label, path=path, size=size, sha256=found, kept=False
        )

    def _fill(self, label: Label, out: int, size: int, advance: Advance) -> Sha256:
        """Write all bytes of a volume to the file *out*; return their digest."""
        stop = Stop()
        found = self._run(label, Windows(out, size, advance, stop).put, stop)
        assert os.fstat(out).st_size == size
        return found

    def _run(
        self, label: Label, put: Callable[[memoryview, int], None], stop: Stop
    ) -> Sha256:
        """Make all bytes of a volume, in order for the digest that is returned.

        *put* gets them with their offsets, each once, from several threads.
        """
        slots, hasher = Slots(), hashlib.sha256()

        def digest(item: tuple[_Step, memoryview, Hold]) -> None:
            step, stored, hold = item
            hasher.update(step.before)
            hasher.update(stored)
            hold.drop()

        lane = Lane(digest)

        def do(step: _Step, done: Callable[[], None]) -> None:
            slot = slots.take()
            hold = slots.hold(slot, 2, done)
            stored = step.slab.into(slot.coded) if step.slab else slot.coded[:0]
            lane.put(step.number, (step, stored, hold))
            put(memoryview(step.before), step.offset)
            put(stored, step.offset + len(step.before))
            hold.drop()

        with contextlib.ExitStack() as opened:
            lanes.run(self._steps(label, opened), do, stop=stop)
        return Sha256(hasher.hexdigest())

    def _steps(self, label: Label, opened: contextlib.ExitStack) -> Iterator["_Step"]:
        """Yield what a volume is made of, in order."""
        before, offset, numbers = bytearray(), 0, itertools.count()
        for item in self._items(label, opened):
            if isinstance(item, bytes):
                before += item
                if len(before) < _CHUNK:
                    continue
            slab = None if isinstance(item, bytes) else item
            step = _Step(next(numbers), offset, bytes(before), slab)
            offset += len(before) + (slab.size if slab else 0)
            before.clear()
            yield step
        yield _Step(next(numbers), offset, bytes(before), None)

    def _items(
        self, label: Label, opened: contextlib.ExitStack
    ) -> Iterator["bytes | _StoredSlab"]:
        yield from self._front(label)
        for run in self._runs(label):
            yield from self._head(run)
            yield framing.header(run.name, run.size)
            yield from self._stored(run, opened)
            yield bytes(framing.padding(run.size))
        yield framing.END

    def _opening(self, label: Label) -> bytes:
        """Return what a file begins with that is this very volume."""
        return b"".join(self._front(label))

    def _front(self, label: Label) -> Iterator[bytes]:
        files = {volume.LABEL: volume.encode_label(label)}
        for name in sorted(self._cargo.records):
            files[f"airlift/{name}"] = self._cargo.records[name]
        for name, data in files.items():
            yield (
                framing.header(name, len(data))
                + data
                + bytes(framing.padding(len(data)))
            )

    def _runs(self, label: Label) -> Iterator[Run]:
        spanned = volume.spanned(self._cargo.listing, label.first, label.end)
        for index, blob, part in spanned:
            run = volume.run_of(index, blob, part, self._heads.get(index), label)
            assert run
            yield run

    def _head_footprint(self, run: Run) -> int:
        return framing.footprint(run.part.head.size) if run.part.head else 0

    def _head(self, run: Run) -> Iterator[bytes]:
        if run.part.head:
            data = head.encode(self._heads[run.index])
            yield (
                framing.header(run.head_name, len(data))
                + data
                + bytes(framing.padding(len(data)))
            )

    def _stored(
        self, run: Run, opened: contextlib.ExitStack
    ) -> Iterator["bytes | _StoredSlab"]:
        """Yield a run's slabs; what is small is read at once."""
        first, count, begin = self._places[run.index]
        heads = self._cargo.heads[first : first + count]
        stored = self._packer.open(run.blob, heads)
        opened.callback(stored.close)
        # Closed after its last slab: a volume may hold more blobs than a process may
        # have files.
        uses = Hold(len(run.slabs), stored.close)
        for number, slab in enumerate(run.slabs, begin + run.first):
            distrust = partial(self._packer.distrust, run.blob.sha256)
            one = _StoredSlab(stored, number, slab, run, uses, distrust)
            if slab.stored < SMALL:
                yield bytes(one.into(memoryview(bytearray(SMALL))))
            else:
                yield one


@dataclass(frozen=True, slots=True)
class _StoredSlab:
    """A slab as it travels, still to be read."""

    stored: StoredSlabs
    number: int
    slab: Slab
    run: Run
    uses: Hold
    distrust: Callable[[], None]

    @property
    def size(self) -> int:
        """Stored bytes."""
        return self.slab.stored

    def into(self, view: memoryview) -> memoryview:
        """Read it to *view*; return it, checked against its digest."""
        self.stored.into(view, self.number, self.size)
        self.uses.drop()
        data = view[: self.size]
        good = (
            blake3(data).digest() == self.slab.blake3
            if self.slab.blake3
            else sha256(data) == self.run.part.sha256
        )
        if not good:
            self.distrust()
            problem = f"blob {self.run.blob.sha256}: stored slab {self.number} changed"
            hint = "run the same command again; `airlift verify` finds what is damaged"
            raise StoreError(problem, hint=hint)
        return data


@dataclass(frozen=True, slots=True)
class _Step:
    """Some bytes of a volume, in order: *before*, then a slab if there is one."""

    number: int
    offset: int
    before: bytes
    slab: _StoredSlab | None


def _places(cargo: Cargo) -> list[tuple[int, int, int]]:
    """Return, for each part, its blob's first part, how many, and slabs before it."""
    found: list[tuple[int, int, int]] = []
    for blob in cargo.listing.blobs:
        first, slabs = len(found), 0
        for index, part in enumerate(blob.parts, first):
            found.append((first, len(blob.parts), slabs))
            slabs += len(volume.slabs_of(part, cargo.heads[index]))
    return found


def _unseen(_: int) -> None:
    """Watch no progress."""
