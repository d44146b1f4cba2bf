"""``airlift policy``: what goes live at a site by itself, and who approves the rest."""

from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import chosen_site, config, keyring, output, policy_file
from airlift.cli.keyring import Passphrases
from airlift.errors import RequestError
from airlift.registry.clearance import Standing
from airlift.registry.held import State
from airlift.registry.registry import Registry
from airlift.trust import policy as policies
from airlift.trust import public
from airlift.trust.policy import Policy
from airlift.trust.publisher import Publisher


@click.group("policy")
def command() -> None:
    """Say what goes live at a site by itself, and who may approve the rest."""


@command.command("set")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--site", help="Whose policy; needed where there are several sites.")
@keyring.key_option
@config.passphrase_options
@config.home_option
@config.json_option
def set_command(
    home: Path,
    file: Path,
    *,
    site: str | None,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Sign the policy in FILE (TOML) for a site; it travels with every delivery to it.

    Connected side. The release approvers sign it. Each policy is a new version, and a
    site never goes back to an earlier one.
    """
    publisher = Publisher.open(home / "trust")
    chosen = chosen_site.choose(publisher, site)
    before = publisher.policy(chosen)
    version = policies.decode(before).version + 1 if before else 1
    now = config.now()
    made = policy_file.read(file, site=chosen, version=version, now=now)
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    signers = keyring.unlock(home, key_names, phrases)
    publisher.set_policy(policies.encode(made), signers, now)
    if as_json:
        output.as_json(as_table(made))
        return
    for line in lines(made):
        output.line(line)
    output.line(f"in force at {chosen} from the next delivery that it imports")


@command.command("show")
@click.option("--site", help="Connected side: whose policy.")
@config.home_option
@config.json_option
def show(home: Path, *, site: str | None, as_json: bool) -> None:
    """Show the policy in force, and on the isolated side what it keeps back.

    On the isolated side it also names what is live and would not go live any more.
    """
    found, waiting, grown = _found(home, site)
    if found is None:
        if as_json:
            output.as_json({"policy": None, "waiting": [], "outgrown": []})
            return
        output.line("there is no policy: what can run waits, all else goes live")
        return
    if as_json:
        output.as_json(
            {
                "policy": as_table(found),
                "waiting": [_standing(one) for one in waiting],
                "outgrown": [_standing(one) for one in grown],
            }
        )
        return
    for line in lines(found):
        output.line(line)
    for one in waiting:
        output.line(f"waits: {one.label}: {one.lacking}")
    for one in grown:
        output.line(f"live, and would not go live now: {one.label}: {one.lacking}")


def _found(
    home: Path, site: str | None
) -> tuple[Policy | None, list[Standing], list[Standing]]:
    if (home / "trust").exists():
        publisher = Publisher.open(home / "trust")
        data = publisher.policy(chosen_site.choose(publisher, site))
        return (policies.decode(data) if data else None), [], []
    if site:
        problem = "--site is for the connected side; this host is one site"
        raise RequestError(problem, hint="leave it out")
    registry = Registry.open(home, readonly=True)
    custody, held = registry.custody(), registry.releases()
    standings = custody.standings([one.id for one in held])
    short = [(one.state, standings[one.id]) for one in held if one.id in standings]
    waiting = [one for state, one in short if state is not State.LIVE]
    grown = [one for state, one in short if state is State.LIVE]
    return (
        custody.policy(),
        [one for one in waiting if not one.cleared],
        [one for one in grown if not one.cleared],
    )


def _standing(one: Standing) -> dict[str, Json]:
    return {
        "release": one.label,
        "objections": one.objections,
        "approved_by": [given.by for given in one.approvals],
        "needed": one.needed,
        "could": one.could,
    }


def as_table(told: Policy) -> dict[str, Json]:
    """Return *told* as JSON shows it."""
    people: list[Json] = [public.table(key) for key in told.approvers.keys]
    return {
        "site": told.site,
        "version": told.version,
        "issued": told.issued,
        "approvers": people,
        "threshold": told.approvers.threshold,
        "departures": told.departures,
        "kinds": _listed(told.kinds),
        "classes": _listed(told.classes),
        "licences": _listed(told.licences),
        "release_bytes": told.release_bytes,
        "file_bytes": told.file_bytes,
        "age_days": told.age_days,
        "encrypted": told.encrypted,
    }


def _listed(found: tuple[str, ...] | None) -> Json:
    return None if found is None else [str(one) for one in found]


def lines(told: Policy) -> list[str]:
    """Return *told* in lines for a person."""
    people = ", ".join(sorted(naming.show(key.name) for key in told.approvers.keys))
    rules = [
        ("kinds", told.kinds),
        ("content", told.classes),
        ("licences", told.licences),
    ]
    limits = [
        ("release up to", told.release_bytes),
        ("file up to", told.file_bytes),
    ]
    age = "any age" if told.age_days is None else f"{told.age_days} days"
    return [
        f"policy {told.version} of site {told.site}, issued {told.issued}",
        f"goes live by itself within {age} of its issue:",
        *(f"  {word}: {_words(found)}" for word, found in rules),
        *(
            f"  {word} {'any size' if most is None else output.size(most)}"
            for word, most in limits
        ),
        f"the rest is approved by {told.approvers.threshold} of {people}",
        f"a lock needs {told.departures} of their approvals before it is exported",
        *(["deliveries must come encrypted"] if told.encrypted else []),
    ]


def _words(found: tuple[str, ...] | None) -> str:
    if found is None:
        return "all"
    return ", ".join(naming.show(one) for one in found) or "none"
