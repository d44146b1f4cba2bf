"""``airlift log cosign``: a person's word that they have verified the log so far."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, keyring, output
from airlift.cli.keyring import Passphrases
from airlift.errors import RequestError, TrustError
from airlift.format import cosignature
from airlift.inbound import log_check
from airlift.registry import cosigning
from airlift.registry.held import Event
from airlift.registry.logbook import Logbook
from airlift.registry.registry import Registry
from airlift.store.durable import Disk
from airlift.trust.keys import UnlockedKey


@click.command("cosign")
@click.option(
    "--to",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write what was cosigned to a file, to be kept elsewhere.",
)
@keyring.key_option
@config.passphrase_options
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    file: Path | None,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Verify the log, and sign with your own key that you have.

    For the people whom the site's policy names, or without a policy its root: at the
    end of a month, say, two of them. What happened until then nobody can write anew
    afterwards, not with this host and its key either, without their keys. Whoever comes
    next while nothing else happens cosigns the same.

    Keep the file that --to writes: `airlift log verify --against FILE` finds a log that
    was put back.
    """
    book = Logbook(home)
    with closing(Registry.open(home)) as registry:
        _refuse_changed(home)
        _tell(book, registry.events())
        key = _key(home, key_names, Passphrases(fd=passphrase_fd, file=passphrase_file))
        tried = Event(
            time=config.now(),
            actor=config.actor(),
            action=cosigning.ACTION,
            subject=key.public.name,
            detail={"key_id": key.public.key_id},
        )
        with registry.exclusive("log cosign"), registry.refusals(tried):
            event = book.cosign(key, at=tried.time, actor=tried.actor)
            registry.log(event)
    size = int(str(event.detail["size"]))
    if file:
        Disk().write_file(file, _note(book, size), mode=0o644)
    people = sorted({one.by for one in book.cosigned() if one.size == size})
    if as_json:
        more: dict[str, Json] = {"by": list(people), "file": str(file) if file else ""}
        output.as_json({**event.detail, **more})
        return
    names = ", ".join(naming.show(one) for one in people)
    output.line(f"cosigned by {names}: {size} events, root {event.detail['root']}")


def _key(home: Path, names: tuple[str, ...], phrases: Passphrases) -> UnlockedKey:
    found = keyring.unlock(home, names, phrases)
    if len(found) != 1:
        problem = f"{len(found)} keys are here, one person cosigns with one"
        raise RequestError(problem, hint="say which with --key NAME")
    return found[0]


def _refuse_changed(home: Path) -> None:
    if faults := log_check.check(home).faults:
        problem = f"the log is not as it was: {naming.show(faults[0])}"
        raise TrustError(problem, hint="`airlift log verify` names all that differs")


def _tell(book: Logbook, events: Sequence[Event]) -> None:
    """Say what is to be cosigned, and what of it nobody has cosigned before."""
    size = book.to_cosign().size
    since = max((one.size for one in book.cosigned() if one.size < size), default=0)
    some = [f"{one.action} {one.outcome}" for one in events[since:size]]
    output.note(f"{size} events are to be cosigned; of those since event {since} are")
    for what, count in sorted(Counter(some).items()):
        output.note(f"{count:>8}  {naming.show(what)}")


def _note(book: Logbook, size: int) -> bytes:
    """Return the checkpoint of *size* events with its cosignatures."""
    note = next(one.note for one in book.checkpoints() if one.size == size)
    lines = (one.line for one in book.cosignatures() if one.told.size == size)
    return cosignature.joined(note, lines)
