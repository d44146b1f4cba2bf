"""``airlift trust``: keys, roots and signatures."""

import getpass
from pathlib import Path

import click

from airlift.artifact import Json
from airlift.cli import config, keyring, output
from airlift.cli.keyring import Passphrases
from airlift.errors import RequestError
from airlift.registry.catalog import Catalog
from airlift.store.durable import Disk, read_file
from airlift.trust import draft, fingerprint, keys, public, schemes, site, station
from airlift.trust.fingerprint import Fingerprint
from airlift.trust.plan import RolePlan
from airlift.trust.publisher import Publisher

_ROOT_LIMIT = 512 << 10
_PENDING_LIMIT = 512 << 20


@click.group("trust")
def command() -> None:
    """Make keys, name who may sign, accept a root, and sign what others prepared."""


@command.command("init")
@click.option("--site", "site_name", required=True, help="Name of the isolated site.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Isolated side: the root file to accept, as it was carried here.",
)
@click.option(
    "--fingerprint", "expected", help="Isolated side: the fingerprint it must have."
)
@click.option(
    "--yes", is_flag=True, help="Isolated side: the fingerprint was compared."
)
@click.option(
    "--name", default=getpass.getuser, help="Holder of the new key; you by default."
)
@click.option(
    "--scheme", type=click.Choice(list(schemes.SCHEMES)), default=schemes.DEFAULT
)
@click.option(
    "--kdf",
    type=click.Choice(list(keys.COSTS)),
    default="default",
    help="What a guess at the passphrase costs (Argon2id).",
)
@click.option(
    "--approver",
    "approvers",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Public key file of a person who approves; repeat for several.",
)
@click.option("--threshold", default=1, help="How many approvers must sign.")
@click.option(
    "--dispatcher",
    "dispatchers",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Public key file of who signs deliveries; the approvers by default.",
)
@config.passphrase_options
@config.home_option
@config.json_option
def init(home: Path, site_name: str, root: Path | None, **given: object) -> None:
    """Begin, on either side.

    Connected side: make a key (or name several people's with --approver), sign the
    first root, and add the site. Isolated side: accept the carried --root after its
    fingerprint was compared with the one its signers told you.
    """
    if root is not None:
        _accept(home, site_name, root, given)
        return
    _begin(home, site_name, given)


def _accept(home: Path, site_name: str, root: Path, given: dict[str, object]) -> None:
    data = read_file(root, limit=_ROOT_LIMIT, error=RequestError)
    expected = given["expected"]
    state = site.accept_root(
        data,
        site=site_name,
        expected_fingerprint=expected if isinstance(expected, str) else None,
    )
    found = fingerprint.of_root(data)
    if not expected and not given["yes"]:
        _show_fingerprint(found, err=True)
        question = "is this the fingerprint its signers told you, by another way?"
        if not click.confirm(f"airlift: {question}", err=True):
            problem = "the root was not accepted"
            raise RequestError(problem, hint="get the fingerprint from its signers")
    Catalog.create(home, state=state, now=config.now(), actor=config.actor())
    if given["as_json"]:
        output.as_json({"site": site_name, "fingerprint": found.digest})
        return
    output.line(f"site {site_name} accepts deliveries signed under this root")
    output.line("next: `airlift import FOLDER`")


def _begin(home: Path, site_name: str, given: dict[str, object]) -> None:
    now = config.now()
    folder = home / "trust"
    approvers = [_public(path) for path in _paths(given["approvers"])]
    phrases = Passphrases(fd=_fd(given), file=_file(given))
    if approvers:
        dispatchers = [_public(path) for path in _paths(given["dispatchers"])]
        threshold = given["threshold"]
        assert isinstance(threshold, int)
        plan = RolePlan(
            approvers=tuple(approvers),
            dispatchers=tuple(dispatchers or approvers),
            approver_threshold=threshold,
        )
        signers = keyring.unlock(home, (), phrases)
    else:
        signers = [_new_key(home, given, phrases)]
        plan = RolePlan.single(signers[0].public)
    publisher = Publisher.create(folder, plan=plan, signers=signers, now=now)
    publisher.add_site(
        site_name, plan.dispatchers, plan.dispatch_threshold, signers, now
    )
    root = publisher.root_bytes()
    Disk().write_file(home / "root.json", root, mode=0o644)
    found = fingerprint.of_root(root)
    if given["as_json"]:
        shown: dict[str, Json] = {
            "site": site_name,
            "root": str(home / "root.json"),
            "fingerprint": found.digest,
            "words": found.words,
        }
        output.as_json(shown)
        return
    _show_fingerprint(found)
    output.line(f"root for the isolated side: {home / 'root.json'}")
    output.line("write the fingerprint down: the isolated side compares it")


@command.command("keygen")
@click.argument("name")
@click.option(
    "--scheme", type=click.Choice(list(schemes.SCHEMES)), default=schemes.DEFAULT
)
@click.option("--kdf", type=click.Choice(list(keys.COSTS)), default="default")
@config.passphrase_options
@config.home_option
@config.json_option
def keygen(home: Path, as_json: bool, **given: object) -> None:  # noqa: FBT001 - click calls by name
    """Make a key for the person NAME: HOME/keys/NAME.key and NAME.pub."""
    phrases = Passphrases(fd=_fd(given), file=_file(given))
    key = _new_key(home, given, phrases)
    secret = keyring.folder(home) / f"{key.public.name}{keys.SUFFIX}"
    if as_json:
        output.as_json({"key": str(secret), "key_id": key.public.key_id})
        return
    output.line(f"key {key.public.key_id[:16]} of {key.public.name}: {secret}")
    output.line(f"public half to give away: {secret.with_suffix(public.SUFFIX)}")


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
    found = fingerprint.of_root(root)
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
    _show_fingerprint(found)
    for one in publisher.sites():
        count = publisher.deliveries(one.name)
        last = f"last delivery {count[0].sequence}" if count else "no delivery yet"
        output.line(f"site {one.name}: {last}")
    for role, when in expiries.items():
        output.line(f"{role} expires {when}")
    for line in lacking:
        output.line(f"pending: {line}")


@command.command("root")
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@config.home_option
def root_command(home: Path, target: Path) -> None:
    """Write the newest root to the file TARGET, for the isolated side to accept."""
    root = Publisher.open(home / "trust").root_bytes()
    Disk().write_file(target, root, mode=0o644)
    _show_fingerprint(fingerprint.of_root(root))


@command.command("pending")
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@config.home_option
def pending_command(home: Path, target: Path) -> None:
    """Write what lacks signatures to the file TARGET, to be signed elsewhere."""
    data = Publisher.open(home / "trust").export_pending()
    Disk().write_file(target, data, mode=0o644)
    output.line(f"wrote {target}; sign it with `airlift trust sign {target}`")


@command.command("sign")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@keyring.key_option
@config.passphrase_options
@config.home_option
def sign(
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
        publisher.sign_pending(keyring.unlock(home, key_names, phrases), config.now())
        output.line("signed; nothing more is needed")
        return
    data = read_file(file, limit=_PENDING_LIMIT, error=RequestError)
    prepared = draft.decode(data, name=str(file))
    for role in prepared.changed:
        output.note(f"you are about to sign: {role}")
    signed = draft.sign(prepared, keyring.unlock(home, key_names, phrases))
    Disk().write_file(file, draft.encode(signed), mode=0o644)
    for line in signed.lacking():
        output.line(f"still lacking: {line}")
    output.line(f"signed {file}; carry it back and run `airlift trust merge {file}`")


@command.command("merge")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@config.home_option
def merge(home: Path, file: Path) -> None:
    """Take over the signatures in FILE, which was signed elsewhere."""
    data = read_file(file, limit=_PENDING_LIMIT, error=RequestError)
    Publisher.open(home / "trust").import_pending(data, config.now())
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


def _new_key(
    home: Path, given: dict[str, object], phrases: Passphrases
) -> keys.UnlockedKey:
    name, scheme, kdf = str(given["name"]), str(given["scheme"]), str(given["kdf"])
    key = keys.generate(name, scheme=scheme)
    phrase = phrases.ask(f"the new key of `{name}`", confirm=True)
    keys.save(keyring.folder(home), key, phrase, cost=keys.COSTS[kdf])
    return key


def _public(path: Path) -> public.PublicKey:
    return public.read(path)


def _paths(value: object) -> tuple[Path, ...]:
    return tuple(value) if isinstance(value, tuple) else ()


def _fd(given: dict[str, object]) -> int | None:
    value = given["passphrase_fd"]
    return value if isinstance(value, int) else None


def _file(given: dict[str, object]) -> Path | None:
    value = given["passphrase_file"]
    return value if isinstance(value, Path) else None


def _show_fingerprint(found: Fingerprint, *, err: bool = False) -> None:
    click.echo(f"root fingerprint  {found.groups}", err=err)
    click.echo(f"in words          {found.words}", err=err)


def _show_station(publisher: Publisher) -> None:
    for key in publisher.dispatchers().keys:
        if key.scheme == station.SCHEME:
            output.line("# allowed_signers")
            output.line(station.allowed_signer(key).rstrip("\n"))
            output.line("# airlift.pub")
            output.line(station.minisign_key(key).rstrip("\n"))
