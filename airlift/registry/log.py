"""The log: every event is a leaf of a Merkle tree (docs/log.md).

An event is never changed, so neither is its leaf, nor the hash of any full subtree:
the tables only get rows. Whoever edits an event, or takes one away, changes the root of
every checkpoint after it, and those are signed and known elsewhere.
"""

import json
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, func, insert, select

from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.format import canonical, merkle
from airlift.format.checkpoint import Checkpoint
from airlift.registry import schema
from airlift.registry.held import Event

_BATCH = 10_000
_ROOT = ".root.json"
_NEWEST = select(func.coalesce(func.max(schema.event.c.number), 0))


def entry(told: Event) -> bytes:
    """Return the canonical bytes of a numbered event: what its leaf is the hash of."""
    return canonical.encode(
        {
            "number": told.number,
            "time": told.time,
            "floor": told.floor,
            "actor": told.actor,
            "action": told.action,
            "subject": told.subject,
            "outcome": told.outcome,
            "detail": told.detail,
            "metadata": told.metadata,
            "tool": told.tool,
        }
    )


def size(connection: Connection) -> int:
    """Return how many events there are, which is the number of the newest."""
    return int(connection.execute(_NEWEST).scalar_one())


def extend(connection: Connection, told: Iterable[Event]) -> None:
    """Add events to the log, in order; each has its number already."""
    table = schema.log_node
    edge = merkle.Range.of(size(connection), reader(connection))
    lines: list[dict[str, object]] = []
    nodes: list[dict[str, object]] = []

    def flush() -> None:
        if lines:
            connection.execute(insert(schema.event), lines)
            connection.execute(insert(table), nodes)
        lines.clear()
        nodes.clear()

    for one in told:
        assert one.number == edge.size + 1, (one.number, edge.size)
        lines.append(_row(one))
        nodes += [
            {"level": node.level, "place": node.index, "hash": node.hash}
            for node in edge.append(merkle.leaf_hash(entry(one)))
        ]
        if len(lines) >= _BATCH:
            flush()
    flush()


def reader(connection: Connection) -> merkle.ReadNode:
    """Return what gives the hashes of full subtrees, as the database has them."""
    table = schema.log_node

    def read(level: int, index: int) -> bytes:
        here = (table.c.level == level) & (table.c.place == index)
        return bytes(connection.execute(select(table.c.hash).where(here)).scalar_one())

    return read


def head(connection: Connection, *, at: int | None = None) -> Checkpoint:
    """Return the checkpoint of the log as it is, or as it was *at* a size; unsigned."""
    count = size(connection) if at is None else at
    root = merkle.root(count, reader(connection))
    return Checkpoint(site=site(connection), size=count, root=Sha256(root.hex()))


def site(connection: Connection) -> str:
    """Return whose log it is."""
    return _setting(connection, "site")


def standing(connection: Connection) -> tuple[str, Mapping[str, Json]]:
    """Return the largest verified time, and the version of each trusted document.

    Of the documents: `root`, `timestamp`, `snapshot`, and what the snapshot names of
    `targets` and this site's role. Both are small files, and no other is read.
    """
    name = schema.trusted.c.name
    root = newest_root(connection.execute(select(name)).scalars())
    found: dict[str, Json] = {"root": root} if root else {}
    named = {"targets.json", f"site-{site(connection)}.json"}
    small = select(schema.trusted).where(name.in_(("snapshot.json", "timestamp.json")))
    for row in connection.execute(small):
        signed = json.loads(row.content)["signed"]
        found[row.name.removesuffix(".json")] = signed["version"]
        for other in named & signed["meta"].keys():
            found[other.removesuffix(".json")] = signed["meta"][other]["version"]
    return _setting(connection, "floor"), found


def newest_root(names: Iterable[str]) -> int:
    """Return the highest version of a root among the *names* of files; 0 if none."""
    versions = [one.removesuffix(_ROOT) for one in names if one.endswith(_ROOT)]
    return max(map(int, versions), default=0)


def _setting(connection: Connection, key: str) -> str:
    table = schema.setting
    found = connection.execute(select(table.c.value).where(table.c.key == key))
    return bytes(found.scalar_one()).decode()


def _row(told: Event) -> dict[str, object]:
    return {
        "number": told.number,
        "time": told.time,
        "actor": told.actor,
        "action": told.action,
        "subject": told.subject,
        "outcome": told.outcome,
        "detail": told.detail,
        "floor": told.floor,
        "metadata": told.metadata,
        "tool": told.tool,
    }
