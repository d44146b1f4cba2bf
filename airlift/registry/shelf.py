"""What is live, as a server looks things up."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from airlift.artifact import Kind, LiveRelease, ReleaseFile
from airlift.digest import Sha256, is_sha256
from airlift.registry import rows, schema
from airlift.registry.engine import Database
from airlift.store.span import Span
from airlift.store.store import Store


@dataclass(frozen=True, slots=True)
class _LiveSet:
    generation: int
    numbers: Mapping[Sha256, int]
    by_name: Mapping[tuple[Kind, str], tuple[LiveRelease, ...]]
    denied: frozenset[Sha256]


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
        self._live = _LiveSet(-1, {}, {}, frozenset())

    def generation(self) -> int:
        """Return the number of the live set; 0 before anything was live.

        Raises:
            RegistryError: The database cannot answer.
        """
        return self._now().generation

    def releases(
        self, kinds: frozenset[Kind], name: str | None = None
    ) -> tuple[LiveRelease, ...]:
        """Return live releases of *kinds*, of *name* if given.

        Ordered by kind, name, then falling counter.

        Raises:
            RegistryError: The database cannot answer.
        """
        live = self._now().by_name
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
        live = self._now().by_name
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
        if release not in self._now().numbers:
            return ()
        with self._database.read() as connection:
            return rows.files(connection, release)

    def file(self, release: Sha256, path: str) -> ReleaseFile | None:
        """Return one file of a live release, or None.

        Raises:
            RegistryError: The database cannot answer.
        """
        number = self._now().numbers.get(release)
        if number is None:
            return None
        table = schema.file
        query = select(table).where(table.c.release == number, table.c.path == path)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return rows.release_file(row) if row else None

    def span(self, sha256: Sha256) -> Span | None:
        """Return where the blob lies; None unless a live release names it.

        This is the last gate before bytes leave: a digest that a client made up
        reaches nothing that is retired, in quarantine or denied.

        Raises:
            RegistryError: The database cannot answer.
            StoreError: The disk cannot be read.
        """
        if not is_sha256(sha256) or sha256 in self._now().denied:
            return None
        release = schema.file.c.release
        query = select(release).where(
            schema.file.c.sha256 == sha256,
            release.in_(rows.live()),
            release.not_in(rows.denied()),
        )
        with self._database.read() as connection:
            named = connection.execute(query.limit(1)).first()
        return self._store.span(sha256) if named else None

    def _now(self) -> _LiveSet:
        with self._database.read() as connection:
            generation = rows.current(connection)
            if generation == self._live.generation:
                return self._live
            # In the same transaction, so that number and content belong together.
            fresh = _live_set(connection, generation)
        with self._lock:
            if fresh.generation > self._live.generation:
                self._live = fresh
        return fresh


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
    denied = connection.execute(select(schema.deny.c.digest)).scalars()
    return _LiveSet(
        generation,
        numbers,
        {key: tuple(found) for key, found in by_name.items()},
        frozenset(denied),
    )
