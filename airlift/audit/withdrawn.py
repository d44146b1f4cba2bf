"""Q9: what upstream took back, or no longer gives, of what is held."""

from collections.abc import Iterator, Mapping
from typing import Final

from airlift.artifact import Json
from airlift.audit import upstreams
from airlift.audit.answer import Answer, Options
from airlift.audit.finding import About, Finding, Fix, Severity, Subject
from airlift.audit.outdated import names
from airlift.audit.site import Site
from airlift.format import withdrawal
from airlift.format.withdrawal import Withdrawal
from airlift.inbound.news import Finding as Piece
from airlift.payload import wheel_names

KIND: Final = "withdrawn"
"""The family of its findings."""
_COLUMNS: Final = (
    *("name", "kind", "have", "what", "since", "reason", "replacement", "subject"),
    *("held", "catalogue"),
)
_SEVERITIES: Final = {
    # An index quarantines what it holds to be malicious, a hub switches that off (PEP
    # 792; the hub's content policy).
    "quarantined": Severity.CRITICAL,
    "disabled": Severity.HIGH,
    "yanked": Severity.MEDIUM,
    "removed": Severity.MEDIUM,
    "gone": Severity.MEDIUM,
    "archived": Severity.LOW,
    "deprecated": Severity.LOW,
    "gated": Severity.LOW,
    "renamed": Severity.INFO,
}


def ask(site: Site, options: Options) -> Answer:
    """Return a row for each withdrawal: of what is held first, then of the rest.

    A withdrawal stands until an answer takes it back; an old catalogue, or one that
    leaves it out, does not.
    """
    pieces = list(upstreams.held(site))
    wanted = [one for one in pieces if options.wants(*names(one))]
    told = [(one, each) for one in wanted for each in _all(site, one)]
    rows = [_row(site, one, each) for one, each in told]
    shown = {each.key for _, each in told}
    if not options.items:
        rest = (one for one in site.standing if one.key not in shown)
        rows += [_forgotten(one) for one in rest]
    return Answer(
        question="Q9",
        as_of=site.made.issued if site.made else "",
        columns=_COLUMNS,
        rows=tuple(rows),
        findings=tuple(_finding(site, one, each) for one, each in told),
        unknown=(
            *options.absent(map(names, pieces)),
            *upstreams.unknown(site, wanted),
        ),
        reason=site.ignorance,
        counts={"looked at": len(wanted), "withdrawn": len(told)},
    )


def _all(site: Site, one: Piece) -> Iterator[Withdrawal]:
    yield from one.withdrawn
    if one.number is None:
        # The newest catalogue does not watch it: what an earlier one said stands.
        yield from (each for each in site.standing if _is_about(each, one))
    if one.moved_to:
        yield Withdrawal(
            kind=one.kind,
            name=one.name,
            subject=one.asked,
            what="renamed",
            reason="",
            as_of=one.as_of,
        )


def _is_about(each: Withdrawal, one: Piece) -> bool:
    if (each.kind, each.name) != (one.kind, one.name):
        return False
    if not upstreams.is_package(one) or each.subject in ("", one.held):
        return True
    parsed = wheel_names.parse(each.subject)
    return parsed is not None and str(parsed[1]) == one.held


def _replacement(one: Piece, each: Withdrawal) -> str:
    if one.moved_to:
        return one.moved_to
    is_newer = one.newest and one.newest != one.held
    return one.newest if is_newer and each.what in ("yanked", "removed") else ""


def _row(site: Site, one: Piece, each: Withdrawal) -> Mapping[str, Json]:
    return {
        "name": one.asked or one.name,
        "kind": str(upstreams.subject(site, one).kind),
        "have": one.held,
        "what": each.what,
        "since": each.as_of,
        "reason": each.reason,
        "replacement": _replacement(one, each),
        "subject": each.subject,
        "held": True,
        "catalogue": site.made.sequence if site.made else None,
    }


def _forgotten(each: Withdrawal) -> Mapping[str, Json]:
    """Return the row of what is not held."""
    kind = About.WHEEL if each.kind == withdrawal.PACKAGE else About.MODEL
    return {
        "name": each.name,
        "kind": str(kind),
        "what": each.what,
        "since": each.as_of,
        "reason": each.reason,
        "subject": each.subject,
        "held": False,
    }


def _finding(site: Site, one: Piece, each: Withdrawal) -> Finding:
    subject: Subject = upstreams.subject(site, one)
    what = "renamed" if each.what == "renamed" else each.what
    reason = f": {each.reason}" if each.reason else ""
    title = f"{subject.name} {one.held[:12]} is {what} upstream{reason}"
    to = _replacement(one, each)
    if one.moved_to:
        title = f"{subject.name} is called {one.moved_to} upstream by now"
    return Finding(
        kind=KIND,
        # The part belongs to it: two yanked files of one version are two findings.
        rule=f"{each.what}/{each.subject}" if each.subject else each.what,
        severity=_SEVERITIES.get(each.what, Severity.MEDIUM),
        subject=subject,
        title=title,
        evidence={
            "what": each.what,
            "subject": each.subject,
            "reason": each.reason,
            "as_of": each.as_of,
        },
        fix=Fix(to=to, in_catalogue=one.number is not None) if to else None,
        arrived_in=upstreams.arrived_in(site, one),
        controls=("SA-22", "SR-5"),
    )
