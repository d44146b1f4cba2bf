"""``airlift trust site-key``: the key with which this isolated site speaks."""

import contextlib
import dataclasses
from pathlib import Path

import click

from airlift.artifact import Json
from airlift.cli import config, output
from airlift.errors import RequestError
from airlift.inbound.own_key import Maker
from airlift.registry.registry import Registry
from airlift.store.durable import Disk
from airlift.trust import keys, site_key
from airlift.trust.public import PublicKey


@click.command("site-key")
@click.argument(
    "target", required=False, type=click.Path(path_type=Path, dir_okay=False)
)
@click.option(
    "--replace",
    is_flag=True,
    help="Make a new key; the connected side must enrol it before it counts.",
)
@click.option(
    "--encrypt", is_flag=True, help="With --replace: under a passphrase, asked for."
)
@config.passphrase_options
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    target: Path | None,
    replace: bool,
    encrypt: bool,
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Isolated side: show this site's own key; write its public half to TARGET.

    The key signs what the site says itself: receipts, requests, checkpoints of its log
    and evidence of audits. It decides nothing about deliveries. It is made when it is first
    needed, readable by its owner only, so that an import nobody watches can sign. The
    connected side enrols the public half: `airlift site enrol`.
    """
    given = passphrase_fd is not None or passphrase_file is not None
    if (encrypt or given) and not replace:
        problem = "a passphrase is set when a key is made"
        raise RequestError(problem, hint="add --replace to make a new key")
    with contextlib.closing(Registry.open(home)) as registry:
        maker = _maker(home, registry)
        if replace:
            phrase = (
                _phrase(passphrase_fd, passphrase_file) if encrypt or given else None
            )
            key = maker.make(phrase, replace=True).public
        else:
            key = maker.public()
    if target is not None:
        Disk().write_file(target, site_key.encode_public(key), mode=0o644)
    _show(key, target, as_json=as_json)


def begin(home: Path, fd: int | None, file: Path | None, cost: str) -> None:
    """Make the key of a site whose registry was just made.

    Args:
        home: The isolated side's home.
        fd: Descriptor that gives a passphrase for the key.
        file: File that does; without both the key is not encrypted.
        cost: What a guess at it costs, a name of ``keys.COSTS``.
    """
    given = fd is not None or file is not None
    phrase = _phrase(fd, file) if given else None
    with contextlib.closing(Registry.open(home)) as registry:
        dataclasses.replace(_maker(home, registry), cost=keys.COSTS[cost]).make(phrase)


def _maker(home: Path, registry: Registry) -> Maker:
    return Maker(home=home, registry=registry, now=config.now(), actor=config.actor())


def _phrase(fd: int | None, file: Path | None) -> str:
    return config.passphrase(fd, file, what="the site key", confirm=True)


def _show(key: PublicKey, target: Path | None, *, as_json: bool) -> None:
    if as_json:
        shown: dict[str, Json] = {
            "site": key.name,
            "key_id": key.key_id,
            "public": key.public,
            "words": key.fingerprint.words,
            "file": str(target) if target else None,
        }
        output.as_json(shown)
        return
    show_fingerprint(key)
    if target is None:
        output.line("`airlift trust site-key FILE` writes it for the connected side")
        return
    output.line(f"public half for the connected side: {target}")
    output.line(f"there: `airlift site enrol {key.name} {target.name}`, and compare")


def show_fingerprint(key: PublicKey, *, err: bool = False) -> None:
    """Print what two people compare of the key of a site.

    Args:
        key: The key.
        err: Whether to print it as a note instead of as data.
    """
    show = output.note if err else output.line
    show(f"key of site {key.name}: {key.fingerprint.groups}")
    show(f"in words: {key.fingerprint.words}")
