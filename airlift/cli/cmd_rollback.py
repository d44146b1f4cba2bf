"""``airlift rollback``: return to an earlier set of live releases."""

from pathlib import Path

import click

from airlift.cli import config, moving, output
from airlift.errors import RequestError
from airlift.registry.registry import Registry


@click.command("rollback")
@click.option(
    "--to",
    type=click.IntRange(min=1),
    metavar="N",
    help="Which live set, as `airlift list --generations` numbers them; by default "
    "the one before the current one.",
)
@click.option("--dry-run", is_flag=True, help="Say what would change, and stop.")
@config.home_option
@config.json_option
def command(home: Path, to: int | None, *, dry_run: bool, as_json: bool) -> None:
    """Make an earlier set of live releases live again, as a whole, and say what changed.

    It becomes a new live set, so that a second `rollback` takes the first one back.
    What was denied since stays out. A set is refused once `gc` collected some of it.
    """
    if dry_run:
        _look(home, to, as_json=as_json)
        return

    def doing(registry: Registry) -> int:
        return registry.rollback(to, now=config.now(), actor=config.actor())

    moving.show(moving.move(home, doing), as_json=as_json)


def _look(home: Path, to: int | None, *, as_json: bool) -> None:
    registry = Registry.open(home, readonly=True)
    first = moving.current(registry)
    wanted = to or (first.number - 1 if first else 0)
    target = moving.numbered(registry, wanted)
    if target is None:
        problem = f"there is no live set {wanted}" if to else "there is none before"
        raise RequestError(problem, hint="see `airlift list --generations`")
    found = moving.changed(registry, first, target)
    if as_json:
        moving.show(found, as_json=True)
        return
    moving.lines(found)
    gone = target.members - len(target.releases)
    lost = f", {gone} of which were collected: it cannot come back" if gone else ""
    output.line(f"live set {wanted} had {target.members} release(s){lost}")
