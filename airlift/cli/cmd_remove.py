"""``airlift remove``: take releases out of the live set."""

from pathlib import Path

import click

from airlift.cli import config, moving
from airlift.registry.registry import Registry


@click.command("remove")
@click.argument("references", nargs=-1, required=True)
@config.home_option
@config.json_option
def command(home: Path, references: tuple[str, ...], *, as_json: bool) -> None:
    """Take the releases REFERENCES out of the live set, all of them at once.

    Nothing is deleted: `activate` or `rollback` brings them back until `gc` has
    collected them.
    """

    def doing(registry: Registry) -> int:
        ids = [one.id for one in moving.find(registry, references)]
        return registry.deactivate(ids, now=config.now(), actor=config.actor())

    moving.show(moving.move(home, doing), as_json=as_json)
