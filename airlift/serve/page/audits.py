"""The page of audits: what the newest recorded one came to, and all of them to take.

A report names everything that is held and wrong, so it is for those who may see all.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from airlift.digest import sha256
from airlift.serve.dialect import Answer
from airlift.serve.page import badges, lists
from airlift.serve.page.answers import KEEP, Ask, challenge, not_held, page, problem
from airlift.serve.records import Reports

FINDINGS: Final = 100
"""Findings that are shown, the open and worst first; the pack has all."""
ARRIVALS: Final = 20
_SEVERITIES: Final = ("critical", "high", "medium", "low", "info")
_MEANINGS: Final = {
    0: "every question was answered, and nothing is open",
    4: "integrity is gone: what is served is not what was approved",
    6: "the audit could not run: a disk failed",
    7: "the audit could not run: the records failed",
    8: "not every question could be answered",
    10: "every question was answered, and findings are open",
    11: "what is known of upstream is too old",
}
_ID: Final = re.compile(r"Q([0-9]{1,3})([a-z]?)", re.ASCII)
_TAR: Final = ("Content-Type", "application/x-tar")


def answer(ask: Ask, reports: Reports | None, name: str) -> Answer:
    """Show the audits of this site, or hand over the pack called *name*."""
    if (refused := refusal(ask)) is not None:
        return refused
    if name:
        return _pack(ask, reports, name)
    recorded = reports.recorded() if reports else ()
    told = newest(reports)
    listed = ask.view.deliveries[:ARRIVALS]
    values: dict[str, object] = {
        "cut": lists.cut(recorded, ask.number),
        "newest": recorded[0] if recorded else None,
        "told": told,
        "arrivals": [
            (one, ask.view.by_delivery.get(one.sequence, ())) for one in listed
        ],
        **(_shown(told, ask.now) if told else {}),
    }
    return page(ask, "audit", values, tab="audit")


def refusal(ask: Ask) -> Answer | None:
    """Return what those are answered who may not see audits; None to all others."""
    if ask.view.whole:
        return None
    if ask.request.caller.may_sign_in:
        return challenge(ask)
    text = "Audits are shown to whoever may see everything here."
    return problem(ask, 403, "Not yours to see", text)


def newest(reports: Reports | None) -> Mapping[str, Any] | None:
    """Return the newest recorded report, if this site's key signed it."""
    recorded = reports.recorded() if reports else ()
    return reports.report(recorded[0].name) if reports and recorded else None


def _shown(told: Mapping[str, Any], now: str) -> dict[str, object]:
    findings = sorted(told["findings"], key=_order)
    severity = {one["id"]: one["severity"] for one in findings}
    is_open = {one["id"] for one in findings if one["verdict"] == "finding"}
    updates = badges.updates(told)
    return {
        "meaning": _MEANINGS.get(told["exit_code"], ""),
        "questions": [
            (
                one,
                _counts(
                    [severity[each] for each in one["findings"] if each in is_open]
                ),
            )
            for one in sorted(told["questions"], key=_place)
        ],
        "findings": findings[:FINDINGS],
        "more": max(0, len(findings) - FINDINGS),
        "ages": badges.ages(told, now),
        "updates": updates[: badges.UPDATES],
        "more_updates": max(0, len(updates) - badges.UPDATES),
    }


def _order(one: Mapping[str, Any]) -> tuple[bool, int, str]:
    rank = _SEVERITIES.index(one["severity"])
    return one["verdict"] != "finding", rank, one["title"]


def _place(one: Mapping[str, Any]) -> tuple[int, str]:
    """Return what sorts questions as people count: Q4b before Q10."""
    found = _ID.fullmatch(one["id"])
    return (int(found[1]), found[2]) if found else (0, one["id"])


def _counts(listed: list[str]) -> str:
    counted = ((one, listed.count(one)) for one in _SEVERITIES)
    return ", ".join(f"{count} {one}" for one, count in counted if count)


def _pack(ask: Ask, reports: Reports | None, name: str) -> Answer:
    data = reports.pack(name) if reports else None
    if data is None:
        return not_held(ask, name)
    headers = (
        _TAR,
        ("Content-Disposition", f'attachment; filename="airlift-audit-{name}"'),
        KEEP,
        ("ETag", f'"{sha256(data)}"'),
    )
    return Answer(status=200, headers=headers, body=data)
