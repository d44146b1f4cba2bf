"""What the answers of an audit are evidence for, control by control.

The mapping is data (``controls.toml``). It says "supports evidence for": whether a
control is met depends on what people do, which no program sees.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from airlift import naming
from airlift.artifact import Json
from airlift.audit.answer import Answer, Options
from airlift.audit.questions import OF_ONE, QUESTIONS
from airlift.audit.report import Report, run
from airlift.audit.site import Site
from airlift.errors import RequestError

COLUMNS: Final = ("framework", "control", "question", "verdict", "asks", "evidence")
_ABOUT: Final = {"Q2": "Q2b"}
"""Ids by which the table may call a question that is asked about one thing."""
_NEVER: Final = "asked about one thing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control, and the questions that are evidence for it.

    Attributes:
        framework: Id of what it is part of.
        title: Of that, for a person.
        control: Its number there.
        asks: What it asks for, in our words.
        questions: Ids.
        certain: Whether number and wording were read in a published text.
        note: What limits it; may be empty.
    """

    framework: str
    title: str
    control: str
    asks: str
    questions: tuple[str, ...]
    certain: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A control with what each of its questions came to."""

    framework: str
    control: str
    asks: str
    answers: tuple[tuple[str, str], ...]


@cache
def controls() -> tuple[Control, ...]:
    """Return the mapping, in its order."""
    text = resources.files("airlift.audit").joinpath("controls.toml").read_text("utf-8")
    return tuple(
        Control(
            framework=one["id"],
            title=one["title"],
            control=each["id"],
            asks=each["asks"],
            questions=tuple(_ABOUT.get(id_, id_) for id_ in each["questions"]),
            certain=one["checked"] == "read",
            note=one.get("note", ""),
        )
        for one in tomllib.loads(text)["framework"]
        for each in one["control"]
    )


def frameworks() -> tuple[str, ...]:
    """Return the ids of all frameworks, in order."""
    return tuple(dict.fromkeys(one.framework for one in controls()))


def chosen(named: Iterable[str]) -> tuple[Control, ...]:
    """Return the controls of the frameworks *named*; of none, all.

    Raises:
        RequestError: There is no such framework.
    """
    wanted = tuple(named)
    for one in wanted:
        if one not in frameworks():
            problem = f"there is no framework `{naming.show(one)}`"
            listed = ", ".join(frameworks())
            raise RequestError(problem, hint=f"frameworks are {listed}")
    return tuple(one for one in controls() if not wanted or one.framework in wanted)


def table(questions: Iterable[Mapping[str, Any]]) -> tuple[Line, ...]:
    """Return all controls with what a report's *questions* came to."""
    verdicts = {str(one["id"]): str(one["verdict"]) for one in questions}
    return tuple(
        Line(
            framework=one.title,
            control=one.control,
            asks=one.asks + (f" ({one.note})" if one.note else ""),
            answers=tuple((id_, _word(id_, verdicts)) for id_ in one.questions),
        )
        for one in controls()
    )


def _word(id_: str, verdicts: Mapping[str, str]) -> str:
    single = {one.id for one in OF_ONE}
    return verdicts.get(id_, _NEVER if id_ in single else "not asked")


def ask(site: Site, options: Options) -> Answer:
    """Return a row for each control and each question that is evidence for it.

    The items of *options* are ids of frameworks; none for all.
    """
    wanted = chosen(options.items)
    ids = {id_ for one in wanted for id_ in one.questions}
    asked = [one for one in QUESTIONS if one.id in ids]
    found = run(site, asked, Options(progress=options.progress))
    return Answer(
        question="Q15",
        as_of=max((one.as_of for _, one in found.answers), default=""),
        columns=COLUMNS,
        rows=tuple(_rows(wanted, found)),
        findings=found.findings,
        unknown=tuple(f"{q.id}: {one.why}" for q, one in found.answers if one.why),
        counts={"controls": len(wanted), "questions": len(asked)},
        broken=any(one.broken for _, one in found.answers),
        failed=max((one.failed for _, one in found.answers), default=0),
    )


def _rows(wanted: Iterable[Control], found: Report) -> Iterable[Mapping[str, Json]]:
    verdicts = {q.id: one.verdict.value for q, one in found.answers}
    names = {one.id: one.name for one in (*QUESTIONS, *OF_ONE)}
    for one in wanted:
        for id_ in one.questions:
            yield {
                "framework": one.framework,
                "control": one.control,
                "question": id_,
                "verdict": _word(id_, verdicts),
                "asks": one.asks,
                "evidence": f"airlift audit {names[id_]}",
                "certain": one.certain,
            }
