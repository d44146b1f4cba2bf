"""Reports: verdicts, exit codes, bytes that can be compared, a schema that holds."""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import catalogues
from airlift.artifact import Json
from airlift.audit import questions, report, subjects
from airlift.audit.answer import Answer, Options
from airlift.audit.finding import Finding, Severity, Verdict
from airlift.audit.questions import QUESTIONS, Question
from airlift.audit.report import Report
from airlift.audit.site import Site
from airlift.errors import RegistryError, RequestError, StoreError, TrustError
from audited import TODAY, World, model, wheels

FRESH = "2026-03-02T06:00:00Z"
FIRST = QUESTIONS[0]


@pytest.fixture(name="world", scope="module")
def _world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("world"))
    world.bring(model(), wheels("demo-1.0-py3-none-any.whl"))
    world.hear(
        catalogues.of(
            catalogues.item(as_of=FRESH),
            issued=FRESH,
            next_expected="2026-03-09T06:00:00Z",
            valid_until="2026-05-01T06:00:00Z",
        )
    )
    return world


def finding(severity: Severity = Severity.HIGH, rule: str = "r") -> Finding:
    """Return a finding about a wheel."""
    return Finding(
        kind="test",
        rule=rule,
        severity=severity,
        subject=subjects.wheel("demo", "1.0"),
        title="something",
    )


def answered(world: World, *answers: Answer, block: int | None = None) -> Report:
    """Return a report of *answers*; its site is closed."""
    with world.site(block=block) as site:
        _ = site.knowledge
        return Report(site=site, answers=tuple((FIRST, one) for one in answers))


def answer(**changes: Any) -> Answer:
    """Return an answer that passes but for *changes*."""
    return Answer(**{"question": "Q1", "as_of": FRESH, **changes})


FOUND = answer(findings=(finding(),))
UNKNOWN = answer(unknown=("x: nobody looked",))
GONE = answer(reason="the disk", failed=6)
BUSY = answer(reason="busy", failed=7)
BROKEN = answer(broken=True, findings=(finding(Severity.CRITICAL),))


@pytest.mark.parametrize(
    ("one", "verdict", "why"),
    [
        (answer(), Verdict.PASS, ""),
        (FOUND, Verdict.FINDING, ""),
        (UNKNOWN, Verdict.UNKNOWN, "x: nobody looked"),
        (answer(unknown=("x: a", "y: b", "z: c")), Verdict.UNKNOWN, "x: a, and 2 more"),
        (answer(reason="no catalogue"), Verdict.UNKNOWN, "no catalogue"),
        # Two findings are not the whole list where something was not looked at.
        (
            answer(findings=(finding(),), unknown=("x: a",)),
            *(Verdict.UNKNOWN, "x: a"),
        ),
        (BROKEN, Verdict.FINDING, ""),
    ],
)
def test_an_answer_is_never_better_than_what_is_known(
    one: Answer, verdict: Verdict, why: str
) -> None:
    """Missing data is never green."""
    assert (one.verdict, one.why) == (verdict, why)


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ((answer(),), 0),
        ((FOUND,), 10),
        ((answer(findings=(finding(Severity.MEDIUM),)),), 0),
        ((FOUND, UNKNOWN), 8),
        ((UNKNOWN, BUSY), 7),
        ((BUSY, GONE), 6),
        ((GONE, BROKEN), 4),
        ((answer(), BROKEN), 4),
    ],
)
def test_the_worst_that_applies_is_the_exit_code(
    world: World, answers: tuple[Answer, ...], code: int
) -> None:
    """Who reads one number must read the one that matters most."""
    assert report.exit_code(answered(world, *answers)) == code


def test_knowledge_older_than_the_block_age_outweighs_findings(world: World) -> None:
    """But not that something is unknown, which says more."""
    assert report.exit_code(answered(world, FOUND, block=2)) == 11
    assert report.exit_code(answered(world, answer(), block=2)) == 11
    assert report.exit_code(answered(world, UNKNOWN, block=2)) == 8
    assert report.exit_code(answered(world, FOUND, block=3)) == 10


def test_what_is_worth_a_code_is_asked_for(world: World) -> None:
    """A timer may care for the worst only, a release officer for everything."""
    low = answered(world, answer(findings=(finding(Severity.LOW),)))
    codes = [report.exit_code(low, one) for one in (None, *Severity)]
    assert codes == [0, 0, 0, 0, 10, 10]


@pytest.mark.parametrize(
    ("error", "code"),
    [(StoreError("a"), 6), (RegistryError("a"), 7), (TrustError("a"), 8)],
)
def test_an_error_ends_one_question_and_not_the_audit(
    world: World, error: Exception, code: int
) -> None:
    """What was answered stays answered; what was not is unknown, with the reason."""

    def fail(site: Site, options: Options) -> Answer:
        assert site.now == TODAY, options
        raise error

    with world.site() as site:
        found = report.run(site, [FIRST], Options(), ask=fail)
        assert found.answers[0][1].why == "a"
        assert report.exit_code(found) == code


def decoded(world: World, now: str = TODAY) -> dict[str, Any]:
    """Return the whole report of *world*, as JSON gives it."""
    with world.site(now) as site:
        found = report.run(site, QUESTIONS, Options())
        document: dict[str, Any] = json.loads(report.encode(found))
        return document


def schema() -> Mapping[str, Json]:
    """Return the schema that is shipped."""
    text = (resources.files("airlift.audit") / "schema" / "report.json").read_text()
    found: Mapping[str, Json] = json.loads(text)
    return found


def test_a_report_is_what_its_schema_says(world: World) -> None:
    """Programs are written against the schema, not against today's output."""
    Draft202012Validator.check_schema(schema())
    told = decoded(world)
    Draft202012Validator(schema()).validate(told)
    assert [one["id"] for one in told["questions"]] == sorted(
        one.id for one in QUESTIONS
    )


def test_the_schema_sees_what_is_wrong(world: World) -> None:
    """A schema that lets everything pass is none."""
    told = decoded(world)
    del told["knowledge"]["ignorance"]
    told["extra"] = 1
    found = sorted(
        one.message for one in Draft202012Validator(schema()).iter_errors(told)
    )
    assert found == [
        "'ignorance' is a required property",
        "Additional properties are not allowed ('extra' was unexpected)",
    ]


def test_the_same_site_and_time_give_the_same_bytes(world: World) -> None:
    """Else nobody can say that two reports are one."""
    first, second = decoded(world), decoded(world)
    assert first == second
    later = decoded(world, "2026-03-05T06:00:01Z")
    changed = {key for key in first if first[key] != later[key]}
    assert changed == {"run_id", "generated_at", "clock"}


def test_a_report_names_what_was_not_asked(world: World) -> None:
    """A short report must not look like a good one."""
    with world.report("freshness") as found:
        told = json.loads(report.encode(found))
    assert told["left_out"] == sorted(
        one.id for one in QUESTIONS if one.name != "freshness"
    )


def test_findings_are_narrowed_to_kinds(world: World) -> None:
    """Whoever cares for wheels reads of wheels."""
    with world.site() as site:
        everything = report.run(site, [FIRST], Options())
        only = report.run(site, [FIRST], Options(), kinds=("wheel",))
    assert {row["kind"] for row in everything.answers[0][1].rows} == {"model", "wheel"}
    assert {row["kind"] for row in only.answers[0][1].rows} == {"wheel"}


def test_questions_are_found_by_id_and_by_name() -> None:
    """People say `freshness`, reports say `Q4b`."""
    assert questions.find("q4B") == questions.find("freshness")
    with pytest.raises(RequestError) as refused:
        questions.find("nosuch")
    assert refused.value.problem == "there is no question `nosuch`"


def test_the_questions_asked_are_chosen() -> None:
    """In the order of the table, whatever the order of the options."""
    asked = questions.chosen(("freshness", "inventory"), ())
    assert [one.name for one in asked] == ["inventory", "freshness"]
    rest = questions.chosen((), ("Q1",))
    assert rest == tuple(one for one in QUESTIONS if one.id != "Q1")
    with pytest.raises(RequestError) as refused:
        questions.chosen(("Q1",), ("inventory",))
    assert refused.value.problem == "no question is left to ask"


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.name)
def test_every_question_is_answered_of_an_empty_site(
    question: Question, tmp_path: Path
) -> None:
    """On the first day too; and what upstream has is unknown then, never well."""
    world = World(tmp_path)
    with world.site() as site:
        found = report.run(site, [question], Options())
        (_, told) = found.answers[0]
        assert (told.question, told.failed) == (question.id, 0)
        if question.rests_on[:1] == ("feed",):
            assert told.verdict is Verdict.UNKNOWN
            assert told.reason == (
                "no catalogue was ever imported: nothing is known of upstream"
            )


def test_ids_and_names_are_each_once() -> None:
    """A row that hides another would never be asked."""
    assert len({one.id for one in QUESTIONS}) == len(QUESTIONS)
    assert len({one.name for one in QUESTIONS}) == len(QUESTIONS)
