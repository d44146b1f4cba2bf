"""What scanners said, as every command's JSON shows it."""

from collections.abc import Iterable

from airlift.artifact import Json
from airlift.format import scan
from airlift.registry import scans
from airlift.registry.held import Held
from airlift.registry.registry import Registry
from airlift.registry.scans import Attached


def as_table(one: Attached) -> dict[str, Json]:
    """Return a scan as JSON shows it."""
    return {**scan.table(one.scan), "carried": one.carried, "attached": one.time}


def by_release(registry: Registry, found: Iterable[Held]) -> dict[str, Json]:
    """Return the scans of each of *found* that has any, by its id.

    Raises:
        RegistryError: The database cannot answer.
    """
    known = scans.told_by(registry.events(action=scans.ACTION))
    if not known:
        return {}
    dispatches = {one.sequence: one.id for one in registry.deliveries()}
    told: dict[str, Json] = {}
    for held in found:
        if several := scans.of(known, held, dispatches):
            told[str(held.id)] = [as_table(one) for one in several]
    return told
