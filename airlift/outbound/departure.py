"""The export journey: fetch, number, pack, sign, cut, write.

    pinned artifacts -> blobs in the store -> releases -> what travels, and how -> parts
                     -> signed records -> volumes on the medium

The content is decided by the pinned artifacts and the deliveries built on alone: the
same lock gives the same release documents and parts, byte for byte. What was signed is kept before a
volume is written, so that a killed export goes on with the same delivery.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from airlift import naming
from airlift.artifact import Kind, Pinned, Release
from airlift.digest import Sha256, sha256
from airlift.errors import SourceError, StoreError
from airlift.format import dispatch, packing, release
from airlift.format.answer import Answer
from airlift.format.dispatch import HISTORY, Dispatch, Need
from airlift.outbound import (
    bases,
    denied,
    encrypting,
    expectation,
    fitting,
    lading,
    loading,
    witness,
)
from airlift.outbound.allotment import NO_SPARES, Sparing
from airlift.outbound.attesting import Attester
from airlift.outbound.cutting import Cargo, WrittenVolume
from airlift.outbound.fetching import fetch
from airlift.outbound.fitting import Fit
from airlift.outbound.lading import Where
from airlift.outbound.ledger import Entry, Ledger, VolumeNote
from airlift.outbound.lot import Lot
from airlift.outbound.mounts import mount_of
from airlift.outbound.numbering import number
from airlift.outbound.packing import Packed, Packer
from airlift.outbound.quay import Media
from airlift.outbound.stowage import Berth, Stowages
from airlift.outbound.veil import Veils
from airlift.payload import gate
from airlift.progress import Progress
from airlift.sources.source import Source
from airlift.store.blobs import BlobStore
from airlift.trust.keys import UnlockedKey
from airlift.trust.publisher import Publisher
from airlift.trust.recipient import Recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to carry where.

    Attributes:
        pinned: The artifacts, from a lock or just resolved.
        site: The isolated site it is for.
        folder: Where the volumes go.
        capacity: Most bytes a volume may have.
        operator: Who makes it, as it will be signed.
        again: Sequence of an earlier delivery to write again, signing nothing; 0 to
            make a new one of what is pinned.
        build_on: Which earlier deliveries the site has taken, as ``bases.choose``
            reads it; what they brought does not travel again.
        anchor: Whether later ones may be told to build on this one.
        sparing: How many spare volumes to make; none by default.
        pipe: Where volumes go one after the other, instead of a folder.
        media: The media that volumes may be spread over, instead of one folder.
        answer: Tells, of the releases that *pinned* became, what became of the request
            they were asked for in; None where nobody asked.
        attester: Says what is so of the releases that *pinned* became; None where
            nothing more than was said before.
        recipient: Whom the volumes are encrypted to; None to leave them as they are.
    """

    pinned: tuple[Pinned, ...]
    site: str
    folder: Path
    capacity: int
    operator: str
    again: int = 0
    build_on: str = bases.NONE
    anchor: bool = False
    sparing: Sparing = NO_SPARES
    pipe: BinaryIO | None = None
    media: Media | None = None
    answer: Callable[[Sequence[Release]], Answer] | None = None
    attester: Attester | None = None
    recipient: Recipient | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dock:
    """What the connected side works with.

    Attributes:
        store: Where fetched blobs lie.
        sources: The source of each kind.
        publisher: The trust repository.
        spool: Folder for coded blobs.
        pieces: Folder of the index of pieces.
        ledger: What was begun and what was written.
    """

    store: BlobStore
    sources: Callable[[Kind], Source]
    publisher: Publisher
    spool: Path
    pieces: Path
    ledger: Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """A delivery as it was written.

    Attributes:
        resumed: Whether an earlier, unfinished export of the same was finished.
        berths: The media that its volumes lie on, as far as that is known.
        fatal: Numbers of those whose loss its spares could not make up for.
        code: What the site should print once it took this; empty where the ledger
            does not know all that was sent.
    """

    record: Dispatch
    id: Sha256
    releases: tuple[Release, ...]
    packed: Packed
    volumes: tuple[WrittenVolume, ...]
    spares: tuple[VolumeNote, ...]
    resumed: bool
    berths: tuple[Berth, ...] = ()
    fatal: tuple[int, ...] = ()
    code: str = ""


@dataclass(frozen=True, slots=True)
class _Signed:
    """A delivery that is signed and packed, ready to be cut."""

    record: Dispatch
    records: Mapping[str, bytes]
    packed: Packed
    releases: tuple[Release, ...]
    resumed: bool


def export(
    order: Order,
    dock: Dock,
    signers: Sequence[UnlockedKey],
    *,
    now: str,
    progress: Progress,
) -> Departure:
    """Carry out *order*; return what was written.

    Raises:
        RequestError: The order cannot be met as it stands (volume size, signatures).
        SourceError: Upstream did not deliver.
        StoreError: A disk is full or fails; running the same again goes on.
    """
    # What builds on something is coded as pieces, once it is known of which.
    early = order.build_on == bases.NONE
    packer = Packer(dock.store, dock.spool, early=early)
    if order.again:
        signed = _signed_before(order, dock, packer, progress)
    else:
        signed = _sign(order, dock, packer, signers, now=now, progress=progress)
    cargo = Cargo(
        records=signed.records, listing=signed.packed.listing, heads=signed.packed.heads
    )
    dispatch_id = sha256(dispatch.encode(signed.record))
    veil = None
    if order.recipient:
        veil = Veils(dock.ledger.folder).make(order.recipient, signed.record.sequence)
    cutter = encrypting.cutter(cargo, packer, veil, dispatch_id)
    fit = Fit(capacity=order.capacity, sparing=order.sparing, veil=veil)
    labels, sizes = fitting.fit(cargo, signed.record, cutter, fit)
    lot = Lot(
        record=signed.record,
        cutter=cutter,
        labels=labels,
        capacity=order.capacity,
        signers=signers,
        stowages=Stowages(dock.ledger.folder),
        spool=dock.spool,
        resume=_resume(order),
        code=expectation.code_after(signed.record, dock.ledger, dock.publisher),
        encrypted=veil is not None,
        sparing=order.sparing,
    )
    where = Where(
        folder=order.folder,
        pipe=order.pipe,
        media=order.media,
        sparing=order.sparing,
        goes_on=signed.resumed and not order.again,
    )
    laden = lading.lade(lot, where, sizes, now, progress)
    mount = "" if order.pipe else mount_of(order.folder)
    dock.ledger.finish(signed.record, now, laden.files, mount)
    packer.clear()
    if order.attester:
        order.attester.clear(signed.releases)
    return Departure(
        record=signed.record,
        id=dispatch_id,
        releases=signed.releases,
        packed=signed.packed,
        volumes=laden.volumes,
        spares=laden.spares,
        resumed=signed.resumed,
        berths=laden.berths,
        fatal=laden.fatal,
        code=lot.code,
    )


def _resume(order: Order) -> str:
    """Return how to go on with media that are not written yet."""
    if order.again:
        return f"`airlift reissue {order.site} {order.again} --to FOLDER` goes on"
    return "the same command goes on"


def _sign(  # noqa: PLR0913 - one step of the journey above, with all it has
    order: Order,
    dock: Dock,
    packer: Packer,
    signers: Sequence[UnlockedKey],
    *,
    now: str,
    progress: Progress,
) -> _Signed:
    """Fetch, number, pack and sign what is ordered."""
    built_on = bases.holdings(order.build_on, dock.ledger, dock.publisher, order.site)
    releases: list[Release] = []
    for pinned in order.pinned:
        source = dock.sources(pinned.kind)
        files = fetch(pinned, source, dock.store, progress=progress, packer=packer)
        one = number(pinned, files, dock.publisher, releases, order.attester)
        _gate(one, dock)
        releases.append(one)
    documents = {release.identify(data): data for data in map(release.encode, releases)}
    load = loading.load(releases, built_on, dock.store, dock.pieces, progress)
    packed = packer.pack(load.carried, progress, load.recipes)
    listing = packing.encode(packed.listing)

    answer = order.answer(releases) if order.answer else None
    content = _Content(tuple(sorted(documents)), load.needs, listing, answer)
    record, resumed = _dispatch(order, dock, content, now)
    dock.ledger.keep_recipes(order.site, record.sequence, load.recipes)
    dock.ledger.write(Entry(record=record, anchor=order.anchor))
    records = dock.publisher.publish(
        site=order.site,
        releases=[documents[one] for one in record.releases],
        dispatch=dispatch.encode(record),
        packing=listing,
        signers=signers,
        now=now,
    )
    return _Signed(record, records, packed, tuple(releases), resumed)


def _signed_before(
    order: Order, dock: Dock, packer: Packer, progress: Progress
) -> _Signed:
    """Return an earlier delivery as it was signed, packed the same again.

    Raises:
        RequestError: There is no such delivery.
        StoreError: Blobs of it are no longer in the store, or pack differently.
    """
    records = dock.publisher.delivered(order.site, order.again)
    denied.refuse(dock.publisher, records)
    name = f"records/{dispatch.target_name(order.site, order.again)}"
    listing = packing.decode(records["records/packing.json"])
    releases = tuple(
        release.decode(data, name=name)
        for name, data in sorted(records.items())
        if name.startswith("records/releases/")
    )
    files = {file.sha256: file for one in releases for file in one.files}
    recipes = dock.ledger.recipes(order.site, order.again)
    carried = [files[blob.sha256] for blob in listing.blobs]
    packed = packer.pack(carried, progress, recipes)
    if packed.listing != listing:
        problem = f"delivery {order.again} to {order.site} packs differently today"
        hint = "another airlift or zstd made it: use that one, or export anew"
        raise StoreError(problem, hint=hint)
    record = dispatch.decode(records[name], name=name)
    return _Signed(record, records, packed, releases, resumed=True)


def _gate(one: Release, dock: Dock) -> None:
    """Refuse what must not be carried, whoever asked for it."""

    def read(blob: Sha256, start: int, stop: int) -> bytes:
        return b"".join(dock.store.read(blob, start=start, stop=stop))

    if problem := gate.leaving(one, read):
        text = f"{naming.show(one.name)}: {naming.show(problem)}"
        raise SourceError(text, hint="leave it out, or ask its author for a sound one")


@dataclass(frozen=True, slots=True)
class _Content:
    """What a dispatch record says of its content: ids, needs, the packing list."""

    releases: tuple[Sha256, ...]
    needs: tuple[Need, ...]
    listing: bytes
    answer: Answer | None


def _dispatch(
    order: Order, dock: Dock, content: _Content, now: str
) -> tuple[Dispatch, bool]:
    """Return the record of this delivery; the last one's if that was never finished."""
    earlier = dock.publisher.deliveries(order.site)
    record = Dispatch(
        site=order.site,
        sequence=earlier[0].sequence + 1 if earlier else 1,
        earlier=tuple(earlier[:HISTORY]),
        issued=now,
        operator=order.operator,
        releases=content.releases,
        needs=content.needs,
        packing_sha256=sha256(content.listing),
        packing_size=len(content.listing),
        answer=content.answer,
        log=witness.quoted(dock.ledger, order.site),
    )
    last = dock.ledger.newest(order.site)
    if (
        last
        and not last.written
        and replace(record, **_moment(last.record)) == last.record
    ):
        return last.record, True
    return record, False


def _moment(record: Dispatch) -> dict[str, Any]:
    """Return what differs between two attempts at the same delivery."""
    names = ("sequence", "earlier", "issued", "operator", "log")
    return {name: getattr(record, name) for name in names}
