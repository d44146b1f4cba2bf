"""``airlift import``: verify volumes and take them into the registry."""

import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from airlift import __version__, naming
from airlift.artifact import Json
from airlift.cli import alike, answer_told, config, output, receipts
from airlift.cli.next_medium import NextMedium
from airlift.errors import FormatError, IncompleteError, RequestError, TrustError
from airlift.format.medium_note import MediumNote
from airlift.format.reading import VolumeStream, read_front
from airlift.inbound import decrypting, holding, landing, media, requests
from airlift.inbound.arrival import Arrival, Gate
from airlift.inbound.landing import Landed
from airlift.inbound.media import Candidate
from airlift.inbound.receipts import Written
from airlift.install import own_update
from airlift.progress import Progress
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from airlift.trust import denials, encryption_key
from airlift.trust.delivery import VerifiedRelease

_PIPE = (Path("-"),)


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask before taking it in.")
@click.option(
    "--wait", is_flag=True, help="Ask for the next medium until all has come."
)
@click.option(
    "--quarantine", is_flag=True, help="Make nothing live; `activate` does it."
)
@click.option("--dry-run", is_flag=True, help="Say what would come in, and stop.")
@config.home_option
@config.json_option
def command(
    home: Path,
    paths: tuple[Path, ...],
    *,
    yes: bool,
    wait: bool,
    quarantine: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Verify the volumes in PATHS (files, folders, or `-` for a pipe) and take them in.

    Volumes may come in any order, from read-only media, over days: what has come is
    kept, and running the same command with the next medium goes on. Nothing is live
    before everything is verified and recorded. The medium is never written.
    """
    desk = CounterDesk(
        NextMedium(paths, home / "incoming", encryption_key.opener(home)),
        ask=not yes,
        wait=wait,
        all_waits=quarantine,
        quiet=as_json,
    )
    if paths == _PIPE and not (yes or dry_run):
        problem = "a pipe cannot be asked about"
        raise RequestError(problem, hint="add --yes, or --dry-run to look first")
    with _gate(home) as gate:
        landed, written = _take(home, gate, desk, paths, dry_run=dry_run)
        confused = alike.live(gate.registry)
        update = own_update.newest(gate.registry, __version__)
    shown = [one for one in landed if one]
    if as_json:
        deliveries: list[Json] = [_as_json(one) for one in shown]
        receipt = receipts.as_table(written) if written else None
        output.as_json(
            {
                "deliveries": deliveries,
                "confused": confused,
                "receipt": receipt,
                "newer_airlift": own_update.as_table(update),
            }
        )
        return
    for one in shown:
        _show(one)
        answer = one.arrival.delivery.dispatch.answer
        labels = requests.answered(home, answer) if answer else ()
        for line in answer_told.lines(answer, labels):
            output.line(line)
    if written and shown:
        output.line(
            f"state code {written.code}; receipt for the sender: {written.path}"
        )
    if update and shown:
        output.note(str(update))
        output.note(f"hint: {update.hint}")
    for group in confused if shown else ():
        names = " and ".join(map(naming.show, group))
        output.note(f"warning: one name to container tools: {names}")
        output.note(f"hint: {alike.HINT}")


def _take(
    home: Path,
    gate: Gate,
    desk: "CounterDesk",
    paths: tuple[Path, ...],
    *,
    dry_run: bool,
) -> tuple[list[Landed | None], Written | None]:
    """Take in what lies at *paths*; return it, and the receipt that says so."""
    try:
        if paths == _PIPE:
            landed = [_from_pipe(gate, desk, dry_run=dry_run)]
        else:
            landed = _from_media(paths, gate, desk, dry_run=dry_run)
    except (FormatError, TrustError, IncompleteError):
        if not dry_run:
            receipts.after_import(home, gate.registry)  # it says what was refused
        raise
    return landed, None if dry_run else receipts.after_import(home, gate.registry)


@contextlib.contextmanager
def _gate(home: Path) -> Iterator[Gate]:
    registry = Registry.open(home)
    with contextlib.closing(registry):
        store = BlobStore(home / "store")
        keys = encryption_key.opener(home)
        incoming = home / "incoming"
        yield Gate(store=store, registry=registry, incoming=incoming, keys=keys)


class CounterDesk:
    """The operator at a terminal."""

    def __init__(
        self,
        next_medium: NextMedium,
        *,
        ask: bool,
        wait: bool,
        all_waits: bool,
        quiet: bool,
    ) -> None:
        self.actor = config.actor()
        self.progress: Progress = output.progress(quiet=quiet)
        self._ask, self._wait, self._all_waits = ask, wait, all_waits
        self.next_medium = next_medium
        self.notes: Sequence[MediumNote] = ()

    def admit(self, arrival: Arrival) -> None:
        """Show what is about to come in, and ask."""
        self.next_medium.begin(arrival, self.notes)
        for line in plan_lines(arrival, self):
            output.note(line)
        if not self._ask:
            return
        if not sys.stdin.isatty():
            problem = "an import must be agreed to, and there is no terminal to ask at"
            raise RequestError(
                problem, hint="look at it with --dry-run, then add --yes"
            )
        if not click.confirm("airlift: take this in?", err=True):
            problem = "not taken in; nothing was changed"
            raise RequestError(problem, hint="run the same command when it is wanted")

    def more(self, arrival: Arrival) -> Sequence[Candidate]:
        """Ask for the next medium, where --wait was given."""
        if not self._wait or not sys.stdin.isatty():
            return ()
        return self.next_medium.ask(arrival)

    def holds(self, release: VerifiedRelease) -> str:
        """Hold everything with --quarantine."""
        return "asked for with --quarantine" if self._all_waits else ""


def plan_lines(arrival: Arrival, desk: CounterDesk) -> Iterator[str]:
    """Yield what an operator should see before agreeing to a delivery."""
    delivery = arrival.delivery
    record = delivery.dispatch
    issued = f"issued {record.issued} by {naming.show(record.operator)}"
    yield f"delivery {record.sequence} to {record.site}, {issued}"
    for one in delivery.signed_by:
        yield f"signed as {one.role} by {naming.show(one.name)} ({one.key_id[:16]})"
    for warning in delivery.warnings:
        yield f"warning: {warning}"
    if told := holding.in_force(delivery):
        yield f"policy {told.version} of {told.issued} decides what goes live"
    if listed := denials.decode(delivery.state.denials).entries:
        yield f"the deny list of {len(listed)} entries is in force with it"
    if delivery.missed:
        gap = ", ".join(map(str, delivery.missed))
        yield f"warning: deliveries that never came: {gap}"
    for held in delivery.releases:
        release = held.release
        name = naming.show(release.name)
        line = (
            f"{release.kind} {name} {release.revision[:12]} {output.size(release.size)}"
        )
        why = holding.foreseen(delivery, held, desk, now=config.now())
        yield f"  {line}" + (f"  (quarantine: {why})" if why else "")
    volumes = len(
        {(one.label.cutting, one.label.ordinal) for one in arrival.candidates}
    )
    count = arrival.candidates[0].label.count if arrival.candidates else 1
    needed = output.size(arrival.staging.bytes_missing())
    yield f"{volumes} of {count} volume(s) here; {needed} to write"


def _from_media(
    paths: Sequence[Path], gate: Gate, desk: CounterDesk, *, dry_run: bool
) -> list[Landed | None]:
    """Import every delivery found at *paths*, oldest first."""
    found = media.find(paths, gate.keys)
    for stray in found.strays:
        output.note(f"left alone: {stray}")
    groups = media.group(found.candidates)
    if not groups:
        for fault in found.faults:
            output.note(str(fault))
        problem = f"no airlift volume in {', '.join(map(str, paths))}"
        raise RequestError(problem, hint="is this the right medium, and mounted?")
    now = config.now()
    landed: list[Landed | None] = []
    for _, candidates in groups:
        if dry_run:
            arrival = landing.approach(candidates, gate, now=now)
            for line in plan_lines(arrival, desk):
                output.line(line)
            arrival.staging.close()
            continue
        desk.notes = found.notes
        with _media_named(desk), _spares_named(found):
            landed.append(
                landing.land(candidates, gate, desk, now=now, damaged=found.faults)
            )
    return landed


@contextlib.contextmanager
def _media_named(desk: CounterDesk) -> Iterator[None]:
    """Say where missing volumes should be, and how they are asked for."""
    desk.next_medium.forget()
    try:
        yield
    except (FormatError, IncompleteError) as error:
        if not (hint := desk.next_medium.hint()):
            raise
        raise type(error)(error.problem, hint=f"{error.hint}; {hint}") from error


@contextlib.contextmanager
def _spares_named(found: media.Found) -> Iterator[None]:
    """Say that spares are there, where volumes turn out to be damaged or missing."""
    try:
        yield
    except (FormatError, IncompleteError) as error:
        if not found.spares:
            raise
        rebuild = "`airlift repair` can rebuild volumes from the spares here"
        raise type(error)(error.problem, hint=f"{error.hint}; {rebuild}") from error


def _from_pipe(gate: Gate, desk: CounterDesk, *, dry_run: bool) -> Landed | None:
    now = config.now()
    # Unbuffered: a worker that waits for a silent pipe holds the lock of a buffer, and
    # the interpreter aborts when it cannot have that at its end.
    stream = io.FileIO(sys.stdin.fileno(), closefd=False)
    if not dry_run:
        return landing.land_stream(stream, gate, desk, now=now)
    first = VolumeStream(stream, "volume 1 of the stream")
    source = decrypting.of_stream(first, gate.keys)
    arrival = landing.begin(read_front(source), source, gate, now=now)
    with contextlib.closing(arrival.staging):
        for line in plan_lines(arrival, desk):
            output.line(line)
    return None


def _as_json(landed: Landed) -> Json:
    arrival = landed.arrival
    delivery = arrival.delivery
    held = landed.held
    releases: list[Json] = [
        {
            "id": one.id,
            "kind": one.release.kind.value,
            "name": one.release.name,
            "revision": one.release.revision,
            "bytes": one.release.size,
            "state": _state(landed, one),
            "why": held.get(one.id, ""),
        }
        for one in delivery.releases
    ]
    return {
        "site": delivery.dispatch.site,
        "sequence": delivery.dispatch.sequence,
        "dispatch": delivery.id,
        "repeat": landed.repeat,
        "restored": landed.restored,
        "generation": landed.generation,
        "missed": delivery.missed,
        "answer": answer_told.as_table(delivery.dispatch.answer),
        "warnings": delivery.warnings,
        "duplicates": list(arrival.duplicates),
        "unstable": dict(arrival.unstable),
        "releases": releases,
        "denied": [one.id for one in landed.struck],
    }


def _state(landed: Landed, release: VerifiedRelease) -> str:
    if landed.repeat:
        return "unchanged"  # whatever was done with it since: `airlift list` tells
    return "quarantine" if release.id in landed.held else "live"


def _show(landed: Landed) -> None:
    record = landed.arrival.delivery.dispatch
    for line in landed.arrival.instabilities():
        output.note(f"warning: {line}; copy it while it can be read")
    for fault in landed.arrival.unread():
        output.note(f"warning: {fault}; it was not needed")
    for name in landed.arrival.duplicates:
        output.note(f"a second copy, not needed: {name}")
    if landed.restored:
        output.line(
            f"delivery {record.sequence} was recorded before; lost blobs are back"
        )
        return
    if landed.repeat:
        output.line(f"delivery {record.sequence} was imported before; nothing changed")
        return
    _show_releases(landed)
    for one in landed.struck:
        label = f"{one.release.kind}  {naming.show(one.release.name)}"
        output.line(
            f"denied, not served any more  {label}  {one.release.revision[:12]}"
        )
    output.line(f"delivery {record.sequence} imported; live set {landed.generation}")
    if landed.held:
        output.line(
            "look at what waits with `airlift show`, then `airlift activate NAME`"
        )


def _show_releases(landed: Landed) -> None:
    for one in landed.arrival.delivery.releases:
        state = "quarantine" if one.id in landed.held else "live"
        release = one.release
        name = naming.show(release.name)
        output.line(f"{state}  {release.kind}  {name}  {release.revision[:12]}")
        if why := landed.held.get(one.id):
            output.line(f"  waits: {naming.show(why)}")
