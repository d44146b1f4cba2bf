"""What of the attestations beside held releases is so: judged anew whenever asked.

Nothing of a verdict is stored: who can write the database makes no statement true. What
a release lists is in its document, whose digest is its id.
"""

from dataclasses import replace

from sqlalchemy import Connection, select

from airlift.digest import Sha256
from airlift.errors import RegistryError
from airlift.format import predicates, release
from airlift.registry import clearance, denying, finding, rows, schema
from airlift.trust import attestation, coherence, metadata, strict
from airlift.trust.attestation import Judged
from airlift.trust.denials import What
from airlift.trust.quorum import Quorum


def of(connection: Connection, release_id: Sha256) -> tuple[Judged, ...]:
    """Return the attestations of a release, in the order it lists them.

    Raises:
        RequestError: It is not held.
        RegistryError: The database cannot answer, or lacks one.
    """
    document = finding.document(connection, release_id)
    if not release.has_attestations(document):
        return ()
    told = release.decode(document, name=f"release {release_id}")
    held = contents(connection, release_id)
    missing = [one.sha256 for one in told.attestations if one.sha256 not in held]
    if missing:
        problem = f"the registry lacks attestation {missing[0]} of a release"
        raise RegistryError(problem, hint="`airlift rebuild` makes it again")
    data = (held[one.sha256] for one in told.attestations)
    listed = denying.in_force(connection)
    people = listed.without(_approvers(connection))
    found = attestation.judged(told, data, listed.digests(What.KEY))
    return tuple(_with_approvals(one, people) for one in found)


def _with_approvals(one: Judged, people: Quorum) -> Judged:
    told = one.statement
    if one.problem or told is None or told.predicate_type != predicates.APPROVALS:
        return one
    return replace(one, words=attestation.approval_words(told, people))


def contents(connection: Connection, release_id: Sha256) -> dict[Sha256, bytes]:
    """Return the bytes of the attestations of a release, by digest."""
    table = schema.attestation
    numbers = rows.numbers(connection, [release_id]).values()
    query = select(table).where(table.c.release.in_(numbers))
    return {row.sha256: bytes(row.content) for row in connection.execute(query)}


def _approvers(connection: Connection) -> Quorum:
    """Return whose approvals of what leaves for this site count.

    Those that its policy enrols; without one, the release approvers of its root.
    """
    if told := clearance.in_force(connection):
        return told.approvers
    state = rows.trust_state(connection)
    name = f"{coherence.newest_root(state.metadata)}.{metadata.ROOT}.json"
    root = strict.root(state.metadata.get(name, state.anchor), name="the root")
    return root.body.roles[metadata.TARGETS]
