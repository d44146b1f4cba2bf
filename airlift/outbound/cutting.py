"""Cutting: finished parts become volume files on a medium (docs/format.md, "Volumes").

A volume is written under a ``.part`` name, synced, renamed, and its folder synced: a
name without ``.part`` is a whole volume, whatever interrupts the writing. One that is
already there whole is not written again.
"""

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from airlift.digest import Sha256, sha256
from airlift.errors import RequestError, StoreError
from airlift.format import framing, head, volume
from airlift.format.head import PartHead
from airlift.format.packing import PackingList
from airlift.format.volume import Label, Run
from airlift.outbound.packing import Packer
from airlift.progress import Advance, Progress
from airlift.store.durable import Disk

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
        self._starts = _part_starts(cargo.listing)

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
        written = []
        with progress.task("writing volumes", total) as advance:
            for label in labels:
                path = folder / label.file_name
                make = self._keep if path.exists() else self._write
                written.append(make(label, path, advance))
        return written

    def _keep(self, label: Label, path: Path, advance: Advance) -> WrittenVolume:
        """Hash a volume that is already there, and refuse any other file."""
        front = next(iter(self._front(label)))
        hasher, size = hashlib.sha256(), self.size(label)
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size != size or (
                stream.read(len(front)) != front
            ):
                problem = f"{path} is another volume, or one of another cutting"
                raise RequestError(problem, hint="choose an empty folder")
            hasher.update(front)
            while chunk := stream.read(_CHUNK):
                hasher.update(chunk)
                advance(len(chunk))
        return WrittenVolume(
            label=label,
            path=path,
            size=size,
            sha256=Sha256(hasher.hexdigest()),
            kept=True,
        )

    def _write(self, label: Label, path: Path, advance: Advance) -> WrittenVolume:
        unfinished = path.with_name(path.name + ".part")
        hasher, size = hashlib.sha256(), 0
        try:
            with unfinished.open("wb", buffering=0) as out:
                for data in self._bytes(label):
                    view = memoryview(data)
                    while view:
                        view = view[out.write(view) :]
                    hasher.update(data)
                    size += len(data)
                    advance(len(data))
                os.fsync(out.fileno())
            unfinished.rename(path)
            Disk().sync_folder(path.parent)
        except OSError as error:
            raise medium_error(error, unfinished) from error
        assert size == self.size(label)
        return WrittenVolume(
            label=label,
            path=path,
            size=size,
            sha256=Sha256(hasher.hexdigest()),
            kept=False,
        )

    def _bytes(self, label: Label) -> Iterator[bytes]:
        yield from self._front(label)
        for run in self._runs(label):
            yield from self._head(run)
            yield framing.header(run.name, run.size)
            yield from self._stored(run)
            yield bytes(framing.padding(run.size))
        yield framing.END

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

    def _stored(self, run: Run) -> Iterator[bytes]:
        """Yield a run's slabs, each checked against its digest before it is written."""
        slabs = volume.slabs_of(run.part, self._heads.get(run.index))
        offset = self._starts[run.index] + sum(one.stored for one in slabs[: run.first])
        for slab in run.slabs:
            stop = offset + slab.stored
            data = b"".join(self._packer.read(run.blob, offset, stop))
            good = (
                blake3(data).digest() == slab.blake3
                if slab.blake3
                else sha256(data) == run.part.sha256
            )
            if not good:
                problem = f"blob {run.blob.sha256}: bytes {offset}-{stop} changed"
                hint = "`airlift verify` finds what is damaged; fetch it again"
                raise StoreError(problem, hint=hint)
            yield data
            offset = stop


def _part_starts(listing: PackingList) -> list[int]:
    """Return where each part's stored bytes begin among those of its blob."""
    starts = []
    for blob in listing.blobs:
        position = 0
        for part in blob.parts:
            starts.append(position)
            position += part.size
    return starts


def medium_error(error: OSError, path: Path) -> StoreError:
    """Return what to tell the operator when the medium refuses a write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        problem = f"{path.parent} is full: {path.name} could not be finished"
        hint = "make room or choose another folder, then run the same command again"
    elif error.errno == errno.EFBIG:
        problem = f"{path.name} is larger than the file system of {path.parent} allows"
        hint = "choose a smaller --volume-size, for example fat32"
    else:
        problem = f"cannot write {path}: {error.strerror}"
        hint = "check the medium, then run the same command again"
    return StoreError(problem, hint=hint)
