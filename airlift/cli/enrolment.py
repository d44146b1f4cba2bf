"""``airlift site enrol``: whose word counts as an isolated site's."""

import sys
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import chosen_site, config, output, site_key
from airlift.errors import RequestError, TrustError
from airlift.store.durable import read_file
from airlift.trust.enrolled import SiteKeys
from airlift.trust.public import PublicKey
from airlift.trust.publisher import Publisher
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
    """Believe receipts and requests of the site NAME that the key in FILE signed.

    FILE comes from the site (`airlift trust site-key`). Its fingerprint must reach you
    by another way, a telephone or paper, and is compared first. Nothing is signed.
    """
    publisher = Publisher.open(home / "trust")
    site = chosen_site.choose(publisher, name)
    data = read_file(file, limit=_LIMIT, error=RequestError)
    key = decode_public(data, name=naming.show(file.name))
    known = SiteKeys(home / "ledger")
    _compare(key, fingerprint, agreed=yes)
    by = (config.now(), config.actor())
    changed = known.enrol(site, key, publisher, by=by, replace=replace)
    if as_json:
        shown: dict[str, Json] = {
            "site": site,
            "key_id": key.key_id,
            "words": key.fingerprint.words,
            "changed": changed,
        }
        output.as_json(shown)
        return
    site_key.show_fingerprint(key)
    what = "counts now" if changed else "counted already"
    output.line(f"it {what}: receipts and requests it signs are {site}'s")


def _compare(key: PublicKey, expected: str | None, *, agreed: bool) -> None:
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
    site_key.show_fingerprint(key, err=True)
    question = "is this the fingerprint that the people at the site told you?"
    if not sys.stdin.isatty() or not click.confirm(f"airlift: {question}", err=True):
        problem = "the site key was not enrolled: nobody compared its fingerprint"
        hint = "get the fingerprint from the site and give it as --fingerprint"
        raise RequestError(problem, hint=hint)
