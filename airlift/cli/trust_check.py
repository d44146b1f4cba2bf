"""``airlift trust check``: what a root, a pending file or a public key says."""

from pathlib import Path

import click

from airlift import naming
from airlift.cli import config, output
from airlift.cli.trust_people import show_fingerprint
from airlift.errors import FormatError, RequestError, TrustError
from airlift.store.durable import read_file
from airlift.trust import (
    ceremony,
    draft,
    fingerprint,
    metadata,
    public,
    quorum,
    roster,
    strict,
)
from airlift.trust.metadata import Document, Root
from airlift.trust.profile import PROFILES
from airlift.trust.publisher import Publisher

_PENDING = b'"format":"' + draft.FORMAT.encode() + b'"'
_KEY = b'"format":"' + public.FORMAT.encode() + b'"'


@click.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    help="Refuse a root that falls short of it; by default of what it promises.",
)
@config.home_option
@config.json_option
def command(
    *, home: Path, file: Path | None, profile: str | None, as_json: bool
) -> None:
    """Show what FILE says before anybody signs or accepts it; change nothing.

    FILE is a root, what is pending, or a public key; without it, the newest root of
    this HOME. Shows every fingerprint as digits and as words, whose keys count, and the
    profile that is met. Refuses equal keys, one person twice, signatures that are not
    valid, and numbers below the profile.
    """
    if file is None:
        data = Publisher.open(home / "trust").root_bytes()
    else:
        data = read_file(file, limit=draft.LIMIT, error=RequestError)
    if _KEY in data[:4096] and b'"signed"' not in data:
        _key(data, naming.show(str(file)), as_json=as_json)
        return
    if _PENDING in data:
        pending = draft.decode(data, name=naming.show(str(file)))
        _pending(pending)
        _require(pending.after.root.body, profile)
        return
    document = strict.root(data, name="the root")
    _signed(document)
    _root(data, document.body, as_json=as_json)
    _require(document.body, profile)


def _require(root: Root, asked: str | None) -> None:
    if name := asked or root.profile:
        roster.require(root, name)


def _key(data: bytes, name: str, *, as_json: bool) -> None:
    key = public.decode(data, name=name)
    if as_json:
        output.as_json(
            {**public.table(key), "words": key.fingerprint.words},
        )
        return
    output.line(f"public key of {key.name}, scheme {key.scheme}")
    output.line(f"fingerprint  {key.fingerprint.groups}")
    output.line(f"in words     {key.fingerprint.words}")


def _pending(pending: draft.Draft) -> None:
    for role, signatures in pending.signatures().items():
        _all_good(role, signatures, pending)
    for line in ceremony.describe(pending):
        output.line(line)
    for line in pending.lacking():
        output.line(f"still lacking: {line}")


def _all_good(role: str, signatures: dict[str, str], pending: draft.Draft) -> None:
    payload = pending.payloads()[role]
    keys = {k: key for one in pending.quorums(role) for k, key in one.by_id.items()}
    for key_id, signature in signatures.items():
        key = keys.get(key_id)
        if key is None or not key.verifies(bytes.fromhex(signature), payload):
            problem = f"the signature of `{role}` by key {key_id[:16]} is not valid"
            raise TrustError(problem, hint="do not sign it: have it exported again")


def _root(data: bytes, root: Root, *, as_json: bool) -> None:
    found = fingerprint.of_root(data)
    if as_json:
        output.as_json(
            {
                "fingerprint": found.digest,
                "words": found.words,
                **roster.to_json(root),
            }
        )
        return
    show_fingerprint(found)
    for line in roster.lines(root):
        output.line(line)


def _signed(document: Document[Root]) -> None:
    """Refuse a root that its own keys have not signed."""
    own = document.body.roles[metadata.ROOT]
    mine = document.signatures.keys() & own.by_id.keys()
    if not document.signatures:
        problem = "the root is not signed"
        raise FormatError(problem, hint="get it with `airlift trust root FILE`")
    kept = quorum.fewest(mine, [own])
    signatures = {key_id: document.signatures[key_id] for key_id in kept}
    quorum.check(signatures, metadata.payload(document.body), [own], name="the root")
