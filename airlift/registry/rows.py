"""Questions to the tables, answered in values."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    func,
    or_,
    select,
    type_coerce,
    union,
)

from airlift.artifact import NOTHING, ContentClass, Json, Kind, Release, ReleaseFile
from airlift.digest import Sha256
from airlift.format.dispatch import HISTORY, Earlier
from airlift.registry import schema
from airlift.registry.held import Delivered, Event, Generation, Held, State
from airlift.trust.delivery import SignedBy, TrustState

T = TypeVar("T")

BATCH = 500
"""Values in one ``IN``: 100,000 digests took 0.54 s at this size."""


def trust_state(connection: Connection) -> TrustState:
    """Return what the site believes."""
    settings = {
        row.key: row.value for row in connection.execute(select(schema.setting))
    }
    trusted = connection.execute(select(schema.trusted)).all()
    counters = connection.execute(select(schema.counter)).all()
    newest = (
        select(schema.delivery.c.sequence, schema.delivery.c.id)
        .order_by(schema.delivery.c.sequence.desc())
        .limit(HISTORY)
    )
    return TrustState(
        site=settings["site"].decode(),
        anchor=settings["anchor"],
        metadata={row.name: row.content for row in trusted},
        floor=settings["floor"].decode(),
        deliveries=tuple(
            Earlier(sequence=sequence, sha256=digest)
            for sequence, digest in connection.execute(newest)
        ),
        counters={(Kind(one.kind), one.name): one.highest for one in counters},
        heads={(Kind(one.kind), one.name): one.head for one in counters if one.head},
        policy=settings.get("policy", b""),
        denials=settings.get("denials", b""),
        least=int(settings.get("least", b"0")),
    )


# --- releases -------------------------------------------------------------------


def live() -> Select[Any]:
    """Select the numbers of the releases of the current generation."""
    return select(schema.member.c.release).where(schema.member.c.until.is_(None))


def members_at(number: int) -> Select[Any]:
    """Select the numbers of the releases of generation *number*."""
    since, until = schema.member.c.since, schema.member.c.until
    return select(schema.member.c.release).where(
        since <= number, or_(until.is_(None), until > number)
    )


def ever_live() -> Select[Any]:
    """Select the numbers of the releases of any generation."""
    return select(schema.member.c.release)


def in_state(state: State) -> ColumnElement[bool]:
    """Return the condition that a release is in *state*."""
    number = schema.release.c.number
    match state:
        case State.LIVE:
            return number.in_(live())
        case State.RETIRED:
            return and_(number.in_(ever_live()), number.not_in(live()))
        case State.QUARANTINE:
            return number.not_in(ever_live())


def wanted(
    *, state: State | None, kind: Kind | None, name: str | None
) -> list[ColumnElement[bool]]:
    """Return the conditions for ``held`` that what is not None states."""
    found = [] if state is None else [in_state(state)]
    if kind is not None:
        found.append(schema.release.c.kind == kind.value)
    if name is not None:
        found.append(schema.release.c.name == name)
    return found


def names(blob: Sha256) -> ColumnElement[bool]:
    """Return the condition that a release has *blob* among its files."""
    users = select(schema.named.c.release).where(schema.named.c.sha256 == blob)
    return schema.release.c.number.in_(users)


def denied() -> Select[Any]:
    """Select the numbers of releases that are denied, or a file of which is."""
    release, named = schema.release, schema.named
    # IN, not a join: it makes SQLite look each denied digest up in an index, where a
    # join let it walk 100,000 files (15 ms) to find that nothing is denied.
    listed = select(schema.deny.c.digest)
    by_id = select(release.c.number).where(release.c.id.in_(listed))
    by_file = select(named.c.release).where(named.c.sha256.in_(listed))
    return select(union(by_id, by_file).subquery().c.number)


def held(connection: Connection, *wanted: ColumnElement[bool]) -> tuple[Held, ...]:
    """Return the releases for which all of *wanted* hold.

    Ordered by kind, name and falling counter.
    """
    release, pin = schema.release, schema.pin
    number = release.c.number
    query = (
        select(
            release,
            number.in_(live()).label("is_live"),
            number.in_(ever_live()).label("was_live"),
            number.in_(denied()).label("is_denied"),
            pin.c.why.label("pinned"),
        )
        .outerjoin(pin, pin.c.release == number)
        .where(*wanted)
        .order_by(
            release.c.kind, release.c.name, release.c.counter.desc(), release.c.id
        )
    )
    reasons = _reasons(connection)
    return tuple(_held(row, reasons) for row in connection.execute(query))


def _reasons(connection: Connection) -> dict[Sha256, str]:
    deny = schema.deny
    return {row.digest: row.why for row in connection.execute(select(deny))}


def _held(row: Row[Any], reasons: dict[Sha256, str]) -> Held:
    state = State.RETIRED if row.was_live else State.QUARANTINE
    why = reasons.get(row.id, "one of its files is denied") if row.is_denied else ""
    return Held(
        id=row.id,
        release=header(row),
        state=State.LIVE if row.is_live else state,
        size=row.size,
        files=row.files,
        imported=row.imported,
        sequence=row.delivery,
        pinned=row.pinned or "",
        denied=why,
    )


def header(row: Row[Any]) -> Release:
    """Return the release of a row of its table, without files."""
    told = row.header
    return Release(
        kind=Kind(row.kind),
        name=row.name,
        revision=row.revision,
        counter=row.counter,
        files=(),
        refs=tuple(told.get("refs", ())),
        upstream=told.get("upstream", {}),
        licence=told.get("licence", ""),
        base_models=tuple(told.get("base_models", ())),
    )


def numbers(connection: Connection, ids: Iterable[Sha256]) -> dict[Sha256, int]:
    """Return the row numbers of those of *ids* that are held."""
    release = schema.release
    return {
        row.id: row.number
        for some in batches(sorted(set(ids)))
        for row in connection.execute(
            select(release.c.id, release.c.number).where(release.c.id.in_(some))
        )
    }


def files(connection: Connection, release: Sha256) -> tuple[ReleaseFile, ...]:
    """Return the files of a release, sorted by path; empty where it is not held."""
    # All at once: a cursor that is asked for each row takes twice as long.
    found = connection.execute(_FILES, {"release": release}).all()
    return tuple(map(_release_file, found))


def file(connection: Connection, number: int, path: str) -> ReleaseFile | None:
    """Return one file of the release in row *number*, or None."""
    found = connection.execute(_FILE, {"release": number, "path": path}).one_or_none()
    return _release_file(found) if found else None


# Built once, and values converted below: either would take longer than SQLite's answer.
_OF = schema.file.c
_COLUMNS = (
    *(_OF.path, _OF.size, type_coerce(_OF.sha256, LargeBinary), _OF.git_oid),
    *(_OF.format, _OF.content_class, type_coerce(_OF.facts, Text)),
)
_FILES = (
    select(*_COLUMNS)
    .join(schema.release, schema.release.c.number == _OF.release)
    .where(schema.release.c.id == bindparam("release"))
    # SQLite compares UTF-8 bytes, which is the order of code points, as Python's.
    .order_by(_OF.path)
)
_FILE = select(*_COLUMNS).where(
    _OF.release == bindparam("release"), _OF.path == bindparam("path")
)
_CLASSES = {one.value: one for one in ContentClass}


def _release_file(row: Iterable[Any]) -> ReleaseFile:
    path, size, sha256, git_oid, format_, content_class, facts = row
    return ReleaseFile(
        path=path,
        size=size,
        sha256=Sha256(sha256.hex()),
        git_oid=git_oid,
        format=format_,
        content_class=_CLASSES[content_class],
        facts=json.loads(facts) if facts else NOTHING,
    )


def digests(connection: Connection, of: Select[Any] | None = None) -> Iterator[Sha256]:
    """Yield the digest of every blob that a release names, ascending, each once.

    Args:
        connection: Where to ask.
        of: Numbers of the releases that count; None for all.
    """
    digest = schema.named.c.sha256
    query = select(digest).distinct().order_by(digest)
    if of is not None:
        query = query.where(schema.named.c.release.in_(of))
    for some in connection.execute(query).partitions(BATCH):
        yield from (row.sha256 for row in some)


def batches(items: list[T]) -> Iterator[list[T]]:
    """Yield *items* in lists that one statement can take."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


# --- history --------------------------------------------------------------------


def current(connection: Connection) -> int:
    """Return the number of the current generation; 0 before the first."""
    return int(connection.execute(_CURRENT).scalar_one())


_CURRENT = select(func.coalesce(func.max(schema.generation.c.number), 0))


def generations(
    connection: Connection, *, newest: int | None = None, only: int | None = None
) -> tuple[Generation, ...]:
    """Return generations, newest first.

    Args:
        connection: Where to ask.
        newest: Return at most so many.
        only: Return the one of this number, if there is one.
    """
    table = schema.generation
    query = select(table).order_by(table.c.number.desc()).limit(newest)
    if only is not None:
        query = query.where(table.c.number == only)
    found = connection.execute(query).mappings().all()
    if not found:
        return ()
    members = _members(connection, found[-1]["number"], found[0]["number"])
    return tuple(
        Generation(**row, releases=tuple(sorted(members[row["number"]])))
        for row in found
    )


def _members(
    connection: Connection, first: int, last: int
) -> dict[int, frozenset[Sha256]]:
    """Return the releases of each generation from *first* to *last*, in one pass."""
    member, release = schema.member, schema.release
    query = (
        select(release.c.id, member.c.since, member.c.until)
        .join(release, release.c.number == member.c.release)
        .where(
            member.c.since <= last,
            or_(member.c.until.is_(None), member.c.until > first),
        )
    )
    joins: dict[int, list[Sha256]] = defaultdict(list)
    leaves: dict[int, list[Sha256]] = defaultdict(list)
    for one, since, until in connection.execute(query):
        joins[max(since, first)].append(one)
        if until is not None:
            leaves[until].append(one)
    found: dict[int, frozenset[Sha256]] = {}
    now: frozenset[Sha256] = frozenset()
    for number in range(first, last + 1):
        now = (now - frozenset(leaves[number])) | frozenset(joins[number])
        found[number] = now
    return found


def dispatches(connection: Connection) -> Iterator[bytes]:
    """Yield the records of the deliveries that were taken, the newest first."""
    table = schema.delivery
    query = select(table.c.record).order_by(table.c.sequence.desc())
    for record in connection.execute(query).scalars():
        yield bytes(record)


def deliveries(
    connection: Connection, limit: int | None = None
) -> tuple[Delivered, ...]:
    """Return the recorded deliveries, newest first."""
    table = schema.delivery
    query = select(table).order_by(table.c.sequence.desc()).limit(limit)
    return tuple(
        Delivered(
            id=row.id,
            sequence=row.sequence,
            issued=row.issued,
            imported=row.imported,
            operator=row.operator,
            actor=row.actor,
            version=row.version,
            signed_by=tuple(_signed_by(one) for one in row.signed_by.get("keys", ())),
        )
        for row in connection.execute(query)
    )


def _signed_by(entry: Json) -> SignedBy:
    told = cast("dict[str, str]", entry)
    return SignedBy(
        role=told["role"],
        key_id=told["key_id"],
        name=told["name"],
        scheme=told["scheme"],
    )


def events(
    connection: Connection,
    *,
    after: int = 0,
    newest: int | None = None,
    action: str | None = None,
) -> tuple[Event, ...]:
    """Return events in the order they happened.

    Args:
        connection: Where to ask.
        after: Leave out those up to this number.
        newest: Return at most so many, the newest.
        action: Only what was done under this name.
    """
    table = schema.event
    query = select(table).where(table.c.number > after)
    if action is not None:
        query = query.where(table.c.action == action)
    query = query.order_by(table.c.number.desc()).limit(newest)
    return tuple(reversed([_event(row) for row in connection.execute(query)]))


def events_after(connection: Connection, after: int, most: int) -> tuple[Event, ...]:
    """Return the events that follow number *after*, at most *most* of them."""
    table = schema.event
    query = select(table).where(table.c.number > after).order_by(table.c.number)
    return tuple(_event(row) for row in connection.execute(query.limit(most)))


def _event(row: Row[Any]) -> Event:
    return Event(**row._mapping)  # noqa: SLF001 - SQLAlchemy's name for a public thing
