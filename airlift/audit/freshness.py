"""Q4b: how old is what is known of upstream, and what was checked here.

The first answer of an audit: every other one is worth no more than this. Ages are
counted from when a source answered, never from the day it came here.
"""

from collections.abc import Iterator
from typing import Final

from airlift.artifact import Json
from airlift.audit import subjects
from airlift.audit.answer import Answer, Options
from airlift.audit.clock import Knowledge
from airlift.audit.finding import About, Finding, Severity, Subject
from airlift.audit.site import Site
from airlift.inbound import ages
from airlift.inbound.ages import Age

KIND: Final = "knowledge"
"""The family of its findings."""
QUIET_DAYS: Final = 60
"""Days without a delivery after which somebody should ask for one."""
REHASH_DAYS: Final = 90
"""Days after which the store should be hashed again."""
_COLUMNS: Final = (
    *("source", "as_of", "age_days", "state", "bound_days", "complete_for"),
    *("not_answered", "imported", "sequence", "problem"),
)


def ask(site: Site, options: Options) -> Answer:
    """Return how old each source is, and what is late."""
    found = (*_clock(site), *_catalogue(site), *_sources(site), *_host(site))
    return Answer(
        question="Q4b",
        as_of=site.made.issued if site.made else "",
        columns=_COLUMNS,
        rows=tuple(_rows(site)),
        findings=found,
        unknown=tuple(_unknown(site)),
        reason="" if site.made else site.ignorance,
        counts={"sources": len(site.knowledge), "catalogues": len(site.catalogues)},
    )


def _rows(site: Site) -> Iterator[dict[str, Json]]:
    for one in site.knowledge:
        yield {
            "source": one.source,
            "as_of": one.as_of,
            "age_days": one.days,
            "state": one.age.value,
            "bound_days": site.bounds.ageing,
            "complete_for": one.entries - one.silent,
            "not_answered": one.silent,
            "imported": one.imported,
            "sequence": site.made.sequence
            if site.made and one.source == "catalogue"
            else None,
            "problem": one.problem,
        }
    for source, (as_of, bound) in _checks(site).items():
        days = site.clock.today.days(as_of)
        late = days is None or days > bound
        yield {
            "source": source,
            "as_of": as_of,
            "age_days": days,
            "state": "never" if days is None else "late" if late else "fresh",
            "bound_days": bound,
        }


def _checks(site: Site) -> dict[str, tuple[str, int]]:
    """Return when this host last took in and scanned, and the oldest look at a file.

    Each with its bound in days. Looks are those at what is served; that bytes came
    counts as one, because an import hashes them.
    """
    delivered = site.deliveries[0].issued if site.deliveries else ""
    scanned = [one.time for one in site.events("scan")]
    return {
        "deliveries": (delivered, QUIET_DAYS),
        "rehash": (site.oldest_look, REHASH_DAYS),
        "virus scans": (max(scanned, default=""), REHASH_DAYS),
    }


def _unknown(site: Site) -> Iterator[str]:
    for one in site.knowledge:
        if one.age is Age.NEVER:
            why = f": {one.problem}" if one.problem else ""
            yield f"{one.source}: never answered for{why}"


def _clock(site: Site) -> Iterator[Finding]:
    if site.clock.problem:
        yield Finding(
            kind=KIND,
            rule="clock-behind",
            severity=Severity.HIGH,
            subject=Subject(kind=About.HOST, name="this host"),
            title=site.clock.problem,
            evidence={"system": site.clock.system, "trusted": site.clock.trusted},
            controls=("AU-8",),
        )


def _catalogue(site: Site) -> Iterator[Finding]:
    made = site.made
    if made is None:
        return
    evidence: dict[str, Json] = {
        "sequence": made.sequence,
        "next_expected": made.next_expected,
        "valid_until": made.valid_until,
    }
    over = site.clock.trusted > made.valid_until
    if late := ages.overdue(made, site.clock.today):
        yield Finding(
            kind=KIND,
            rule="catalogue-expired" if over else "catalogue-overdue",
            severity=Severity.HIGH if over else Severity.MEDIUM,
            subject=subjects.knowledge("catalogue"),
            title=late,
            evidence=evidence,
            controls=("SI-2", "RA-5"),
        )


def _sources(site: Site) -> Iterator[Finding]:
    whole = site.knowledge[0].age if site.knowledge else None
    for one in site.knowledge:
        # Within an old catalogue nothing is young: said once, of the catalogue.
        said = one.age is whole and one.source != "catalogue"
        if one.age in (Age.AGEING, Age.STALE) and not said:
            stale = one.age is Age.STALE
            yield _about(
                one,
                one.age.value,
                Severity.HIGH if stale else Severity.LOW,
                f"{one.source}: {one.days} days old, {one.age.value}",
            )
        if one.silent and one.source != "advisories":
            title = f"{one.source}: not answered for {one.silent} of {one.entries}"
            why = f": {one.problem}" if one.problem else ""
            yield _about(one, "silent", Severity.LOW, title + why)


def _about(one: Knowledge, rule: str, severity: Severity, title: str) -> Finding:
    return Finding(
        kind=KIND,
        rule=rule,
        severity=severity,
        subject=subjects.knowledge(one.source),
        title=title,
        evidence={
            "as_of": one.as_of,
            "age_days": one.days,
            "not_answered": one.silent,
            "problem": one.problem,
        },
        controls=("SI-2", "RA-5"),
    )


def _host(site: Site) -> Iterator[Finding]:
    checks = _checks(site)
    as_of, bound = checks["deliveries"]
    days = site.clock.today.days(as_of)
    if days is not None and days > bound:
        yield Finding(
            kind=KIND,
            rule="no-delivery",
            severity=Severity.LOW,
            subject=subjects.knowledge("deliveries"),
            title=f"no delivery came for {days} days",
            evidence={"newest_issued": as_of, "bound_days": bound},
        )
    yield from _rehash(site, checks["rehash"][0])


def _rehash(site: Site, oldest: str) -> Iterator[Finding]:
    days = site.clock.today.days(oldest)
    if days is not None and days > REHASH_DAYS:
        yield Finding(
            kind=KIND,
            rule="no-rehash",
            severity=Severity.MEDIUM,
            subject=subjects.knowledge("rehash"),
            title=f"some of what is live was not hashed for {days} days",
            evidence={"oldest": oldest, "bound_days": REHASH_DAYS},
            controls=("SI-7",),
        )
