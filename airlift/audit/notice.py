"""What an audit says to those who did not run it: a summary, and numbers for a monitor."""

from collections import Counter
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from airlift.artifact import Json
from airlift.audit import report
from airlift.audit.finding import Finding, Severity, Verdict
from airlift.audit.report import Report
from airlift.format import canonical
from airlift.trust import clock
from airlift.trust.expiry import expiries

FORMAT: Final = "airlift.audit-summary/1"
WORST: Final = 50
"""Findings that a summary tells, the worst: what has to fit into a mail."""


def summary(found: Report, fail_on: Severity | None) -> bytes:
    """Return what an audit came to, in canonical JSON with a line feed.

    Args:
        found: The report.
        fail_on: The least severity that is worth an exit code.
    """
    site = found.site
    open_ones = [one for one in found.findings if one.verdict is Verdict.FINDING]
    unknown: list[Json] = [
        {"question": question.id, "name": question.name, "reason": answer.why}
        for question, answer in found.answers
        if answer.verdict is Verdict.UNKNOWN
    ]
    worst: list[Json] = [_finding(one) for one in open_ones[:WORST]]
    told: dict[str, Json] = {
        "schema": FORMAT,
        "site": site.trust.site,
        "generated_at": site.now,
        "exit_code": report.exit_code(found, fail_on),
        "broken": [question.id for question, answer in found.answers if answer.broken],
        "unknown": unknown,
        "findings": dict(_counts(found)),
        "worst": worst,
    }
    return canonical.encode(told) + b"\n"


def _finding(one: Finding) -> Json:
    return {"id": one.id, "severity": one.severity.value, "title": one.title}


def _counts(found: Report) -> dict[str, int]:
    counts = Counter(
        one.severity for one in found.findings if one.verdict is Verdict.FINDING
    )
    return {one.value: counts[one] for one in Severity}


def metrics(found: Report, fail_on: Severity | None) -> bytes:
    """Return what an audit came to as text that Prometheus collects.

    Ages are counted as the audit counts them, so that a clock that was set back makes
    nothing young here either.
    """
    registry = CollectorRegistry()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"airlift_{name}", text, labels, registry=registry)

    gauge("audit_timestamp_seconds", "When the audit ran.").set(
        _seconds(found.site.now)
    )
    code = report.exit_code(found, fail_on)
    gauge("audit_exit_code", "What it ended with.").set(code)
    findings = gauge("findings", "Open findings.", "severity")
    for severity, count in _counts(found).items():
        findings.labels(severity).set(count)
    verdicts = gauge("audit_question", "1 for the verdict.", "question", "verdict")
    for question, answer in found.answers:
        verdicts.labels(question.name, answer.verdict.value).set(1)
    _ages(found, gauge)
    return generate_latest(registry)


def _ages(found: Report, gauge: Callable[..., Gauge]) -> None:
    site = found.site
    today = _seconds(site.clock.trusted)
    ages = gauge("knowledge_age_seconds", "Age of what is known.", "source")
    for one in site.knowledge:
        if one.as_of:
            ages.labels(one.source).set(today - _seconds(one.as_of))
    if site.made:
        age = today - _seconds(site.made.issued)
        gauge("catalogue_age_seconds", "Age of the newest catalogue.").set(age)
    if oldest := str(report.coverage(found.answers).get("oldest_hash") or ""):
        text = "Age of the look at a file that is longest ago."
        gauge("oldest_hash_age_seconds", text).set(today - _seconds(oldest))
    left = gauge("key_expiry_seconds", "Until signed metadata expires.", "role")
    for role, when in expiries(site.trust).items():
        left.labels(role).set(_seconds(when) - today)


def _seconds(time: str) -> int:
    return int(clock.moment(time, what="time").timestamp())
