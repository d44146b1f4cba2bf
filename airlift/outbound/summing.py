"""Summing up a lot: the digests of all its files, and the small files that name them.

Every medium gets the same small files, so all digests are known before the first medium
may be taken out.
"""

from collections.abc import Mapping
from dataclasses import replace

from airlift.format.medium_note import MediumNote
from airlift.outbound import allotment, sidecars
from airlift.outbound.ledger import VolumeNote
from airlift.outbound.lot import Lot
from airlift.outbound.sidecars import Beside
from airlift.outbound.stock import Stock
from airlift.outbound.stowage import Stowage
from airlift.progress import Progress


def learn(
    known: Stowage,
    lot: Lot,
    sizes: Mapping[str, int],
    stock: Stock,
    progress: Progress,
) -> Stowage:
    """Return *known* with what every volume and spare of *lot* is.

    Volumes that are not written yet are hashed: the media that are in may be gone when
    they are. Of all of them, spares are made.

    Args:
        known: Of the lot's cutting.
        lot: What is written.
        sizes: Bytes of each volume and spare, by name.
        stock: Makes the spares.
        progress: Who wants to know.

    Raises:
        StoreError: What they are made of is not what it was, or the spool is full.
    """
    unknown = [one for one in lot.labels if not known.noted(one.file_name)]
    total = sum(sizes[one.file_name] for one in unknown)
    with progress.task("hashing the other volumes", total) as advance:
        notes = [
            VolumeNote(
                name=one.file_name,
                size=sizes[one.file_name],
                sha256=lot.cutter.digest(one, advance),
            )
            for one in unknown
        ]
    known = known.learned(notes)
    fresh = [one for one in stock.sizes if not known.noted(one)]
    return known.learned(stock.make(fresh, known.noted))


def sum_up(known: Stowage, lot: Lot) -> Stowage:
    """Return *known*, which knows all files of *lot*, with the small files."""
    spares = {one.name: one for one in known.files if allotment.spares_of([one.name])}
    volumes = [
        note for one in lot.labels if (note := known.noted(one.file_name)) is not None
    ]
    beside = Beside(
        volumes=volumes,
        spares=[spares[one] for one in sorted(spares)],
        code=lot.code,
        encrypted=lot.encrypted,
    )
    return replace(known, beside=sidecars.make(lot.record, beside, lot.signers))


def note_of_medium(known: Stowage, number: int) -> MediumNote:
    """Return the note for medium *number*: which volumes lie on which."""
    return MediumNote(
        site=known.site,
        sequence=known.sequence,
        cutting=known.cutting,
        number=number,
        media={
            one.number: allotment.volumes_of(one.files)
            for one in known.berths
            if not one.lost
        },
    )
