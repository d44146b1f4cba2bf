"""``airlift trust rotate``, ``add`` and ``revoke``: whose keys count from now on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from airlift import naming
from airlift.cli import config, keyring, output
from airlift.cli.keyring import Passphrases
from airlift.errors import RequestError
from airlift.store.durable import Disk
from airlift.trust import fingerprint, policy, public, strict
from airlift.trust.enrolled import SiteKeys
from airlift.trust.fingerprint import Fingerprint
from airlift.trust.metadata import ROOT, SNAPSHOT, Root
from airlift.trust.people import person
from airlift.trust.plan import RolePlan
from airlift.trust.profile import PROFILES, signing
from airlift.trust.public import PublicKey
from airlift.trust.publisher import Publisher
from airlift.trust.quorum import Quorum

NONE = "none"
_FILE = click.Path(path_type=Path, dir_okay=False)
_ID_DIGITS = 8
"""Fewest digits that stand for a key id."""

profile_option = click.option(
    "--profile",
    type=click.Choice([NONE, *PROFILES]),
    help="What the root promises to meet; by default what it promised before.",
)


def people_options(command: config.F) -> config.F:
    """Add the options that name people, and how many of them must sign."""
    several: dict[str, Any] = {"multiple": True, "type": _FILE}
    options = (
        click.option(
            "--approver", help="Public key file of who approves; repeat.", **several
        ),
        click.option(
            "--threshold", default=1, help="How many people of them must sign."
        ),
        click.option(
            "--either-family",
            is_flag=True,
            help="Count keys of approvers, not people who signed with both of theirs.",
        ),
        click.option(
            "--dispatcher", help="Public key file of who signs deliveries.", **several
        ),
        click.option("--dispatch-threshold", default=1, help="How many of them must."),
        profile_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def plan(home: Path, people: dict[str, Any], before: Root | None = None) -> RolePlan:
    """Return the plan that the options of ``people_options`` ask for.

    Args:
        home: The signing side's home.
        people: The values of those options.
        before: The root in force, whose profile stays unless another is asked for.

    Raises:
        RequestError: Nobody is named, or somebody who may not be.
    """
    approvers = tuple(public.read(path) for path in people["approver"])
    dispatchers = tuple(public.read(path) for path in people["dispatcher"])
    SiteKeys(home / "ledger").refuse_people(approvers + dispatchers)
    if not approvers:
        problem = "nobody is named who approves"
        raise RequestError(problem, hint="give --approver NAME.pub, once for each")
    return RolePlan(
        approvers=approvers,
        dispatchers=dispatchers or approvers,
        approver_threshold=people["threshold"],
        dispatch_threshold=people["dispatch_threshold"],
        either=people["either_family"],
        profile=_profile(people["profile"], before),
    )


def keep_root(home: Path, publisher: Publisher) -> Fingerprint:
    """Write the newest root where users find it; return its fingerprint."""
    data = publisher.root_bytes()
    Disk().write_file(home / "root.json", data, mode=0o644)
    return fingerprint.of_root(data)


def show_fingerprint(found: Fingerprint, *, err: bool = False) -> None:
    """Print a root's fingerprint, as digits and as words."""
    click.echo(f"root fingerprint  {found.groups}", err=err)
    click.echo(f"in words          {found.words}", err=err)


@click.command("rotate")
@people_options
@keyring.key_option
@config.passphrase_options
@config.home_option
def rotate(
    *,
    home: Path,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    **people: object,
) -> None:
    """Put other people's keys, or other thresholds, in the place of those in force.

    The new root is signed by enough of the old approvers and of the new ones: give
    the keys that are here, and carry what is pending to the others.
    """
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    publisher = Publisher.open(home / "trust")
    wanted = plan(home, people, _root(publisher))
    _rotate(home, publisher, wanted, keyring.unlock(home, key_names, phrases))


@click.command("add")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--threshold", type=int, help="How many people must sign from now on.")
@click.option(
    "--dispatcher", "sends", is_flag=True, help="Among those who sign deliveries."
)
@profile_option
@keyring.key_option
@config.passphrase_options
@config.home_option
def add(
    *,
    home: Path,
    files: tuple[Path, ...],
    threshold: int | None,
    sends: bool,
    profile: str | None,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
) -> None:
    """Let the keys in the public key FILES count too, among the approvers."""
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    publisher = Publisher.open(home / "trust")
    root = _root(publisher)
    fresh = tuple(public.read(path) for path in files)
    SiteKeys(home / "ledger").refuse_people(fresh)
    roles = dict(root.roles)
    approve, send = roles[ROOT].keys, roles[SNAPSHOT].keys
    wanted = _amended(
        root,
        approvers=approve if sends else (*approve, *fresh),
        dispatchers=(*send, *fresh) if sends else send,
        thresholds=(None, threshold) if sends else (threshold, None),
        profile=profile,
    )
    _rotate(home, publisher, wanted, keyring.unlock(home, key_names, phrases))


@click.command("revoke")
@click.argument("who", nargs=-1, required=True)
@click.option(
    "--replacement",
    "replacements",
    multiple=True,
    type=_FILE,
    help="Public key file that takes the place; repeat.",
)
@click.option("--threshold", type=int, help="How many approvers must sign from now on.")
@profile_option
@keyring.key_option
@config.passphrase_options
@config.home_option
def revoke(
    *,
    home: Path,
    who: tuple[str, ...],
    replacements: tuple[Path, ...],
    threshold: int | None,
    profile: str | None,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
) -> None:
    """Let the keys of WHO count no longer: a person's name, or digits of a key id.

    For a key that was lost or stolen. Sites follow with their next delivery, whatever
    they missed; what the key had signed is signed anew.
    """
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    publisher = Publisher.open(home / "trust")
    root = _root(publisher)
    gone = _meant(root, who)
    fresh = tuple(public.read(path) for path in replacements)
    SiteKeys(home / "ledger").refuse_people(fresh)
    wanted = _amended(
        root,
        approvers=_without(root.roles[ROOT], gone, fresh),
        dispatchers=_without(root.roles[SNAPSHOT], gone, fresh),
        thresholds=(threshold, None),
        profile=profile,
    )
    for line in _elsewhere(publisher, gone):
        output.note(line)
    _rotate(home, publisher, wanted, keyring.unlock(home, key_names, phrases))


def _rotate(
    home: Path, publisher: Publisher, wanted: RolePlan, signers: Sequence[Any]
) -> None:
    publisher.rotate(wanted, signers, config.now())
    show_fingerprint(keep_root(home, publisher))
    output.line("sites follow with the next delivery; new sites accept this root")


def _root(publisher: Publisher) -> Root:
    return strict.root(publisher.root_bytes(), name="the root").body


def _profile(asked: str | None, before: Root | None) -> str:
    if asked is None:
        return before.profile if before else ""
    return "" if asked == NONE else asked


def _amended(
    root: Root,
    *,
    approvers: tuple[PublicKey, ...],
    dispatchers: tuple[PublicKey, ...],
    thresholds: tuple[int | None, int | None],
    profile: str | None,
) -> RolePlan:
    """Return the plan of *root* with other keys; thresholds of None stay as they are."""
    old_approve, old_send = root.roles[ROOT], root.roles[SNAPSHOT]
    approve, send = thresholds
    return RolePlan(
        approvers=approvers,
        dispatchers=dispatchers,
        approver_threshold=signing(old_approve) if approve is None else approve,
        dispatch_threshold=signing(old_send) if send is None else send,
        either=not old_approve.people and signing(old_approve) < old_approve.threshold,
        profile=_profile(profile, root),
    )


def _meant(root: Root, who: Sequence[str]) -> frozenset[str]:
    keys = {
        key.key_id: key for role in (ROOT, SNAPSHOT) for key in root.roles[role].keys
    }
    found: set[str] = set()
    for one in who:
        named = {
            key_id
            for key_id, key in keys.items()
            if person(key.name) == person(one)
            or (len(one) >= _ID_DIGITS and key_id.startswith(one.lower()))
        }
        if not named:
            problem = f"no key that counts is `{naming.show(one[:80])}`'s"
            hint = "`airlift trust check` lists them; give a name or 8 digits of an id"
            raise RequestError(problem, hint=hint)
        found |= named
    return frozenset(found)


def _without(
    role: Quorum, gone: frozenset[str], fresh: tuple[PublicKey, ...]
) -> tuple[PublicKey, ...]:
    kept = tuple(key for key in role.keys if key.key_id not in gone)
    # Whoever takes a place takes it where it became free, and nowhere else.
    return kept if len(kept) == len(role.keys) else (*kept, *fresh)


def _elsewhere(publisher: Publisher, gone: frozenset[str]) -> list[str]:
    """Say where else keys that are revoked have a say: it is taken from them there."""
    lines = []
    catalogue = publisher.cataloguers()
    if catalogue and gone & set(catalogue.by_id):
        lines.append("a revoked key signs catalogues too: name another for those")
    for site in publisher.sites():
        data = publisher.policy(site.name)
        if data and gone & set(policy.decode(data).approvers.by_id):
            lines.append(
                f"a revoked key may approve at site {site.name}: set its policy anew"
            )
    return lines
