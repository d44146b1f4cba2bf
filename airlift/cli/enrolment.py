"""``airlift site enrol``: whose word counts as an isolated site's."""

import sys
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import chosen_site, config, encryption_key, output, site_key
from airlift.errors import RequestError, TrustError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.store.durable import read_file
from airlift.trust import recipient
from airlift.trust.enrolled import SiteKeys
from airlift.trust.public import PublicKey
from airlift.trust.publisher import Publisher
from airlift.trust.recipient import Recipient
from airlift.trust.recipients import Recipients
from airlift.trust.site_key import decode_public

_LIMIT = 64 << 10


@click.command("enrol")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--fingerprint", help="The fingerprint it must have: digits or words.")
@click.option("--yes", is_flag=True, help="It was compared already.")
@click.option(
    "--replace", is_flag=True, help="Let it take the place of the key that counts now."
)
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    name: str,
    file: Path,
    fingerprint: str | None,
    yes: bool,
    replace: bool,
    as_json: bool,
) -> None:
    """Take up a key that the site NAME made, which lies in FILE.

    From `airlift trust site-key`: receipts and requests that it signed are the site's.
    From `airlift trust encryption-key`: deliveries can be encrypted to it. Its
    fingerprint must reach you by another way than FILE, a telephone or paper, and is
    compared first. Nothing is signed.
    """
    publisher = Publisher.open(home / "trust")
    site = chosen_site.choose(publisher, name)
    data = read_file(file, limit=_LIMIT, error=RequestError)
    by = (config.now(), config.actor())
    key = _decoded(data, naming.show(file.name))
    _compare(key, fingerprint, agreed=yes)
    if isinstance(key, Recipient):
        _refuse_other(key, site)
        known = Recipients(home / "ledger")
        changed = known.enrol(key, by=by, replace=replace)
        use = f"deliveries to {site} can be encrypted to it"
    else:
        keys = SiteKeys(home / "ledger")
        changed = keys.enrol(site, key, publisher, by=by, replace=replace)
        use = f"receipts and requests it signs are {site}'s"
    if as_json:
        shown: dict[str, Json] = {
            "site": site,
            "key_id": key.key_id,
            "words": key.fingerprint.words,
            "changed": changed,
        }
        output.as_json(shown)
        return
    _show(key)
    output.line(f"it {'counts now' if changed else 'counted already'}: {use}")


def _decoded(data: bytes, name: str) -> PublicKey | Recipient:
    """Return the key of either use that *data* states.

    Raises:
        FormatError: It is neither.
    """
    top = Fields(canonical.decode(data, name=name, limit=_LIMIT), record=name)
    if top.text("format") == recipient.FORMAT:
        return recipient.decode(data, name=name)
    return decode_public(data, name=name)


def _refuse_other(key: Recipient, site: str) -> None:
    if key.site != site:
        problem = f"the key is of site `{key.site}`, not `{site}`"
        raise RequestError(problem, hint=f"`airlift site enrol {key.site} FILE`")


def _show(key: PublicKey | Recipient, *, err: bool = False) -> None:
    if isinstance(key, Recipient):
        encryption_key.show_fingerprint(key, err=err)
    else:
        site_key.show_fingerprint(key, err=err)


def _compare(key: PublicKey | Recipient, expected: str | None, *, agreed: bool) -> None:
    if expected is not None:
        if key.fingerprint.matches(expected):
            return
        problem = (
            f"the site key has fingerprint {key.fingerprint.groups}"
            f" ({key.fingerprint.words}), expected {naming.show(expected.strip()[:300])}"
        )
        hint = "stop: this is another key; compare with the people at the site"
        raise TrustError(problem, hint=hint)
    if agreed:
        return
    _show(key, err=True)
    question = "is this the fingerprint that the people at the site told you?"
    if not sys.stdin.isatty() or not click.confirm(f"airlift: {question}", err=True):
        problem = "the site key was not enrolled: nobody compared its fingerprint"
        hint = "get the fingerprint from the site and give it as --fingerprint"
        raise RequestError(problem, hint=hint)
