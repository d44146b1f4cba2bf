"""TUF metadata in the one form airlift writes and reads: five documents, as values.

A strict subset of TUF 1.0: sha256 only, consistent snapshots, site delegations only,
no field that airlift does not use. ``encode`` and ``decode`` (airlift.trust.strict)
are inverse on every accepted byte. What the documents are worth is judged elsewhere:
by ``tuf``'s client on the same bytes, and by airlift.trust.verifier.

Fields that go beyond TUF, within what it leaves open:

* ``x-airlift-signed`` beside each version in snapshot and timestamp: the SHA-256 of
  what the named document's signatures cover. It binds the set without depending on
  the signatures, so that everybody can sign everything in one round.
* ``x-airlift-previous`` in a root: the SHA-256 of the file of the root before it, so
  that a site whose anchor is a later root still knows every earlier one to the byte.
* ``x-airlift-people`` in a role: how many people must have signed with every key of
  theirs (``trust.quorum``). ``x-airlift-profile`` in a root (``trust.profile``). Both
  are left out where they say nothing.
  The snapshot also lists the newest root, so that no root can be left out.

Source: TUF specification 1.0.31, sections 4.2 to 4.6.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar, cast

from securesystemslib.formats import encode_canonical

from airlift.artifact import Json
from airlift.digest import Sha256, sha256
from airlift.format import canonical
from airlift.trust import profile
from airlift.trust.public import PublicKey
from airlift.trust.quorum import Quorum

SPEC = "1.0.31"
ROOT, TARGETS, SNAPSHOT, TIMESTAMP = "root", "targets", "snapshot", "timestamp"
TOP_ROLES = (ROOT, SNAPSHOT, TARGETS, TIMESTAMP)
SITE_PREFIX = "site-"
CATALOGUE = "catalogue"
"""The role that signs catalogues. It is in no snapshot: a site is not asked to have the
newest, and a catalogue's key can neither hold up a delivery nor vouch for one."""
CATALOGUE_PATHS = "catalogue/*"
"""The one pattern of target names that this role may vouch for."""
SIGNED = "x-airlift-signed"
PREVIOUS = "x-airlift-previous"
PEOPLE = "x-airlift-people"


def site_role(site: str) -> str:
    """Return the name of the role that signs what is sent to *site*."""
    return f"{SITE_PREFIX}{site}"


def site_paths(site: str) -> str:
    """Return the one pattern of target names that a site's role may vouch for."""
    return f"dispatch/{site}/*"


def delegated_paths(role: str) -> str:
    """Return the one pattern of target names that a role named in targets may have."""
    if role == CATALOGUE:
        return CATALOGUE_PATHS
    return site_paths(role.removeprefix(SITE_PREFIX))


def release_target(release: Sha256) -> str:
    """Return the target name of a release document."""
    return f"releases/{release}.json"


def policy_target(site: str, version: int) -> str:
    """Return the target name of a site's policy."""
    return f"policy/{site}/{version}.json"


def deny_target(version: int) -> str:
    """Return the target name of the deny list."""
    return f"deny/{version}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One version of a document, as another names it."""

    version: int
    signed: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A record that a targets document vouches for: SHA-256 and length in bytes."""

    sha256: Sha256
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionedTarget:
    """A record with a version that the targets role vouches for: a policy, the deny list."""

    version: int
    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """Whose keys count for what.

    Attributes:
        version: 1, 2, 3...
        expires: ``YYYY-MM-DDThh:mm:ssZ``, as in all documents.
        roles: The four top-level roles.
        previous: SHA-256 of the file of version - 1; None for version 1.
        profile: The profile it promises to meet; empty for none.
    """

    version: int
    expires: str
    roles: Mapping[str, Quorum]
    previous: Sha256 | None = None
    profile: str = ""

    def to_json(self) -> dict[str, Json]:
        """Return what the signatures cover."""
        signed: dict[str, Json] = {
            **_common(ROOT, self.version, self.expires),
            "consistent_snapshot": True,
            "keys": _keys(self.roles),
            "roles": {name: _quorum(one) for name, one in self.roles.items()},
        }
        if self.previous is not None:
            signed[PREVIOUS] = self.previous
        if self.profile:
            signed[profile.FIELD] = self.profile
        return signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Timestamp:
    """Which snapshot is the newest."""

    version: int
    expires: str
    snapshot: Edition

    def to_json(self) -> dict[str, Json]:
        """Return what the signatures cover."""
        return {
            **_common(TIMESTAMP, self.version, self.expires),
            "meta": {f"{SNAPSHOT}.json": _edition(self.snapshot)},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Which documents belong together: ``root``, ``targets`` and every site's role."""

    version: int
    expires: str
    editions: Mapping[str, Edition]

    def to_json(self) -> dict[str, Json]:
        """Return what the signatures cover."""
        meta: dict[str, Json] = {
            f"{role}.json": _edition(one) for role, one in self.editions.items()
        }
        return {**_common(SNAPSHOT, self.version, self.expires), "meta": meta}


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The top-level targets: releases, and whose keys may address which site.

    Attributes:
        version: 1, 2, 3...
        expires: A time.
        targets: Release documents by target name.
        sites: The quorum of each site's role, by the site's name.
        catalogue: The quorum that signs catalogues; None where there are none.
        policies: The policy of each site that has one, by the site's name.
        denials: The deny list; None where nothing was ever denied.
    """

    version: int
    expires: str
    targets: Mapping[str, Target] = field(default_factory=dict)
    sites: Mapping[str, Quorum] = field(default_factory=dict)
    policies: Mapping[str, VersionedTarget] = field(default_factory=dict)
    catalogue: Quorum | None = None
    denials: VersionedTarget | None = None

    def delegated(self) -> dict[str, Quorum]:
        """Return the quorums of all roles named here, in the order of their names."""
        sites = {site_role(site): self.sites[site] for site in sorted(self.sites)}
        return sites if self.catalogue is None else {CATALOGUE: self.catalogue} | sites

    def to_json(self) -> dict[str, Json]:
        """Return what the signatures cover."""
        roles: list[Json] = [
            {
                "name": role,
                **_quorum(one),
                "terminating": True,
                "paths": (delegated_paths(role),),
            }
            for role, one in self.delegated().items()
        ]
        others = {
            policy_target(site, one.version): one.target
            for site, one in self.policies.items()
        }
        if self.denials:
            others[deny_target(self.denials.version)] = self.denials.target
        return {
            **_common(TARGETS, self.version, self.expires),
            "targets": _targets({**self.targets, **others}),
            "delegations": {"keys": _keys(self.delegated()), "roles": roles},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteTargets:
    """A site's role: its newest dispatch record, and nothing else.

    Only the newest, so that the set of metadata and the delivery are one thing: no
    other record can be offered with it.
    """

    version: int
    expires: str
    targets: Mapping[str, Target] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """Return what the signatures cover."""
        return {
            **_common(TARGETS, self.version, self.expires),
            "targets": _targets(self.targets),
        }


def newest_sequence(site: SiteTargets) -> int:
    """Return the sequence of the delivery that a site's role names; 0 if none."""
    numbers = (
        int(name.rpartition("/")[2].removesuffix(".json")) for name in site.targets
    )
    return max(numbers, default=0)


Body: TypeAlias = Root | Timestamp | Snapshot | Targets | SiteTargets
B = TypeVar("B", Root, Timestamp, Snapshot, Targets, SiteTargets)


def payload(body: Body) -> bytes:
    """Return the bytes that the signatures of *body* cover.

    Source: TUF specification, section 4.2.1: the OLPC form of canonical JSON.
    """
    return cast("str", encode_canonical(body.to_json())).encode()


def edition(body: Body) -> Edition:
    """Return how snapshot or timestamp name *body*."""
    return Edition(version=body.version, signed=sha256(payload(body)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Document(Generic[B]):
    """A document with its signatures: hexadecimal, by key id."""

    body: B
    signatures: Mapping[str, str] = field(default_factory=dict)


AnyDocument: TypeAlias = (
    Document[Root]
    | Document[Targets]
    | Document[SiteTargets]
    | Document[Snapshot]
    | Document[Timestamp]
)


def encode(document: AnyDocument) -> bytes:
    """Return the bytes of a metadata file."""
    signatures: list[Json] = [
        {"keyid": key_id, "sig": document.signatures[key_id]}
        for key_id in sorted(document.signatures)
    ]
    return canonical.encode(
        {"signatures": signatures, "signed": document.body.to_json()}
    )


def _common(kind: str, version: int, expires: str) -> dict[str, Json]:
    return {
        "_type": kind,
        "spec_version": SPEC,
        "version": version,
        "expires": expires,
    }


def _keys(roles: Mapping[str, Quorum]) -> dict[str, Json]:
    keys: dict[str, PublicKey] = {}
    for one in roles.values():
        keys |= one.by_id
    return {key_id: key.to_json() for key_id, key in keys.items()}


def _quorum(one: Quorum) -> dict[str, Json]:
    table: dict[str, Json] = {
        "keyids": [key.key_id for key in one.keys],
        "threshold": one.threshold,
    }
    return {**table, PEOPLE: one.people} if one.people else table


def _edition(one: Edition) -> dict[str, Json]:
    return {"version": one.version, SIGNED: one.signed}


def _targets(targets: Mapping[str, Target]) -> dict[str, Json]:
    return {
        name: {"length": one.length, "hashes": {"sha256": one.sha256}}
        for name, one in targets.items()
    }
