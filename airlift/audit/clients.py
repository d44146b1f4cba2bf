"""Q3 beyond the store: whether folders that runtimes use hold what was approved.

What ``airlift verify-client`` finds, as rows and findings of an audit.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from airlift.artifact import Json
from airlift.audit import verify
from airlift.audit.answer import Answer
from airlift.audit.finding import About, Severity, Subject
from airlift.audit.finding import Finding as Found
from airlift.install.checking import Finding, What

_STATES: Final = {
    What.INTACT: "identical",
    What.DAMAGED: "changed",
    What.MISSING: "missing",
    What.EXTRA: "extra",
    What.UNKNOWN: "extra",
    What.STALE: "retired",
    What.DENIED: "denied",
    What.UNREADABLE: "unreadable",
}
_SEVERITIES: Final = {
    What.DAMAGED: Severity.CRITICAL,
    What.DENIED: Severity.CRITICAL,
    What.MISSING: Severity.HIGH,
    What.EXTRA: Severity.HIGH,
    What.UNKNOWN: Severity.MEDIUM,
    What.STALE: Severity.MEDIUM,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What one folder was found to hold.

    Attributes:
        target: What it is called: ``ollama``, ``hf-cache`` or a path.
        found: Each file of it, as ``install.checking`` judged it.
        at: When, ``YYYY-MM-DDThh:mm:ssZ``.
    """

    target: str
    found: tuple[Finding, ...]
    at: str


def joined(answer: Answer, checked: Sequence[Checked]) -> Answer:
    """Return *answer* with what was found in folders of runtimes."""
    every = [(one, each) for one in checked for each in one.found]
    wrong = [(one, each) for one, each in every if _counts(each)]
    states = Counter(f"{one.target} {_STATES[each.what]}" for one, each in every)
    return replace(
        answer,
        columns=verify.COLUMNS,
        rows=answer.rows + tuple(_row(one, each) for one, each in wrong),
        findings=answer.findings + tuple(_findings(wrong)),
        unknown=answer.unknown + tuple(_unread(wrong)),
        counts={**answer.counts, **states},
        broken=answer.broken or any(each.what is What.DAMAGED for _, each in wrong),
        as_of=answer.as_of or min((one.at for one in checked), default=""),
    )


def _counts(one: Finding) -> bool:
    if one.what is What.MISSING:
        return one.needed
    return one.what is not What.INTACT


def _row(checked: Checked, one: Finding) -> Mapping[str, Json]:
    return {
        "kind": str(About.FILE),
        "target": checked.target,
        "file": one.path,
        "expected": "",
        "found": "",
        "state": _STATES[one.what],
        "last_hashed": checked.at,
        "problem": f"{one.problem} ({one.release})" if one.release else one.problem,
    }


def _findings(wrong: Iterable[tuple[Checked, Finding]]) -> Iterator[Found]:
    for checked, one in wrong:
        if one.what not in _SEVERITIES:
            continue
        name = f"{checked.target}: {one.path}"
        yield Found(
            kind=verify.KIND,
            rule=_STATES[one.what],
            severity=_SEVERITIES[one.what],
            subject=Subject(kind=About.FILE, name=name),
            title=f"{name}: {one.problem or _STATES[one.what]}",
            evidence={"release": one.release, "state": _STATES[one.what]},
            controls=("SI-7", "CM-14"),
        )


def _unread(wrong: Iterable[tuple[Checked, Finding]]) -> Iterator[str]:
    for checked, one in wrong:
        if one.what is What.UNREADABLE:
            yield f"{checked.target}: {one.path}: {one.problem}"
