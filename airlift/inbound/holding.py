"""Which releases of a delivery wait in quarantine, and why.

Without a site policy: what the desk holds, what the content gate finds, and what is
attested and not so. With one, its rules come first, on what is signed and on the bytes
themselves; what they object to waits until enough people have approved it. The registry
checks the same again when a release is to go live (``registry.clearance``).
"""

from collections.abc import Mapping
from dataclasses import replace

from airlift import naming
from airlift.artifact import ContentClass
from airlift.digest import Sha256
from airlift.inbound.arrival import Desk, Gate
from airlift.payload import gate as content
from airlift.registry import clearance
from airlift.registry.held import Hold
from airlift.trust import approval, attestation, denials, policy, rules
from airlift.trust.approval import Approval, Subject
from airlift.trust.delivery import VerifiedDelivery, VerifiedRelease
from airlift.trust.denials import DenyList, What
from airlift.trust.policy import Policy

_ACTING = (ContentClass.PICKLE, ContentClass.CODE)
"""What waits until a person makes it live, where no policy says more: it can run."""


def judge(
    delivery: VerifiedDelivery, gate: Gate, desk: Desk, *, now: str
) -> Mapping[Sha256, Hold]:
    """Return the releases of *delivery* that wait, by id.

    Args:
        delivery: A delivery that is not a repeat.
        gate: Where its blobs are by now.
        desk: Who imports it.
        now: The clock.

    Raises:
        StoreError: A blob cannot be read.
        RegistryError: The database cannot answer.
    """
    told, listed = in_force(delivery), denials.decode(delivery.state.denials)
    given = gate.registry.custody().approvals() if told else ()
    keys, found = listed.digests(What.KEY), {}
    for one in delivery.releases:
        flaws = attestation.flaws(
            attestation.judged(one.release, one.attestations, keys)
        )
        odd = "; ".join(filter(None, [flaws, _odd(one, told, gate)]))
        hold = _denied(listed, one)
        if told and not hold:
            objections = _objections(told, one, delivery, now)
            hold = _ruled(one, objections, (told, given), odd)
        if hold := hold or _held(one, desk, told, odd):
            found[one.id] = hold
    return found


def in_force(delivery: VerifiedDelivery) -> Policy | None:
    """Return the policy that is in force once *delivery* is recorded."""
    if not (data := delivery.state.policy):
        return None
    told = policy.decode(data, name="the policy in force")
    listed = denials.decode(delivery.state.denials)
    return replace(told, approvers=listed.without(told.approvers))


def foreseen(
    delivery: VerifiedDelivery, one: VerifiedRelease, desk: Desk, *, now: str
) -> str:
    """Say why a release will wait, as far as can be told before its bytes are here."""
    if denied := _denied(denials.decode(delivery.state.denials), one):
        return denied.why
    told = in_force(delivery)
    objections = _objections(told, one, delivery, now) if told else ()
    return "; ".join(objections) or desk.holds(one) or _acting(one, told)


def _denied(listed: DenyList, one: VerifiedRelease) -> Hold | None:
    found = listed.of(one.id, one.release)
    if found is None:
        return None
    why = f"{found.what.value} {found.digest[:16]} is denied: {found.why}"
    return Hold(by=Hold.DENIED, why=why)


def _held(
    one: VerifiedRelease, desk: Desk, told: Policy | None, odd: str
) -> Hold | None:
    """Return why a release waits that no policy keeps back."""
    if why := desk.holds(one) or _acting(one, told):
        return Hold(by=Hold.OPERATOR, why=why, odd=odd)
    # Under a policy, what is odd has been approved by now.
    return Hold(by=Hold.CONTENT, why=odd, odd=odd) if odd and not told else None


def _acting(one: VerifiedRelease, told: Policy | None) -> str:
    """Say what can run when it is loaded, unless a policy says which classes may."""
    if told and told.classes is not None:
        return ""
    found = [file.path for file in one.release.files if file.content_class in _ACTING]
    if not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"can run code when loaded: {naming.show(found[0])}{more}"


def _ruled(
    one: VerifiedRelease,
    objections: tuple[str, ...],
    asked: tuple[Policy, tuple[Approval, ...]],
    odd: str,
) -> Hold | None:
    told, given = asked
    subject = Subject(site=told.site, what=approval.RELEASE, digest=one.id)
    everything = (*objections, *([odd] if odd else ()))
    standing = clearance.standing("", everything, (told, subject), given)
    if standing.cleared:
        return None
    return Hold(by=Hold.POLICY, why=standing.lacking, odd=odd)


def _odd(one: VerifiedRelease, told: Policy | None, gate: Gate) -> str:
    """Say in which way the bytes of a release are not what its document says."""
    found = content.arriving(one.release, _reader(gate))
    if not found and told and told.classes is not None:
        found = content.disguised(one.release, _reader(gate), told.classes)
    return naming.show(found)


def _objections(
    told: Policy, one: VerifiedRelease, delivery: VerifiedDelivery, now: str
) -> tuple[str, ...]:
    # A clock that was turned back makes nothing younger than it is.
    imported = max(now, delivery.state.floor)
    issued = delivery.dispatch.issued
    traits = rules.traits(one.release, issued=issued, imported=imported)
    return rules.objections(told, traits)


def _reader(gate: Gate) -> content.ReadBlob:
    def read(blob: Sha256, start: int, stop: int) -> bytes:
        return b"".join(gate.store.read(blob, start=start, stop=stop))

    return read
