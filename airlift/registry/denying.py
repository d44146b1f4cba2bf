"""The signed deny list in the tables: put there, asked for, told to the log."""

from collections.abc import Collection

from sqlalchemy import Connection, delete, func, insert, select

from airlift.artifact import Json
from airlift.digest import sha256
from airlift.errors import RegistryError
from airlift.registry import rows, schema
from airlift.registry.held import Event
from airlift.trust import denials
from airlift.trust.delivery import VerifiedDelivery
from airlift.trust.denials import Denial, DenyList, What

ACTION = "deny"
_SERVED = (What.RELEASE, What.FILE)


def in_force(connection: Connection) -> DenyList:
    """Return the deny list in force; ``denials.NOTHING`` where nothing was denied."""
    table = schema.setting
    query = select(table.c.value).where(table.c.key == "denials")
    found = connection.execute(query).scalar_one_or_none()
    return denials.decode(bytes(found or b""), name="the deny list in force")


def put(connection: Connection, data: bytes) -> None:
    """Deny what the signed list *data* does, whatever was said of it here before.

    It is part of what a site believes and is put there with it, so that there is no way
    to believe a list and not to go by it.
    """
    table, listed = schema.deny, denials.decode(data, name="the deny list")
    denied = [
        {
            "digest": one.digest,
            "why": one.why,
            "since": one.since,
            "actor": f"deny list, {one.what.value}",
        }
        for one in listed.entries
        if one.what in _SERVED
    ]
    for some in rows.batches([one["digest"] for one in denied]):
        connection.execute(delete(table).where(table.c.digest.in_(some)))
    if denied:
        connection.execute(insert(table), denied)


def check(connection: Connection) -> None:
    """Return if the tables deny what the signed list does, and it is the signed one.

    Cheap enough for every opening: whoever can write the database and takes a row out
    of it has not taken back a denial.

    Raises:
        RegistryError: They do not, or it is another list than the targets vouch for.
    """
    setting, trusted = schema.setting, schema.trusted
    asked = select(setting.c.value).where(setting.c.key == "denials")
    data = _bytes(connection.execute(asked).scalar_one_or_none())
    named = select(trusted.c.content).where(trusted.c.name == "targets.json")
    targets = _bytes(connection.execute(named).scalar_one_or_none())
    # Canonical JSON in one spelling: a look at the bytes is as good as a parse.
    vouched = sha256(data).encode() in targets if data else b'"deny/' not in targets
    digests = in_force(connection).digests(*_SERVED) if vouched else frozenset()
    there = 0
    for some in rows.batches(sorted(digests)):
        count = select(func.count()).where(schema.deny.c.digest.in_(some))
        there += connection.execute(count).scalar_one()
    if not vouched or there != len(digests):
        problem = "the registry does not deny what its signed deny list does"
        hint = "somebody has written in it: run `airlift rebuild`, and ask who"
        raise RegistryError(problem, hint=hint)


def _bytes(value: bytes | str | None) -> bytes:
    """Return what a column holds; whoever edits a database may leave text there."""
    return value.encode() if isinstance(value, str) else bytes(value or b"")


def events(
    connection: Connection, verified: VerifiedDelivery, *, now: str, actor: str
) -> tuple[Event, ...]:
    """Return the line of the log for what a delivery denies that was not denied yet.

    Args:
        connection: The transaction, before the list is put in force.
        verified: The delivery.
        now: ``YYYY-MM-DDThh:mm:ssZ``.
        actor: Who imports it.

    Returns:
        The line; none where nothing new is denied.
    """
    before, listed = in_force(connection), denials.decode(verified.state.denials)
    if before == listed:
        return ()
    known = set(before.entries)
    fresh: list[Json] = [_table(one) for one in listed.entries if one not in known]
    told = Event(
        time=now,
        actor=actor,
        action=ACTION,
        subject=f"deny list {listed.version}",
        detail={"delivery": verified.id, "denied": fresh},
    )
    return (told,)


def _table(one: Denial) -> dict[str, Json]:
    return {"what": one.what.value, "digest": one.digest, "why": one.why}


def struck(connection: Connection, listed: DenyList) -> Collection[int]:
    """Return the row numbers of the live releases that *listed* denies."""
    release, named = schema.release, schema.named
    found: set[int] = set()
    for some in rows.batches(sorted(listed.digests(*_SERVED))):
        by_id = select(release.c.number).where(release.c.id.in_(some))
        by_file = select(named.c.release).where(named.c.sha256.in_(some))
        for query in (by_id, by_file):
            found |= set(connection.execute(query).scalars())
    return found & set(connection.execute(rows.live()).scalars())
