"""``airlift media``: which volumes lie on which medium, and whether media hold them."""

from pathlib import Path
from typing import Final

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import chosen_site, config, drives_desk, output
from airlift.cli.capacity import Capacity
from airlift.errors import FormatError, RequestError
from airlift.format import selection
from airlift.outbound import allotment, proving
from airlift.outbound.ledger import Ledger
from airlift.outbound.proving import Proof
from airlift.outbound.quay import NO_LIMIT
from airlift.outbound.stowage import Berth, Stowage, Stowages
from airlift.trust.publisher import Publisher

_FAKE: Final = (
    "it says more than it has: a fake, or failing; use it for nothing, and never "
    "believe that a write succeeded"
)


@click.group("media")
def command() -> None:
    """Know the media of deliveries: what lies on them, which are lost, which lie."""


@command.command("list")
@click.argument("site", required=False)
@click.argument("sequence", required=False, type=click.IntRange(min=1))
@config.home_option
@config.json_option
def list_(home: Path, site: str | None, sequence: int | None, *, as_json: bool) -> None:
    """Show the media of deliveries to SITE, or of delivery SEQUENCE alone."""
    stowages = Stowages(Ledger(home / "ledger").folder)
    name = chosen_site.choose(Publisher.open(home / "trust"), site)
    numbers = (sequence,) if sequence else stowages.sequences(name)
    known = [one for number in numbers for one in stowages.of(name, number)]
    if as_json:
        output.as_json([_as_json(one) for one in known])
        return
    rows = [_row(one, berth) for one in known for berth in one.berths]
    head = ("DELIVERY", "MEDIUM", "VOLUMES", "WRITTEN", "STATE", "DEVICE")
    output.table(rows, head=head)
    for one in known:
        if one.pending:
            output.line(
                f"delivery {one.sequence}: {allotment.shown(one.pending)} are on no "
                f"medium: `airlift reissue {name} {one.sequence} --to FOLDER` writes them"
            )
        elif one.sparing.spares and len(one.berths) > 1 and one.fatal:
            output.line(
                f"delivery {one.sequence}: spares do not make up for a loss of medium "
                f"{selection.ranges(one.fatal)}"
            )


@command.command("lost")
@click.argument("site")
@click.argument("sequence", type=click.IntRange(min=1))
@click.argument("medium", type=click.IntRange(min=1))
@config.home_option
@config.json_option
def lost(home: Path, site: str, sequence: int, medium: int, *, as_json: bool) -> None:
    """Note that MEDIUM of delivery SEQUENCE is lost: what only it had is wanted again."""
    stowages = Stowages(Ledger(home / "ledger").folder)
    name = chosen_site.choose(Publisher.open(home / "trust"), site)
    having = [one for one in stowages.of(name, sequence) if one.has(medium)]
    if not having:
        problem = f"delivery {sequence} to {name} has no medium {medium}"
        raise RequestError(problem, hint=f"`airlift media list {name} {sequence}`")
    if len(having) > 1:
        cuttings = ", ".join(one.cutting for one in having)
        problem = (
            f"delivery {sequence} has a medium {medium} in several cuttings: {cuttings}"
        )
        raise RequestError(problem, hint="`airlift reissue` with the volumes it had")
    before = having[0]
    after = before.lose(medium, config.now())
    stowages.write(after)
    wanted = set(after.pending) - set(before.pending)
    if as_json:
        ordinals, spares = after.ordinals(wanted), allotment.spares_of(wanted)
        output.as_json(
            {
                "wanted": [str(one) for one in ordinals],
                "spares": [str(one) for one in spares],
            }
        )
        return
    if not wanted:
        output.line(f"medium {medium} is noted as lost; all it had is elsewhere too")
        return
    output.line(
        f"medium {medium} is noted as lost; `airlift reissue {name} {sequence} --to "
        f"FOLDER` writes {allotment.shown(wanted)} again"
    )


@command.command("test")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--most",
    type=Capacity(),
    default=NO_LIMIT,
    show_default="all that is free",
    help="Test this many bytes only.",
)
@config.json_option
def test(folder: Path, most: int, *, as_json: bool) -> int:
    """Find out whether the medium at FOLDER has the room that it says.

    Run it twice: it fills what is free; unmount the medium, take it out, put it in and
    mount it again; then it reads back and deletes what it wrote. Before that, every
    read may come out of a cache and prove nothing. If the second run fills it again,
    nothing that the first wrote was kept: it is a fake.
    """
    progress = output.progress(quiet=as_json)
    if not proving.written(folder):
        size = proving.fill(folder, most, progress)
        if as_json:
            output.as_json({"written": size})
        else:
            output.line(f"{output.size(size)} written")
            output.line(
                "next: unmount it, take it out, put it in and mount it again, then "
                f"`airlift media test {naming.show(str(folder))}` once more"
            )
        return 0
    found = proving.read(folder, progress)
    if found.fresh_mount is False and found.whole:
        problem = f"{naming.show(str(folder))} was not mounted anew since it was filled"
        hint = "unmount it, take it out, put it in and mount it again, then once more"
        raise RequestError(problem, hint=hint)
    proving.clear(folder)
    return _tell(folder, found, as_json=as_json)


def _tell(folder: Path, found: Proof, *, as_json: bool) -> int:
    if as_json:
        output.as_json(
            {
                "written": found.size,
                "good": found.good,
                "first_bad": None if found.whole else found.until,
                "wrapped": found.wrapped,
                "fresh_mount": found.fresh_mount,
            }
        )
    elif found.whole:
        output.line(f"all {output.size(found.size)} came back: it has that room")
    if found.whole:
        return 0
    wraps = ", and what was written last lies over the first" if found.wrapped else ""
    problem = (
        f"{naming.show(str(folder))}: {found.size - found.good} of {found.size} bytes "
        f"did not come back, the first at {found.until}{wraps}"
    )
    if as_json:  # one document on standard output, and it says all this
        output.note(f"error: {problem}")
        output.note(f"hint: {_FAKE}")
        return FormatError.exit_code
    raise FormatError(problem, hint=_FAKE)


def _row(one: Stowage, berth: Berth) -> tuple[str, ...]:
    return (
        str(one.sequence),
        str(berth.number),
        _contents(berth),
        berth.written or "by hand",
        drives_desk.state(berth),
        berth.drive.shown() or "-",
    )


def _contents(berth: Berth) -> str:
    """Return what is on a medium: ``1-4``, ``5,S1`` with spares, ``-`` for nothing."""
    volumes, spares = selection.ranges(allotment.volumes_of(berth.files)), ""
    if found := allotment.spares_of(berth.files):
        spares = "S" + selection.ranges(found).replace(",", ",S")
    return ",".join(filter(None, (volumes, spares))) or "-"


def _as_json(one: Stowage) -> Json:
    media: list[Json] = [
        {
            "medium": berth.number,
            "files": berth.files,
            "bad": berth.bad,
            "written": berth.written or None,
            "checked": berth.checked or None,
            "lost": berth.lost or None,
            "folder": berth.folder,
            "label": berth.drive.label,
            "uuid": berth.drive.uuid,
            "serial": berth.drive.serial,
            "filesystem": berth.drive.filesystem,
        }
        for berth in one.berths
    ]
    return {
        "site": one.site,
        "sequence": one.sequence,
        "cutting": one.cutting,
        "volumes": len(one.ends),
        "pending": one.pending,
        "media": media,
    }
