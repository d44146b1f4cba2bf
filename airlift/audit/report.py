"""A report: questions asked of a site at a time, and what they come to.

Its one form for programs is canonical JSON (``airlift.audit/1``, docs/audit.md): the same
site, knowledge and time give the same bytes. Its digest names it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from airlift import __version__
from airlift.artifact import Json, Kind
from airlift.audit.answer import Answer, Options
from airlift.audit.finding import Finding, Severity, Verdict, Waiver
from airlift.audit.questions import QUESTIONS, Ask, Question
from airlift.audit.site import Site
from airlift.digest import sha256
from airlift.errors import (
    FINDINGS,
    TOO_OLD,
    AirliftError,
    FormatError,
    IncompleteError,
    RegistryError,
    StoreError,
)
from airlift.format import canonical, state
from airlift.registry import observations

SCHEMA: Final = "airlift.audit/1"
RUN_DIGITS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was asked and answered.

    Attributes:
        site: The site that was asked, open.
        answers: Each question with its answer, in the order of ``QUESTIONS``.
        left_out: Ids of questions that were not asked.
    """

    site: Site
    answers: tuple[tuple[Question, Answer], ...]
    left_out: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding once, the open and worst first."""
        found = {each.id: each for _, one in self.answers for each in one.findings}
        return tuple(sorted(found.values(), key=lambda one: one.order))


def run(
    site: Site,
    questions: Iterable[Question],
    options: Options,
    *,
    kinds: Collection[str] = (),
    ask: Ask | None = None,
) -> Report:
    """Ask *questions* of *site*.

    An error ends one question, which is unknown then, and not the others.

    Args:
        site: Open.
        questions: Which.
        options: How.
        kinds: Kinds of subject to which findings and rows are narrowed; none for all.
        ask: What answers in place of each question's own function; for a subcommand
            with options of its own.
    """
    waivers = {
        one.finding: one for one in site.waivers if one.counts(site.clock.trusted)
    }
    answers = []
    for question in questions:
        found = _asked(question, ask or question.ask, site, options)
        answers.append((question, _narrowed(_waived(found, waivers), kinds)))
    asked = {question.id for question, _ in answers}
    left_out = tuple(one.id for one in QUESTIONS if one.id not in asked)
    return Report(site=site, answers=tuple(answers), left_out=left_out)


def _asked(question: Question, ask: Ask, site: Site, options: Options) -> Answer:
    try:
        return ask(site, options)
    except AirliftError as error:
        return Answer(
            question=question.id, as_of="", reason=error.problem, failed=error.exit_code
        )


def _waived(answer: Answer, waivers: Mapping[str, Waiver]) -> Answer:
    found = tuple(
        one.accepted(waivers[one.id]) if one.id in waivers else one
        for one in answer.findings
    )
    return replace(answer, findings=found)


def _narrowed(answer: Answer, kinds: Collection[str]) -> Answer:
    if not kinds:
        return answer
    return replace(
        answer,
        findings=tuple(one for one in answer.findings if one.subject.kind in kinds),
        rows=tuple(one for one in answer.rows if one.get("kind", "") in ("", *kinds)),
    )


def exit_code(report: Report, fail_on: Severity | None = Severity.HIGH) -> int:
    """Return the exit code of *report*; the worst that applies.

    Integrity, then what could not run, then what is not known: nobody may take "two
    findings" for the whole list. Then knowledge that is too old, then findings.

    Args:
        report: What was answered.
        fail_on: The least severity that is worth a code; None for none.
    """
    answers = [one for _, one in report.answers]
    failed = {one.failed for one in answers}
    open_ones = [one for one in report.findings if one.verdict is Verdict.FINDING]
    bad = fail_on and any(one.severity.reaches(fail_on) for one in open_ones)
    ladder = (
        (any(one.broken for one in answers), FormatError.exit_code),
        (StoreError.exit_code in failed, StoreError.exit_code),
        (RegistryError.exit_code in failed, RegistryError.exit_code),
        (
            any(one.verdict is Verdict.UNKNOWN for one in answers),
            IncompleteError.exit_code,
        ),
        (report.site.is_blocked, TOO_OLD),
        (bad, FINDINGS),
    )
    return next((code for holds, code in ladder if holds), 0)


def encode(report: Report, fail_on: Severity | None = Severity.HIGH) -> bytes:
    """Return the canonical JSON of *report*, with a line feed.

    ``run_id`` is of all else in it: two reports with one id are one report.
    """
    told = _table(report, fail_on)
    run_id = sha256(canonical.encode(told))[:RUN_DIGITS]
    return canonical.encode({**told, "run_id": run_id}) + b"\n"


def _table(report: Report, fail_on: Severity | None) -> dict[str, Json]:
    site = report.site
    return {
        "schema": SCHEMA,
        "tool": {"name": "airlift", "version": __version__},
        "site": site.trust.site,
        "generated_at": site.now,
        "as_of": site.as_of or None,
        "clock": {
            "system": site.clock.system,
            "trusted": site.clock.trusted,
            "problem": site.clock.problem,
        },
        "knowledge": _knowledge(site, report.answers),
        "policy": _policy(site),
        "inventory": _inventory(site),
        "questions": [_question(*one) for one in sorted(report.answers, key=_by_id)],
        "left_out": tuple(sorted(report.left_out)),
        "findings": [
            finding_table(one)
            for one in sorted(report.findings, key=lambda one: one.id)
        ],
        "coverage": coverage(report.answers),
        "fail_on": fail_on.value if fail_on else "none",
        "exit_code": exit_code(report, fail_on),
    }


def _by_id(one: tuple[Question, Answer]) -> str:
    return one[0].id


def _knowledge(
    site: Site, answers: Sequence[tuple[Question, Answer]]
) -> dict[str, Json]:
    whole: Json = None
    if site.made is not None:
        whole = {
            "id": site.catalogues[0].id,
            "sequence": site.made.sequence,
            "issued": site.made.issued,
            "next_expected": site.made.next_expected,
            "valid_until": site.made.valid_until,
        }
    sources: list[Json] = [
        {
            "source": one.source,
            "as_of": one.as_of,
            "age_days": one.days,
            "state": one.age.value,
            "entries": one.entries,
            "not_answered": one.silent,
            "problem": one.problem,
        }
        for one in site.knowledge
    ]
    scanners = {
        canonical.encode(each): each for _, one in answers for each in one.scanners
    }
    return {
        "catalogue": whole,
        "sources": sources,
        "scanners": [scanners[key] for key in sorted(scanners)],
        "bounds": {
            "fresh_days": site.bounds.fresh,
            "ageing_days": site.bounds.ageing,
            "block_days": site.bounds.block,
        },
        "ignorance": site.ignorance,
    }


def _policy(site: Site) -> Json:
    if site.policy is None:
        return None
    # Of the record that was signed: the people in force may be fewer, where keys of
    # theirs are denied.
    return {"version": site.policy.version, "sha256": sha256(site.trust.policy)}


def _inventory(site: Site) -> dict[str, Json]:
    """Return what is held: enough to tell what came and went between two reports."""
    sets = [one for one in site.releases if one.release.kind is Kind.WHEELS]
    items: list[Json] = [
        {
            "id": one.id,
            "kind": one.release.kind.value,
            "name": one.release.name,
            "revision": one.release.revision,
            "state": one.state.value,
            "bytes": one.size,
        }
        for one in sorted(site.releases, key=lambda one: one.id)
    ]
    wheels = sorted({(one.name, one.version) for one in site.wheels})
    root = None if site.as_of else state.root(site.account.state)
    return {
        "state_code": state.code(root) if root else None,
        "state_root": root,
        "models": len(site.releases) - len(sets),
        "wheel_sets": len(sets),
        "wheels": [f"{name}=={version}" for name, version in wheels],
        "bytes": sum(one.size for one in site.releases),
        "items": items,
        "hosts": [
            {"host": one.host, "id": one.id, "time": one.time}
            for one in observations.newest(site.events(observations.ACTION))
        ],
    }


def _question(question: Question, answer: Answer) -> dict[str, Json]:
    return {
        "id": question.id,
        "name": question.name,
        "title": question.title,
        "verdict": answer.verdict.value,
        "as_of": answer.as_of,
        "reason": answer.why,
        "unknown": list(answer.unknown),
        "broken": answer.broken,
        "failed": answer.failed,
        "counts": dict(answer.counts),
        "rests_on": question.rests_on,
        "controls": question.controls,
        "findings": tuple(sorted({one.id for one in answer.findings})),
        "columns": answer.columns,
        "rows": answer.rows,
    }


def finding_table(one: Finding) -> dict[str, Json]:
    """Return a finding as records hold it."""
    return {
        "id": one.id,
        "kind": one.kind,
        "rule": one.rule,
        "severity": one.severity.value,
        "verdict": one.verdict.value,
        "subject": {
            "kind": str(one.subject.kind),
            "name": one.subject.name,
            "version": one.subject.version,
            "digest": one.subject.digest,
            "purl": one.subject.purl,
            "hosts": one.subject.hosts,
        },
        "title": one.title,
        "evidence": one.evidence,
        "fix": None
        if one.fix is None
        else {
            "to": one.fix.to,
            "delta_bytes": one.fix.delta_bytes,
            "in_catalogue": one.fix.in_catalogue,
        },
        "arrived_in": one.arrived_in,
        "controls": one.controls,
        "waiver": None if one.waiver is None else waiver_table(one.waiver),
    }


def waiver_table(one: Waiver) -> dict[str, Json]:
    """Return a waiver as records hold it."""
    return {
        "finding": one.finding,
        "by": one.by,
        "reason": one.reason,
        "until": one.until,
        "given": one.given,
    }


def coverage(answers: Iterable[tuple[Question, Answer]]) -> Mapping[str, Json]:
    """Return how much was hashed, of how much, and when; of all *answers* together."""
    found: dict[str, Json] = {}
    for _, one in answers:
        found |= one.coverage
    return found
