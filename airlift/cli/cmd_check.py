"""``airlift check``: read written volumes back from a medium."""

from dataclasses import replace
from pathlib import Path

import click

from airlift.artifact import Json
from airlift.cli import chosen_site, config, output
from airlift.errors import FormatError, RequestError
from airlift.format import selection
from airlift.format.selection import Selection
from airlift.outbound import allotment, checking
from airlift.outbound.checking import Checked
from airlift.outbound.ledger import Entry, Ledger
from airlift.outbound.stowage import Stowage, Stowages
from airlift.store.durable import Disk
from airlift.trust.publisher import Publisher


@click.command("check")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--site", help="The site the delivery is for; needed where there are several."
)
@click.option("--sequence", type=int, help="Which delivery; the newest by default.")
@click.option(
    "--slip",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the packing slip to this file.",
)
@config.home_option
@config.json_option
def command(
    home: Path,
    folder: Path,
    site: str | None,
    sequence: int | None,
    slip: Path | None,
    *,
    as_json: bool,
) -> int:
    """Read the volumes on the medium at FOLDER back and print its packing slip.

    Unmount and mount the medium again first: what a fake or failing stick lost shows
    only then. Whether that was done is found out and stands on the slip.
    """
    name = chosen_site.choose(Publisher.open(home / "trust"), site)
    ledger = Ledger(home / "ledger")
    entry = _entry(ledger, name, sequence)
    stowages = Stowages(ledger.folder)
    cuttings = stowages.of(name, entry.record.sequence)
    known = checking.cutting_on(folder, cuttings)
    found = checking.check(folder, entry, output.progress(quiet=as_json), known)
    text = checking.slip(folder, entry, found, now=config.now(), actor=config.actor())
    ledger.write(replace(entry, checks=(*entry.checks, text)))
    if known:
        stowages.write(checking.noted(known, found, folder, config.now()))
    if slip:
        Disk().write_file(slip, text.encode(), mode=0o644)
    if as_json:
        shown: dict[str, Json] = {
            "good": [one.name for one in found.good],
            "problems": found.problems,
            "elsewhere": found.missing,
            "fresh_mount": found.fresh_mount,
            "caches_dropped": found.caches_dropped,
            "medium": found.berth.number if found.berth else None,
        }
        output.as_json(shown)
    else:
        output.line(text.rstrip("\n"))
    _tell_mount(found)
    if not found.problems:
        return 0
    again = _again(entry, found, known)
    problem = f"{len(found.problems)} volume(s) on {folder} are not what was written"
    hint = f"delete them there, and write them on a better medium: `{again}`"
    if found.fresh_mount is not False:
        hint += f"; {checking.FAKE}"
    if as_json:  # one document on standard output, and it says all this
        output.note(f"error: {problem}")
        output.note(f"hint: {hint}")
        return FormatError.exit_code
    raise FormatError(problem, hint=hint)


def _tell_mount(found: Checked) -> None:
    """Say what this check does not prove."""
    if found.fresh_mount is False:
        output.note("unmount and mount the medium again, then check once more")
    elif found.berth and not found.berth.written and not found.fresh_mount:
        output.note(
            "airlift did not write this medium: unmount and mount it again, and check "
            "once more"
        )


def _again(entry: Entry, found: Checked, known: Stowage | None) -> str:
    """Return the command that writes what is bad once more."""
    site, sequence = entry.record.site, entry.record.sequence
    if known and known.sparing.spares and allotment.spares_of(found.bad):
        return f"airlift reissue {site} {sequence} --to FOLDER"
    ordinals = known.ordinals(found.bad) if known else ()
    if not known or len(ordinals) < len(found.bad):
        return f"airlift export --again {sequence} --site {site} --to FOLDER"
    chosen = selection.encode(Selection(ordinals=ordinals, cutting=known.cutting))
    return f"airlift reissue {site} {sequence} {chosen} --to FOLDER"


def _entry(ledger: Ledger, site: str, sequence: int | None) -> Entry:
    entry = ledger.newest(site) if sequence is None else ledger.read(site, sequence)
    if entry is None or not entry.written:
        problem = f"no finished delivery to {site} is in the ledger"
        raise RequestError(problem, hint="`airlift export` makes one")
    return entry
