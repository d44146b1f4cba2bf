"""Q14: what is otherwise than in an earlier report, and because of what.

Two reports go in, as they were written. A trend means nothing while nobody can tell
whether what is held has changed, or only what is known of it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from airlift import naming
from airlift.artifact import Json
from airlift.audit.report import RUN_DIGITS, SCHEMA
from airlift.digest import sha256
from airlift.errors import FormatError, RequestError
from airlift.format import canonical

LIMIT: Final = 64 << 20
"""Bytes of a report that is read; that of 100,000 files has some 20 MB."""

Told: TypeAlias = Mapping[str, Any]
"""A report, or a part of one, as JSON."""


class Cause(StrEnum):
    """Because of what a finding came, went or changed."""

    INVENTORY = "inventory"
    """What is held has changed."""
    FEED = "feed"
    """What is known of upstream has changed."""
    POLICY = "policy"
    WAIVER = "waiver"
    SCANNER = "scanner"
    """What looks at files has changed."""
    TIME = "time"
    """Nothing else has: something grew old, or ran out."""
    QUESTION = "question"
    """It was not asked, or could not be answered, in one of the two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A finding that came, went or changed; or something that could not be answered.

    Attributes:
        finding: Its id; empty for what could not be answered.
        question: The id of its question.
        severity: By the later report that has it; empty for what could not be answered.
        title: Likewise.
        before: ``absent``, ``finding``, ``accepted``, ``unknown``, ``not asked``; with
            the severity where that alone has changed.
        after: Likewise.
        cause: Because of what.
    """

    finding: str
    question: str
    severity: str
    title: str
    before: str
    after: str
    cause: Cause

    @property
    def is_new(self) -> bool:
        """Whether it is open by now, and was not."""
        return self.after.startswith("finding") and not self.before.startswith(
            "finding"
        )


def read(data: bytes, *, name: str) -> Told:
    """Return the report that *data* holds.

    Args:
        data: The file, as ``airlift audit --json`` or ``--out`` wrote it.
        name: What to call it in an error.

    Raises:
        FormatError: It is not one, or was changed since it was written.
    """
    hint = "give the file as `airlift audit --out` wrote it"
    try:
        found = canonical.decode(data.removesuffix(b"\n"), name=name, limit=LIMIT)
    except FormatError as error:
        raise FormatError(error.problem, hint=hint) from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        problem = f"{name} is no report of `{SCHEMA}`"
        raise FormatError(problem, hint=hint)
    rest = {key: value for key, value in found.items() if key != "run_id"}
    if found.get("run_id") != sha256(canonical.encode(rest))[:RUN_DIGITS]:
        problem = f"{name} was changed since it was written: its id is not that of it"
        raise FormatError(problem, hint=hint)
    try:
        _use(found)
    except (KeyError, TypeError, AttributeError) as error:
        # Its id is right, so somebody wrote it so: it is no report of ours.
        problem = f"{name} is no whole report: {naming.show(repr(error))}"
        raise FormatError(problem, hint=hint) from error
    return found


def _use(told: Told) -> None:
    """Use all of a report that a comparison may use, so that what is missing shows."""
    side = _Side(told)
    _root(told)
    for basis in _BASIS.values():
        basis(told)
    for one, each in side.findings.items():
        _is_held(told, each["subject"])
        _ = each["verdict"], each["severity"], each["title"], one
    for one, each in side.questions.items():
        _ = _unknown(each), each["rests_on"], each["title"], each["verdict"], one
    for one in _asker(side):
        _ = side.findings[one]
    between(told, told)


def between(before: Told, after: Told) -> tuple[Change, ...]:
    """Return what is otherwise in *after* than in *before*; findings first, by id.

    Raises:
        RequestError: They are of two sites, or in the wrong order.
    """
    if before["site"] != after["site"]:
        sites = " and ".join(naming.show(str(one["site"])) for one in (before, after))
        problem = f"the reports are of two sites, {sites}"
        raise RequestError(problem, hint="compare reports of one site")
    if before["generated_at"] > after["generated_at"]:
        problem = "the first report is later than the second"
        raise RequestError(problem, hint="name the earlier one first")
    return (*_findings(before, after), *_unanswered(before, after))


class _Side:
    """One of the two reports, by finding and by question."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.findings = {str(one["id"]): one for one in told["findings"]}
        self.questions = {str(one["id"]): one for one in told["questions"]}

    def state(self, one: str, question: str) -> str:
        """Return how a finding stands here."""
        if found := self.findings.get(one):
            return str(found["verdict"])
        asked = self.questions.get(question)
        if asked is None:
            return "not asked"
        # Of a question that was answered in part, what is not named was looked at.
        whole = asked["verdict"] == "unknown" and not asked["unknown"]
        return "unknown" if whole else "absent"


def _asker(*sides: _Side) -> dict[str, str]:
    """Return which question found each finding."""
    return {
        one: str(each["id"])
        for side in sides
        for each in side.told["questions"]
        for one in each["findings"]
    }


def _findings(before: Told, after: Told) -> Iterator[Change]:
    old, new = _Side(before), _Side(after)
    for one, question in sorted(_asker(old, new).items()):
        was, now = old.state(one, question), new.state(one, question)
        had, has = old.findings.get(one), new.findings.get(one)
        told = has or had
        assert told is not None, one
        if had and has and was == now and had["severity"] != has["severity"]:
            was, now = f"{was} {had['severity']}", f"{now} {has['severity']}"
        if was != now:
            yield Change(
                finding=one,
                question=question,
                severity=str(told["severity"]),
                title=str(told["title"]),
                before=was,
                after=now,
                cause=_cause(old, new, (told, question), (was, now)),
            )


def _cause(
    old: _Side, new: _Side, what: tuple[Told, str], states: tuple[str, str]
) -> Cause:
    told, question = what
    held = [_is_held(one.told, told["subject"]) for one in (old, new)]
    asked = new.questions.get(question) or old.questions[question]
    ladder = (
        (bool({"not asked", "unknown"} & set(states)), Cause.QUESTION),
        (set(states) == {"finding", "accepted"}, Cause.WAIVER),
        (held[0] != held[1], Cause.INVENTORY),
        *(
            (_BASIS[one](old.told) != _BASIS[one](new.told), Cause(one))
            for one in asked["rests_on"]
            if one in _BASIS
        ),
        (
            told["subject"]["kind"] not in _GROWS_OLD
            and _root(old.told) != _root(new.told),
            Cause.INVENTORY,
        ),
    )
    return next((cause for holds, cause in ladder if holds), Cause.TIME)


_GROWS_OLD: Final = frozenset({"knowledge", "host"})
"""Kinds of subject that no delivery brings and no host holds: they grow old."""


def _is_held(told: Told, subject: Told) -> bool | None:
    """Say whether a subject is held; None of what no inventory lists."""
    inventory = told["inventory"]
    if subject["purl"].startswith("pkg:pypi/"):
        return f"{subject['name']}=={subject['version']}" in inventory["wheels"]
    if subject["kind"] not in ("model", "wheel", "file"):
        return None
    name, version = subject["name"], subject["version"]
    if subject["kind"] == "file":
        # Named `RELEASE: PATH`; its digest is that of its bytes, not of a release.
        name = name.partition(": ")[0]
    return any(
        one["id"] == subject["digest"]
        or (one["name"], one["revision"]) == (name, version)
        for one in inventory["items"]
    )


def _root(told: Told) -> Json:
    """Return what changes with every change of what is held, or seen on hosts."""
    inventory = told["inventory"]
    # Reports of before told of no hosts.
    return (inventory["state_root"] or inventory["items"], inventory.get("hosts", []))


_BASIS: Final[Mapping[str, Callable[[Told], Json]]] = {
    "feed": lambda told: (told["knowledge"]["catalogue"] or {}).get("id"),
    "policy": lambda told: (told["policy"] or {}).get("sha256"),
    "scanner": lambda told: told["knowledge"]["scanners"],
}


def _unanswered(before: Told, after: Told) -> Iterator[Change]:
    old, new = _Side(before), _Side(after)
    ids = {str(one["id"]) for one in (*before["questions"], *after["questions"])}
    for question in sorted(ids):
        was, now = old.questions.get(question), new.questions.get(question)
        if was is None or now is None:
            yield _unasked(question, was, now)
            continue
        gone, come = _unknown(was), _unknown(now)
        for line in sorted(gone ^ come):
            states = (
                ("unknown", "answered") if line in gone else ("answered", "unknown")
            )
            yield Change(
                finding="",
                question=question,
                severity="",
                title=line,
                before=states[0],
                after=states[1],
                cause=Cause.QUESTION,
            )


def _unknown(asked: Told) -> set[str]:
    return {*asked["unknown"], *([asked["reason"]] if not asked["unknown"] else [])} - {
        ""
    }


def _unasked(question: str, was: Told | None, now: Told | None) -> Change:
    told = was or now
    assert told is not None
    return Change(
        finding="",
        question=question,
        severity="",
        title=str(told["title"]),
        before="asked" if was else "not asked",
        after="asked" if now else "not asked",
        cause=Cause.QUESTION,
    )
