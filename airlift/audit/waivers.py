"""Q13: which findings were accepted, by whom, why, and until when."""

from collections.abc import Iterator, Mapping
from typing import Final

from airlift.artifact import Json
from airlift.audit.answer import Answer, Options
from airlift.audit.finding import About, Finding, Severity, Subject
from airlift.audit.site import Site
from airlift.registry.waivers import Given
from airlift.trust import clock

KIND: Final = "waiver"
"""The family of its findings."""
NOTICE_DAYS: Final = 14
"""Days before a waiver ends from which that is a finding: time to look at it again."""
_COLUMNS: Final = (
    *("finding", "state", "until", "days_left", "by", "reason", "title", "since"),
)


def ask(site: Site, options: Options) -> Answer:
    """Return a row for each waiver that was ever given or begun."""
    known = [(one.terms.finding, one.title) for one in site.accepted]
    wanted = [one for one in site.accepted if options.wants(one.terms.finding)]
    return Answer(
        question="Q13",
        as_of=max((one.since for one in site.accepted), default=""),
        columns=_COLUMNS,
        rows=tuple(_row(site, one) for one in wanted),
        findings=tuple(_ending(site, wanted)),
        unknown=options.absent(known),
        counts={"waivers": len(wanted)},
    )


def _days(site: Site, one: Given) -> int:
    today = f"{site.clock.trusted[:10]}T00:00:00Z"
    return clock.days_from(today, f"{one.terms.until}T00:00:00Z")


def _state(site: Site, one: Given) -> str:
    if one.revoked:
        return f"taken back {one.revoked[:10]}"
    if one.lacking:
        return f"waits for {one.lacking} more"
    return "over" if _days(site, one) < 0 else "counts"


def _row(site: Site, one: Given) -> Mapping[str, Json]:
    return {
        "finding": one.terms.finding,
        "state": _state(site, one),
        "until": one.terms.until,
        "days_left": _days(site, one),
        "by": one.by,
        "reason": one.terms.reason,
        "title": one.title,
        "since": one.since,
    }


def _ending(site: Site, wanted: list[Given]) -> Iterator[Finding]:
    for one in wanted:
        days = _days(site, one)
        if _state(site, one) == "counts" and days <= NOTICE_DAYS:
            yield Finding(
                kind=KIND,
                rule=f"ends/{one.terms.until}",
                severity=Severity.LOW,
                subject=Subject(
                    kind=About.KNOWLEDGE, name=f"waiver {one.terms.finding}"
                ),
                title=f"the waiver of {one.terms.finding} ends in {days} days: {one.title}",
                evidence={"until": one.terms.until, "by": one.by},
            )
