"""The database again, from the signed records beside it.

Each delivery is verified anew, in order, as it was on the day it was imported; what no
signature tells (who imported it, what was live when, pins, denials, the log) comes from
the summary and the log. The old database is put aside, not deleted. A server that has
it open goes on with it until it is started again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from airlift.artifact import Json
from airlift.digest import Sha256, sha256
from airlift.errors import RegistryError
from airlift.registry import (
    audit,
    clearance,
    intake,
    log,
    mark,
    migration,
    rows,
    sealing,
    summary,
    upstream,
)
from airlift.registry.engine import FILE, Database, make_file, refuse_network
from airlift.registry.held import Event
from airlift.registry.home import Home
from airlift.registry.records import CHECKPOINT, Kept, Records
from airlift.registry.summary import Summary
from airlift.registry.verifying import Verify
from airlift.store.durable import Disk, there
from airlift.store.store import Store
from airlift.trust.delivery import TrustState

_BACKUP = "restore the folder `records` from a backup, then rebuild again"
_ASIDE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a rebuild found.

    Attributes:
        deliveries: How many were verified and recorded.
        releases: How many are held.
        missing: Blobs that releases name and the store lacks, sorted; until they are
            imported again, those files cannot be served.
        unlisted: Sequences of deliveries the summary did not know: the power went
            while they were recorded. Their releases wait in quarantine.
        aside: Where the old database is now; None where there was none.
    """

    deliveries: int
    releases: int
    missing: tuple[Sha256, ...]
    unlisted: tuple[int, ...]
    aside: Path | None


def rebuild(
    home: Path, store: Store, *, verify: Verify, now: str, actor: str
) -> Rebuilt:
    """Make the database of *home* again.

    Args:
        home: The folder of the registry; its records must be there.
        store: Where the blobs are; asked which are missing, and not changed.
        verify: Judges each delivery.
        now: ``YYYY-MM-DDThh:mm:ssZ``, for the log.
        actor: Who does it, for the log.

    Raises:
        RegistryError: Records are missing or damaged, or the registry is busy.
        TrustError: A delivery on record is not believed.
        StoreError: The disk refused.

    Whatever is raised, the old database is still there.
    """
    refuse_network(home)
    records = Records(home)
    told = records.summary()
    if told is None:
        problem = "there is no summary (records/state.json) to rebuild from"
        raise RegistryError(problem, hint=_BACKUP)
    place = Home(home)
    mark.compare(mark.of(told, records.newest_event()), place.marker.noted(needed=True))
    with place.exclusive("rebuild"):
        fresh = home / f"{FILE}.new"
        _clear(fresh)
        make_file(fresh)
        database = Database(fresh)
        try:
            with database.write() as connection:
                replayed, catalogues = _replay(connection, home, told, verify)
                unlisted = tuple(one for one in replayed if one > told.sequence)
                # What no line tells of yet is told here: a log tells of all there is.
                detail: dict[str, Json] = {
                    "deliveries": len(replayed),
                    "unlisted": unlisted,
                    "catalogues": catalogues,
                }
                intake.add_event(
                    connection,
                    Event(time=now, actor=actor, action="rebuild", detail=detail),
                )
                sealing.seal(connection, home)
            with database.read() as connection:
                missing = store.missing(rows.digests(connection))
                releases = len(rows.held(connection))
        finally:
            database.close()
        aside = _swap(home, fresh)
        place.write_down()
    return Rebuilt(
        deliveries=len(replayed),
        releases=releases,
        missing=tuple(sorted(missing)),
        unlisted=unlisted,
        aside=aside,
    )


def _replay(
    connection: Connection, home: Path, told: Summary, verify: Verify
) -> tuple[list[int], tuple[Sha256, ...]]:
    """Record everything in an empty database.

    Returns:
        The sequences of the deliveries, rising, and catalogues that the log lacks.
    """
    records = Records(home)
    anchor = records.anchor()
    if sha256(anchor) != told.anchor:
        problem = "records/anchor.json is not the root that was accepted here"
        raise RegistryError(problem, hint=_BACKUP)
    state = TrustState(site=told.site, anchor=anchor, least=told.least)
    migration.upgrade(connection)
    intake.put_state(connection, state)
    kept = records.deliveries()
    _check_complete(kept, told)
    for one in kept:
        state = _replay_delivery(connection, records, one, (state, told, verify))
    intake.put_state(connection, replace(state, floor=max(state.floor, told.floor)))
    summary.put(connection, told)
    log.extend(connection, _unbroken(records.events()))
    if sealed := records.checkpoint():
        audit.check_extends(connection, sealed.checkpoint, str(CHECKPOINT))
    catalogues = upstream.replay(connection, home, records.events())
    return [one.sequence for one in kept], catalogues


def _unbroken(events: Iterable[Event]) -> Iterator[Event]:
    """Yield *events* as long as each follows the one before."""
    for number, one in enumerate(events, start=1):
        if one.number != number:
            problem = f"records/events.jsonl: event {number} is missing"
            raise RegistryError(problem, hint=_BACKUP)
        yield one


def _check_complete(kept: tuple[Kept, ...], told: Summary) -> None:
    sequences = [one.sequence for one in kept]
    needed = set(told.releases.values())
    if told.newest:
        needed.add(told.newest.sequence)
    if lost := sorted(needed.difference(sequences)):
        problem = f"the records of delivery {lost[0]} are missing"
        raise RegistryError(problem, hint=_BACKUP)
    twice = sorted({one for one in sequences if sequences.count(one) > 1})
    if twice:
        problem = f"there are two records of delivery {twice[0]}"
        raise RegistryError(problem, hint="move the one that was never imported away")


def _replay_delivery(
    connection: Connection,
    records: Records,
    kept: Kept,
    basis: tuple[TrustState, Summary, Verify],
) -> TrustState:
    state, told, verify = basis
    offered, facts = records.read(kept)
    imported = facts.text("imported")
    # What was taken late was so by approvals, which the log has still.
    given = clearance.told_in(records.events())
    verified = verify(offered, state, now=imported, approvals=given)
    found = (verified.dispatch.sequence, verified.id[:12])
    if found != (kept.sequence, kept.prefix):
        problem = f"records/{kept.folder.name} holds the records of delivery {found[0]}"
        raise RegistryError(problem, hint=_BACKUP)
    intake.add_delivery(
        connection,
        verified,
        intake.delivered(
            verified,
            now=imported,
            actor=facts.text("actor"),
            version=facts.text("version"),
        ),
        # Collected ones stay away; of those that came twice, the right one is taken.
        [
            one
            for one in verified.releases
            if kept.sequence > told.sequence
            or told.releases.get(one.id) == kept.sequence
        ],
    )
    intake.put_state(connection, verified.state)
    return verified.state


def _clear(database: Path) -> None:
    for path in (database, _journal(database)):
        Disk().unlink(path)


def _journal(database: Path) -> Path:
    return database.with_name(f"{database.name}-journal")


def _swap(home: Path, fresh: Path) -> Path | None:
    """Put *fresh* in the place of the database; return where the old one is."""
    disk, current = Disk(), home / FILE
    aside = next(
        path
        for path in (home / f"{FILE}.old-{n}" for n in range(1, _ASIDE))
        if not there(path) and not there(_journal(path))
    )
    had = there(current)
    # The journal too, and before the new one comes: SQLite would take a journal it
    # finds for the new database's, and roll pages of the old one back into it.
    for source, target in ((current, aside), (_journal(current), _journal(aside))):
        if there(source):
            disk.rename(source, target)
    disk.sync_folder(home)
    disk.rename(fresh, current)
    disk.sync_folder(home)
    return aside if had else None
