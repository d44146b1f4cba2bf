"""Which policy a delivery brings, and whether it may follow the one in force."""

from dataclasses import replace

from airlift.digest import sha256
from airlift.errors import FormatError, TrustError
from airlift.trust import policy
from airlift.trust.history import FORKED, JUMP
from airlift.trust.metadata import Target, Targets, VersionedTarget
from airlift.trust.records import Offer, policy_name

_DAMAGED = "copy it again; if it stays so, stop and ask whoever sent it"


def brought(offer: Offer, vouched: VersionedTarget | None, site: str) -> bytes:
    """Return the policy that *offer* brings; empty where its signers state none.

    Args:
        offer: The records of a delivery, whose metadata is believed.
        vouched: What the targets role says of the site's policy.
        site: This site.

    Raises:
        TrustError: It is missing, not wanted, or not the one that was signed for.
        FormatError: It is no policy, or of another site or version than its name.
    """
    found = offer.policy
    if found and (vouched is None or found.number != vouched.version):
        problem = f"the delivery was not meant to bring `{found.name}`"
        raise TrustError(problem, hint=_DAMAGED)
    if vouched is None:
        return b""
    if found is None:
        problem = f"the delivery lacks `{policy_name(site, vouched.version)}`"
        raise TrustError(problem, hint=_DAMAGED)
    if Target(sha256=sha256(found.data), length=len(found.data)) != vouched.target:
        problem = f"`{found.name}` is not what `{offer.targets.name}` vouches for"
        raise TrustError(problem, hint=_DAMAGED)
    told = policy.decode(found.data, name=f"`{found.name}`")
    if (told.site, told.version) != (site, found.number):
        problem = f"`{found.name}` says it is version {told.version} of `{told.site}`"
        raise FormatError(problem, hint=_DAMAGED)
    return found.data


def amended(targets: Targets, before: bytes, document: bytes) -> Targets:
    """Return *targets* with the policy *document* in the place of *before*.

    Raises:
        FormatError: It is no policy.
        TrustError: As ``check_follows``.
    """
    check_follows(before, document)
    told = policy.decode(document)
    target = Target(sha256=sha256(document), length=len(document))
    named = VersionedTarget(version=told.version, target=target)
    return replace(targets, policies={**targets.policies, told.site: named})


def check_follows(before: bytes, after: bytes) -> None:
    """Return if *after* may be in force where *before* was.

    Args:
        before: The policy in force; empty where there is none.
        after: The policy that a new delivery brings; empty where it brings none.

    Raises:
        TrustError: It is an earlier version, another of the same, far ahead, or none:
            whoever could send a site back to a weaker policy could lift any.
    """
    if not before or before == after:
        return
    old = policy.decode(before, name="the policy in force").version
    if not after:
        problem = f"the delivery brings no policy, this site has version {old} of its"
        hint = "to lift a policy, its signers issue a version that allows everything"
        raise TrustError(problem, hint=hint)
    new = policy.decode(after).version
    if new < old:
        problem = (
            f"the delivery brings policy version {new}, this site has version {old}"
        )
        raise TrustError(problem, hint="ask for a newer delivery")
    if new == old:
        problem = f"there are two policies of version {new}: a forked history"
        raise TrustError(problem, hint=FORKED)
    if new - old > JUMP:
        problem = f"the policy's version jumps from {old} to {new}, more than {JUMP}"
        hint = "somebody may hold a stolen key: stop, and ask whoever signs"
        raise TrustError(problem, hint=hint)
