"""The strict reader of TUF metadata: one spelling, known fields, sound keys.

It stands before every library: what it passes has the exact form that
airlift.trust.metadata writes, so that duplicate keys, other spellings, unknown
fields, odd times, key ids that are not their key's, one key under two ids, unused
keys and thresholds nobody can meet end here.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from airlift import naming
from airlift.digest import is_sha256
from airlift.errors import FormatError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.trust import clock, metadata, profile, public
from airlift.trust.metadata import (
    B,
    Document,
    Edition,
    Root,
    SiteTargets,
    Snapshot,
    Target,
    Targets,
    Timestamp,
    VersionedTarget,
)
from airlift.trust.people import FAMILIES, holders, is_paired
from airlift.trust.public import PublicKey
from airlift.trust.quorum import Quorum

LIMITS = {
    metadata.ROOT: 512_000,
    # Four signatures of ML-DSA-87 are 37 kB.
    metadata.TIMESTAMP: 64 << 10,
    metadata.SNAPSHOT: 2_000_000,
    metadata.TARGETS: 8 << 20,
}
"""Most bytes of a metadata file by role; a site's role has that of ``site``."""
SITE_LIMIT = 64 << 10
SIGNATURES = 64
"""Most signatures of a document: each costs up to a millisecond to check."""

_HEX = re.compile(r"(?:[0-9a-f]{2}){1,8192}", re.ASCII)
_RELEASE = re.compile(r"releases/([0-9a-f]{64})\.json", re.ASCII)
_POLICY = re.compile(r"policy/([a-z0-9-]{1,32})/([1-9]\d{0,15})\.json", re.ASCII)
_DENY = re.compile(r"deny/([1-9]\d{0,15})\.json", re.ASCII)
_DISPATCH = re.compile(r"dispatch/[a-z0-9-]{1,32}/[1-9]\d{0,15}\.json", re.ASCII)
_CATALOGUE = re.compile(r"catalogue/[1-9]\d{0,15}\.json\.zst", re.ASCII)


def root(data: bytes, *, name: str) -> Document[Root]:
    """Return the root that *data* states.

    Args:
        data: The whole file.
        name: What to call it in an error.

    Raises:
        FormatError: It is not a root in airlift's form.
    """
    return _document(data, name, LIMITS[metadata.ROOT], _root)


def timestamp(data: bytes, *, name: str) -> Document[Timestamp]:
    """Return the timestamp that *data* states; as ``root``."""
    return _document(data, name, LIMITS[metadata.TIMESTAMP], _timestamp)


def snapshot(data: bytes, *, name: str) -> Document[Snapshot]:
    """Return the snapshot that *data* states; as ``root``."""
    return _document(data, name, LIMITS[metadata.SNAPSHOT], _snapshot)


def targets(data: bytes, *, name: str) -> Document[Targets]:
    """Return the top-level targets that *data* states; as ``root``."""
    return _document(data, name, LIMITS[metadata.TARGETS], _top_targets)


def site_targets(data: bytes, *, name: str) -> Document[SiteTargets]:
    """Return the targets of a site's role that *data* states; as ``root``."""
    return _document(data, name, SITE_LIMIT, lambda one: _lone(one, _DISPATCH))


def catalogue(data: bytes, *, name: str) -> Document[SiteTargets]:
    """Return what the role of catalogues states in *data*; as ``root``.

    It has the form of a site's role: one target, the newest.
    """
    return _document(data, name, SITE_LIMIT, lambda one: _lone(one, _CATALOGUE))


def _document(
    data: bytes, name: str, limit: int, read: Callable[[Fields], B]
) -> Document[B]:
    top = Fields(canonical.decode(data, name=name, limit=limit), record=name)
    top.only("signatures", "signed")
    document = Document(body=read(top.table("signed")), signatures=_signatures(top))
    if metadata.encode(document) != data:
        # Signatures or sites out of order, a site twice: read, but not what we write.
        problem = f"{name} is not in the form airlift writes"
        raise FormatError(problem, hint="a newer airlift may be needed to read this")
    return document


def _signatures(top: Fields) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in top.tables("signatures"):
        entry.only("keyid", "sig")
        key_id, signature = entry.text("keyid"), entry.text("sig")
        if not is_sha256(key_id):
            entry.refuse("keyid", "is not 64 lower-case hexadecimal digits")
        if not _HEX.fullmatch(signature):
            entry.refuse("sig", "is not lower-case hexadecimal")
        if key_id in found:
            entry.refuse("keyid", "has signed already")
        found[key_id] = signature
        if len(found) > SIGNATURES:
            entry.refuse("keyid", f"is one of more than {SIGNATURES} signatures")
    return found


def _root(signed: Fields) -> Root:
    version, expires = _common(signed, metadata.ROOT)
    fields = ["consistent_snapshot", "keys", "roles"]
    if version > 1:
        fields.append(metadata.PREVIOUS)
    if profile.FIELD in signed.names():
        fields.append(profile.FIELD)
    _only(signed, *fields)
    if not signed.flag("consistent_snapshot"):
        signed.refuse("consistent_snapshot", "is false, expected true")
    keys = _keys(signed)
    table = signed.table("roles")
    table.only(*metadata.TOP_ROLES)
    roles = {role: _quorum(table.table(role), keys) for role in metadata.TOP_ROLES}
    _all_used(signed, keys, roles)
    previous = signed.sha256(metadata.PREVIOUS) if version > 1 else None
    return Root(
        version=version,
        expires=expires,
        roles=roles,
        previous=previous,
        profile=_profile(signed, roles),
    )


def _profile(signed: Fields, roles: Mapping[str, Quorum]) -> str:
    if profile.FIELD not in signed.names():
        return ""
    stated = signed.choice(profile.FIELD, profile.named)
    if short := profile.shortfalls(stated, roles):
        signed.refuse(profile.FIELD, f"is {stated.name}, but {short[0]}")
    return stated.name


def _timestamp(signed: Fields) -> Timestamp:
    version, expires = _common(signed, metadata.TIMESTAMP)
    _only(signed, "meta")
    meta = signed.table("meta")
    meta.only(f"{metadata.SNAPSHOT}.json")
    named = _edition(meta.table(f"{metadata.SNAPSHOT}.json"))
    return Timestamp(version=version, expires=expires, snapshot=named)


def _snapshot(signed: Fields) -> Snapshot:
    version, expires = _common(signed, metadata.SNAPSHOT)
    _only(signed, "meta")
    editions = {
        name.removesuffix(".json"): _edition(entry)
        for name, entry in _entries(signed, "meta", _is_listed)
    }
    return Snapshot(version=version, expires=expires, editions=editions)


def _top_targets(signed: Fields) -> Targets:
    version, expires = _common(signed, metadata.TARGETS)
    _only(signed, "targets", "delegations")
    delegations = signed.table("delegations")
    delegations.only("keys", "roles")
    keys = _keys(delegations)
    roles = dict(_delegation(entry, keys) for entry in delegations.tables("roles"))
    _all_used(delegations, keys, roles)
    catalogue = roles.pop(metadata.CATALOGUE, None)
    sites = {
        role.removeprefix(metadata.SITE_PREFIX): one for role, one in roles.items()
    }
    found = _targets(signed, _is_vouched)
    releases = {one: found[one] for one in found if _RELEASE.fullmatch(one)}
    for name, target in releases.items():
        if name != metadata.release_target(target.sha256):
            signed.refuse("targets", f"names `{name}` with another file's digest")
    return Targets(
        version=version,
        expires=expires,
        targets=releases,
        sites=sites,
        catalogue=catalogue,
        policies=_policies(signed, found, sites),
        denials=_denials(signed, found),
    )


def _is_vouched(name: str) -> bool:
    patterns = (_RELEASE, _POLICY, _DENY)
    return any(one.fullmatch(name) for one in patterns)


def _denials(signed: Fields, found: Mapping[str, Target]) -> VersionedTarget | None:
    named = [
        VersionedTarget(version=int(match[1]), target=target)
        for name, target in found.items()
        if (match := _DENY.fullmatch(name))
    ]
    # Two would let whoever sends choose the shorter one.
    if len(named) > 1:
        signed.refuse("targets", "name more than one deny list")
    return named[0] if named else None


def _policies(
    signed: Fields, found: Mapping[str, Target], sites: Mapping[str, Quorum]
) -> dict[str, VersionedTarget]:
    policies: dict[str, VersionedTarget] = {}
    for name, target in found.items():
        if not (match := _POLICY.fullmatch(name)):
            continue
        site = match[1]
        # Two would let whoever sends choose which of them a site goes by.
        if site not in sites or site in policies:
            signed.refuse("targets", f"name `{name}`: no such site, or a second policy")
        policies[site] = VersionedTarget(version=int(match[2]), target=target)
    return policies


def _lone(signed: Fields, names: re.Pattern[str]) -> SiteTargets:
    version, expires = _common(signed, metadata.TARGETS)
    _only(signed, "targets")
    found = _targets(signed, lambda name: names.fullmatch(name) is not None)
    if len(found) > 1:
        what = "dispatch record" if names is _DISPATCH else "catalogue"
        signed.refuse("targets", f"names more than the newest {what}")
    return SiteTargets(version=version, expires=expires, targets=found)


def _common(signed: Fields, kind: str) -> tuple[int, str]:
    signed.expect("_type", kind)
    signed.expect("spec_version", metadata.SPEC)
    expires = signed.text("expires")
    clock.moment(expires, what=f"the expiry of {kind}")
    return signed.number("version", least=1), expires


def _only(signed: Fields, *own: str) -> None:
    signed.only("_type", "spec_version", "version", "expires", *own)


def _keys(fields: Fields) -> dict[str, PublicKey]:
    return {
        key_id: public.from_tuf(key_id, entry)
        for key_id, entry in _entries(fields, "keys", is_sha256)
    }


def _quorum(entry: Fields, keys: Mapping[str, PublicKey], *own: str) -> Quorum:
    entry.only("keyids", "threshold", metadata.PEOPLE, *own)
    key_ids = entry.sha256s("keyids")
    for key_id in key_ids:
        if key_id not in keys:
            entry.refuse("keyids", f"name key {key_id[:16]}, which is not listed")
    threshold = entry.number("threshold", least=1)
    if threshold > len(key_ids):
        entry.refuse("threshold", f"is {threshold} of {len(key_ids)} keys")
    found = tuple(keys[key_id] for key_id in key_ids)
    return Quorum(keys=found, threshold=threshold, people=_people(entry, found))


def _people(entry: Fields, keys: tuple[PublicKey, ...]) -> int:
    if metadata.PEOPLE not in entry.names():
        return 0
    people = entry.number(metadata.PEOPLE, least=1)
    if not is_paired(keys):
        entry.refuse(metadata.PEOPLE, "goes with people without a key of each family")
    # More keys than those of as many people could never be left out or needed.
    if entry.number("threshold") != people * FAMILIES or people > len(holders(keys)):
        entry.refuse(
            metadata.PEOPLE, f"is {people}, which the threshold does not match"
        )
    return people


def _delegation(entry: Fields, keys: Mapping[str, PublicKey]) -> tuple[str, Quorum]:
    role = entry.text("name")
    if role != metadata.CATALOGUE:
        site = role.removeprefix(metadata.SITE_PREFIX)
        if not naming.is_site(site) or role != metadata.site_role(site):
            entry.refuse("name", f"is not a site's role: `{naming.show(role[:40])}`")
    # Without `terminating`, or with a wider pattern, a site's key could vouch for
    # records of other sites or for releases, and a catalogue's key for either.
    if not entry.flag("terminating"):
        entry.refuse("terminating", "is false, expected true")
    if entry.texts("paths") != (paths := metadata.delegated_paths(role),):
        entry.refuse("paths", f"are not exactly `{paths}`")
    return role, _quorum(entry, keys, "name", "terminating", "paths")


def _all_used(
    fields: Fields, keys: Mapping[str, PublicKey], roles: Mapping[str, Quorum]
) -> None:
    used = {key.key_id for one in roles.values() for key in one.keys}
    for key_id in keys:
        if key_id not in used:
            fields.refuse("keys", f"list {key_id[:16]}, which no role uses")


def _edition(entry: Fields) -> Edition:
    entry.only("version", metadata.SIGNED)
    return Edition(
        version=entry.number("version", least=1), signed=entry.sha256(metadata.SIGNED)
    )


def _targets(signed: Fields, good: Callable[[str], bool]) -> dict[str, Target]:
    return {name: _target(entry) for name, entry in _entries(signed, "targets", good)}


def _target(entry: Fields) -> Target:
    entry.only("length", "hashes")
    hashes = entry.table("hashes")
    hashes.only("sha256")
    return Target(sha256=hashes.sha256("sha256"), length=entry.number("length"))


def _is_listed(name: str) -> bool:
    role = name.removesuffix(".json")
    if role == name:
        return False
    site = role.removeprefix(metadata.SITE_PREFIX)
    return role in (metadata.ROOT, metadata.TARGETS) or (
        role != site and naming.is_site(site)
    )


def _entries(
    fields: Fields, key: str, good: Callable[[str], bool]
) -> Iterator[tuple[str, Fields]]:
    table, value = fields.table(key), fields.raw(key)
    assert isinstance(value, Mapping)
    for name in value:
        if not good(name):
            fields.refuse(key, f"name `{naming.show(name[:80])}`, which is unknown")
        yield name, table.table(name)
