"""The next version of what is signed: only what changed, each one step on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from airlift.digest import sha256
from airlift.errors import RequestError
from airlift.trust import clock, metadata
from airlift.trust.metadata import (
    B,
    Document,
    Root,
    SiteTargets,
    Snapshot,
    Targets,
    Timestamp,
)
from airlift.trust.metadata_set import MetadataSet
from airlift.trust.plan import Lives, RolePlan, meet
from airlift.trust.quorum import Quorum, same, surplus

RENEW_AT = 3
"""A document is signed anew when less than a third of its life is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be different; versions and expiries in it do not count.

    Attributes:
        root: A new root with its version, or None.
        targets: Releases and sites as they should be, or None.
        sites: The targets of sites' roles as they should be.
    """

    root: Root | None = None
    targets: Targets | None = None
    sites: Mapping[str, SiteTargets] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which terms documents are made.

    Attributes:
        now: ``YYYY-MM-DDThh:mm:ssZ``.
        lives: How long they are good for.
        able: Ids of the keys at hand. What has not expired is renewed early only if
            they suffice, so that nobody is called in for that alone.
    """

    now: str
    lives: Lives
    able: frozenset[str] = frozenset()


def first(plan: RolePlan, now: str) -> MetadataSet:
    """Return the first version of everything, unsigned.

    Raises:
        RequestError: The plan's thresholds cannot be met.
    """
    lives = plan.lives
    root = Root(
        version=1,
        expires=clock.after(now, days=lives.root),
        roles=plan.roles(),
        profile=plan.profile,
    )
    targets = Targets(version=1, expires=clock.after(now, days=lives.targets))
    snapshot = Snapshot(
        version=1,
        expires=clock.after(now, days=lives.snapshot),
        editions={
            metadata.ROOT: metadata.edition(root),
            metadata.TARGETS: metadata.edition(targets),
        },
    )
    timestamp = Timestamp(
        version=1,
        expires=clock.after(now, days=lives.timestamp),
        snapshot=metadata.edition(snapshot),
    )
    return MetadataSet(
        root=Document(body=root),
        targets=Document(body=targets),
        sites={},
        snapshot=Document(body=snapshot),
        timestamp=Document(body=timestamp),
    )


def rotated(current: MetadataSet, plan: RolePlan, lives: Lives, now: str) -> Change:
    """Return the change that puts the keys of *plan* in the place of those in force.

    Raises:
        RequestError: The plan cannot be met.
    """
    root, targets = current.root.body, current.targets.body
    roles = plan.roles()
    new = Root(
        version=root.version + 1,
        expires=clock.after(now, days=lives.root),
        roles=roles,
        previous=sha256(metadata.encode(current.root)),
        profile=plan.profile,
    )
    old_send, send = root.roles[metadata.SNAPSHOT], roles[metadata.SNAPSHOT]
    sites = {
        name: send if same(one, old_send) else one
        for name, one in targets.sites.items()
    }
    return Change(root=new, targets=replace(targets, sites=sites))


def revise(before: MetadataSet, change: Change, terms: Terms) -> MetadataSet:
    """Return *before* with *change*: new versions unsigned, the rest as it is.

    A document also gets a new version when the keys that must sign it are others
    than those that did, when it has expired, or soon will and can be signed.
    """
    root = Document(body=change.root) if change.root else before.root
    roles = root.body.roles
    targets = _next(
        before.targets,
        change.targets or before.targets.body,
        (roles[metadata.TARGETS], terms.lives.targets),
        terms,
    )
    made = replace(before, root=root, targets=targets, sites={})
    sites = {
        site: _site(before.sites.get(site), change.sites.get(site), one, terms)
        for site, one in targets.body.sites.items()
    }
    made = replace(made, sites=sites)
    snapshot = _next(
        before.snapshot,
        replace(before.snapshot.body, editions=made.editions()),
        (roles[metadata.SNAPSHOT], terms.lives.snapshot),
        terms,
    )
    timestamp = _next(
        before.timestamp,
        replace(before.timestamp.body, snapshot=metadata.edition(snapshot.body)),
        (roles[metadata.TIMESTAMP], terms.lives.timestamp),
        terms,
    )
    return replace(made, snapshot=snapshot, timestamp=timestamp)


def check_apart(made: MetadataSet) -> None:
    """Refuse a set in which a key of catalogues has a say in anything else.

    And one in which a site's own keys fall short of the root's profile.

    Raises:
        RequestError: One has, or they do.
    """
    if promised := made.root.body.profile:
        sites = made.targets.body.sites
        meet(promised, {metadata.site_role(one): sites[one] for one in sites})
    if (key := made.overreaching()) is not None:
        problem = f"the key of `{key.name}` signs catalogues and something else too"
        raise RequestError(problem, hint="give catalogues a key of their own")


def _site(
    before: Document[SiteTargets] | None,
    wanted: SiteTargets | None,
    one: Quorum,
    terms: Terms,
) -> Document[SiteTargets]:
    if before is None:
        expires = clock.after(terms.now, days=terms.lives.site)
        return Document(body=SiteTargets(version=1, expires=expires))
    return _next(before, wanted or before.body, (one, terms.lives.site), terms)


def _next(
    before: Document[B], wanted: B, role: tuple[Quorum, int], terms: Terms
) -> Document[B]:
    one, life_days = role
    body = before.body
    same = replace(wanted, version=body.version, expires=body.expires) == body
    if (
        same
        and signed_by(before.signatures, [one])
        and not _stale(body.expires, life_days, one, terms)
    ):
        return before
    expires = clock.after(terms.now, days=life_days)
    return Document(body=replace(wanted, version=body.version + 1, expires=expires))


def _stale(expires: str, life_days: int, one: Quorum, terms: Terms) -> bool:
    left = clock.days_from(terms.now, expires)
    if expires <= terms.now:
        return True
    return left * RENEW_AT < life_days and not one.missing(terms.able)


def signed_by(signatures: Iterable[str], quorums: list[Quorum]) -> bool:
    """Say whether just the right keys have signed, going by their ids."""
    keys = {key_id for one in quorums for key_id in one.by_id}
    signed = set(signatures)
    return (
        signed <= keys
        and not any(one.missing(signed) for one in quorums)
        and surplus(signed, quorums) is None
    )
