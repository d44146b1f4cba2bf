"""``airlift request read``: what a site asks for, believed or not, in words."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, output
from airlift.errors import RequestError
from airlift.format import request, typed
from airlift.format.request import LABEL
from airlift.format.request_text import describe
from airlift.store.durable import read_file
from airlift.trust import site_key, site_request
from airlift.trust.public import PublicKey
from airlift.trust.site_request import SignedRequest

_KEY_LIMIT = 64 << 10
_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A request that was read.

    Attributes:
        signed: What it says.
        label: Tells what the entry of a number is.
        repeat: Whether it was read before; None where nobody keeps account.
        news: What its state came to, in lines.
    """

    signed: SignedRequest
    label: Callable[[int], str]
    repeat: bool | None = None
    news: tuple[str, ...] = ()


@click.command("read")
@click.argument("file", required=False, type=_FILE)
@click.option("--typed", "text", help="The text, as typed or scanned, instead of FILE.")
@click.option(
    "--site-key",
    "key_file",
    type=_FILE,
    help="Public half of the site's key, to read on a host that is neither side.",
)
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    file: Path | None,
    text: str | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Check the request in FILE (or `-`), and show all that is in it.

    On the connected side its signature, site, catalogue, deliveries and number are
    checked, and it is kept: an older one is refused from then on. `airlift export
    --for FILE` builds it. On the isolated side, and with --site-key on a station
    between, the signature is checked, and nothing is kept.
    """
    sealed, name = sealed_from(file, text)
    if key_file is not None:
        data = read_file(key_file, limit=_KEY_LIMIT, error=RequestError)
        key = site_key.decode_public(data, name=naming.show(key_file.name))
        told = _alone(sealed, {key.name: key}, name)
    elif (home / "trust").is_dir():
        told = _connected(home, sealed, name)
    else:
        own = site_key.read_public(home)
        told = _alone(sealed, {own.name: own} if own else {}, name)
    _show(told, as_json=as_json)


def sealed_from(file: Path | None, text: str | None) -> tuple[bytes, str]:
    """Return the sealed bytes of the request in *file* or *text*, and what to call it.

    Raises:
        RequestError: Neither is given, or both; or *file* cannot be read.
        FormatError: It carries no request, or not in the spelling of its form.
    """
    if (file is None) == (text is None):
        problem = "give the FILE of a request, or its text with --typed"
        raise RequestError(problem)
    if text is not None:
        return typed.read(text[: 4 * request.LIMIT], LABEL, name="the text"), "the text"
    assert file is not None
    name = naming.show(file.name)
    hint = "a picture is no text: scan it, and give what was read with --typed"
    if str(file) == "-":
        content = sys.stdin.read(4 * request.LIMIT)
        return typed.read(content, LABEL, name="the text"), "the text"
    content = config.text(file, limit=4 * request.LIMIT, hint=hint)
    return typed.unspell(content, LABEL, name=name), name


def _alone(sealed: bytes, keys: Mapping[str, PublicKey], name: str) -> Told:
    signed = site_request.believe(sealed, keys, name=name)
    return Told(signed=signed, label=lambda _: "(its catalogue is not looked at here)")


def _connected(home: Path, sealed: bytes, name: str) -> Told:
    # Not on the isolated side: it has neither these modules' libraries nor any use.
    from airlift.cli import for_request  # noqa: PLC0415 - see above

    asked = for_request.read(home, sealed, name=name)
    items = dict(zip(asked.request.items, asked.labels, strict=False))
    return Told(
        signed=asked.signed,
        label=lambda number: items[number],
        repeat=asked.repeat,
        news=for_request.heard(home, asked),
    )


def _show(told: Told, *, as_json: bool) -> None:
    one = told.signed.request
    lines = list(describe(one, told.signed.size, told.label))
    if as_json:
        shown: dict[str, Json] = {
            "site": one.site,
            "number": one.number,
            "day": one.day,
            "accepted": one.accepted,
            "root": one.root.hex(),
            "catalogue": one.catalogue.hex(),
            "items": one.items,
            "wants": [
                {"kind": want.kind.value, "name": want.name, "revision": want.revision}
                for want in one.wants
            ],
            "refused": [
                {"sequence": each.sequence, "reason": each.reason.value}
                for each in one.refused
            ],
            "anchor": one.anchor,
            "bytes": told.signed.size,
            "id": told.signed.id,
            "key_id": told.signed.key.key_id,
            "repeat": told.repeat,
            "state": told.news,
            "told": tuple(lines),
        }
        output.as_json(shown)
        return
    for line in lines:
        output.line(line)
    key = told.signed.key
    output.line(f"signed by the key of site {key.name}: {key.fingerprint.groups}")
    for line in told.news:
        output.line(line)
    if told.repeat:
        output.note("this request was read before")
    if told.repeat is not None:
        output.note("`airlift export --for FILE --to FOLDER` builds it")
