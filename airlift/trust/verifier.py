"""The one place where a site decides to believe a delivery.

The law, in the order it is applied; whatever fails stops everything:

1. Every file is one that is expected, within its limit; none is missing.
2. Every metadata file is, to the byte, in the one form airlift writes.
3. The roots form an unbroken chain from version 1 through the root accepted here and
   every root trusted since.
4. Every signature is needed and valid, by a key of its role; the documents name each
   other as they are; the snapshot names every role and the newest root.
5. The dispatch record is the one the site's role vouches for; only then is it read.
   The packing list and each release document are the ones signed for, and each
   attestation is one that a release names; what it says is no matter here.
6. Nothing has expired at the later of this host's clock and the newest time it has
   verified; or enough people here have said that it may be taken late (trust.grace).
   Said last of all, so that everything else about what is taken late is right.
7. ``tuf``'s own client believes the same bytes, and knows no newer.
8. The delivery follows what this site imported: no fork, no step back, no leap; no
   release is older than one held here, nor is the site's policy. The deny list has
   every entry of the one in force, and none of a key that has a say.

Packing list and releases are read last.

A delivery that the site has imported already is judged by 1 to 5 and 7, without a past
and at its own time of issue: it may be imported again from any medium, and changes
nothing in what the site trusts.

Nothing here writes, except into a scratch folder that goes away; what comes of it is
recorded by the caller in one transaction.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from airlift import naming
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, RequestError, TrustError
from airlift.format import dispatch, packing, release
from airlift.format.dispatch import Dispatch
from airlift.format.packing import PackingList
from airlift.trust import (
    attached,
    clock,
    coherence,
    denials,
    grace,
    history,
    metadata,
    records,
    revocation,
    strict,
    succession,
)
from airlift.trust.approval import Approval
from airlift.trust.client import Standpoint, judge
from airlift.trust.delivery import (
    LONG_AGO,
    SignedBy,
    TrustState,
    VerifiedDelivery,
    VerifiedRelease,
)
from airlift.trust.metadata_set import MetadataSet
from airlift.trust.records import PACKING, Offer

CLOCK_AHEAD_DAYS = 366
"""Days past the newest signed time after which an expiry may be the clock's fault."""
ROOT_NOTICE_DAYS = 90
"""Days before the newest root expires from which every import says so."""

_DAMAGED = "copy it again; if it stays so, stop and ask whoever sent it"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """A delivery whose metadata and dispatch record are signed, and no more."""

    offer: Offer
    found: MetadataSet
    signed_by: tuple[SignedBy, ...]
    record: Dispatch
    digest: Sha256


def verify(
    offered: Mapping[str, bytes],
    state: TrustState,
    *,
    now: str,
    approvals: Iterable[Approval] = (),
) -> VerifiedDelivery:
    """Return the proof that this site believes the delivery with records *offered*.

    Args:
        offered: Every file below ``airlift/`` of a volume except ``volume.json``, by
            its name there; see ``records.limit`` for how much of each to read.
        state: What the site believes so far.
        now: This host's clock, ``YYYY-MM-DDThh:mm:ssZ``.
        approvals: What people here have approved, of anything; looked at where the
            delivery has expired.

    Raises:
        FormatError: A record is missing, damaged or not airlift's.
        TrustError: Nothing gives the delivery authority here; the message says what
            was found instead.
        StoreError: The folder for temporary files cannot be written.
    """
    delivery, late = _weigh(offered, state, now)
    if late is None:
        return delivery
    at = max(now, state.floor)
    people = grace.given(approvals, delivery.id, state, at=at)
    if not people or clock.days_from(delivery.dispatch.issued, at) > grace.LATE_DAYS:
        raise late
    names = tuple(sorted(one.by for one in people))
    shown = ", ".join(naming.show(one) for one in names)
    line = f"{late.problem}; it is taken late by the word of {shown}"
    return replace(delivery, graced=names, warnings=(*delivery.warnings, line))


def overdue(
    offered: Mapping[str, bytes], state: TrustState, *, now: str
) -> tuple[Sha256, str]:
    """Return the id of a delivery in which nothing is wrong but that it expired.

    And in what it has. Arguments as for ``verify``.

    Raises:
        RequestError: Nothing in it has expired.
        FormatError, TrustError, StoreError: As ``verify``, for all else.
    """
    delivery, late = _weigh(offered, state, now)
    if late is None:
        problem = f"nothing in delivery {delivery.dispatch.sequence} has expired"
        raise RequestError(problem, hint="import it")
    return delivery.id, late.problem


def _weigh(
    offered: Mapping[str, bytes], state: TrustState, now: str
) -> tuple[VerifiedDelivery, TrustError | None]:
    """Return what there is to believe, and what has expired of it."""
    clock.moment(now, what="this host's clock")
    offer = records.sort(offered, site=state.site)
    digest = sha256(offer.dispatch.data)
    repeat = history.is_repeat(state, offer.dispatch.number, digest)
    past = replace(state, metadata={}) if repeat else state
    claim = _claim(offer, state, digest)
    _check_digests(claim)
    vouched = claim.found.targets.body.policies.get(state.site)
    policy = succession.brought(offer, vouched, state.site)
    denied = revocation.brought(offer, claim.found.targets.body.denials)
    if not repeat:
        succession.check_follows(state.policy, policy)
        revocation.check_follows(state.denials, denied)
        revocation.check_keys(claim.found, denials.decode(denied))
        _check_past(claim, past)
    late = None if repeat else _late(claim, past, now)
    # Before the client's view: to that a fork is only records that do not fit.
    gap = () if repeat else history.missed(state, claim.record)
    issued = claim.record.issued
    _judge(claim, past, issued if repeat or late else max(now, state.floor))
    delivery = VerifiedDelivery(
        id=digest,
        dispatch=claim.record,
        packing=_packing(claim),
        releases=_releases(claim),
        records=dict(offered),
        state=state,
        signed_by=claim.signed_by,
        repeat=repeat,
        missed=gap,
        warnings=_warnings(claim, state, now),
    )
    if repeat:
        return delivery, None
    advanced = _advanced(state, claim, delivery.releases)
    advanced = replace(advanced, policy=policy, denials=denied)
    return replace(delivery, state=advanced), late


def _claim(offer: Offer, state: TrustState, digest: Sha256) -> _Claim:
    found, signed_by = coherence.read(offer, state)
    name = offer.dispatch.name
    expected = metadata.Target(sha256=digest, length=len(offer.dispatch.data))
    target = dispatch.target_name(state.site, offer.dispatch.number)
    vouched = found.sites[state.site].body.targets
    if vouched.get(target) != expected:
        problem = f"`{name}` is not what `{offer.site_role.name}` vouches for"
        raise TrustError(problem, hint=_DAMAGED)
    # The first parse of the record, and its bytes are signed for.
    record = dispatch.decode(offer.dispatch.data, name=f"`{name}`")
    if (record.site, record.sequence) != (state.site, offer.dispatch.number):
        problem = (
            f"`{name}` says it is delivery {record.sequence} to site `{record.site}`"
        )
        raise TrustError(problem, hint=_DAMAGED)
    clock.moment(record.issued, what=f"the issue time in `{name}`")
    return _Claim(
        offer=offer, found=found, signed_by=signed_by, record=record, digest=digest
    )


def _check_past(claim: _Claim, state: TrustState) -> None:
    newest = coherence.newest_root(state.metadata)
    if len(claim.offer.roots) < newest:
        problem = (
            f"the roots offered end at version {len(claim.offer.roots)}, this site"
            f" trusts version {newest}"
        )
        raise TrustError(problem, hint="ask for a newer delivery")
    if state.metadata:
        history.check_jumps(_trusted(state), claim.found)


def _late(claim: _Claim, state: TrustState, now: str) -> TrustError | None:
    """Return what to say of what has expired; None where nothing has."""
    for role, document in claim.found.documents():
        if document.body.expires <= max(now, state.floor):
            return _expired(role, document.body.expires, claim, state, now)
    return None


def _trusted(state: TrustState) -> MetadataSet:
    root = f"{coherence.newest_root(state.metadata)}.{metadata.ROOT}.json"
    role = f"{metadata.site_role(state.site)}.json"
    held = state.metadata
    return MetadataSet(
        root=strict.root(held[root], name=f"trusted {root}"),
        timestamp=strict.timestamp(held["timestamp.json"], name="trusted timestamp"),
        snapshot=strict.snapshot(held["snapshot.json"], name="trusted snapshot"),
        targets=strict.targets(held["targets.json"], name="trusted targets"),
        sites={state.site: strict.site_targets(held[role], name=f"trusted {role}")},
    )


def _expired(
    role: str, expires: str, claim: _Claim, state: TrustState, now: str
) -> TrustError:
    newest = max(state.floor, claim.record.issued)
    behind, ahead = clock.days_from(now, newest), clock.days_from(newest, now)
    problem = f"`{role}` of this delivery expired on {expires}; this clock says {now}"
    if state.floor != LONG_AGO:
        problem += f", the newest time verified here is {state.floor}"
    hint = "ask for a newer delivery"
    if now < state.floor:
        hint = (
            f"this clock is {behind} days behind a verified time: set it, then {hint}"
        )
    elif ahead > CLOCK_AHEAD_DAYS:
        hint = (
            f"this clock is {ahead} days past the newest signed time: if that cannot be,"
            f" set it; else {hint}"
        )
    if people := grace.possible(state):
        hint += f"; or {people} `airlift approve --expired` it"
    return TrustError(problem, hint=hint)


def _judge(claim: _Claim, past: TrustState, at: str) -> None:
    standpoint = Standpoint(
        site=past.site,
        anchor=past.anchor,
        trusted=past.metadata,
        at=clock.moment(at, what="the time to judge at"),
    )
    judge(claim.offer, standpoint)


def _check_digests(claim: _Claim) -> None:
    """Check that packing list and release documents are those signed for, unread."""
    data, record = claim.offer.packing, claim.record
    if (sha256(data), len(data)) != (record.packing_sha256, record.packing_size):
        problem = (
            f"`{PACKING}` is not the list that `{claim.offer.dispatch.name}` names"
        )
        raise TrustError(problem, hint=_DAMAGED)
    offered, wanted = claim.offer.releases, set(record.releases)
    if odd := sorted(offered.keys() ^ wanted):
        verb = "lacks" if odd[0] in wanted else "was not meant to bring"
        problem = f"the delivery {verb} `{records.release_name(Sha256(odd[0]))}`"
        raise TrustError(problem, hint=_DAMAGED)
    vouched = claim.found.targets.body.targets
    for release_id in record.releases:
        document = offered[release_id]
        actual = metadata.Target(sha256=sha256(document), length=len(document))
        if vouched.get(metadata.release_target(release_id)) != actual:
            name = records.release_name(release_id)
            problem = f"`{name}` is not what `{claim.offer.targets.name}` vouches for"
            raise TrustError(problem, hint=_DAMAGED)


def _packing(claim: _Claim) -> PackingList:
    """Return the packing list, already checked by digest."""
    listing = packing.decode(claim.offer.packing, name=f"`{PACKING}`")
    needs = {one.sha256 for one in claim.record.needs}
    carried = (one.sha256 for one in listing.blobs)
    if both := next((one for one in carried if one in needs), None):
        problem = f"`{PACKING}` carries blob {both}, which the record says it needs"
        raise FormatError(problem, hint="ask whoever sent it to export it again")
    return listing


def _releases(claim: _Claim) -> tuple[VerifiedRelease, ...]:
    found = []
    for release_id in claim.record.releases:
        document = claim.offer.releases[release_id]
        name = f"`{records.release_name(release_id)}`"
        content = release.decode(document, name=name)
        found.append((release_id, content, document))
    offered = claim.offer.attestations
    attached.check(offered, (content for _, content, _ in found))
    return tuple(
        VerifiedRelease(
            id=release_id,
            release=content,
            document=document,
            attestations=tuple(offered[one.sha256] for one in content.attestations),
        )
        for release_id, content, document in found
    )


def _advanced(
    state: TrustState, claim: _Claim, releases: tuple[VerifiedRelease, ...]
) -> TrustState:
    offer = claim.offer
    highest, heads = history.counters(state, releases)
    return replace(
        state,
        metadata={
            **{f"{one.number}.{metadata.ROOT}.json": one.data for one in offer.roots},
            f"{metadata.TIMESTAMP}.json": offer.timestamp,
            f"{metadata.SNAPSHOT}.json": offer.snapshot.data,
            f"{metadata.TARGETS}.json": offer.targets.data,
            f"{metadata.site_role(state.site)}.json": offer.site_role.data,
        },
        floor=max(state.floor, claim.record.issued),
        deliveries=history.extended(state, claim.record, claim.digest),
        counters=highest,
        heads=heads,
    )


def _warnings(claim: _Claim, state: TrustState, now: str) -> tuple[str, ...]:
    issued, lines = claim.record.issued, []
    if now < state.floor:
        lines.append(
            f"this host's clock says {now}, before {state.floor}, which is verified:"
            " set the clock"
        )
    if clock.days_from(now, issued) >= 1:
        lines.append(
            f"the delivery was issued at {issued}, later than this host's clock ({now}):"
            " one of the two clocks is wrong"
        )
    expires = claim.found.root.body.expires
    if clock.days_from(max(now, state.floor), expires) < ROOT_NOTICE_DAYS:
        lines.append(
            f"the root expires on {expires}: whoever signs must renew it before then"
        )
    return tuple(lines)
