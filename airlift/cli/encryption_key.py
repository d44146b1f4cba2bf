"""``airlift trust encryption-key``: the key that deliveries are encrypted to."""

import contextlib
from pathlib import Path

import click

from airlift.artifact import Json
from airlift.cli import config, output
from airlift.errors import RequestError, TrustError
from airlift.registry.held import Event
from airlift.registry.registry import Registry
from airlift.store.durable import Disk
from airlift.trust import encryption_key, recipient, suites
from airlift.trust.encryption_key import EncryptionKey
from airlift.trust.recipient import Recipient

_ACTION = "encryption-key"


@click.command("encryption-key")
@click.argument(
    "target", required=False, type=click.Path(path_type=Path, dir_okay=False)
)
@click.option(
    "--replace",
    is_flag=True,
    help="Make a new key; earlier ones still open media that are under way.",
)
@click.option(
    "--forget", is_flag=True, help="Delete all keys but the newest, for ever."
)
@click.option(
    "--suite",
    type=click.Choice(list(suites.SUITES)),
    help=f"How the new key is used.  [default: {suites.DEFAULT}]",
)
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    target: Path | None,
    replace: bool,
    forget: bool,
    suite: str | None,
    as_json: bool,
) -> None:
    """Isolated side: show the key deliveries are encrypted to; write it to TARGET.

    It is made when it is first asked for. The connected side enrols what TARGET holds
    (`airlift site enrol`) and encrypts with `airlift export --encrypt`. It hides what
    media hold and vouches for nothing: what is decrypted is verified as ever.
    """
    if forget and (replace or suite):
        problem = "a key that is made now is not yet the one media are encrypted to"
        raise RequestError(problem, hint="--forget alone, once nothing is under way")
    with contextlib.closing(Registry.open(home)) as registry:
        forgotten = _forget(home, registry) if forget else 0
        key = _key(home, registry, suite, replace=replace)
    if target is not None:
        Disk().write_file(target, recipient.encode(key), mode=0o644)
    if as_json:
        shown: dict[str, Json] = {
            "site": key.site,
            "suite": key.suite,
            "key_id": key.key_id,
            "words": key.fingerprint.words,
            "forgotten": forgotten,
            "file": str(target) if target else None,
        }
        output.as_json(shown)
        return
    show_fingerprint(key)
    if forgotten:
        output.line(f"{forgotten} earlier key(s) forgotten")
    if target is None:
        output.line(
            "`airlift trust encryption-key FILE` writes it for the connected side"
        )
        return
    output.line(f"public half for the connected side: {target}")
    output.line(f"there: `airlift site enrol {key.site} {target.name}`, and compare")


def _key(
    home: Path, registry: Registry, suite: str | None, *, replace: bool
) -> Recipient:
    """Return this site's key, made now where there is none, or another is wanted."""
    with registry.exclusive("encryption key"):
        known, site = encryption_key.read(home), registry.trust_state().site
        if known and known[-1].public.site != site:
            other = known[-1].public.site
            problem = f"the encryption key here is of site `{other}`, this is `{site}`"
            raise TrustError(problem, hint="put this site's own back")
        if known and not replace:
            if suite not in (None, known[-1].public.suite):
                problem = f"the key is one for {known[-1].public.suite}"
                raise RequestError(problem, hint="add --replace to make another")
            return known[-1].public
        made = encryption_key.create(home, site, suite=suite or suites.DEFAULT)
        _log(registry, made, known)
        return made.public


def _log(
    registry: Registry, made: EncryptionKey, before: tuple[EncryptionKey, ...]
) -> None:
    detail: dict[str, Json] = {
        "key_id": made.public.key_id,
        "suite": made.public.suite,
    }
    if before:
        detail["replaced"] = before[-1].public.key_id
    _say(registry, detail)


def _forget(home: Path, registry: Registry) -> int:
    with registry.exclusive("encryption key"):
        count = encryption_key.forget(home)
        if count:
            _say(registry, {"forgotten": count})
        return count


def _say(registry: Registry, detail: dict[str, Json]) -> None:
    registry.log(
        Event(time=config.now(), actor=config.actor(), action=_ACTION, detail=detail)
    )


def show_fingerprint(key: Recipient, *, err: bool = False) -> None:
    """Print what two people compare of the key of a site.

    Args:
        key: The key.
        err: Whether to print it as a note instead of as data.
    """
    show = output.note if err else output.line
    show(f"encryption key of site {key.site}, {key.suite}: {key.fingerprint.groups}")
    show(f"in words: {key.fingerprint.words}")
