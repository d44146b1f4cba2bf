"""Profiles: what a root promises of itself, signed in it and checked wherever it is read.

A root that names a profile is refused where it falls short of it, by who would sign it
and by every site. Changing the profile is a change of the root, shown before it is
signed, and signed by those whose keys count now.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from airlift.trust.people import families, holders, is_paired
from airlift.trust.quorum import Quorum
from airlift.trust.schemes import SCHEMES, Family

FIELD = "x-airlift-profile"
"""The field of a root that names its profile; left out where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the roles of a root must be at least.

    Attributes:
        name: What it is called.
        approving: Fewest people who must sign root and targets together.
        people: Fewest people whose keys count for them; more than *approving*, so that
            one lost key stops nobody.
        paired: Whether every signature is needed from both families of every person,
            also of deliveries.
        schemes: The schemes that may be used.
    """

    name: str
    approving: int
    people: int
    paired: bool
    schemes: frozenset[str]


STANDARD = Profile(
    name="standard", approving=2, people=3, paired=False, schemes=frozenset(SCHEMES)
)
"""No single person decides, and no single lost key is the end."""
STRICT = Profile(
    name="strict",
    approving=2,
    people=3,
    paired=True,
    # CNSA 2.0 names ML-DSA-87, CNSA 1.0 named P-384.
    schemes=frozenset({"ecdsa-sha2-nistp384", "ml-dsa-87/1"}),
)
"""As STANDARD, and no single family of signatures decides."""
PROFILES: Mapping[str, Profile] = {one.name: one for one in (STANDARD, STRICT)}

_APPROVE, _SEND = ("root", "targets"), ("snapshot", "timestamp")


def named(name: str) -> Profile:
    """Return the profile called *name*; ValueError where there is none."""
    if name not in PROFILES:
        raise ValueError
    return PROFILES[name]


def shortfalls(profile: Profile, roles: Mapping[str, Quorum]) -> tuple[str, ...]:
    """Say how *roles* fall short of *profile*, a line each; empty where they do not.

    Args:
        profile: What is asked for.
        roles: The quorums of the four top-level roles, and of sites by their roles.
    """
    lines: dict[str, None] = {}
    for role, one in roles.items():
        for line in _of_role(profile, role, one):
            lines[line] = None
    return tuple(lines)


def met(roles: Mapping[str, Quorum]) -> Profile | None:
    """Return the strictest profile that *roles* meet, if any."""
    return next((one for one in (STRICT, STANDARD) if not shortfalls(one, roles)), None)


def signing(one: Quorum) -> int:
    """Return the fewest people that can sign for *one*."""
    if one.people:
        return one.people
    needed, count = one.threshold, 0
    for held in sorted(map(len, holders(one.keys).values()), reverse=True):
        if needed <= 0:
            break
        needed, count = needed - held, count + 1
    return count


def _of_role(profile: Profile, role: str, one: Quorum) -> Iterator[str]:
    for key in one.keys:
        if key.scheme not in profile.schemes:
            yield f"`{key.name}` has a key of scheme {key.scheme}"
    if role in _APPROVE:
        if (count := signing(one)) < profile.approving:
            yield f"{count} can approve, {profile.approving} must"
        if (count := len(holders(one.keys))) < profile.people:
            yield f"{count} may approve, {profile.people} should"
    if profile.paired and not (one.people and is_paired(one.keys)):
        what = "approvals" if role in _APPROVE else "deliveries"
        yield f"{what} are not signed with both families of keys"


def broken_by(one: Quorum) -> Family | None:
    """Return a family that whoever breaks it can sign for *one* alone, if there is one."""
    found = families(one.keys)
    if one.people and is_paired(one.keys):
        return None
    return next((kind for kind in Family if found.count(kind) >= one.threshold), None)
