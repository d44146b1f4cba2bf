"""The whole registry in a few cheap questions, for whoever shows it to people."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import Integer, Select, Text, case, cast, func, select

from airlift.artifact import Kind, ReleaseFile
from airlift.digest import Sha256
from airlift.registry import rows, scans, schema
from airlift.registry.custody import Custody
from airlift.registry.engine import FILE, Database
from airlift.registry.held import Delivered, Event, Generation, Held, State
from airlift.registry.scans import Attached
from airlift.trust.attestation import Judged
from airlift.trust.expiry import expiries


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """How far this site's belief reaches.

    Attributes:
        floor: The largest verified time; no honest clock is before it.
        expires: When the trusted document of each role expires, by role.
    """

    floor: str
    expires: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Blobs of one kind and state, each counted once in the whole registry.

    A blob that several releases name counts for the one that keeps it longest: live
    before quarantine before retired, then by kind.
    """

    kind: Kind
    state: State
    blobs: int
    size: int


class Overview:
    """Everything a registry holds, in whatever state; reads only, from any thread.

    Args:
        database: Where to ask.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stored: tuple[tuple[int, int], tuple[Stored, ...]] | None = None

    @classmethod
    def open(cls, home: Path) -> Self:
        """Open that of the registry in *home*, which ``Registry.open`` has accepted."""
        return cls(Database(home / FILE, readonly=True))

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def mark(self) -> tuple[int, int]:
        """Return what changes whenever anything here does: every change is logged.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            newest = int(connection.execute(_NEWEST_EVENT).scalar_one())
            return rows.current(connection), newest

    def site(self) -> str:
        """Return the name of the site.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return bytes(connection.execute(_SITE).scalar_one()).decode()

    def releases(self) -> tuple[Held, ...]:
        """Return all that is held, by kind, name and falling counter.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return rows.held(connection)

    def files(self, release: Sha256) -> tuple[ReleaseFile, ...]:
        """Return the files of a release, sorted by path; empty where it is not held.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return rows.files(connection, release)

    def deliveries(self) -> tuple[Delivered, ...]:
        """Return recorded deliveries, newest first.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return rows.deliveries(connection)

    def generations(self, newest: int) -> tuple[Generation, ...]:
        """Return the newest live sets, newest first, without their releases.

        Raises:
            RegistryError: The database cannot answer.
        """
        table = schema.generation
        query = select(table).order_by(table.c.number.desc()).limit(newest)
        with self._database.read() as connection:
            found = connection.execute(query).mappings()
            return tuple(Generation(**row, releases=()) for row in found)

    def events(self, newest: int) -> tuple[Event, ...]:
        """Return the newest lines of the log, in the order things happened.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return rows.events(connection, newest=newest)

    def waiting(self, found: Iterable[Held]) -> Mapping[Sha256, str]:
        """Return why those of *found* wait that are in quarantine, in words.

        Raises:
            RegistryError: The database cannot answer.
        """
        return Custody(self._database).waiting(found)

    def scans(self) -> tuple[Attached, ...]:
        """Return what scanners said, the oldest first.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return scans.told_by(rows.events(connection, action=scans.ACTION))

    def attestations(self, release: Sha256) -> tuple[Judged, ...]:
        """Return what was attested of a release, and what of it is so now.

        Raises:
            RequestError: It is not held.
            RegistryError: The database cannot answer.
        """
        return Custody(self._database).attestations(release)

    def stored(self) -> tuple[Stored, ...]:
        """Return how much the blobs of all releases take, by kind and state.

        Added up again only when something has changed: 1.6 s for a million blobs.

        Raises:
            RegistryError: The database cannot answer.
        """
        mark, known = self.mark(), self._stored
        if known and known[0] == mark:
            return known[1]
        found = self._add_up()
        # Under the mark from before: what changed meanwhile is added up next time.
        self._stored = mark, found
        return found

    def _add_up(self) -> tuple[Stored, ...]:
        with self._database.read() as connection:
            return tuple(
                Stored(
                    kind=Kind(row.kind),
                    state=_BY_RANK[row.rank],
                    blobs=row.blobs,
                    size=row.size,
                )
                for row in connection.execute(_STORED)
            )

    def knowledge(self) -> Knowledge:
        """Return what the site believes, as far as people ask.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            state = rows.trust_state(connection)
        return Knowledge(floor=state.floor, expires=expiries(state))


_SITE = select(schema.setting.c.value).where(schema.setting.c.key == "site")
_NEWEST_EVENT = select(func.coalesce(func.max(schema.event.c.number), 0))

_BY_RANK = (State.LIVE, State.QUARANTINE, State.RETIRED)


def _stored() -> Select[tuple[str, int, int, int]]:
    release, named = schema.release, schema.named
    rank = case(
        (release.c.number.in_(rows.live()), 0),
        (release.c.number.in_(rows.ever_live()), 2),
        else_=1,
    )
    placed = select(
        release.c.number, release.c.kind, cast(rank, Text).label("rank")
    ).subquery()
    # The smallest text of rank and kind is the kind that belongs to the smallest rank.
    key = func.min(placed.c.rank.concat(placed.c.kind))
    each = (
        select(func.max(named.c.size).label("size"), key.label("key"))
        .join(placed, placed.c.number == named.c.release)
        .group_by(named.c.sha256)
        .subquery()
    )
    kind = func.substr(each.c.key, 2).label("kind")
    rank_of = cast(func.substr(each.c.key, 1, 1), Integer).label("rank")
    size = func.sum(each.c.size).label("size")
    return (
        select(kind, rank_of, func.count().label("blobs"), size)
        .group_by(each.c.key)
        .order_by(kind, rank_of)
    )


_STORED = _stored()
