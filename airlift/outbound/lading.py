"""Lading: the volumes of a delivery go where the order says, and that is noted.

Into one folder, with spares if they are wanted; into a pipe; or to several media.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from airlift.outbound import (
    allotment,
    berthing,
    medium,
    pouring,
    sidecars,
    sparing,
    stowage,
)
from airlift.outbound.allotment import NO_SPARES, Sparing
from airlift.outbound.cutting import WrittenVolume
from airlift.outbound.ledger import VolumeNote
from airlift.outbound.lot import Lot
from airlift.outbound.quay import Media
from airlift.outbound.sidecars import Beside
from airlift.outbound.sparing import WrittenSpare
from airlift.outbound.stowage import Berth, Stowage, Stowages
from airlift.outbound.stowing import Stowing
from airlift.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where volumes go.

    Attributes:
        folder: One folder, unless another of these says more.
        pipe: Where they follow each other instead.
        media: Where they may be spread instead.
        sparing: How many spares go with them.
        goes_on: Whether an earlier run that was not finished is finished now.
    """

    folder: Path
    pipe: BinaryIO | None = None
    media: Media | None = None
    sparing: Sparing = NO_SPARES
    goes_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Laden:
    """What was written.

    Attributes:
        volumes: All volumes, wherever they lie.
        spares: All spares.
        files: Both, as the ledger notes them.
        berths: The media that they lie on.
        fatal: Numbers of those whose loss the spares could not make up for.
    """

    volumes: tuple[WrittenVolume, ...]
    spares: tuple[VolumeNote, ...] = ()
    files: tuple[VolumeNote, ...]
    berths: tuple[Berth, ...] = ()
    fatal: tuple[int, ...] = ()


def lade(
    lot: Lot, where: Where, sizes: Mapping[str, int], now: str, progress: Progress
) -> Laden:
    """Write all volumes of *lot* that are not written yet.

    Args:
        lot: The delivery.
        where: Where it goes.
        sizes: Bytes of all files that will be written.
        now: The time.
        progress: Who wants to know.

    Raises:
        RequestError: It cannot go there.
        StoreError: A disk is full or fails.
        IncompleteError: Some volumes have no medium yet.
    """
    if where.pipe:
        volumes = pouring.pour(lot.cutter, lot.labels, where.pipe, progress)
        return _noted(lot, volumes, [], None, now)
    if where.media and (where.media.several or _is_open(lot, where)):
        return _spread(lot, where, progress)
    medium.prepare(where.folder, sizes)
    volumes = lot.cutter.write(lot.labels, where.folder, progress)
    spares = sparing.write(volumes, where.folder, where.sparing, progress)
    return _noted(lot, volumes, spares, where.folder, now)


def note_of(written: WrittenVolume | WrittenSpare) -> VolumeNote:
    """Return what the ledger says of a file that was written."""
    name = written.label.file_name
    return VolumeNote(name=name, size=written.size, sha256=written.sha256)


def _is_open(lot: Lot, where: Where) -> bool:
    """Say whether an earlier run wrote some volumes to media that may be elsewhere."""
    known = _known(lot, lot.stowages)
    return where.goes_on and bool(known.pending and known.berths)


def _known(lot: Lot, stowages: Stowages) -> Stowage:
    first = lot.labels[0]
    found = stowages.read(first.site, first.sequence, first.cutting)
    return found or stowage.begin(lot.labels, lot.capacity)


def _spread(lot: Lot, where: Where, progress: Progress) -> Laden:
    assert where.media
    stowing = Stowing(lot, where.media, progress)
    known = _known(lot, lot.stowages).with_sparing(lot.sparing)
    wanted: set[str] = {one.file_name for one in lot.labels}
    spares: set[str] = set(stowing.spares)
    if where.goes_on and known.pending:
        wanted = set(known.pending)
        spares = {one for one in spares if not any(known.holding(one))}
    stowed = stowing.stow(wanted | spares)
    known = stowed.known
    fresh = {one.label.file_name: one for one in stowed.volumes}
    volumes = []
    for label in lot.labels:
        noted = known.noted(label.file_name)
        assert noted
        at = [berth.folder for berth in known.holding(noted.name)]
        elsewhere = WrittenVolume(
            label=label,
            path=Path(at[-1] if at else "") / noted.name,
            size=noted.size,
            sha256=noted.sha256,
            kept=True,
        )
        volumes.append(fresh.get(noted.name, elsewhere))
    noted_spares = tuple(one for one in known.files if allotment.spares_of([one.name]))
    return Laden(
        volumes=tuple(volumes),
        spares=noted_spares,
        files=(*map(note_of, volumes), *noted_spares),
        berths=known.berths,
        fatal=known.fatal if noted_spares else (),
    )


def _noted(
    lot: Lot,
    volumes: list[WrittenVolume],
    spares: list[WrittenSpare],
    folder: Path | None,
    now: str,
) -> Laden:
    """Write the small files beside what was written at once, and note all of it."""
    noted = [note_of(one) for one in spares]
    beside = Beside(
        volumes=[note_of(one) for one in volumes],
        spares=noted,
        code=lot.code,
        encrypted=lot.encrypted,
    )
    small = sidecars.make(lot.record, beside, lot.signers)
    files = tuple(beside.files())
    known = _known(lot, lot.stowages).with_sparing(lot.sparing)
    known = replace(known.learned(files), beside=small)
    if folder:
        sidecars.write(folder, small)
        names = tuple(sorted(one.name for one in files))
        berth = replace(
            berthing.berth_at(folder, known), files=names, written=now, checked=""
        )
        known = replace(known.with_berth(berth), pending=())
    lot.stowages.write(known)
    return Laden(
        volumes=tuple(volumes),
        spares=tuple(noted),
        files=files,
        berths=known.berths,
    )
