"""Whose keys a root lets count, and what it promises, as lines for who reads it."""

from collections.abc import Iterator, Mapping

from airlift import naming
from airlift.artifact import Json
from airlift.errors import TrustError
from airlift.trust import metadata, profile
from airlift.trust.metadata import Root
from airlift.trust.people import label
from airlift.trust.quorum import Quorum

WHAT = {metadata.ROOT: "approvals", metadata.SNAPSHOT: "deliveries"}
"""What the quorums of a root are for, by a role that has each."""


def lines(root: Root) -> Iterator[str]:
    """Yield who must sign what, each key with its fingerprint, and the profile."""
    yield f"root version {root.version}, good until {root.expires}"
    for role, what in WHAT.items():
        one = root.roles[role]
        yield f"{what}: {count(one)}"
        for key in one.keys:
            yield f"  {naming.show(label(key, one.keys))}"
            yield f"    {key.fingerprint.groups}"
            yield f"    {key.fingerprint.words}"
    yield promise(root)


def count(one: Quorum) -> str:
    """Return how much of a quorum must sign."""
    if one.people:
        return f"{one.people} people must sign, each with both keys"
    return f"{one.threshold} of {len(one.keys)} keys must sign"


def promise(root: Root) -> str:
    """Return one line: the profile that is promised, and the one that is met."""
    met = profile.met(root.roles)
    reached = f"meets {met.name}" if met else _short_of_standard(root)
    stated = f"promises {root.profile}, " if root.profile else ""
    family = profile.broken_by(root.roles[metadata.ROOT])
    weak = f"; whoever breaks {family} signatures can sign it" if family else ""
    return f"profile: {stated}{reached}{weak}"


def _short_of_standard(root: Root) -> str:
    return "none met: " + "; ".join(profile.shortfalls(profile.STANDARD, root.roles))


def require(root: Root, name: str) -> None:
    """Return if *root* meets the profile *name*.

    Raises:
        TrustError: It falls short of it; says by what.
    """
    if short := profile.shortfalls(profile.PROFILES[name], root.roles):
        problem = f"the root falls short of the profile {name}: " + "; ".join(short)
        hint = "`airlift trust rotate` names other people, keys and thresholds"
        raise TrustError(problem, hint=hint)


def to_json(root: Root) -> dict[str, Json]:
    """Return what ``lines`` says, for programs."""
    met = profile.met(root.roles)
    return {
        "version": root.version,
        "expires": root.expires,
        "promises": root.profile or None,
        "meets": met.name if met else None,
        "roles": {what: _role(root.roles[role]) for role, what in WHAT.items()},
    }


def _role(one: Quorum) -> Mapping[str, Json]:
    keys: list[Json] = [
        {
            "name": key.name,
            "scheme": key.scheme,
            "key_id": key.key_id,
            "words": key.fingerprint.words,
        }
        for key in one.keys
    ]
    return {"keys": keys, "threshold": one.threshold, "people": one.people or None}
