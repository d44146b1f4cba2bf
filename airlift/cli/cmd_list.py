"""``airlift list``: the releases held here."""

from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json, Kind
from airlift.cli import config, output
from airlift.registry.catalog import Catalog
from airlift.registry.held import Held, State


@click.command("list")
@click.option(
    "--state", type=click.Choice([one.value for one in State]), help="Only these."
)
@click.option(
    "--kind", type=click.Choice([one.value for one in Kind]), help="Only these."
)
@config.home_option
@config.json_option
def command(home: Path, state: str | None, kind: str | None, *, as_json: bool) -> None:
    """List the releases held here, the newest of each name first."""
    catalog = Catalog.open(home, readonly=True)
    found = catalog.releases(
        state=State(state) if state else None, kind=Kind(kind) if kind else None
    )
    if as_json:
        output.as_json({"releases": [as_table(one) for one in found]})
        return
    head = ("STATE", "KIND", "NAME", "REVISION", "FILES", "SIZE", "IMPORTED")
    output.table([_cells(one) for one in found], head=head)


def as_table(held: Held) -> dict[str, Json]:
    """Return *held* as every command's JSON shows it."""
    release = held.release
    return {
        "id": held.id,
        "state": held.state.value,
        "kind": release.kind.value,
        "name": release.name,
        "revision": release.revision,
        "counter": release.counter,
        "refs": release.refs,
        "files": held.files,
        "bytes": held.size,
        "imported": held.imported,
        "sequence": held.sequence,
        "pinned": held.pinned,
        "denied": held.denied,
    }


def _cells(held: Held) -> tuple[str, ...]:
    release = held.release
    marks = "".join(
        f" ({word})"
        for word, on in (("pinned", held.pinned), ("denied", held.denied))
        if on
    )
    return (
        held.state.value + marks,
        release.kind.value,
        naming.show(release.name),
        naming.show(release.revision[:12]),
        str(held.files),
        output.size(held.size),
        held.imported,
    )
