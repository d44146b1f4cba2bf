"""``airlift gc``: delete what nothing live, pinned or last-good needs."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, consent, moving, output
from airlift.cli.cmd_list import as_table
from airlift.digest import is_sha256
from airlift.registry.gc import GcPlan
from airlift.registry.held import Held
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from airlift.store.durable import Disk, names

_KEY_DIGITS = 16
"""The first digits of a delivery's id begin the names of its unfinished files."""


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Say what would go, and stop.")
@click.option("--yes", is_flag=True, help="Do not ask before deleting.")
@click.option(
    "--incoming",
    is_flag=True,
    help="Also give up deliveries of which volumes have yet to come.",
)
@config.home_option
@config.json_option
def command(
    home: Path, *, dry_run: bool, yes: bool, incoming: bool, as_json: bool
) -> None:
    """Delete releases and blobs that nothing needs any more, after showing which.

    Kept are releases that are live, were live in the set before (the last good one),
    are pinned, wait in quarantine, or came with what the newest delivery was built on,
    and every blob one of them names. What has come of deliveries that are not complete
    stays too, unless --incoming is given.
    """
    registry, store = Registry.open(home, readonly=dry_run), BlobStore(home / "store")
    waiting = arriving(home)
    plan = registry.doomed(store)
    if not incoming:
        plan = replace(plan, partials=tuple(_unclaimed(plan.partials, waiting)))
    given_up = waiting if incoming else ()
    if not as_json:
        _show(plan, given_up)
    freed = 0
    if not dry_run and (_anything(plan) or given_up):
        size = output.size(plan.size)
        question = f"delete {len(plan.releases)} release(s) and {size} of blobs?"
        consent.ask(question, given=yes)
        freed = _collect(registry, store, plan, given_up)
    if as_json:
        output.as_json(_as_json(plan, given_up, freed=freed, dry_run=dry_run))
    elif not dry_run:
        output.line(f"freed {output.size(freed)}")


def arriving(home: Path) -> tuple[Path, ...]:
    """Return the folders of deliveries that are not complete, by their ids.

    Raises:
        StoreError: The disk cannot be read.
    """
    folder = home / "incoming"
    if not folder.is_dir():
        return ()
    return tuple(folder / name for name in names(folder) if is_sha256(name))


def _unclaimed(keys: Iterable[str], waiting: Sequence[Path]) -> Iterable[str]:
    claimed = tuple(f"{one.name[:_KEY_DIGITS]}-" for one in waiting)
    return (key for key in keys if not key.startswith(claimed))


def _anything(plan: GcPlan) -> bool:
    return bool(plan.releases or plan.blobs or plan.partials)


def _collect(
    registry: Registry, store: BlobStore, plan: GcPlan, given_up: Sequence[Path]
) -> int:
    with registry.exclusive("gc"):
        # The notes before the bytes: notes without bytes would have volumes skipped
        # that must be read again.
        for folder in given_up:
            Disk().remove_tree(folder)
        return registry.collect(
            plan,
            store,
            now=config.now(),
            actor=config.actor(),
            given_up=[folder.name for folder in given_up],
        )


def reason(held: Held) -> str:
    """Return why a collection takes *held*."""
    if held.denied:
        return f"denied: {naming.show(held.denied)}"
    return "neither live, nor in the live set before, nor pinned"


def _show(plan: GcPlan, given_up: Sequence[Path]) -> None:
    for one in plan.releases:
        size = output.size(one.size)
        output.line(f"release  {moving.label(one)}  {size}  ({reason(one)})")
    for folder in given_up:
        output.line(f"incoming  delivery {folder.name[:12]}  (not complete)")
    if plan.partials:
        output.line(f"unfinished files  {len(plan.partials)}")
    output.line(f"{len(plan.blobs)} blob(s) to delete, {output.size(plan.size)}")


def _as_json(
    plan: GcPlan, given_up: Sequence[Path], *, freed: int, dry_run: bool
) -> dict[str, Json]:
    releases: list[Json] = [
        {**as_table(one), "why": reason(one)} for one in plan.releases
    ]
    return {
        "dry_run": dry_run,
        "releases": releases,
        "incoming": [one.name for one in given_up],
        "partials": len(plan.partials),
        "blobs": len(plan.blobs),
        "bytes": plan.size,
        "freed": freed,
    }
