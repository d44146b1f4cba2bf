"""Which deny list a delivery brings, whether it follows the one in force, and on whom.

What travels is one list for all sites. A site that has one takes no delivery without
it, none whose list lacks an entry, and none whose keys are on it: a stolen key that was
denied cannot come back, not even in a root that was signed with other stolen keys.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from airlift import naming
from airlift.digest import sha256
from airlift.errors import FormatError, RequestError, TrustError
from airlift.format import release
from airlift.trust import denials
from airlift.trust.denials import Denial, DenyList, What
from airlift.trust.history import FORKED, JUMP
from airlift.trust.metadata import Target, Targets, VersionedTarget
from airlift.trust.metadata_set import MetadataSet
from airlift.trust.public import PublicKey
from airlift.trust.records import Offer, deny_name

_DAMAGED = "copy it again; if it stays so, stop and ask whoever sent it"
_STOLEN = "somebody may hold a stolen key: stop, and ask whoever signs"


def brought(offer: Offer, vouched: VersionedTarget | None) -> bytes:
    """Return the deny list that *offer* brings; empty where its signers state none.

    Args:
        offer: The records of a delivery, whose metadata is believed.
        vouched: What the targets role says of the deny list.

    Raises:
        TrustError: It is missing, not wanted, or not the one that was signed for.
        FormatError: It is no deny list, or of another version than its name.
    """
    found = offer.denials
    if found and (vouched is None or found.number != vouched.version):
        problem = f"the delivery was not meant to bring `{found.name}`"
        raise TrustError(problem, hint=_DAMAGED)
    if vouched is None:
        return b""
    if found is None:
        problem = f"the delivery lacks `{deny_name(vouched.version)}`"
        raise TrustError(problem, hint=_DAMAGED)
    if Target(sha256=sha256(found.data), length=len(found.data)) != vouched.target:
        problem = f"`{found.name}` is not what `{offer.targets.name}` vouches for"
        raise TrustError(problem, hint=_DAMAGED)
    told = denials.decode(found.data, name=f"`{found.name}`")
    if told.version != found.number:
        problem = f"`{found.name}` says it is version {told.version}"
        raise FormatError(problem, hint=_DAMAGED)
    return found.data


def check_follows(before: bytes, after: bytes) -> None:
    """Return if the deny list *after* may be in force where *before* was.

    Args:
        before: The list in force; empty where there is none.
        after: The list that a new delivery brings; empty where it brings none.

    Raises:
        TrustError: It is an earlier version, another of the same, far ahead, none, or
            it lacks or changes an entry: whoever could shorten it could bring back
            whatever was denied.
    """
    if before == after:
        return
    old, new = denials.decode(before), denials.decode(after)
    if not after:
        problem = (
            f"the delivery brings no deny list, this site has version {old.version}"
        )
        raise TrustError(problem, hint="ask for a newer delivery")
    if new.version < old.version:
        problem = (
            f"the delivery brings deny list {new.version}, this site has version"
            f" {old.version}"
        )
        raise TrustError(problem, hint="ask for a newer delivery")
    if new.version == old.version:
        problem = f"there are two deny lists of version {new.version}: a forked history"
        raise TrustError(problem, hint=FORKED)
    if before and new.version - old.version > JUMP:
        problem = (
            f"the deny list's version jumps from {old.version} to {new.version}, more"
            f" than {JUMP}"
        )
        raise TrustError(problem, hint=_STOLEN)
    if lost := sorted(set(old.entries) - set(new.entries)):
        problem = (
            f"deny list {new.version} does not deny {label(lost[0])} as version"
            f" {old.version} does, and a deny list only grows"
        )
        raise TrustError(problem, hint=_STOLEN)


def label(one: Denial) -> str:
    """Return what an entry denies, in words."""
    return f"{one.what.value} {one.digest[:16]}"


def check_keys(found: MetadataSet, listed: DenyList) -> None:
    """Return if no key that has a say in *found* is denied.

    Raises:
        TrustError: One is; says which, and in what.
    """
    for role, key in _says(found):
        if denied := _denied(key, listed):
            problem = (
                f"`{role}` counts key {key.key_id[:16]} of `{naming.show(key.name)}`,"
                f" which is denied since {denied.since}: {denied.why}"
            )
            raise TrustError(problem, hint=_STOLEN)


def _denied(key: PublicKey, listed: DenyList) -> Denial | None:
    return next(
        (
            one
            for one in listed.entries
            if one.what is What.KEY and one.digest == key.key_id
        ),
        None,
    )


def _says(found: MetadataSet) -> Iterator[tuple[str, PublicKey]]:
    quorums = {**found.root.body.roles, **found.targets.body.delegated()}
    for role, one in quorums.items():
        for key in one.keys:
            yield role, key


def refuse_keys(after: MetadataSet, listed: DenyList) -> None:
    """Return if a change leaves no denied key with a say.

    Raises:
        RequestError: It would; whoever signs has to name others.
    """
    try:
        check_keys(after, listed)
    except TrustError as error:
        hint = "take its say from it first: `airlift trust revoke`, or name other keys"
        raise RequestError(error.problem, hint=hint) from error


def refuse(documents: Sequence[bytes], listed: DenyList) -> None:
    """Return if nothing in these release documents is denied.

    Raises:
        RequestError: Something is: it must not leave.
    """
    for document in documents if listed.entries else ():
        one = release.decode(document)
        if denied := listed.of(release.identify(document), one):
            problem = (
                f"{one.kind} `{naming.show(one.name)}` may not leave: {label(denied)}"
                f" is denied since {denied.since}: {denied.why}"
            )
            raise RequestError(problem, hint="take it out of what is to be carried")


def amended(targets: Targets, document: bytes) -> Targets:
    """Return *targets* that vouch for the deny list *document*."""
    told = denials.decode(document)
    target = Target(sha256=sha256(document), length=len(document))
    named = VersionedTarget(version=told.version, target=target)
    return replace(targets, denials=named)
