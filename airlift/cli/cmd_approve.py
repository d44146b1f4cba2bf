"""``airlift approve``: one person's signed approval, of a release or of a lock."""

from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, keyring, late, output
from airlift.cli.keyring import Passphrases
from airlift.errors import RequestError
from airlift.registry import clearance
from airlift.registry.held import Event
from airlift.registry.registry import Registry
from airlift.trust import approval
from airlift.trust.keys import UnlockedKey


@click.command("approve")
@click.argument("subject")
@click.option(
    "--expired",
    is_flag=True,
    help="SUBJECT is media of a delivery that has expired, to be taken all the same.",
)
@click.option("--by", help="Who approves; their key has to be in this name.")
@click.option("--note", default="", help="What you say about it, one line.")
@click.option("--site", help="Connected side: the site the lock is for.")
@keyring.key_option
@config.passphrase_options
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    subject: str,
    expired: bool,
    by: str | None,
    note: str,
    site: str | None,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Approve SUBJECT with your key: a release that waits here, or the file of a lock.

    Isolated side: SUBJECT is a release, as for `airlift show`; with enough approvals
    `airlift activate` makes it live. Connected side: SUBJECT is a lock; `airlift
    export LOCK --require-approval N` asks for them. Look at it first: you say by this
    that it may go where it is going, this revision and no other.

    With --expired, on the isolated side, SUBJECT is where the media of a delivery are
    that has expired and is right in all else. Two people whom the site knows have to
    say so; then `airlift import` takes it within 14 days.
    """
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    asked = (key_names, by, note, phrases)
    if expired:
        result = late.approve(home, Path(subject), note, lambda: _key(home, asked))
    elif (home / "trust").exists():
        # Loaded here alone: the isolated side has no use for the code of the other.
        from airlift.cli import lock_approval  # noqa: PLC0415 - see above

        key = _key(home, asked)
        given, kept = lock_approval.approve(home, Path(subject), (site, note), key)
        result = {**late.told(given), "file": str(kept), "state": f"wrote {kept}"}
    else:
        result = _release(home, subject, asked)
    if as_json:
        output.as_json(result)
        return
    output.line(
        f"{result['by']} approves {result['what']} {result['digest']}"
        f" for {result['site']}"
    )
    output.line(str(result["state"]))


_Asked = tuple[tuple[str, ...], str | None, str, Passphrases]


def _key(home: Path, asked: _Asked) -> UnlockedKey:
    names, by, _, phrases = asked
    found = keyring.unlock(home, names, phrases)
    if len(found) != 1:
        problem = f"{len(found)} keys are here, one person approves with one"
        raise RequestError(problem, hint="say which with --key NAME")
    if by is not None and by != found[0].public.name:
        problem = f"the key is of `{naming.show(found[0].public.name)}`, not of `{naming.show(by)}`"
        raise RequestError(problem, hint="each person approves with their own key")
    return found[0]


def _release(home: Path, reference: str, asked: _Asked) -> dict[str, Json]:
    registry = Registry.open(home)
    held, custody = registry.find(reference), registry.custody()
    wanted = custody.subject(held.id)
    now = config.now()
    given = approval.sign(_key(home, asked), wanted, at=now, note=asked[2])
    tried = Event(
        time=now,
        actor=config.actor(),
        action=clearance.APPROVE,
        subject=given.by,
        detail={"release": held.id, "key_id": given.key_id},
    )
    with registry.exclusive("approve"), registry.refusals(tried):
        registry.log(custody.admit(given, actor=config.actor(), now=now))
    standing = custody.standings([held.id])[held.id]
    lacking = standing.lacking
    state = f"still waits: {lacking}" if lacking else "nothing keeps it back"
    if not lacking and held.state.value != "live":
        state += f"; `airlift activate {naming.show(held.id[:16])}` makes it live"
    return {**late.told(given), "lacking": lacking, "state": state}
