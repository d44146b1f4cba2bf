"""``airlift export``: fetch, sign and write a delivery as volumes."""

from pathlib import Path

import click

from airlift.artifact import Json
from airlift.cli import (
    answer_told,
    attesting,
    basis,
    chosen_site,
    config,
    drives_desk,
    for_request,
    keyring,
    output,
    people,
    pipe,
    secrecy,
    slips,
    wanted,
)
from airlift.cli.attesting import Wished
from airlift.cli.capacity import Capacity
from airlift.cli.keyring import Passphrases
from airlift.errors import RequestError
from airlift.format.parity import MOST
from airlift.format.volume import DEFAULT_CAPACITY
from airlift.outbound import bases, departure
from airlift.outbound.allotment import Sparing
from airlift.outbound.cutting import WrittenVolume
from airlift.outbound.departure import Departure, Dock, Order
from airlift.outbound.ledger import Ledger, VolumeNote
from airlift.outbound.nearby import Taking
from airlift.outbound.packing import Packer
from airlift.store.blobs import BlobStore
from airlift.trust.publisher import Publisher


@click.command("export")
@click.argument(
    "manifest", required=False, type=click.Path(path_type=Path, dir_okay=False)
)
@drives_desk.options
@click.option(
    "--again",
    type=click.IntRange(min=1),
    help="Write this earlier delivery's volumes again, instead of a MANIFEST.",
)
@click.option("--site", help="The site it is for; needed where there are several.")
@click.option(
    "--volume-size",
    "capacity",
    type=Capacity(),
    default=DEFAULT_CAPACITY,
    show_default="2047MiB",
    help="Largest volume: 4GiB, 700MB, bytes, or fat32, cd, dvd, bd-25, bd-50, bd-100.",
)
@for_request.options
@click.option(
    "--revocations-only",
    is_flag=True,
    help="Carry nothing but what is signed: the deny list, keys, new expiries.",
)
@basis.option
@click.option(
    "--anchor",
    is_flag=True,
    help="Carry everything, for later deliveries to build on (--build-on anchor).",
)
@click.option(
    "--spare",
    type=click.IntRange(min=0, max=MOST),
    default=0,
    show_default=True,
    help="Spare volumes: as many lost or damaged ones can be rebuilt.",
)
@click.option(
    "--per-medium",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Volumes that fit one medium: --spare is then for so many lost media.",
)
@click.option(
    "--require-approval",
    "asked",
    type=click.IntRange(min=0),
    default=0,
    help="Export only a lock that so many people have approved.",
)
@click.option(
    "--encrypt", is_flag=True, help="Encrypt the volumes to the key of the site."
)
@click.option(
    "--slip", "with_slip", is_flag=True, help="Write a packing slip beside the volumes."
)
@attesting.options
@click.option("--operator", default=config.actor, help="Who makes it, as it is signed.")
@keyring.key_option
@config.passphrase_options
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    manifest: Path | None,
    request: Path | None,
    refusals: tuple[tuple[int, str], ...],
    again: int | None,
    revocations_only: bool,
    folders: tuple[Path, ...],
    wait: bool,
    most: int | None,
    site: str | None,
    capacity: int,
    build_on: str,
    anchor: bool,
    spare: int,
    per_medium: int,
    asked: int,
    encrypt: bool,
    with_slip: bool,
    wished: Wished,
    operator: str,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Carry what MANIFEST (or a lock) asks for: fetch, pack, sign, write volumes.

    Killed or short of space, run the same command again: it goes on where it was.
    Volumes that have their final name are whole. With --again, the volumes of an
    earlier delivery are written once more, for lost or damaged media or for media of
    another size; nothing new is signed.

    Several --to are filled at once, each with whole volumes by what it has free. With
    --wait, one drive will do: the next medium is asked for. What a medium that fails
    or is pulled did not get goes to the next. With `--to -` they follow each other on
    the standard output.

    With --build-on, the delivery counts on what earlier ones brought. The site must
    have taken them: it refuses the delivery, naming what is missing, if it has not.

    With --revocations-only, it carries no content: what was denied with `airlift trust
    deny`, whose keys count, and new expiries. A few tens of kilobytes, and the site
    goes by them as soon as it has imported it.

    With --for, the delivery answers a request: it carries what was asked for at the
    revisions that were asked for, without what the site has said it holds, and says why
    of what it does not carry. Where that has to be approved, MANIFEST is the approved
    lock that `airlift request lock` made of it.

    With --attest and --oms, statements travel beside each release and stay with it; they
    give nothing authority. A site needs an airlift that knows of them to take it.

    With --encrypt, or where the site's policy demands it, only the site can read the
    volumes: `airlift site enrol` knows its key.
    """
    _check(
        (manifest or request, again), build_on, anchor=anchor, empty=revocations_only
    )
    media = drives_desk.media(folders, wait=wait, most=most, quiet=as_json)
    stream = pipe.standard_output(folders[0], spare)
    progress = output.progress(quiet=as_json)
    publisher = Publisher.open(home / "trust")
    asking = for_request.asking(home, request, refusals)
    chosen = chosen_site.choose(publisher, for_request.site(asking, site))
    if asking:
        people.refuse_unapproved(publisher, chosen, manifest, asked=asked)
        build_on, anchor = asking.basis(build_on, anchor=anchor)
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    # Before hours of fetching: a mistyped passphrase must not cost them.
    signers = keyring.unlock(home, key_names, phrases)
    attester = attesting.attester(home, wished, signers, phrases, (manifest, chosen))
    table = wanted.sources()
    store = BlobStore(home / "store")
    if build_on == bases.NONE:
        packer = Packer(store, home / "spool", early=True)
        table.take_in(Taking(store, packer, progress))
    found = wanted.read(manifest, table, progress) if manifest else None
    cleared = people.cleared(publisher, chosen, manifest, found, asked=asked)
    goods = for_request.goods(asking, table, found, cleared)
    order = Order(
        pinned=goods.pinned,
        answer=goods.answer,
        site=chosen,
        folder=folders[0],
        media=media,
        capacity=capacity,
        operator=operator,
        again=again or 0,
        build_on=build_on,
        anchor=anchor,
        sparing=Sparing(spares=spare, per_medium=per_medium),
        pipe=stream,
        attester=attester,
        recipient=secrecy.recipient(home, publisher, chosen, encrypt=encrypt),
    )
    dock = Dock(
        store=store,
        sources=table,
        publisher=publisher,
        spool=home / "spool",
        pieces=home / "pieces",
        ledger=Ledger(home / "ledger"),
    )
    done = departure.export(order, dock, signers, now=config.now(), progress=progress)
    with pipe.told_apart(stream):
        _show(done, folders, goods.labels, as_json=as_json)
    if with_slip and stream is None:
        slips.beside(done, dock.ledger, publisher, folders)


def _check(
    what: tuple[Path | None, int | None], build_on: str, *, anchor: bool, empty: bool
) -> None:
    """Refuse what cannot be meant together.

    Args:
        what: What says what to carry in a new delivery, and the earlier delivery: one
            is to be given, or neither for an empty one.
        build_on: What to build on.
        anchor: Whether it is to be an anchor.
        empty: Whether it is to carry no content.

    Raises:
        RequestError: It cannot.
    """
    content, again = what
    if empty and (any(what) or anchor or build_on != bases.NONE):
        problem = "--revocations-only carries no content and builds on none"
        raise RequestError(problem, hint="leave out what says what to carry")
    if not empty and bool(content) == bool(again):
        problem = "say what to carry: a MANIFEST, or --again with a delivery's number"
        raise RequestError(problem, hint="`airlift export MANIFEST --to FOLDER`")
    if again and build_on != bases.NONE:
        problem = "--again writes a delivery as it was signed, on what it was built on"
        raise RequestError(problem, hint="leave --build-on out")
    if anchor and (again or build_on != bases.NONE):
        problem = "an anchor is a new delivery that builds on nothing"
        raise RequestError(problem, hint="leave --build-on and --again out")


def _show(
    done: Departure,
    folders: tuple[Path, ...],
    labels: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    record, stored = done.record, done.packed.listing.stored_size
    raw = sum({f.sha256: f.size for one in done.releases for f in one.files}.values())
    built_on = sorted({one.sequence for one in record.needs})
    if as_json:
        output.as_json(
            {
                "site": record.site,
                "sequence": record.sequence,
                "dispatch": done.id,
                "releases": record.releases,
                "raw_bytes": raw,
                "stored_bytes": stored,
                "saved_bytes": raw - stored,
                "builds_on": tuple(built_on),
                "state_code": done.code,
                "answer": answer_told.as_table(record.answer, labels),
                "resumed": done.resumed,
                "volumes": [_as_json(one) for one in done.volumes],
                "spares": [_noted(one) for one in done.spares],
                "media_beyond_spares": [str(one) for one in done.fatal],
            }
        )
        return
    for one in done.releases:
        output.line(
            f"{one.kind}  {one.name}  {one.revision[:12]}  {output.size(one.size)}"
        )
    for written in done.volumes:
        kept = "  (was there)" if written.kept else ""
        output.line(f"{written.label.file_name}  {output.size(written.size)}{kept}")
    for spare in done.spares:
        output.line(f"{spare.name}  {output.size(spare.size)}")
    output.line(
        f"delivery {record.sequence} to {record.site}: {len(done.volumes)} volume(s), "
        f"{output.size(raw)} carried in {output.size(stored)}"
    )
    _tell(done, labels)
    if folders != (pipe.STANDARD,):
        if done.spares:
            drives_desk.show_losable(done.berths, done.fatal)
        drives_desk.show_berths(done.berths, folders)


def _tell(done: Departure, labels: tuple[str, ...]) -> None:
    """Print what the site needs, should say, and is answered."""
    record = done.record
    built_on = sorted({one.sequence for one in record.needs})
    if built_on:
        names = ", ".join(map(str, built_on))
        output.line(
            f"it builds on delivery {names}: {record.site} must have taken that"
        )
    if done.code:
        output.line(f"state code the site should print: {done.code}")
    for line in answer_told.lines(record.answer, labels):
        output.line(line)


def _as_json(one: WrittenVolume) -> Json:
    return {"name": one.label.file_name, "size": one.size, "sha256": one.sha256}


def _noted(one: VolumeNote) -> Json:
    return {"name": one.name, "size": one.size, "sha256": one.sha256}
