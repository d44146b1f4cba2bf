"""Q1 for runtimes: what each host really holds, and how that differs from what was approved.

It rests on observations (``airlift observe``) that somebody carried here. What was not
observed, or too long ago, is unknown.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from airlift.artifact import Json
from airlift.audit.answer import Answer, Options
from airlift.audit.drift import Approved, Drift, Judged
from airlift.audit.finding import Finding
from airlift.audit.site import Site
from airlift.format.observation import Observation
from airlift.registry import observations
from airlift.registry.observations import Kept

KIND: Final = "drift"
"""The family of its findings."""
COLUMNS: Final = (
    *("kind", "host", "place", "name", "version", "state", "files", "problem"),
    "observed",
)
_NONE: Final = (
    "no host was ever observed: run `airlift observe` on each, and read what it writes"
    " with `airlift audit hosts --read FILE`"
)


def ask(site: Site, options: Options) -> Answer:
    """Return what each host holds, and what of it is not as approved."""
    kept = observations.newest(site.events(observations.ACTION))
    if options.items:
        kept = tuple(one for one in kept if one.host in options.items)
    if not kept:
        return Answer(question="Q1b", as_of="", columns=COLUMNS, reason=_NONE)
    approved = Approved(site)
    hosts = [_Host(kept=one, seen=observations.read(site.home, one)) for one in kept]
    things = [thing for one in hosts for thing in _things(one, approved)]
    return Answer(
        question="Q1b",
        as_of=min(one.time for one in kept),
        columns=COLUMNS,
        rows=tuple(_row(one) for one in things),
        findings=tuple(_findings(things)),
        unknown=tuple(line for one in hosts for line in _unknown(one, site))
        + tuple(_unread(things)),
        counts=_counts(hosts, things),
        broken=any(one.judged.drift is Drift.CHANGED for one in things),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    kept: Kept
    seen: Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Thing:
    """One thing on one host."""

    host: str
    place: str
    observed: str
    judged: Judged


def _things(host: _Host, approved: Approved) -> Iterator[_Thing]:
    seen = host.seen

    def thing(place: str, judged: Judged) -> _Thing:
        return _Thing(host=seen.host, place=place, observed=seen.time, judged=judged)

    for model in seen.models:
        yield thing(model.place.value, approved.model(model))
    for environment in seen.environments:
        for package in environment.packages:
            yield thing(environment.label, approved.package(package))


def _row(one: _Thing) -> Mapping[str, Json]:
    subject = one.judged.subject
    return {
        "kind": str(subject.kind),
        "host": one.host,
        "place": one.place,
        "name": subject.name,
        "version": subject.version,
        "state": one.judged.drift.value,
        "files": one.judged.files,
        "problem": one.judged.problem,
        "observed": one.observed,
    }


def _findings(things: list[_Thing]) -> Iterator[Finding]:
    """Yield one finding for the same thing in the same state, whatever hosts have it."""
    groups: dict[tuple[str, Drift], list[_Thing]] = defaultdict(list)
    for one in things:
        if one.judged.severity is not None:
            groups[one.judged.subject.identity, one.judged.drift].append(one)
    for group in groups.values():
        first = group[0].judged
        assert first.severity is not None
        hosts = tuple(sorted({one.host for one in group}))
        seen: list[Json] = [
            {"host": one.host, "place": one.place, "problem": one.judged.problem}
            for one in group
        ]
        yield Finding(
            kind=KIND,
            rule=first.drift.value,
            severity=first.severity,
            subject=replace(first.subject, hosts=hosts),
            title=f"{first.subject.label} on {', '.join(hosts)}: {first.problem}",
            evidence={"seen": seen},
            controls=("CM-8", "CM-14", "SI-7"),
        )


def _unknown(host: _Host, site: Site) -> Iterator[str]:
    days = site.clock.today.days(host.kept.time) or 0
    if days > site.bounds.ageing:
        yield (
            f"host {host.kept.host}: observed {days} days ago, more than"
            f" {site.bounds.ageing}: run `airlift observe` there"
        )
    for line in host.seen.unread:
        yield f"host {host.kept.host}: {line}"


def _unread(things: list[_Thing]) -> Iterator[str]:
    for one in things:
        if one.judged.drift is Drift.UNREAD:
            name = one.judged.subject.label
            yield f"host {one.host}: {name}: {one.judged.problem}"


def _counts(hosts: list[_Host], things: list[_Thing]) -> Mapping[str, int]:
    found = {"hosts": len(hosts), "things": len(things)}
    for drift in Drift:
        if count := sum(1 for one in things if one.judged.drift is drift):
            found[drift.value] = count
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """Which hosts were seen to hold what, in whatever state.

    Attributes:
        releases: By id: hosts that have a model of the release.
        packages: By name and version, hosts that have the package installed.
    """

    releases: Mapping[str, tuple[str, ...]]
    packages: Mapping[tuple[str, str], tuple[str, ...]]


def users(site: Site) -> Users:
    """Return which hosts were seen to hold each model and package."""
    approved = Approved(site)
    releases, packages = (
        defaultdict[str, set[str]](set),
        defaultdict[tuple[str, str], set[str]](set),
    )
    for kept in observations.newest(site.events(observations.ACTION)):
        seen = observations.read(site.home, kept)
        for model in seen.models:
            releases[approved.model(model).subject.digest].add(kept.host)
        for environment in seen.environments:
            for one in environment.packages:
                packages[one.name, one.version].add(kept.host)
    return Users(
        releases={one: tuple(sorted(found)) for one, found in releases.items()},
        packages={one: tuple(sorted(found)) for one, found in packages.items()},
    )
