"""``airlift trust``: keys, roots and signatures."""

import getpass
import sys
from dataclasses import replace
from pathlib import Path

import click

from airlift.artifact import Json
from airlift.cli import (
    config,
    encryption_key,
    keyring,
    output,
    site_key,
    trust_check,
    trust_deny,
    trust_mark,
    trust_people,
    trust_token,
)
from airlift.cli.keyring import Passphrases
from airlift.cli.trust_people import keep_root, people_options, show_fingerprint
from airlift.errors import RequestError
from airlift.registry.registry import Registry
from airlift.store.durable import Disk, read_file
from airlift.trust import ceremony, draft, keys, public, schemes, site, station
from airlift.trust import fingerprint as fingerprints
from airlift.trust.delivery import TrustState
from airlift.trust.plan import RolePlan
from airlift.trust.publisher import Publisher

_ROOT_LIMIT = 512 << 10
_PENDING_LIMIT = 512 << 20
_FILE = click.Path(path_type=Path, dir_okay=False)
_SCHEME = click.option(
    "--scheme",
    type=click.Choice(list(schemes.SCHEMES)),
    default=schemes.DEFAULT,
    show_default=schemes.DEFAULT,
    help="Signature scheme of the new key.",
)
_KDF = click.option(
    "--kdf",
    type=click.Choice(list(keys.COSTS)),
    default="default",
    show_default="default, 256 MiB",
    help="What a guess at the passphrase costs (Argon2id).",
)


@click.group("trust")
def command() -> None:
    """Make keys, name who may sign, accept a root, and sign what others prepared."""


for one in (
    site_key.command,
    encryption_key.command,
    trust_check.command,
    trust_token.command,
    trust_people.rotate,
    trust_people.add,
    trust_people.revoke,
    trust_deny.deny,
    trust_deny.denied,
    trust_mark.command,
):
    command.add_command(one)


@command.command("init")
@click.option("--site", "site_name", required=True, help="Name of the isolated site.")
@click.option("--root", type=_FILE, help="Isolated side: the carried root to accept.")
@click.option("--fingerprint", help="Isolated side: the fingerprint it must have.")
@click.option("--yes", is_flag=True, help="Isolated side: it was compared already.")
@click.option(
    "--least",
    type=click.IntRange(min=0),
    default=0,
    help="Isolated side: the oldest delivery to take, as its senders tell you.",
)
@click.option("--name", default=getpass.getuser, help="Holder of the new key; you.")
@_SCHEME
@_KDF
@people_options
@config.passphrase_options
@config.home_option
@config.json_option
def init(
    *,
    home: Path,
    site_name: str,
    root: Path | None,
    fingerprint: str | None,
    name: str,
    scheme: str,
    kdf: str,
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    yes: bool,
    least: int,
    as_json: bool,
    **people: object,
) -> None:
    """Begin, on either side.

    Connected side: make a key (or name several people's public keys with --approver),
    sign the first root, and add the site. Isolated side: accept the carried --root,
    after its fingerprint was compared with the one its signers told you. On a host that
    is set up again, give --least too: it remembers no earlier delivery.
    """
    if root is not None:
        accepted = _accepted(site_name, root, fingerprint, agreed=yes)
        state = replace(accepted, least=least)
        Registry.create(home, state=state, now=config.now(), actor=config.actor())
        _show_accepted(state, as_json=as_json)
        site_key.begin(home, passphrase_fd, passphrase_file, kdf)
        return
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    now, folder = config.now(), home / "trust"
    if people["approver"]:
        signers = keyring.unlock(home, (), phrases)
        plan = trust_people.plan(home, people)
    elif folder.exists():
        problem = f"{folder} is there already"
        raise RequestError(problem, hint=f"`airlift site add {site_name}` adds a site")
    else:
        signers = [_new_key(home, name, scheme, kdf, phrases)]
        plan = RolePlan.single(signers[0].public)
    if folder.exists():
        publisher = Publisher.open(folder)  # begun before, and signed by all since
    else:
        publisher = Publisher.create(folder, plan=plan, signers=signers, now=now)
    threshold = plan.dispatch_threshold
    publisher.add_site(site_name, plan.dispatchers, threshold, signers, now)
    found = keep_root(home, publisher)
    if as_json:
        output.as_json(
            {
                "site": site_name,
                "root": str(home / "root.json"),
                "fingerprint": found.digest,
                "words": found.words,
            }
        )
        return
    show_fingerprint(found)
    output.line(f"root for the isolated side: {home / 'root.json'}")
    output.line("write the fingerprint down: the isolated side compares it")


def _accepted(
    site_name: str, root: Path, expected: str | None, *, agreed: bool
) -> TrustState:
    """Return what the site believes that accepts the carried root."""
    data = read_file(root, limit=_ROOT_LIMIT, error=RequestError)
    state = site.accept_root(data, site=site_name, expected_fingerprint=expected)
    found = fingerprints.of_root(data)
    if not (expected or agreed):
        show_fingerprint(found, err=True)
        question = "is this the fingerprint its signers told you, by another way?"
        if not sys.stdin.isatty() or not click.confirm(
            f"airlift: {question}", err=True
        ):
            problem = "the root was not accepted: nobody compared its fingerprint"
            hint = "get the fingerprint from its signers and give it as --fingerprint"
            raise RequestError(problem, hint=hint)
    return state


def _show_accepted(state: TrustState, *, as_json: bool) -> None:
    if as_json:
        digest = fingerprints.of_root(state.anchor).digest
        output.as_json({"site": state.site, "fingerprint": digest})
        return
    output.line(f"site {state.site} accepts deliveries signed under this root")
    output.line("next: `airlift trust site-key FILE`, and `airlift import FOLDER`")


@command.command("keygen")
@click.argument("name")
@_SCHEME
@_KDF
@config.passphrase_options
@config.home_option
@config.json_option
def keygen(
    *,
    home: Path,
    name: str,
    scheme: str,
    kdf: str,
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Make a key for the person NAME: HOME/keys/NAME.key and NAME.pub.

    One of ML-DSA, a second beside it, is NAME.ml-dsa-65.key: both are NAME's.
    """
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    key = _new_key(home, name, scheme, kdf, phrases)
    secret = keyring.folder(home) / f"{keys.stem(key.public)}{keys.SUFFIX}"
    if as_json:
        output.as_json({"key": str(secret), "key_id": key.public.key_id})
        return
    output.line(f"key {key.public.key_id[:16]} of {key.public.name}: {secret}")
    shared = secret.with_name(f"{keys.stem(key.public)}{public.SUFFIX}")
    output.line(f"public half to give away: {shared}")


@command.command("show")
@click.option(
    "--station", "for_station", is_flag=True, help="Print what scan stations need."
)
@config.home_option
@config.json_option
def show(home: Path, *, for_station: bool, as_json: bool) -> None:
    """Show the root's fingerprint, the sites, what expires when, and what is pending."""
    publisher = Publisher.open(home / "trust")
    if for_station:
        _show_station(publisher)
        return
    root = publisher.root_bytes()
    found = fingerprints.of_root(root)
    pending = publisher.pending()
    lacking = pending.lacking() if pending else ()
    expiries: dict[str, Json] = dict(publisher.expiries())
    if as_json:
        output.as_json(
            {
                "fingerprint": found.digest,
                "words": found.words,
                "sites": [one.name for one in publisher.sites()],
                "expires": expiries,
                "lacking": lacking,
            }
        )
        return
    show_fingerprint(found)
    for one in publisher.sites():
        count = publisher.deliveries(one.name)
        last = f"last delivery {count[0].sequence}" if count else "no delivery yet"
        output.line(f"site {one.name}: {last}")
    for role, when in expiries.items():
        output.line(f"{role} expires {when}")
    for line in lacking:
        output.line(f"pending: {line}")


@command.command("root")
@click.argument("target", type=_FILE)
@config.home_option
def root_command(home: Path, target: Path) -> None:
    """Write the newest root to the file TARGET, for the isolated side to accept."""
    root = Publisher.open(home / "trust").root_bytes()
    Disk().write_file(target, root, mode=0o644)
    show_fingerprint(fingerprints.of_root(root))


@command.command("pending")
@click.argument("target", type=_FILE)
@config.home_option
def pending_command(home: Path, target: Path) -> None:
    """Write what lacks signatures to the file TARGET, to be signed elsewhere."""
    data = Publisher.open(home / "trust").export_pending()
    Disk().write_file(target, data, mode=0o644)
    output.line(f"wrote {target}; sign it with `airlift trust sign {target}`")


@command.command("sign")
@click.argument("file", required=False, type=_FILE)
@keyring.key_option
@config.passphrase_options
@config.home_option
def sign(
    *,
    home: Path,
    file: Path | None,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
) -> None:
    """Sign what is pending: in this HOME, or in the exported FILE, which is rewritten.

    What is signed is shown first: every role that changes.
    """
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    if file is None:
        publisher = Publisher.open(home / "trust")
        if pending := publisher.pending():
            for line in ceremony.describe(pending):
                output.note(line)
        publisher.sign_pending(keyring.unlock(home, key_names, phrases), config.now())
        output.line("signed; nothing more is needed")
        return
    data = read_file(file, limit=_PENDING_LIMIT, error=RequestError)
    for line in ceremony.describe(draft.decode(data, name=str(file))):
        output.note(line)
    signed = ceremony.sign_file(data, keyring.unlock(home, key_names, phrases))
    Disk().write_file(file, signed, mode=0o644)
    for line in draft.decode(signed, name=str(file)).lacking():
        output.line(f"still lacking: {line}")
    output.line(f"signed {file}; carry it back and run `airlift trust merge {file}`")


@command.command("merge")
@click.argument("file", type=_FILE)
@config.home_option
def merge(home: Path, file: Path) -> None:
    """Take over the signatures in FILE, which was signed elsewhere."""
    data = read_file(file, limit=_PENDING_LIMIT, error=RequestError)
    publisher = Publisher.open(home / "trust")
    publisher.import_pending(data, config.now())
    keep_root(home, publisher)
    output.line("signatures taken over; nothing more is needed")


@command.command("renew")
@keyring.key_option
@config.passphrase_options
@config.home_option
def renew(
    home: Path,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
) -> None:
    """Sign anew what has expired or soon will."""
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    publisher = Publisher.open(home / "trust")
    publisher.renew(keyring.unlock(home, key_names, phrases), config.now())
    for role, when in publisher.expiries().items():
        output.line(f"{role} expires {when}")


@command.command("discard")
@config.home_option
def discard(home: Path) -> None:
    """Give up what is pending; nothing of it was in force."""
    Publisher.open(home / "trust").discard_pending()
    output.line("nothing is pending")


def _new_key(
    home: Path, name: str, scheme: str, kdf: str, phrases: Passphrases
) -> keys.UnlockedKey:
    key = keys.generate(name, scheme=scheme)
    phrase = phrases.ask(f"the new key of `{name}`", confirm=True)
    keys.save(keyring.folder(home), key, phrase, cost=keys.COSTS[kdf])
    return key


def _show_station(publisher: Publisher) -> None:
    for key in publisher.dispatchers().keys:
        if key.scheme == station.SCHEME:
            output.line("# allowed_signers")
            output.line(station.allowed_signer(key).rstrip("\n"))
            output.line("# airlift.pub")
            output.line(station.minisign_key(key).rstrip("\n"))
