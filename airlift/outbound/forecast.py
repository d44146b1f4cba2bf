"""Forecasts: what building on earlier deliveries would save, before anything is fetched.

Of files that lie in the connected store it is planned as an export would plan it; of
those that a site holds wholly it is certain; of all others nothing is known yet.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from airlift.artifact import Pinned, PinnedFile, Release, ReleaseFile
from airlift.digest import Sha256
from airlift.outbound.bases import Holdings
from airlift.outbound.opened import OpenedBlobs
from airlift.outbound.planning import Planner
from airlift.payload import sniff
from airlift.progress import Progress
from airlift.registry.pieces import PieceIndex
from airlift.store.blobs import BlobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What travels of one artifact; bytes.

    Attributes:
        stays: Of files that need not travel: the site holds them, or another file
            of the same bytes travels.
        changed: Of files that travel as changes to others.
        change: What those changes come to, by samples.
        whole: Of files in the store that travel whole: no base pays.
        unknown: Of files that are not in the store yet.
    """

    stays: int = 0
    changed: int = 0
    change: int = 0
    whole: int = 0
    unknown: int = 0

    @property
    def carried(self) -> int:
        """Bytes to carry at most, before weights shrink."""
        return self.change + self.whole + self.unknown


def forecast(
    pinned: Sequence[Pinned],
    holdings: Holdings,
    store: BlobStore,
    pieces: Path,
    progress: Progress,
) -> tuple[Forecast, ...]:
    """Return what an export of *pinned* to a site that has *holdings* carries of each.

    Args:
        pinned: The artifacts, in order.
        holdings: What the site has.
        store: The connected store.
        pieces: Folder of the index of pieces.
        progress: Who watches.

    Raises:
        StoreError: The store cannot be read.
        RegistryError: The index cannot answer.
    """
    with (
        closing(PieceIndex.open(pieces)) as index,
        OpenedBlobs(store) as blobs,
        progress.task("comparing", len(pinned), unit="artifacts") as advance,
    ):
        planner = Planner(blobs, index, chunked=bool(holdings.brought))
        for file, owner in holdings.files:
            planner.offer(file, owner)
        found, seen = [], set(holdings.brought)
        for one in pinned:
            found.append(_of(one, _Table(planner, blobs, seen)))
            advance(1)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Table:
    """What files are compared with.

    Attributes:
        there: Blobs that need not travel: held by the site, or carried already.
    """

    planner: Planner
    blobs: OpenedBlobs
    there: set[Sha256]


def _of(one: Pinned, table: _Table) -> Forecast:
    sums = dict.fromkeys(("stays", "changed", "change", "whole", "unknown"), 0)
    owner = _owner(one)
    for file in one.files:
        for name, size in _file(file, owner, table):
            sums[name] += size
    return Forecast(**sums)


def _file(file: PinnedFile, owner: Release, table: _Table) -> Iterator[tuple[str, int]]:
    """Yield what the bytes of *file* are counted as."""
    size = file.size or 0
    if file.sha256 in table.there:
        yield "stays", size
        return
    if file.sha256 is None or not table.blobs.holds(file.sha256):
        yield "unknown", size
        return
    table.there.add(file.sha256)
    known = _sniffed(file, file.sha256, table.blobs)
    plan = table.planner.plan(known, owner)
    table.planner.offer(known, owner, here=True)
    if plan is None:
        yield "whole", known.size
        return
    yield "changed", known.size
    yield "change", plan.stored


def _sniffed(file: PinnedFile, blob: Sha256, blobs: OpenedBlobs) -> ReleaseFile:
    size = blobs.size(blob)
    head = blobs.read(blob, 0, min(size, sniff.HEAD))
    tail = blobs.read(blob, max(0, size - sniff.HEAD), size)
    word, _ = sniff.sniff(file.path, head, tail if size > sniff.HEAD else b"")
    return ReleaseFile(path=file.path, size=size, sha256=blob, format=word)


def _owner(one: Pinned) -> Release:
    return Release(
        kind=one.kind,
        name=one.name,
        revision=one.revision,
        counter=1,
        files=(),
        base_models=one.base_models,
    )
