"""What is live, as a server looks things up."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from airlift.artifact import Kind, LiveRelease, ReleaseFile
from airlift.digest import Sha256, is_sha256
from airlift.registry import rows, schema
from airlift.registry.engine import Database
from airlift.store.span import Span
from airlift.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _LiveSet:
    """The live releases of one generation, but denied ones, by id and by name."""

    generation: int
    numbers: Mapping[Sha256, int]
    served: Mapping[int, Sha256]
    by_name: Mapping[tuple[Kind, str], tuple[LiveRelease, ...]]


_NOTHING = _LiveSet(generation=-1, numbers={}, served={}, by_name={})


class Shelf:
    """The live set of a registry; satisfies ``serve.dialect.Shelf``.

    Safe from any thread. Every call asks for the current generation; what is live is
    read again only when that has changed.

    Args:
        database: Where to ask.
        store: Where blobs lie.
    """

    def __init__(self, database: Database, store: Store) -> None:
        self._database, self._store = database, store
        self._lock = threading.Lock()
        self._live = _NOTHING

    def generation(self) -> int:
        """Return the number of the live set; 0 before anything was live.

        Raises:
            RegistryError: The database cannot answer.
        """
        return self._look().generation

    def releases(
        self, kinds: frozenset[Kind], name: str | None = None
    ) -> tuple[LiveRelease, ...]:
        """Return live releases of *kinds*, of *name* if given.

        Ordered by kind, name, then falling counter.

        Raises:
            RegistryError: The database cannot answer.
        """
        live = self._look().by_name
        if name is not None:
            keys = [(kind, name) for kind in sorted(kinds) if (kind, name) in live]
        else:
            keys = [key for key in live if key[0] in kinds]
        return tuple(one for key in keys for one in live[key])

    def names_like(self, kinds: frozenset[Kind], name: str) -> tuple[str, ...]:
        """Return live names of *kinds* equal to *name* ignoring case, sorted.

        Raises:
            RegistryError: The database cannot answer.
        """
        folded = name.casefold()
        live = self._look().by_name
        return tuple(
            sorted(
                {
                    one
                    for kind, one in live
                    if kind in kinds and one.casefold() == folded
                }
            )
        )

    def files(self, release: Sha256) -> tuple[ReleaseFile, ...]:
        """Return the files of a live release, sorted by path; empty for any other.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            if release not in self._now(connection).numbers:
                return ()
            return rows.files(connection, release)

    def file(self, release: Sha256, path: str) -> ReleaseFile | None:
        """Return one file of a live release, or None.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            number = self._now(connection).numbers.get(release)
            return None if number is None else rows.file(connection, number, path)

    def holders(self, sha256: Sha256) -> frozenset[Sha256]:
        """Return the ids of the live releases that have a file with these bytes.

        Raises:
            RegistryError: The database cannot answer.
        """
        if not is_sha256(sha256):
            return frozenset()
        with self._database.read() as connection:
            served = self._now(connection).served
            users = connection.execute(_USERS, {"sha256": sha256}).scalars()
            return frozenset(served[one] for one in users if one in served)

    def span(self, sha256: Sha256) -> Span | None:
        """Return where the blob lies; None unless a live release names it.

        This is the last gate before bytes leave: a digest that a client made up
        reaches nothing that is retired, in quarantine or denied.

        Raises:
            RegistryError: The database cannot answer.
            StoreError: The disk cannot be read.
        """
        return self._store.span(sha256) if self.holders(sha256) else None

    def read(self, sha256: Sha256, start: int, stop: int) -> bytes | None:
        """Return at most 16 MiB of a blob; None unless a live release names it.

        Raises:
            RegistryError: The database cannot answer.
            StoreError: The disk cannot be read.
        """
        span = self.span(sha256)
        return None if span is None else span.read(start, stop)

    def withheld(self, kinds: frozenset[Kind], name: str) -> bool:
        """Say no: this shelf shows everything that is live."""
        return False

    def _now(self, connection: Connection) -> _LiveSet:
        generation, known = rows.current(connection), self._live
        if generation == known.generation:
            return known
        # In the same transaction, so that number and content belong together.
        fresh = _live_set(connection, generation)
        with self._lock:
            if fresh.generation > self._live.generation:
                self._live = fresh
        return fresh

    def _look(self) -> _LiveSet:
        with self._database.read() as connection:
            return self._now(connection)


_USERS = select(schema.named.c.release).where(
    schema.named.c.sha256 == bindparam("sha256")
)


def _live_set(connection: Connection, generation: int) -> _LiveSet:
    release = schema.release
    query = (
        select(release)
        .where(
            release.c.number.in_(rows.live()), release.c.number.not_in(rows.denied())
        )
        .order_by(
            release.c.kind, release.c.name, release.c.counter.desc(), release.c.id
        )
    )
    numbers: dict[Sha256, int] = {}
    by_name: dict[tuple[Kind, str], list[LiveRelease]] = {}
    for row in connection.execute(query):
        numbers[row.id] = row.number
        told = rows.header(row)
        live = LiveRelease(id=row.id, release=told, imported=row.imported)
        by_name.setdefault((told.kind, told.name), []).append(live)
    return _LiveSet(
        generation=generation,
        numbers=numbers,
        served={number: one for one, number in numbers.items()},
        by_name={key: tuple(found) for key, found in by_name.items()},
    )
