"""Moves of the live set, each a new generation."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, delete, insert, select

from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.registry import finding, intake, rows, schema
from airlift.registry.intake import Stamp


def known(connection: Connection, ids: Collection[Sha256]) -> set[int]:
    """Return the row numbers of *ids*.

    Raises:
        RequestError: One is not held.
    """
    found = rows.numbers(connection, ids)
    for one in ids:
        if one not in found:
            raise finding.unknown(one)
    return set(found.values())


def live(connection: Connection) -> set[int]:
    """Return the row numbers of the live releases."""
    return set(connection.execute(rows.live()).scalars())


def _denied(connection: Connection) -> set[int]:
    return set(connection.execute(rows.denied()).scalars())


def join(
    connection: Connection,
    ids: Collection[Sha256],
    stamp: Stamp,
    *,
    always: bool = False,
) -> int:
    """Add releases to the live set; no denied one stays or gets in.

    Args:
        connection: The transaction.
        ids: What is to be live.
        stamp: Who, when and why.
        always: Whether something may have been denied since: servers look again at
            what is when there is a new live set, also where it is the same.
    """
    wanted = (live(connection) | known(connection, ids)) - _denied(connection)
    return intake.append_generation(connection, wanted, stamp, always=always)


def activate(connection: Connection, ids: Collection[Sha256], stamp: Stamp) -> int:
    """Add releases to the live set.

    Raises:
        RequestError: One is not held, or is denied.
    """
    numbers = known(connection, ids)
    bad = numbers & _denied(connection)
    for one in rows.held(connection, schema.release.c.number.in_(sorted(bad))):
        problem = f"{finding.label(one)} is denied: {one.denied}"
        raise RequestError(problem, hint="see `airlift show` for who denied it and why")
    return join(connection, ids, stamp)


def leave(connection: Connection, ids: Collection[Sha256], stamp: Stamp) -> int:
    """Take releases out of the live set; those that are not in it stay out."""
    remaining = live(connection) - known(connection, ids)
    return intake.append_generation(connection, remaining, stamp)


def rollback(connection: Connection, to: int | None, stamp: Stamp) -> int:
    """Make an earlier live set the live set again, except what is denied.

    Raises:
        RequestError: There is no such generation, or some of it was collected.
    """
    now = rows.current(connection)
    number = now - 1 if to is None else to
    table = schema.generation
    size = connection.execute(
        select(table.c.members).where(table.c.number == number)
    ).scalar_one_or_none()
    if size is None:
        problem = f"there is no generation {number}; there are 1 to {now}"
        if now < 2:
            problem = "there is no generation to go back to"
        raise RequestError(problem, hint="see `airlift list --generations`")
    members = set(connection.execute(rows.members_at(number)).scalars())
    if len(members) != size:
        gone = size - len(members)
        problem = f"generation {number} had {size} releases, {gone} of them collected"
        raise RequestError(
            problem, hint="import the deliveries that brought them again"
        )
    remaining = members - _denied(connection)
    return intake.append_generation(connection, remaining, stamp)


def deny(connection: Connection, digests: Iterable[Sha256], stamp: Stamp) -> int:
    """Never serve these releases, nor any that has one of these as a file's digest."""
    table = schema.deny
    there = set(connection.execute(select(table.c.digest)).scalars())
    fresh = [
        {"digest": one, "why": stamp.note, "since": stamp.now, "actor": stamp.actor}
        for one in sorted(set(digests) - there)
    ]
    if fresh:
        connection.execute(insert(table), fresh)
    remaining = live(connection) - _denied(connection)
    # Always a new number: servers look again at what is denied when it changes.
    return intake.append_generation(connection, remaining, stamp, always=True)


def pin(connection: Connection, ids: Collection[Sha256], stamp: Stamp) -> None:
    """Pin releases, with a new reason where they are pinned already.

    Raises:
        RequestError: One is not held.
    """
    unpin(connection, ids)
    pinned = [
        {"release": one, "why": stamp.note, "since": stamp.now, "actor": stamp.actor}
        for one in sorted(known(connection, ids))
    ]
    if pinned:
        connection.execute(insert(schema.pin), pinned)


def unpin(connection: Connection, ids: Collection[Sha256]) -> None:
    """Unpin releases; those that are not pinned stay so.

    Raises:
        RequestError: One is not held.
    """
    for some in rows.batches(sorted(known(connection, ids))):
        connection.execute(delete(schema.pin).where(schema.pin.c.release.in_(some)))
