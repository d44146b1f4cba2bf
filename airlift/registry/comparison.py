"""Two databases of one registry, row by row: in what they differ, in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    Table,
    and_,
    func,
    select,
)

from airlift import naming
from airlift.registry import schema

OTHER = "other"
"""The name under which the second database is attached to a connection."""
RECOMPUTED = (
    *("setting", "trusted", "counter", "delivery", "release", "document"),
    "attestation",
    *("release_ref", "file", "named", "generation", "member", "pin", "deny"),
    *("catalogue", "withdrawal", "event", "log_node"),
)
"""Tables that follow from the log and the signed records."""
APART = frozenset({"checkpoint", "hashed", "blob_fact"})
"""Tables that do not: signatures, which ``audit`` verifies, and what looks at blobs found."""
_SHOWN, _WIDTH = 3, 80

_MINE = schema.METADATA
_THEIRS = MetaData()
for _one in _MINE.sorted_tables:
    _one.to_metadata(_THEIRS, schema=OTHER)


def count(connection: Connection) -> int:
    """Return how many rows are compared: those of the database that is attached."""
    counts = (
        connection.execute(select(func.count()).select_from(_other(name)))
        for name in RECOMPUTED
    )
    return sum(int(one.scalar_one()) for one in counts)


def differences(connection: Connection) -> Iterator[str]:
    """Yield in what the attached database differs from the one it is attached to.

    Rows are told by what they are of: the numbers that a database gives its releases
    are its own affair.
    """
    for name in RECOMPUTED:
        mine, theirs = _MINE.tables[name], _other(name)
        more = "are there and do not follow from the log"
        yield from _listed(connection, name, _only(theirs, mine), more)
        less = "follow from the log and are not there"
        yield from _listed(connection, name, _only(mine, theirs), less)


def _other(name: str) -> Table:
    return _THEIRS.tables[f"{OTHER}.{name}"]


def _listed(
    connection: Connection, name: str, query: Select[Any], what: str
) -> Iterator[str]:
    found = connection.execute(query).mappings().all()
    if found:
        shown = "; ".join(_shown(row) for row in found[:_SHOWN])
        rest = "; ..." if len(found) > _SHOWN else ""
        yield f"table {name}: {len(found)} rows {what}: {shown}{rest}"


def _shown(row: Mapping[Any, Any]) -> str:
    return " ".join(naming.show(str(value)[:_WIDTH]) for value in row.values())


def _only(ours: Table, theirs: Table) -> Select[Any]:
    """Select what tells the rows of *ours* that *theirs* has not, or has otherwise."""
    if "release" in ours.c:
        return _only_of_releases(ours, theirs)
    apart = {"number"} if ours.name == "release" else set()
    same = [_same(one, theirs) for one in ours.c if one.name not in apart]
    keys = [ours.c.id] if apart else list(ours.primary_key.columns)
    return (
        select(*keys)
        .select_from(ours.outerjoin(theirs, and_(*same)))
        .where(theirs.c[keys[0].name].is_(None))
        .order_by(*keys)
    )


def _only_of_releases(ours: Table, theirs: Table) -> Select[Any]:
    """Do so for a table that names releases by their numbers."""
    mine, other = (
        one.metadata.tables[one.fullname.removesuffix(one.name) + "release"]
        for one in (ours, theirs)
    )
    rest = [one for one in ours.c if one.name != "release"]
    same = [_same(one, theirs) for one in rest]
    keys = [one for one in ours.primary_key.columns if one.name != "release"]
    return (
        select(mine.c.name, mine.c.id.label("release_id"), *keys)
        .select_from(
            ours.outerjoin(mine, mine.c.number == ours.c.release)
            .outerjoin(other, other.c.id == mine.c.id)
            .outerjoin(theirs, and_(theirs.c.release == other.c.number, *same))
        )
        .where(theirs.c.release.is_(None))
        .order_by(ours.c.release, *keys)
    )


def _same(one: Column[Any], theirs: Table) -> ColumnElement[bool]:
    other = theirs.c[one.name]
    # IS where there may be NULLs; it would keep SQLite from using a key's index. Not
    # `is_not_distinct_from`: SQLAlchemy 2.1 names the wrong one of two tables in it.
    return other.op("IS", is_comparison=True)(one) if one.nullable else other == one
