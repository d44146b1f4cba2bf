"""Taking a delivery late: two people say that it may be, though it has expired.

An isolated host's clock may be years ahead, or a courier months late, and the sender
out of reach. Then people whom the site knows can take responsibility for one delivery:
each signs an approval that names it by digest. It counts for a few weeks, never for a
delivery that was signed more than a year ago, and lifts nothing but the expiry:
everything else about the delivery has to be right.
"""

from collections.abc import Iterable

from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.trust import approval, clock, coherence, denials, metadata, policy, strict
from airlift.trust.approval import Approval, Subject
from airlift.trust.delivery import TrustState
from airlift.trust.people import holders
from airlift.trust.profile import signing
from airlift.trust.quorum import Quorum

LEAST = 2
"""People who must say so, however few a policy asks for otherwise."""
DAYS = 14
"""Days that an approval to take something late counts for: time to bring the media."""
LATE_DAYS = 366
"""Most days since a delivery was signed that it can be taken late."""


def subject(delivery: Sha256, site: str) -> Subject:
    """Return what people approve who let a site take *delivery* late."""
    return Subject(site=site, what=approval.EXPIRED, digest=delivery)


def officers(state: TrustState) -> tuple[Quorum, int]:
    """Return who may say so, and how many of them must.

    Those whom the site's policy enrols; without a policy, the release approvers of the
    root it trusts. Nobody whose key is denied.
    """
    listed = denials.decode(state.denials, name="the deny list here")
    if state.policy:
        people = policy.decode(state.policy, name="the policy here").approvers
        return listed.without(people), max(LEAST, people.threshold)
    newest = f"{coherence.newest_root(state.metadata)}.{metadata.ROOT}.json"
    root = strict.root(state.metadata.get(newest, state.anchor), name="the root").body
    people = root.roles[metadata.TARGETS]
    return listed.without(people), max(LEAST, signing(people))


def possible(state: TrustState) -> str:
    """Say who can let this site take something late; empty where too few could."""
    people, needed = officers(state)
    found = sorted({key.name for key in people.keys})
    if len(holders(people.keys)) < needed:
        return ""
    return f"{needed} of {', '.join(found)}"


def given(
    approvals: Iterable[Approval], delivery: Sha256, state: TrustState, *, at: str
) -> tuple[Approval, ...]:
    """Return the approvals by which *delivery* may be taken late, if they are enough.

    Args:
        approvals: Of anything, by anybody.
        delivery: SHA-256 of its dispatch record.
        state: What the site believes; decides who may say so.
        at: The time, not before the newest that is verified here.

    Returns:
        One for each person, the earliest first; none where they are too few.
    """
    people, needed = officers(state)
    counted = approval.counted(
        (one for one in approvals if in_time(one, at)),
        subject(delivery, state.site),
        people,
    )
    return counted if len(counted) >= needed else ()


def in_time(one: Approval, at: str) -> bool:
    """Say whether an approval counts at the time *at*: not yet over, nor of later."""
    return one.at <= at and clock.days_from(one.at, at) <= DAYS


def need_officers(state: TrustState) -> None:
    """Return if enough people are known here to let it take something late.

    Raises:
        RequestError: They are not: one person alone never can.
    """
    if not possible(state):
        people, needed = officers(state)
        problem = (
            f"{needed} people must say that a delivery may be taken late, this site"
            f" knows {len(holders(people.keys))}"
        )
        raise RequestError(problem, hint="ask for a newer delivery, or set the clock")
