"""Who may approve what at a site, and what waits for it."""

from collections.abc import Iterable, Mapping

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.registry import (
    attestations,
    clearance,
    denying,
    finding,
    rows,
    schema,
)
from airlift.registry.clearance import Standing
from airlift.registry.engine import Database
from airlift.registry.held import Event, Held, State
from airlift.trust import approval, grace
from airlift.trust.approval import Approval, Subject
from airlift.trust.attestation import Judged
from airlift.trust.delivery import TrustState
from airlift.trust.denials import DenyList
from airlift.trust.people import person
from airlift.trust.policy import Policy


class Custody:
    """The policy in force and the approvals under it; reads only.

    Args:
        database: Where to ask.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def policy(self) -> Policy | None:
        """Return the policy in force; None where the site has none.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return clearance.in_force(connection)

    def standings(self, ids: Iterable[Sha256]) -> Mapping[Sha256, Standing]:
        """Return where releases stand; empty where the site has no policy.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            told = clearance.in_force(connection)
            if told is None:
                return {}
            numbers = rows.numbers(connection, ids).values()
            return clearance.standings(connection, numbers, told)

    def waiting(self, found: Iterable[Held]) -> Mapping[Sha256, str]:
        """Return why those of *found* wait that are in quarantine, in words.

        Raises:
            RegistryError: The database cannot answer.
        """
        ids = [one.id for one in found if one.state is State.QUARANTINE]
        if not ids:
            return {}
        standings = self.standings(ids)
        with self._database.read() as connection:
            told = clearance.holds(connection)
        reasons = {}
        for one in ids:
            standing = standings.get(one)
            reasons[one] = standing.lacking if standing else told.get(one, "")
            if standing and standing.cleared:
                reasons[one] = "cleared by the policy; waits for `airlift activate`"
        return {one: why for one, why in reasons.items() if why}

    def denials(self) -> DenyList:
        """Return the deny list in force; one of version 0 where nothing was denied.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return denying.in_force(connection)

    def struck(self, listed: DenyList) -> tuple[Held, ...]:
        """Return the live releases that *listed* denies.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            numbers = denying.struck(connection, listed)
            return rows.held(connection, schema.release.c.number.in_(numbers))

    def approvals(self) -> tuple[Approval, ...]:
        """Return every approval in the log; whoever counts them verifies them.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return clearance.approvals(connection)

    def attestations(self, release: Sha256) -> tuple[Judged, ...]:
        """Return what was attested of a release, and what of it is so now.

        Raises:
            RequestError: It is not held.
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return attestations.of(connection, release)

    def evidence(self, release: Sha256) -> Mapping[Sha256, bytes]:
        """Return the bytes of the attestations of a release, by digest.

        Raises:
            RegistryError: The database cannot answer.
        """
        with self._database.read() as connection:
            return attestations.contents(connection, release)

    def subject(self, release: Sha256) -> Subject:
        """Return what an approval of *release* has to name.

        Raises:
            RequestError: The site has no policy, so nobody is enrolled to approve.
            RegistryError: The database cannot answer.
        """
        told = self._needed()
        return Subject(site=told.site, what=approval.RELEASE, digest=release)

    def admit(self, given: Approval, *, actor: str, now: str) -> Event:
        """Return the line of the log that makes an approval count.

        Args:
            given: The approval; of a release that is held here.
            actor: Who runs the command.
            now: The clock.

        Raises:
            TrustError: It is by nobody enrolled, for another site, or not valid.
            RequestError: The same person has approved it before, the release is not
                held, or the site has no policy.
            RegistryError: The database cannot answer.
        """
        told = self._needed()
        subject = Subject(
            site=told.site, what=approval.RELEASE, digest=given.subject.digest
        )
        approval.check(given, subject, told.approvers)
        with self._database.read() as connection:
            if not rows.numbers(connection, [subject.digest]):
                raise finding.unknown(subject.digest)
        for one in approval.counted(self.approvals(), subject, told.approvers):
            if one.key_id == given.key_id:
                problem = f"`{naming.show(one.by)}` approved it on {one.at} already"
                hint = "each person counts once: somebody else has to approve it too"
                raise RequestError(problem, hint=hint)
        return Event(
            time=now,
            actor=actor,
            action=clearance.APPROVE,
            subject=given.by,
            detail={"policy": told.version, "approval": approval.table(given)},
        )

    def admit_late(
        self, given: Approval, state: TrustState, *, actor: str, now: str
    ) -> Event:
        """Return the line of the log that makes an approval to take something late count.

        Args:
            given: The approval.
            state: What the site believes; decides who may give it.
            actor: Who runs the command.
            now: The clock.

        Raises:
            TrustError: It is by nobody who may, for another site, or not valid.
            RequestError: The same person has given it before.
            RegistryError: The database cannot answer.
        """
        people, _ = grace.officers(state)
        wanted = grace.subject(given.subject.digest, state.site)
        approval.check(given, wanted, people)
        at = max(now, state.floor)
        before = (one for one in self.approvals() if grace.in_time(one, at))
        for one in approval.counted(before, wanted, people):
            if person(one.by) == person(given.by):
                problem = f"`{naming.show(one.by)}` approved it on {one.at} already"
                raise RequestError(problem, hint="somebody else has to, too")
        return Event(
            time=now,
            actor=actor,
            action=clearance.APPROVE,
            subject=given.by,
            detail={"approval": approval.table(given)},
        )

    def _needed(self) -> Policy:
        if told := self.policy():
            return told
        problem = "this site has no policy, so nobody is enrolled to approve"
        hint = "without one, `airlift activate` is enough; see `airlift policy set`"
        raise RequestError(problem, hint=hint)
