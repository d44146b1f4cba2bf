"""``airlift site``: the isolated sites deliveries are made for."""

from pathlib import Path

import click

from airlift.artifact import Json
from airlift.cli import config, enrolment, keyring, output
from airlift.cli.keyring import Passphrases
from airlift.trust.publisher import Publisher


@click.group("site")
def command() -> None:
    """Name the isolated sites that deliveries are made for."""


command.add_command(enrolment.command)


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
    publisher.add_site(name, quorum.keys, quorum.threshold, signers, config.now())
    output.line(f"site {name}: give it the root with `airlift trust root FILE`")


@command.command("list")
@config.home_option
@config.json_option
def list_command(home: Path, *, as_json: bool) -> None:
    """List the sites and their last delivery."""
    publisher = Publisher.open(home / "trust")
    rows = []
    for one in publisher.sites():
        made = publisher.deliveries(one.name)
        rows.append((one.name, made[0].sequence if made else 0))
    if as_json:
        shown: list[Json] = [
            {"site": name, "deliveries": count} for name, count in rows
        ]
        output.as_json({"sites": shown})
        return
    output.table(
        [(name, str(count)) for name, count in rows], head=("SITE", "DELIVERIES")
    )
