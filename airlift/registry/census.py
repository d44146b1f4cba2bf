"""All blobs that releases name, beside what a store holds: in one pass, in order.

However many releases there are, and however many files they have: one question each,
answered a batch at a time, so that a million rows are never in memory at once.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, func, select

from airlift.digest import Sha256
from airlift.registry import rows, schema
from airlift.registry.engine import Database
from airlift.registry.held import Held
from airlift.store.store import Store

_BATCH = 50_000
"""Digests asked of a store at a time: 10 MB, and a look into each pack for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """A release some of whose blobs are not in the store, and how many."""

    held: Held
    blobs: int


class Census:
    """What is named by the releases of a registry; made by ``Registry.census``.

    Args:
        database: Where to ask.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def blobs(
        self, releases: Collection[Sha256] | None = None
    ) -> Iterator[tuple[Sha256, int]]:
        """Yield the blobs that releases name with their sizes, by ascending digest.

        Take them without delay: while they are read, no import can commit.

        Args:
            releases: Ids of those that count; None for all.

        Raises:
            RegistryError: The database cannot answer.
        """
        named = schema.named
        query = select(named.c.sha256, func.max(named.c.size).label("size"))
        query = query.group_by(named.c.sha256)
        with self._database.read() as connection:
            if releases is not None:
                numbers = sorted(rows.numbers(connection, releases).values())
                query = query.where(named.c.release.in_(numbers))
            found = connection.execute(query.order_by(named.c.sha256))
            yield from ((row.sha256, row.size) for row in found)

    def lacking(self, store: Store) -> tuple[Lack, ...]:
        """Return the releases that *store* lacks blobs of, as ``releases`` orders them.

        Raises:
            RegistryError: The database cannot answer.
            StoreError: The store cannot be read.
        """
        with self._database.read() as connection:
            counts = Counter(
                number
                for some in _missing(connection, store)
                for number in connection.execute(_users(some)).scalars()
            )
            found = rows.held(connection, schema.release.c.number.in_(sorted(counts)))
            numbers = rows.numbers(connection, [one.id for one in found])
        return tuple(Lack(held=one, blobs=counts[numbers[one.id]]) for one in found)

    def paths(
        self, releases: Collection[Sha256], start: str
    ) -> tuple[tuple[Sha256, str], ...]:
        """Return release and path of the files whose path begins with *start*.

        Args:
            releases: Ids of those that count.
            start: Letters of ASCII, digits and dashes.

        Raises:
            RegistryError: The database cannot answer.
        """
        file, release = schema.file, schema.release
        with self._database.read() as connection:
            numbers = rows.numbers(connection, releases)
            query = (
                select(release.c.id, file.c.path)
                .join(release, release.c.number == file.c.release)
                .where(file.c.release.in_(sorted(numbers.values())))
                .where(file.c.path >= start, file.c.path < f"{start}\x7f")
                .order_by(release.c.number, file.c.path)
            )
            return tuple((row.id, row.path) for row in connection.execute(query))


def _missing(connection: Connection, store: Store) -> Iterator[list[Sha256]]:
    """Yield the named blobs that *store* lacks, in lists that one statement takes."""
    named = rows.digests(connection)
    while some := list(islice(named, _BATCH)):
        yield from rows.batches(sorted(store.missing(some)))


def _users(blobs: Collection[Sha256]) -> Select[Any]:
    return select(schema.named.c.release).where(schema.named.c.sha256.in_(blobs))
