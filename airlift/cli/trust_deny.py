"""``airlift trust deny`` and ``denied``: what counts for nothing any more, for ever."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json, Release
from airlift.cli import config, keyring, output
from airlift.cli.keyring import Passphrases
from airlift.digest import Sha256, is_sha256
from airlift.errors import RequestError
from airlift.format import release as release_format
from airlift.registry.held import Held
from airlift.registry.registry import Registry
from airlift.trust import denials, public
from airlift.trust.denials import Denial, DenyList, What
from airlift.trust.ledger import Ledger
from airlift.trust.publisher import Publisher
from airlift.trust.repository import Repository

_DIGITS = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_SEND = "sites go by it with their next delivery: `airlift export --revocations-only`"


@click.command("deny")
@click.argument("releases", nargs=-1)
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="SHA256",
    help="Deny every release that has a file with these bytes; repeat.",
)
@click.option(
    "--public-key",
    "denied_keys",
    multiple=True,
    metavar="FILE|ID",
    help="Deny a key: its public key file, or its whole id; repeat.",
)
@click.option("--why", required=True, help="For whoever asks; one line.")
@keyring.key_option
@config.passphrase_options
@config.home_option
@config.json_option
def deny(
    *,
    home: Path,
    releases: tuple[str, ...],
    files: tuple[str, ...],
    denied_keys: tuple[str, ...],
    why: str,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Deny RELEASES, files and keys at every site, for ever. Connected side.

    RELEASES are [KIND:]NAME, [KIND:]NAME@REVISION, or digits of a release id: all that
    was ever approved under it is denied. A site never serves, installs or makes live
    what is denied, whatever it held before. The list only grows: nothing takes an entry
    back, and a corrected release is a new one.

    The release approvers sign it. A key has to be revoked first (`airlift trust
    revoke`); denied as well, it can never be given a say again.
    """
    publisher, reason = Publisher.open(home / "trust"), denials.reason(why)
    now = config.now()
    meant = [
        *((What.RELEASE, one) for one in _releases(home, releases)),
        *((What.FILE, _digest(one)) for one in files),
        *((What.KEY, _key(one)) for one in denied_keys),
    ]
    if not meant:
        problem = "nothing is named that is to be denied"
        raise RequestError(problem, hint="name a RELEASE, --file or --public-key")
    entries = [
        Denial(what=what, digest=digest, since=now, why=reason)
        for what, digest in meant
    ]
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    publisher.deny(entries, keyring.unlock(home, key_names, phrases), now)
    _show(publisher.denials(), (), as_json=as_json)
    if not as_json:
        output.line(_SEND)


@click.command("denied")
@config.home_option
@config.json_option
def denied(home: Path, *, as_json: bool) -> None:
    """Show the deny list in force; on the isolated side also what it keeps from use."""
    if (home / "trust").exists():
        _show(Publisher.open(home / "trust").denials(), (), as_json=as_json)
        return
    registry = Registry.open(home, readonly=True)
    held = [one for one in registry.releases() if one.denied]
    _show(registry.custody().denials(), held, as_json=as_json)


def _show(listed: DenyList, held: Sequence[Held], *, as_json: bool) -> None:
    if as_json:
        entries: list[Json] = [
            {
                "what": one.what.value,
                "digest": one.digest,
                "since": one.since,
                "why": one.why,
            }
            for one in listed.entries
        ]
        output.as_json(
            {
                "version": listed.version,
                "issued": listed.issued,
                "denied": entries,
                "held": [one.id for one in held],
            }
        )
        return
    if not listed.version:
        output.line("nothing was ever denied by a signed list")
    else:
        output.line(f"deny list {listed.version}, issued {listed.issued}")
    for one in listed.entries:
        output.line(
            f"{one.what.value:<7}  {one.digest}  since {one.since}: "
            f"{naming.show(one.why)}"
        )
    for each in held:
        label = f"{each.release.kind} {naming.show(each.release.name)}"
        output.line(f"held and not served: {label}: {naming.show(each.denied)}")


def _releases(home: Path, named: Sequence[str]) -> Iterator[Sha256]:
    if not named:
        return
    approved = {
        release_format.identify(release_format.encode(one)): one
        for one in Ledger(Repository(home / "trust")).releases()
    }
    for text in named:
        found = [one for one, told in approved.items() if _is(one, told, text)]
        if not found:
            problem = f"nothing that was approved is `{naming.show(text)}`"
            hint = "give [KIND:]NAME[@REVISION], or 8 digits of a release id"
            raise RequestError(problem, hint=hint)
        yield from found


def _is(release_id: Sha256, told: Release, text: str) -> bool:
    if _DIGITS.fullmatch(text) and release_id.startswith(text):
        return True
    name, _, revision = text.partition("@")
    names = (told.name, f"{told.kind.value}:{told.name}")
    matches = told.revision.startswith(revision) or revision in told.refs
    return name in names and (not revision or matches)


def _digest(text: str) -> Sha256:
    if is_sha256(text):
        return Sha256(text)
    problem = f"`{naming.show(text)}` is not a SHA-256 of 64 digits"
    raise RequestError(problem, hint="`sha256sum FILE` prints it")


def _key(text: str) -> Sha256:
    if is_sha256(text):
        return Sha256(text)
    return Sha256(public.read(Path(text)).key_id)
