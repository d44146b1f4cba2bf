"""When each blob was last known to hash to its name, so that none is left out for long.

An import hashes what it takes in; every later look is noted here, by blob, and only the
newest. A rebuild does not have it: what is not here counts from its import.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy import and_, func, select

from airlift.digest import Sha256
from airlift.registry import schema
from airlift.registry.engine import FILE, Database
from airlift.store.scrub import Look

_ROWS: Final = 10_000
_PUT: Final = (
    "INSERT INTO hashed (sha256, time, state) VALUES (?, ?, ?)"
    " ON CONFLICT (sha256) DO UPDATE SET time = excluded.time, state = excluded.state"
)
_PRUNE: Final = "DELETE FROM hashed WHERE sha256 NOT IN (SELECT sha256 FROM named)"


class State(StrEnum):
    """What a look at a blob found."""

    IDENTICAL = "identical"
    CHANGED = "changed"
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a blob that releases name.

    Attributes:
        blob: Its digest.
        size: Bytes.
        since: When it was hashed last: by a look at it, or by the import of the first
            release here that names it. ``YYYY-MM-DDThh:mm:ssZ``.
        state: What the last look found; None where it was not looked at since it came.
        live: Whether a live release names it, so that it may be served.
    """

    blob: Sha256
    size: int
    since: str
    state: State | None
    live: bool

    @property
    def is_bad(self) -> bool:
        """Whether the last look found it other than it should be."""
        return self.state not in (None, State.IDENTICAL)


def judge(look: Look) -> tuple[State, str]:
    """Return what a look found, in a word and, unless all is well, in a line."""
    if look.missing:
        return State.MISSING, "it is not in the store"
    if look.problem:
        return State.UNREADABLE, look.problem
    if look.digest != look.blob:
        return State.CHANGED, f"its {look.size} bytes hash to {look.digest}"
    return State.IDENTICAL, ""


def known(home: Path) -> tuple[Known, ...]:
    """Return every blob that releases name, by digest.

    The registry is one that ``Registry.open`` has accepted.

    Raises:
        RegistryError: The database cannot answer.
    """
    named, release, hashed = schema.named, schema.release, schema.hashed
    member = schema.member
    live = and_(member.c.release == named.c.release, member.c.until.is_(None))
    query = (
        select(
            named.c.sha256,
            func.max(named.c.size),
            func.min(release.c.imported),
            func.max(hashed.c.time),
            func.max(hashed.c.state),
            func.count(member.c.release),
        )
        .join(release, release.c.number == named.c.release)
        .outerjoin(hashed, hashed.c.sha256 == named.c.sha256)
        .outerjoin(member, live)
        .group_by(named.c.sha256)
        .order_by(named.c.sha256)
    )
    database = Database(home / FILE, readonly=True)
    try:
        with database.read() as connection:
            return tuple(
                Known(
                    blob=blob,
                    size=size,
                    since=max(imported, time or ""),
                    state=State(state) if state else None,
                    live=bool(lives),
                )
                for blob, size, imported, time, state, lives in (
                    connection.execute(query).all()
                )
            )
    finally:
        database.close()


def record(home: Path, looks: Iterable[tuple[Sha256, State]], *, time: str) -> None:
    """Note what was found, durable on return; a server goes on reading meanwhile.

    Args:
        home: The folder of the registry.
        looks: Blobs, and what each was found to be.
        time: From when on, at the earliest, they were read.

    Raises:
        RegistryError: The database cannot record.
    """
    left = ((bytes.fromhex(blob), time, state.value) for blob, state in looks)
    database = Database(home / FILE)
    try:
        with database.write() as connection:
            while some := list(islice(left, _ROWS)):
                connection.exec_driver_sql(_PUT, some)
    finally:
        database.close()


def prune(home: Path) -> None:
    """Forget blobs that no release names any more.

    Raises:
        RegistryError: The database cannot record.
    """
    database = Database(home / FILE)
    try:
        with database.write() as connection:
            connection.exec_driver_sql(_PRUNE)
    finally:
        database.close()
