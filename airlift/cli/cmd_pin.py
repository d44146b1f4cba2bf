"""``airlift pin``: keep releases from ever being collected."""

from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, moving, output
from airlift.errors import RequestError
from airlift.registry.registry import Registry


@click.command("pin")
@click.argument("references", nargs=-1, required=True)
@click.option("--why", metavar="TEXT", help="For whoever asks later; needed to pin.")
@click.option("--remove", is_flag=True, help="Unpin instead.")
@config.home_option
@config.json_option
def command(
    home: Path,
    references: tuple[str, ...],
    *,
    why: str | None,
    remove: bool,
    as_json: bool,
) -> None:
    """Keep the releases REFERENCES from being collected, live or not.

    With --remove, let `gc` collect them once nothing else keeps them. What is live
    does not change either way.
    """
    if bool(why) is remove:
        problem = "say why with --why, or unpin with --remove"
        raise RequestError(problem, hint="for example `airlift pin NAME --why audit`")
    registry = Registry.open(home)
    now, actor = config.now(), config.actor()
    found = moving.find(registry, references)
    ids = [one.id for one in found]
    if why:
        registry.pin(ids, why=why, now=now, actor=actor)
    else:
        registry.unpin(ids, now=now, actor=actor)
    if as_json:
        listed: list[Json] = [*ids]
        output.as_json({"pinned": why or "", "releases": listed})
        return
    for one in found:
        state = f"pinned ({naming.show(why)})" if why else "not pinned"
        output.line(f"{moving.label(one)}  {state}")
