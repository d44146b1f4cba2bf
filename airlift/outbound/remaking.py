"""Remaking: volumes of an earlier delivery once more, byte for byte.

Nothing is signed and nothing is decided: the signed records, the cut points and the
digests that were noted say what each volume is, and the store still has its blobs.
Only blobs that the wanted volumes hold are packed again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from airlift import naming
from airlift.artifact import ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError, StoreError
from airlift.format import dispatch, packing, release, selection, volume
from airlift.format.dispatch import Dispatch
from airlift.format.head import PartHead
from airlift.format.packing import PackingList
from airlift.format.selection import Selection
from airlift.format.volume import Label
from airlift.outbound import allotment, denied, encrypting, stowing
from airlift.outbound.cutting import Cargo, Cutter
from airlift.outbound.ledger import Ledger
from airlift.outbound.lot import Lot
from airlift.outbound.packing import Packer
from airlift.outbound.quay import Media
from airlift.outbound.recipe import Recipe
from airlift.outbound.stowage import Berth, Stowage, Stowages
from airlift.outbound.veil import Veils
from airlift.progress import Progress
from airlift.store.blobs import BlobStore
from airlift.trust.publisher import Publisher


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What earlier deliveries are made of again.

    Attributes:
        publisher: Has their signed records.
        ledger: Has how their blobs were made of others, and where volumes lie.
        store: Has their blobs.
        spool: Folder for coded blobs.
    """

    publisher: Publisher
    ledger: Ledger
    store: BlobStore
    spool: Path

    @property
    def stowages(self) -> Stowages:
        """Where volumes lie."""
        return Stowages(self.ledger.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remade:
    """Volumes that can be written again.

    Attributes:
        record: Of their delivery.
        stowage: Of their cutting.
        labels: Of all volumes of the cutting.
        wanted: Of those that were asked for, in order.
        cutter: Makes those.
        packer: What *cutter* reads through.
    """

    record: Dispatch
    stowage: Stowage
    labels: Sequence[Label]
    wanted: Sequence[Label]
    cutter: Cutter
    packer: Packer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reissued:
    """What was written once more.

    Attributes:
        record: Of the delivery.
        ordinals: Of the volumes that this run wrote.
        spares: Numbers of the spares that it wrote.
        berths: The media that have volumes of the delivery.
    """

    record: Dispatch
    ordinals: tuple[int, ...]
    spares: tuple[int, ...]
    berths: tuple[Berth, ...]


def reissue(
    known: Stowage,
    chosen: Selection,
    archive: Archive,
    media: Media,
    progress: Progress,
) -> Reissued:
    """Write volumes of an earlier delivery once more.

    Args:
        known: Of the cutting, as `find` returned it.
        chosen: Which volumes; none for those that are known to lie nowhere.
        archive: What they are made of.
        media: Where they go.
        progress: Who wants to know.

    Raises:
        RequestError: They are not known, or a medium is not fit.
        StoreError: What they are made of is gone or changed, or a disk fails.
        IncompleteError: Some have no medium yet.
    """
    # What waits for a medium is written with what is asked for.
    waiting = known.ordinals(known.pending) if chosen.ordinals else ()
    every = tuple(sorted({*chosen.ordinals, *waiting}))
    spares = [one for one in known.pending if allotment.spares_of([one])]
    remade = remake(known, replace(chosen, ordinals=every), archive, progress, spares)
    lot = Lot(
        record=remade.record,
        cutter=remade.cutter,
        labels=remade.labels,
        capacity=known.capacity,
        signers=(),
        stowages=archive.stowages,
        spool=archive.spool,
        resume=f"`airlift reissue {known.site} {known.sequence} --to FOLDER` goes on",
    )
    names = [*(one.file_name for one in remade.wanted), *spares]
    stowed = stowing.Stowing(lot, media, progress).stow(names)
    remade.packer.clear()
    return Reissued(
        record=remade.record,
        ordinals=tuple(one.label.ordinal for one in stowed.volumes),
        spares=stowed.spares,
        berths=stowed.known.berths,
    )


def find(site: str, sequence: int, chosen: Selection, stowages: Stowages) -> Stowage:
    """Return the cutting of a delivery in which *chosen* counts.

    Raises:
        RequestError: It is not known, or there are several and none is named.
    """
    known = stowages.of(site, sequence)
    fit = [one for one in known if one.cutting.startswith(chosen.cutting)]
    what = f"delivery {sequence} to {site}"
    if len(fit) == 1:
        return fit[0]
    cuttings = ", ".join(
        f"@{one.cutting[: selection.CUTTING_DIGITS]} ({len(one.ends)} volumes of at"
        f" most {one.capacity} bytes)"
        for one in known
    )
    if fit:
        problem = f"{what} was cut in more than one way: {cuttings}"
        raise RequestError(problem, hint="say which, as in 7,12-14@1a2b3c4d")
    problem = f"it is not known how {what} was cut"
    if known:
        problem = f"{what} was never cut as @{chosen.cutting}, but as {cuttings}"
    hint = f"`airlift export --again {sequence} --site {site} --to FOLDER` writes all of it again"
    raise RequestError(problem, hint=hint)


def remake(
    known: Stowage,
    chosen: Selection,
    archive: Archive,
    progress: Progress,
    spares: Sequence[str] = (),
) -> Remade:
    """Pack what *chosen* volumes hold once more; return what writes them.

    Args:
        known: Of the cutting, as `find` returned it.
        chosen: Which volumes; none for those that are known to lie nowhere.
        archive: What they are made of.
        progress: Who wants to know.
        spares: Names of spares, whose volumes can be made too then.

    Raises:
        RequestError: There are no such volumes, or nothing is asked for.
        StoreError: What they are made of is gone or changed.
    """
    filed = _filed(known, archive)
    dispatch_id = sha256(dispatch.encode(filed.record))
    plain = volume.labels(filed.record, dispatch_id, known.ends)
    veil, labels = Veils(archive.ledger.folder).cut_as(plain, known.cutting)
    wanted = _wanted(known, chosen, labels)
    if not wanted and not spares:
        problem = (
            f"every volume of delivery {known.sequence} to {known.site} is on a medium"
        )
        hint = "name volumes, or the medium that is lost: `airlift media lost`"
        raise RequestError(problem, hint=hint)
    needed = {one.ordinal for one in wanted}
    needed |= {*allotment.needed(spares, len(labels), known.sparing)}
    blobs = {
        blob.sha256
        for one in labels
        if one.ordinal in needed
        for _, blob, _ in volume.spanned(filed.listing, one.first, one.end)
    }
    _check_held(filed, blobs, archive.store)
    packer = Packer(archive.store, archive.spool)
    cargo = Cargo(
        records=filed.records,
        listing=filed.listing,
        heads=_packed(filed, blobs, packer, progress),
    )
    return Remade(
        record=filed.record,
        stowage=known,
        labels=labels,
        wanted=wanted,
        cutter=encrypting.cutter(cargo, packer, veil, dispatch_id),
        packer=packer,
    )


@dataclass(frozen=True, slots=True)
class _Filed:
    """What was signed, and what goes with it.

    Attributes:
        files: A file of each blob.
    """

    record: Dispatch
    records: Mapping[str, bytes]
    listing: PackingList
    files: Mapping[Sha256, ReleaseFile]
    recipes: Mapping[Sha256, Recipe]


def _filed(known: Stowage, archive: Archive) -> _Filed:
    site, sequence = known.site, known.sequence
    records = archive.publisher.delivered(site, sequence)
    denied.refuse(archive.publisher, records)
    name = f"records/{dispatch.target_name(site, sequence)}"
    releases = (
        release.decode(data, name=one)
        for one, data in sorted(records.items())
        if one.startswith("records/releases/")
    )
    return _Filed(
        record=dispatch.decode(records[name], name=name),
        records=records,
        listing=packing.decode(records["records/packing.json"]),
        files={file.sha256: file for one in releases for file in one.files},
        recipes=archive.ledger.recipes(site, sequence),
    )


def _wanted(
    known: Stowage, chosen: Selection, labels: Sequence[Label]
) -> Sequence[Label]:
    count = len(labels)
    if beyond := [one for one in chosen.ordinals if one > count]:
        problem = f"there is no volume {selection.ranges(beyond)}: the last is {count}"
        raise RequestError(problem, hint="read the line again")
    if not known.beside:
        problem = f"the export of delivery {known.sequence} was never finished"
        raise RequestError(problem, hint="run the same `airlift export` again")
    asked = set(chosen.ordinals)
    pending = set(known.pending)
    return [
        one
        for one in labels
        if (one.ordinal in asked if asked else one.file_name in pending)
    ]


def _check_held(filed: _Filed, blobs: set[Sha256], store: BlobStore) -> None:
    """Refuse before anything is packed where blobs are gone.

    Raises:
        StoreError: They are; it says what to do.
    """
    bases = {
        base
        for one in blobs
        if (recipe := filed.recipes.get(one))
        for base in recipe.bases
    }
    if not (gone := store.missing(blobs | bases)):
        return
    record = filed.record
    first = min(gone)
    name = filed.files[first].path if first in filed.files else "what it is built on"
    problem = (
        f"{len(gone)} blob(s) of delivery {record.sequence} to {record.site} are no "
        f"longer in the store, such as {first} ({naming.show(name)})"
    )
    hint = (
        "they cannot be written again as they were: make a new delivery with `airlift "
        "export MANIFEST --build-on none`, which fetches them again"
    )
    raise StoreError(problem, hint=hint)


def _packed(
    filed: _Filed, blobs: set[Sha256], packer: Packer, progress: Progress
) -> tuple[PartHead | None, ...]:
    """Pack *blobs*; return the heads of all parts, none where no blob of it is."""
    order = [one for one in filed.listing.blobs if one.sha256 in blobs]
    files = [filed.files[one.sha256] for one in order]
    packed = packer.pack(files, progress, filed.recipes)
    if packed.listing.blobs != tuple(order):
        record = filed.record
        problem = f"delivery {record.sequence} to {record.site} packs differently today"
        hint = "another airlift or zstd made it: use that one, or export anew"
        raise StoreError(problem, hint=hint)
    fresh = iter(packed.heads)
    return tuple(
        next(fresh) if blob.sha256 in blobs else None
        for blob, _ in filed.listing.parts()
    )
