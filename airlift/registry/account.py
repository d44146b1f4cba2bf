"""What this site holds, as it tells whoever sends to it (docs/format.md, "State")."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from airlift.artifact import Kind
from airlift.digest import Sha256
from airlift.format import dispatch
from airlift.format.state import SiteState
from airlift.registry import rows, schema
from airlift.registry.engine import FILE, Database
from airlift.registry.held import Held, State
from airlift.store.store import Store

Name = tuple[Kind, str]
"""Of an artifact: its kind and its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A release of the state: as it is held, and the newest delivery that named it."""

    held: Held
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the site holds, with what explains it.

    Attributes:
        state: What the root and the code are of.
        releases: The releases of the state, by kind, name and falling counter.
        older: How many more are held, which newer ones have replaced.
        dispatch: SHA-256 of the newest delivery's record; None before the first.
        taken: The deliveries that were taken, rising.
        generation: The number of the live set; 0 before the first.
        live: Ids of the releases in it, sorted.
        waiting: Ids of the releases that wait in quarantine, sorted.
    """

    state: SiteState
    releases: tuple[Told, ...]
    older: int
    dispatch: Sha256 | None
    taken: tuple[int, ...]
    generation: int
    live: tuple[Sha256, ...]
    waiting: tuple[Sha256, ...]


def account(home: Path, store: Store) -> Account:
    """Return what the registry in *home* and its *store* hold.

    The registry is one that ``Registry.open`` has accepted.

    Raises:
        RegistryError: The database cannot answer.
        StoreError: The store cannot be read.
    """
    database = Database(home / FILE, readonly=True)
    try:
        with database.read() as connection:
            return _account(connection, store)
    finally:
        database.close()


def _account(connection: Connection, store: Store) -> Account:
    held = rows.held(connection)
    newest = _newest(connection, {one.id: _name(one) for one in held})
    table = schema.delivery
    found = select(table.c.sequence, table.c.id).order_by(table.c.sequence)
    deliveries = connection.execute(found).all()
    numbers = rows.numbers(connection, newest)
    state = SiteState(
        site=rows.trust_state(connection).site,
        sequence=deliveries[-1].sequence if deliveries else 0,
        releases=tuple(sorted(newest)),
        lacking=_lacking(connection, sorted(numbers.values()), store),
    )
    return Account(
        state=state,
        releases=tuple(
            Told(held=one, sequence=newest[one.id]) for one in held if one.id in newest
        ),
        older=len(held) - len(newest),
        dispatch=deliveries[-1].id if deliveries else None,
        taken=tuple(one.sequence for one in deliveries),
        generation=rows.current(connection),
        live=_in_state(held, State.LIVE),
        waiting=_in_state(held, State.QUARANTINE),
    )


def _newest(
    connection: Connection, held: Mapping[Sha256, Name]
) -> Mapping[Sha256, int]:
    """Return the releases of the state, each with the newest delivery naming it."""
    newest: dict[Name, int] = {}
    found: dict[Sha256, int] = {}
    artifacts = set(held.values())
    for sequence, named in _named(connection):
        if len(newest) == len(artifacts):
            break
        for one in named:
            if one in held and newest.setdefault(held[one], sequence) == sequence:
                found[one] = sequence
    return found


def _named(connection: Connection) -> Iterator[tuple[int, tuple[Sha256, ...]]]:
    """Yield what each delivery that was taken names, the newest first."""
    table = schema.delivery
    query = select(table.c.sequence, table.c.record).order_by(table.c.sequence.desc())
    for sequence, record in connection.execute(query):
        yield sequence, dispatch.decode(record).releases


def _lacking(
    connection: Connection, numbers: list[int], store: Store
) -> tuple[Sha256, ...]:
    number = schema.release.c.number
    missing: set[Sha256] = set()
    for some in rows.batches(numbers):
        of = select(number).where(number.in_(some))
        missing |= store.missing(rows.digests(connection, of))
    return tuple(sorted(missing))


def _name(one: Held) -> Name:
    return one.release.kind, one.release.name


def _in_state(held: tuple[Held, ...], state: State) -> tuple[Sha256, ...]:
    return tuple(sorted(one.id for one in held if one.state is state))
