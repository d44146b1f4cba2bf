"""``airlift log``: what happened at this site, and the proof that it did."""

import os
from contextlib import closing
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import cmd_list, config, log_cosign, log_export, output
from airlift.errors import TrustError
from airlift.format import checkpoint as notes
from airlift.inbound import log_check
from airlift.inbound.log_check import Checked
from airlift.registry.engine import FILE
from airlift.registry.logbook import Logbook
from airlift.registry.registry import Registry
from airlift.store.durable import Disk

_SHOWN = 20
"""Faults printed; whoever rewrote a log changed thousands of lines."""


@click.group("log")
def command() -> None:
    """Show what happened at this site; verify that none of it was changed; prove it."""


@command.command("show")
@click.option("--newest", type=click.IntRange(1), help="Only so many, the newest.")
@config.home_option
@config.json_option
def show(home: Path, newest: int | None, *, as_json: bool) -> None:
    """Print the log, oldest first, and the checkpoint that covers it."""
    with _opened(home) as registry:
        events = registry.events(newest=newest)
    book = Logbook(home)
    sealed = book.checkpoints()[-1:]
    if as_json:
        told: list[Json] = [cmd_list.event_table(one) for one in events]
        note = sealed[0].note.decode() if sealed else None
        head = book.head()
        output.as_json(
            {"size": head.size, "root": head.root, "checkpoint": note, "events": told}
        )
        return
    cmd_list.show_history(events)
    if sealed:
        output.line()
        for line in sealed[0].note.decode().splitlines():
            output.line(line)
    else:
        output.note("no checkpoint was signed yet: `airlift receipt export` signs one")


@command.command("verify")
@click.option(
    "--against",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A checkpoint or receipt kept elsewhere that the log must agree with.",
)
@click.option(
    "--deep",
    is_flag=True,
    help="Also do again all that the log says, and compare every table with that.",
)
@config.home_option
@config.json_option
def verify(home: Path, against: tuple[Path, ...], *, deep: bool, as_json: bool) -> int:
    """Recompute the whole log and compare it with everything that was signed.

    That is each event with its hash, each hash with those above it, each checkpoint and
    its signature, the copies beside the database, and the receipts kept here. Exit code
    5: something is not as it was. What somebody changed who has this whole host, key
    included, only a checkpoint shows that was carried away: give it with --against.
    With --deep every delivery is verified and recorded again, in a scratch folder: what
    is live, pinned or denied here without a line that says so is found.
    """
    with _opened(home):
        found = log_check.check(home, against, deep=deep)
    if as_json:
        output.as_json(_as_json(found))
        return TrustError.exit_code if found.faults else 0
    for fault in found.faults[:_SHOWN]:
        output.line(f"CHANGED: {naming.show(fault)}")
    if len(found.faults) > _SHOWN:
        output.line(f"CHANGED: {len(found.faults) - _SHOWN} more, see --json")
    told = found.audited
    deeper = "" if found.rows is None else f"; {found.rows} rows"
    output.line(
        f"{told.size} events, root {told.root}; {told.checkpoints} checkpoints, "
        f"{found.elsewhere} from other places{deeper}"
    )
    for one in found.cosigned:
        doubt = "" if one.says else ", whose key has no say here now"
        who = naming.show(one.by)
        output.line(f"the first {one.size} cosigned by {who} at {one.at}{doubt}")
    if told.signed < told.size:
        output.note(
            f"warning: the last {told.size - told.signed} events are not covered by a"
            " checkpoint; `airlift receipt export` signs one"
        )
    output.line("not as it was" if found.faults else "nothing was changed")
    return TrustError.exit_code if found.faults else 0


@command.command("prove")
@click.argument("number", type=click.IntRange(1))
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where the two files go; here by default.",
)
@config.home_option
@config.json_option
def prove(home: Path, number: int, folder: Path, *, as_json: bool) -> None:
    """Write event NUMBER and the proof that it is in the log, for whoever doubts it.

    Two files: the event, and a `.tlog-proof`. They show nothing of any other event.
    """
    with _opened(home):
        entry, proof = Logbook(home).prove(number)
    disk = Disk()
    if not folder.is_dir():
        disk.make_folder(folder)
    event, proven = (folder / f"{number:08d}.{end}" for end in ("json", "tlog-proof"))
    disk.write_file(event, entry, mode=0o644)
    disk.write_file(proven, proof, mode=0o644)
    if as_json:
        output.as_json({"event": str(event), "proof": str(proven)})
        return
    output.line(f"event {number}: {event}")
    output.line(f"proof: {proven}")


@command.command("export")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@config.home_option
@config.json_option
def export(home: Path, folder: Path, *, as_json: bool) -> None:
    """Write the log with all that proves it to FOLDER, for somebody without airlift.

    `scripts/verify_log.py FOLDER` checks it, and so do C2SP's public tools.
    """
    with _opened(home):
        written = log_export.write(Logbook(home), folder)
    if as_json:
        output.as_json({"folder": str(folder), "events": written.size})
        return
    checkpoint = notes.decode(written.note).checkpoint
    output.line(f"{written.size} events, root {checkpoint.root}: {folder}")


command.add_command(log_cosign.command)


def _opened(home: Path) -> "closing[Registry]":
    # Whoever may write brings the tables of an older airlift up to date by this.
    return closing(Registry.open(home, readonly=not os.access(home / FILE, os.W_OK)))


def _as_json(found: Checked) -> Json:
    told = found.audited
    return {
        "size": told.size,
        "root": told.root,
        "signed": told.signed,
        "checkpoints": told.checkpoints,
        "elsewhere": found.elsewhere,
        "cosigned": [
            {"size": one.size, "by": one.by, "at": one.at, "says": one.says}
            for one in found.cosigned
        ],
        "rows": found.rows,
        "faults": list(found.faults),
    }
