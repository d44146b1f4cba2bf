"""``airlift site``: the isolated sites deliveries are made for."""

from pathlib import Path

import click

from airlift.artifact import Json
from airlift.cli import config, enrolment, keyring, output, site_account
from airlift.cli.keyring import Passphrases
from airlift.outbound import phases
from airlift.outbound.ledger import Ledger
from airlift.trust.publisher import Publisher


@click.group("site")
def command() -> None:
    """Name the isolated sites that deliveries are made for."""


command.add_command(enrolment.command)
command.add_command(site_account.command)


@command.command("add")
@click.argument("name")
@keyring.key_option
@config.passphrase_options
@config.home_option
def add(
    home: Path,
    name: str,
    key_names: tuple[str, ...],
    passphrase_fd: int | None,
    passphrase_file: Path | None,
) -> None:
    """Let the keys that sign deliveries sign them for the site NAME too."""
    publisher = Publisher.open(home / "trust")
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    signers = keyring.unlock(home, key_names, phrases)
    quorum = publisher.dispatchers()
    count = quorum.people or quorum.threshold
    publisher.add_site(name, quorum.keys, count, signers, config.now())
    output.line(f"site {name}: give it the root with `airlift trust root FILE`")


@command.command("list")
@config.home_option
@config.json_option
def list_command(home: Path, *, as_json: bool) -> None:
    """List the sites, their last delivery, and what they confirmed."""
    publisher, ledger = Publisher.open(home / "trust"), Ledger(home / "ledger")
    shown: list[Json] = []
    rows = []
    for one in publisher.sites():
        made = publisher.deliveries(one.name)
        count = made[0].sequence if made else 0
        standing = ledger.standing(one.name)
        found = phases.phases(ledger.entries(one.name), standing)
        waiting = sum(phase in phases.WAITING for phase in found.values())
        said = standing.confirmed
        shown.append(
            {
                "site": one.name,
                "deliveries": count,
                "unconfirmed": waiting,
                "confirmed": said.state.sequence if said else None,
                "confirmed_at": said.time if said else None,
            }
        )
        last = f"{said.state.sequence}, {said.time}" if said else "never"
        rows.append((one.name, str(count), str(waiting), last))
    if as_json:
        output.as_json({"sites": shown})
        return
    output.table(rows, head=("SITE", "DELIVERIES", "UNCONFIRMED", "LAST CONFIRMED"))
