"""``airlift activate``: make releases live."""

from pathlib import Path

import click

from airlift.cli import config, moving
from airlift.registry.registry import Registry


@click.command("activate")
@click.argument("references", nargs=-1, required=True)
@config.home_option
@config.json_option
def command(home: Path, references: tuple[str, ...], *, as_json: bool) -> None:
    """Make the releases REFERENCES live, beside what is, all of them at once.

    Also releases in quarantine: you say by it that they may run on machines that load
    them, so look at them with `airlift show` first. A denied release stays out.
    """

    def doing(registry: Registry) -> int:
        ids = [one.id for one in moving.find(registry, references)]
        return registry.activate(ids, now=config.now(), actor=config.actor())

    moving.show(moving.move(home, doing), as_json=as_json)
