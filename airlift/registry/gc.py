"""Collection: what nothing needs any more, and how it goes.

Kept are the releases that are live, were live in the generation before (the last good
one), are pinned, or wait in quarantine and are not denied; those that came with the
deliveries which the newest one was built on, since the next may be built on them too;
and every blob that one of them names. Rows go first and blobs after, the opposite order of an import, so that no
row ever names a blob that is gone.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from airlift.digest import Sha256
from airlift.errors import StoreError
from airlift.format import dispatch
from airlift.registry import intake, rows, schema
from airlift.registry.held import Held
from airlift.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class GcPlan:
    """What a collection would delete.

    Attributes:
        releases: Retired or denied releases that nothing keeps.
        blobs: Blobs that no kept release names, with their sizes; also those of
            imports that were broken off.
        partials: Keys of unfinished files.
    """

    releases: tuple[Held, ...]
    blobs: tuple[tuple[Sha256, int], ...]
    partials: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of all blobs in it."""
        return sum(size for _, size in self.blobs)


def kept(connection: Connection) -> Select[Any]:
    """Select the numbers of the releases a collection keeps."""
    number = schema.release.c.number
    before = rows.members_at(rows.current(connection) - 1)
    waiting = and_(number.not_in(rows.ever_live()), number.not_in(rows.denied()))
    return select(number).where(
        or_(
            number.in_(rows.live()),
            number.in_(before),
            number.in_(select(schema.pin.c.release)),
            waiting,
            number.in_(_built_on(connection)),
        )
    )


def _built_on(connection: Connection) -> Select[Any]:
    """Select the numbers of the releases of deliveries the newest was built on.

    A sender who never hears from this site builds every delivery on one anchor, and
    those after it go when that is gone.
    """
    table = schema.delivery
    newest = select(table.c.record).order_by(table.c.sequence.desc()).limit(1)
    record = connection.execute(newest).scalar_one_or_none()
    needs = dispatch.decode(record).needs if record else ()
    ids: set[Sha256] = set()
    for some in rows.batches(sorted({one.sequence for one in needs})):
        query = select(table.c.record).where(table.c.sequence.in_(some))
        for found in connection.execute(query).scalars():
            ids.update(dispatch.decode(found).releases)
    # One value however many there are: a statement takes 32,766 at most.
    listed = func.json_each(json.dumps(sorted(rows.numbers(connection, ids).values())))
    return select(listed.table_valued("value").c.value)


def doomed(connection: Connection, store: Store) -> GcPlan:
    """Return what a collection would delete now.

    Raises:
        StoreError: The store cannot be listed.
    """
    keep = kept(connection)
    return GcPlan(
        releases=rows.held(connection, schema.release.c.number.not_in(keep)),
        blobs=tuple(_unnamed(store.all(), rows.digests(connection, keep))),
        partials=tuple(store.partials()),
    )


def _unnamed(
    held: Iterator[tuple[Sha256, int]], named: Iterator[Sha256]
) -> Iterator[tuple[Sha256, int]]:
    """Yield what is *held* and not *named*; both ascend, so neither is kept whole."""
    name = next(named, None)
    for digest, size in held:
        while name is not None and name < digest:
            name = next(named, None)
        if digest != name:
            yield digest, size


def drop(connection: Connection, plan: GcPlan) -> tuple[Sha256, ...]:
    """Forget the planned releases that nothing keeps by now; return their ids."""
    keep = schema.release.c.number.not_in(kept(connection))
    planned = {one.id for one in plan.releases}
    gone = tuple(one.id for one in rows.held(connection, keep) if one.id in planned)
    intake.drop_releases(connection, rows.numbers(connection, gone).values())
    return gone


def sweep(connection: Connection, store: Store, plan: GcPlan) -> int:
    """Delete the planned blobs that no release names now; return the bytes freed.

    Raises:
        StoreError: The disk refused; what is left is found by the next collection.
    """
    named = rows.digests(connection)
    gone = [digest for digest, _ in _unnamed(iter(plan.blobs), named)]
    freed = store.remove(gone)
    for key in plan.partials:
        # Somebody fills it by now: it is not stale.
        with suppress(StoreError):
            store.discard(key)
    return freed
