"""Q1: what is held, since when, and which delivery brought it."""

from collections.abc import Iterator, Mapping
from typing import Final

from airlift.artifact import Json
from airlift.audit import hosts, subjects
from airlift.audit.answer import Answer, Options
from airlift.audit.site import HeldWheel, Site
from airlift.digest import Sha256
from airlift.registry.held import Delivered, Held
from airlift.trust import approval
from airlift.trust.approval import Approval

_COLUMNS: Final = (
    *("kind", "name", "version", "state", "type", "delivery", "bytes", "imported"),
    *("digest", "signed_by", "approved_by", "approved", "first_live"),
    *("last_hashed", "used_by"),
)


def ask(site: Site, options: Options) -> Answer:
    """Return a row for each release, and for each wheel of a wheel set.

    *Since when* has three values: when it was approved, when it was imported and when
    it first went live, which is when clients could first be served it.
    """
    every = tuple(_rows(site, _Past(site)))
    rows = tuple(one for one in every if options.wants(*_names(one)))
    kinds = [str(one["type"]) for one in rows]
    gone = tuple(
        f"release {one}: collected since, so not listed" for one in site.collected
    )
    return Answer(
        question="Q1",
        as_of=site.deliveries[0].imported if site.deliveries else "",
        columns=_COLUMNS,
        rows=rows,
        unknown=(*gone, *options.absent(map(_names, every))),
        counts={kind: kinds.count(kind) for kind in sorted(set(kinds))},
    )


class _Past:
    """When things happened to releases.

    Args:
        site: Whose log is read.
    """

    def __init__(self, site: Site) -> None:
        self.deliveries: Mapping[int, Delivered] = {
            one.sequence: one for one in site.deliveries
        }
        self.first_live: dict[Sha256, str] = {}
        for generation in reversed(site.generations):
            for one in generation.releases:
                self.first_live.setdefault(one, generation.created)
        self.approvals = _approvals(site)
        self.site = site
        self.users = hosts.users(site)


def _approvals(site: Site) -> Mapping[Sha256, tuple[Approval, ...]]:
    """Return the approvals of each release that count under the policy in force."""
    told = site.policy
    if told is None:
        return {}
    given: dict[Sha256, list[Approval]] = {}
    for one in site.registry.custody().approvals():
        if not site.as_of or one.at <= site.as_of:
            given.setdefault(one.subject.digest, []).append(one)
    return {
        digest: approval.counted(
            some,
            approval.Subject(site=told.site, what=approval.RELEASE, digest=digest),
            told.approvers,
        )
        for digest, some in given.items()
    }


def _rows(site: Site, past: _Past) -> Iterator[Mapping[str, Json]]:
    wheels: dict[Sha256, list[HeldWheel]] = {}
    for one in site.wheels:
        wheels.setdefault(one.held.id, []).append(one)
    for held in site.releases:
        row = _row(held, past)
        yield row
        for each in wheels.get(held.id, ()):
            yield {
                **row,
                "type": "wheel",
                "name": each.name,
                "version": each.version,
                "digest": each.file.sha256,
                "bytes": each.file.size,
                "used_by": past.users.packages.get((each.name, each.version), ()),
            }


def _row(held: Held, past: _Past) -> Mapping[str, Json]:
    delivery = past.deliveries[held.sequence]
    given = past.approvals.get(held.id, ())
    return {
        "kind": str(subjects.release(held).kind),
        "type": held.release.kind.value,
        "name": held.release.name,
        "version": held.release.revision,
        "state": "denied" if held.denied else held.state.value,
        "digest": held.id,
        "bytes": held.size,
        "delivery": held.sequence,
        "signed_by": tuple(
            sorted({one.name or one.key_id for one in delivery.signed_by})
        ),
        "approved_by": [one.by for one in given],
        "approved": max((one.at for one in given), default=""),
        "imported": held.imported,
        "first_live": past.first_live.get(held.id, ""),
        "last_hashed": past.site.last_hashed(held),
        "used_by": past.users.releases.get(held.id, ()),
    }


def _names(row: Mapping[str, Json]) -> tuple[str, ...]:
    name, version, digest = (str(row[key]) for key in ("name", "version", "digest"))
    return name, f"{name}@{version}", f"{name}=={version}", digest
