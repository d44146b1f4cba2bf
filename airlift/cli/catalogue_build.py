"""The connected half of ``airlift catalogue``: whose key signs, and building one."""

import time
from pathlib import Path
from typing import Final

import click

from airlift import naming
from airlift.artifact import Json, Kind, Pinned, Release, Wish
from airlift.cli import config, keyring, output, wanted
from airlift.cli.keyring import Passphrases
from airlift.errors import RequestError
from airlift.format.catalogue import Catalogue
from airlift.format.rule import is_rule
from airlift.outbound import cataloguing, rules
from airlift.outbound.catalogues import Shelf
from airlift.outbound.cataloguing import Order, Upstreams
from airlift.sources.wheels import Wheels
from airlift.store.durable import Disk
from airlift.trust import catalogue as signing
from airlift.trust import keys, public
from airlift.trust.keys import UnlockedKey
from airlift.trust.ledger import Ledger
from airlift.trust.plan import sound_quorum
from airlift.trust.public import PublicKey
from airlift.trust.publisher import Publisher
from airlift.trust.quorum import Quorum
from airlift.trust.repository import Repository

NOT_ASKED: Final = 3
"""Exit code of a build that some source did not answer: as for any source."""
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("key")
@click.option(
    "--signer", multiple=True, type=_FILE, help="Public key file of who signs; repeat."
)
@click.option("--threshold", default=1, help="How many of them must sign each.")
@click.option("--name", default="catalogue", help="Name of the key that is made.")
@click.option(
    "--kdf",
    type=click.Choice(list(keys.COSTS)),
    default="default",
    show_default="default, 256 MiB",
    help="What a guess at the passphrase of the key that is made costs.",
)
@click.option(
    "--new-passphrase-file",
    type=_FILE,
    help="Read the passphrase of the key that is made from this file's first line.",
)
@keyring.key_option
@config.passphrase_options
@config.home_option
@config.json_option
def key_command(
    *,
    home: Path,
    signer: tuple[Path, ...],
    threshold: int,
    name: str,
    kdf: str,
    new_passphrase_file: Path | None,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Say whose keys sign catalogues: a new one, or those of --signer.

    They can sign nothing else. The approvers sign that it is so, and sites learn of it
    with their next delivery. Repeat it with other keys to replace them.
    """
    publisher = Publisher.open(home / "trust")
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    approvers = keyring.unlock(home, key_names, phrases)
    # Two files: that of the weekly job must not open what approves.
    fresh = Passphrases(fd=None, file=new_passphrase_file)
    named = [public.read(path) for path in signer] or [_own(home, name, kdf, fresh)]
    found = sound_quorum(tuple(named), threshold, "keys of catalogues")
    publisher.set_catalogue(found, approvers, config.now())
    if as_json:
        listed: list[Json] = [
            {"name": one.name, "key_id": one.key_id} for one in found.keys
        ]
        output.as_json({"keys": listed, "threshold": found.threshold})
        return
    for one in found.keys:
        output.line(f"key {one.key_id[:16]} of {one.name} signs catalogues")
    output.line("sites learn of it with their next delivery: `airlift export`")


def _own(home: Path, name: str, kdf: str, phrases: Passphrases) -> PublicKey:
    """Return the key *name* of this host; made where there is none.

    Not among the keys that sign deliveries: who unlocks all of those needs it not.
    """
    shared = _folder(home) / f"{name}{public.SUFFIX}"
    if shared.exists():
        return public.read(shared)
    made = keys.generate(name)
    phrase = phrases.ask(f"the new key of `{made.public.name}`", confirm=True)
    keys.save(_folder(home), made, phrase, cost=keys.COSTS[kdf])
    return made.public


def _folder(home: Path) -> Path:
    return home / "catalogues"


@click.command("build")
@click.argument("paths", nargs=-1, type=_FILE, metavar="[MANIFEST|LOCK]...")
@click.option("--to", "target", type=_FILE, required=True, help="File to write.")
@click.option(
    "--osv",
    type=click.Path(path_type=Path, exists=True),
    help="Folder or zip of advisories in OSV's form, one JSON file each.",
)
@click.option(
    "--kev", type=_FILE, help="What is known to be exploited, as CISA has it."
)
@click.option(
    "--epss", type=_FILE, help="How likely the rest is to be, as FIRST has it."
)
@click.option(
    "--rules",
    "rule_file",
    type=_FILE,
    help="Models and runtimes that are dangerous together, in place of airlift's own.",
)
@click.option(
    "--package",
    "packages",
    multiple=True,
    help="Watch this package too, a runtime of the sites say; repeat.",
)
@click.option(
    "--next-days", default=7, show_default=True, help="Days until the next is expected."
)
@click.option(
    "--valid-days", default=60, show_default=True, help="Days this one is worth much."
)
@keyring.key_option
@config.passphrase_options
@config.home_option
@config.json_option
def build_command(
    *,
    home: Path,
    paths: tuple[Path, ...],
    target: Path,
    osv: Path | None,
    kev: Path | None,
    epss: Path | None,
    rule_file: Path | None,
    packages: tuple[str, ...],
    next_days: int,
    valid_days: int,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Ask upstream for everything shipped so far, and for what manifests name.

    Writes one signed file of what is newest, gated, gone, yanked or advised against. A
    source that does not answer keeps its old date and content in it, is listed, and
    makes the exit code 3; the file is written all the same.
    """
    publisher = Publisher.open(home / "trust")
    authority = _authority(publisher)
    _check_days(next_days, valid_days)
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    signers = _signers(home, key_names, authority, phrases)
    stated, shipped = _watched(home, paths)
    order = Order(
        stated=stated,
        shipped=shipped,
        osv=osv,
        kev=kev,
        epss=epss,
        rules=rules.read(rule_file) if rule_file else rules.shipped(),
        packages=packages,
        now=config.now(),
        next_days=next_days,
        valid_days=valid_days,
    )
    shelf = Shelf(_folder(home))
    made = cataloguing.build(order, _upstreams(quiet=as_json), shelf.last())
    data = signing.sign(made, authority, signers)
    shelf.keep(made.sequence, data)
    Disk().write_file(target, data, mode=0o644)
    _show(made, target, len(data), as_json=as_json)
    if cataloguing.unasked(made) or (osv is not None and made.feed.problem):
        click.get_current_context().exit(NOT_ASKED)


def _authority(publisher: Publisher) -> Quorum:
    found = publisher.cataloguers()
    if found is None:
        problem = "nobody's key signs catalogues yet"
        raise RequestError(problem, hint="make one with `airlift catalogue key`")
    return found


def _check_days(next_days: int, valid_days: int) -> None:
    if not 1 <= next_days <= valid_days <= 3650:
        problem = f"the next in {next_days} days, this one good for {valid_days}"
        raise RequestError(problem, hint="choose 1 <= --next-days <= --valid-days")


def _signers(
    home: Path, names: tuple[str, ...], authority: Quorum, phrases: Passphrases
) -> list[UnlockedKey]:
    """Unlock the keys of catalogues, and no others: this runs unattended."""
    if not names:
        names = tuple(
            str(path)
            for path in sorted(_folder(home).glob(f"*{keys.SUFFIX}"))
            if keyring.read(path).public.key_id in authority.by_id
        )
    if not names:
        holders = ", ".join(f"`{naming.show(key.name)}`" for key in authority.keys)
        problem = f"no key that signs catalogues is in {_folder(home)}"
        raise RequestError(problem, hint=f"give one of {holders} with --key")
    return keyring.unlock(home, names, phrases)


def _watched(
    home: Path, paths: tuple[Path, ...]
) -> tuple[list[Wish], list[Pinned | Release]]:
    stated: list[Wish] = []
    shipped: list[Pinned | Release] = []
    for path in paths:
        wishes, pinned = wanted.stated(path)
        stated += wishes
        shipped += pinned
    shipped += Ledger(Repository(home / "trust")).releases()
    return stated, shipped


def _upstreams(*, quiet: bool) -> Upstreams:
    table = wanted.sources()
    wheels = table(Kind.WHEELS)
    assert isinstance(wheels, Wheels)
    return Upstreams(
        sources=table,
        project=wheels.project,
        pause=time.sleep,
        progress=output.progress(quiet=quiet),
    )


def _show(made: Catalogue, target: Path, size: int, *, as_json: bool) -> None:
    silent = cataloguing.unasked(made)
    ruled = sum(1 for one in made.advisories if is_rule(one))
    advised = len(made.advisories) - ruled
    if as_json:
        problems: list[Json] = [
            {"name": one.name, "as_of": one.as_of, "problem": one.problem}
            for one in silent
        ]
        output.as_json(
            {
                "file": str(target),
                "bytes": size,
                "sequence": made.sequence,
                "issued": made.issued,
                "next_expected": made.next_expected,
                "valid_until": made.valid_until,
                "items": len(made.items),
                "packages": len(made.packages),
                "advisories": advised,
                "rules": ruled,
                "advisories_as_of": made.feed.as_of,
                "advisories_problem": made.feed.problem,
                "not_asked": problems,
            }
        )
        return
    output.line(
        f"wrote {target}: catalogue {made.sequence}, {len(made.items)} artifacts,"
        f" {len(made.packages)} packages, {advised} advisories, {ruled} rules,"
        f" {output.size(size)}"
    )
    for one in silent:
        since = f"known as of {one.as_of}" if one.as_of else "never answered for"
        output.note(f"warning: {naming.show(one.name)} {since}: {one.problem}")
    if made.feed.problem:
        since = (
            f"as of {made.feed.as_of}" if made.feed.as_of else "never looked through"
        )
        output.note(f"warning: advisories {since}: {made.feed.problem}")
    output.line(f"the next is expected by {made.next_expected}")


COMMANDS: Final[dict[str, click.Command]] = {
    "key": key_command,
    "build": build_command,
}
