"""What goes into the tables: each function is part of somebody's transaction."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, delete, insert, select, update

from airlift import __version__
from airlift.artifact import Json
from airlift.errors import RegistryError, StoreError
from airlift.format import dispatch
from airlift.format.dispatch import HISTORY, Earlier
from airlift.registry import bulk, clearance, denying, log, rows, schema
from airlift.registry.held import Delivered, Event, Generation
from airlift.store.store import Store
from airlift.trust import revocation, succession
from airlift.trust.delivery import TrustState, VerifiedDelivery, VerifiedRelease


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Who does something, when and why."""

    now: str
    actor: str
    reason: str
    note: str = ""


def put_state(connection: Connection, state: TrustState) -> None:
    """Make *state* what the site believes, except for its deliveries.

    Raises:
        RegistryError: *state* is of another site, or would make the verified time or
            a counter fall.
        TrustError: It would put an earlier policy in force, or a shorter deny list.
    """
    before = rows.trust_state(connection) if _is_begun(connection) else None
    if before is not None:
        _check_no_fall(before, state)
        succession.check_follows(before.policy, state.policy)
        revocation.check_follows(before.denials, state.denials)
    settings = {
        "site": state.site.encode(),
        "anchor": state.anchor,
        "floor": state.floor.encode(),
        "policy": state.policy,
        "denials": state.denials,
        "least": str(state.least).encode(),
    }
    connection.execute(delete(schema.setting))
    connection.execute(
        insert(schema.setting), [{"key": k, "value": v} for k, v in settings.items()]
    )
    connection.execute(delete(schema.trusted))
    if state.metadata:
        trusted = [{"name": k, "content": v} for k, v in state.metadata.items()]
        connection.execute(insert(schema.trusted), trusted)
    connection.execute(delete(schema.counter))
    if state.counters:
        counters = [
            {"kind": kind.value, "name": name, "highest": highest, "head": head}
            for (kind, name), highest in sorted(state.counters.items())
            for head in [state.heads.get((kind, name))]
        ]
        connection.execute(insert(schema.counter), counters)
    denying.put(connection, state.denials)


def _is_begun(connection: Connection) -> bool:
    return connection.execute(select(schema.setting.c.key)).first() is not None


def _check_no_fall(before: TrustState, state: TrustState) -> None:
    problem = ""
    if state.site != before.site:
        problem = f"the registry is of site {before.site}, not of {state.site}"
    elif state.least < before.least:
        problem = f"the oldest delivery to take would fall from {before.least}"
    elif state.floor < before.floor:
        problem = f"the verified time would fall from {before.floor} to {state.floor}"
    else:
        for (kind, name), highest in before.counters.items():
            if (now := state.counters.get((kind, name), 0)) < highest:
                problem = f"the counter of {kind} {name} would fall: {highest} to {now}"
    if problem:
        hint = "import again; if it stays so, this is an error inside airlift"
        raise RegistryError(problem, hint=hint)


def is_recorded(connection: Connection, verified: VerifiedDelivery) -> bool:
    """Say whether a delivery is recorded."""
    query = select(schema.delivery.c.id).where(schema.delivery.c.id == verified.id)
    return connection.execute(query).first() is not None


def check_follows(connection: Connection, verified: VerifiedDelivery) -> None:
    """Check that nothing was recorded since *verified* was verified.

    Raises:
        RegistryError: Something was; its state would be overwritten.
    """
    own = Earlier(sequence=verified.dispatch.sequence, sha256=verified.id)
    before = rows.trust_state(connection).deliveries
    if verified.state.deliveries != (own, *before)[:HISTORY]:
        problem = f"delivery {own.sequence} was verified against another state"
        raise RegistryError(problem, hint="run the import again")


def check_blobs(verified: VerifiedDelivery, store: Store) -> None:
    """Check that every blob of a delivery is durably in the store.

    Raises:
        StoreError: One is not, or the disk refused.
    """
    wanted = {one.sha256 for each in verified.releases for one in each.release.files}
    missing = sorted(store.missing(wanted))
    if missing:
        problem = (
            f"{len(missing)} of {len(wanted)} blobs of delivery"
            f" {verified.dispatch.sequence} are not in the store, first {missing[0]}"
        )
        raise StoreError(problem, hint="import the delivery again")
    # What a killed import left can be found and may still vanish with the power.
    store.settle(wanted)


def delivered(
    verified: VerifiedDelivery, *, now: str, actor: str, version: str = __version__
) -> Delivered:
    """Return what is to be recorded of *verified* itself."""
    return Delivered(
        id=verified.id,
        sequence=verified.dispatch.sequence,
        issued=verified.dispatch.issued,
        imported=now,
        operator=verified.dispatch.operator,
        actor=actor,
        version=version,
        signed_by=verified.signed_by,
    )


def add_delivery(
    connection: Connection,
    verified: VerifiedDelivery,
    told: Delivered,
    releases: Collection[VerifiedRelease],
) -> None:
    """Record a delivery, and those *releases* of it that are not held yet."""
    keys: list[Json] = [
        {
            "role": one.role,
            "key_id": one.key_id,
            "name": one.name,
            "scheme": one.scheme,
        }
        for one in told.signed_by
    ]
    connection.execute(
        insert(schema.delivery).values(
            sequence=told.sequence,
            id=told.id,
            issued=told.issued,
            imported=told.imported,
            operator=told.operator,
            actor=told.actor,
            version=told.version,
            signed_by={"keys": keys},
            record=dispatch.encode(verified.dispatch),
        )
    )
    known = rows.numbers(connection, [one.id for one in releases])
    fresh = [
        _add_release(connection, one, told) for one in releases if one.id not in known
    ]
    bulk.name_blobs(connection, fresh)


def _add_release(
    connection: Connection, verified: VerifiedRelease, told: Delivered
) -> int:
    """Record a release and its files; return the number of its row."""
    release = verified.release
    header: Mapping[str, Json] = {
        "refs": release.refs,
        "upstream": release.upstream,
        "licence": release.licence,
        "base_models": release.base_models,
    }
    number = connection.execute(
        insert(schema.release)
        .values(
            id=verified.id,
            kind=release.kind.value,
            name=release.name,
            revision=release.revision,
            counter=release.counter,
            header=header,
            size=release.size,
            files=len(release.files),
            delivery=told.sequence,
            imported=told.imported,
        )
        .returning(schema.release.c.number)
    ).scalar_one()
    connection.execute(
        insert(schema.document).values(release=number, content=verified.document)
    )
    beside = [
        {"release": number, "sha256": one.sha256, "content": data}
        for one, data in zip(release.attestations, verified.attestations, strict=True)
    ]
    if beside:
        connection.execute(insert(schema.attestation), beside)
    refs = [{"release": number, "ref": ref} for ref in sorted(set(release.refs))]
    if refs:
        connection.execute(insert(schema.release_ref), refs)
    bulk.add_files(connection, number, release.files)
    return int(number)


def append_generation(
    connection: Connection,
    members: Iterable[int],
    stamp: Stamp,
    *,
    always: bool = False,
) -> int:
    """Make *members* the live set; return its number.

    Where they are the live set already, nothing changes unless *always* is set.

    Raises:
        TrustError: The site's policy keeps one back that would become live.
    """
    wanted = set(members)
    before = set(connection.execute(rows.live()).scalars())
    number = rows.current(connection)
    if wanted == before and not always:
        return number
    clearance.check(connection, wanted - before)
    number += 1
    add_generation(
        connection,
        Generation(
            number=number,
            created=stamp.now,
            reason=stamp.reason,
            actor=stamp.actor,
            note=stamp.note,
            members=len(wanted),
            releases=(),
        ),
    )
    member = schema.member
    for left in before - wanted:
        connection.execute(
            update(member)
            .where(member.c.release == left, member.c.until.is_(None))
            .values(until=number)
        )
    joined = [{"release": one, "since": number} for one in sorted(wanted - before)]
    if joined:
        connection.execute(insert(member), joined)
    return number


def add_generation(connection: Connection, told: Generation) -> None:
    """Record that a generation came to be; its members are added apart."""
    connection.execute(
        insert(schema.generation).values(
            number=told.number,
            created=told.created,
            reason=told.reason,
            actor=told.actor,
            note=told.note,
            members=told.members,
        )
    )


def stamped(stamp: Stamp, subject: str, detail: dict[str, Json]) -> Event:
    """Return the line of the log for what *stamp* is of."""
    return Event(
        time=stamp.now,
        actor=stamp.actor,
        action=stamp.reason,
        subject=subject,
        detail=detail,
    )


def add_event(connection: Connection, told: Event) -> None:
    """Add a line to the log, numbered, with what the site trusts at this moment."""
    floor, versions = log.standing(connection)
    fresh = replace(
        told,
        number=log.size(connection) + 1,
        floor=floor,
        metadata=versions,
        tool=f"airlift {__version__}",
    )
    log.extend(connection, [fresh])


def drop_releases(connection: Connection, numbers: Collection[int]) -> None:
    """Forget releases, their files and their part in every generation."""
    bulk.drop(connection, numbers)
    for some in rows.batches(sorted(numbers)):
        for table in (
            schema.document,
            schema.attestation,
            schema.release_ref,
            schema.member,
            schema.pin,
        ):
            connection.execute(delete(table).where(table.c.release.in_(some)))
        release = schema.release
        connection.execute(delete(release).where(release.c.number.in_(some)))
