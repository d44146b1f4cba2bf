"""Controls: a table of data that stays true to the questions there are."""

import pytest

from airlift.audit import controls
from airlift.audit.questions import OF_ONE, QUESTIONS
from airlift.errors import RequestError
from evidence import Audited


@pytest.fixture(name="audited", scope="module")
def _audited(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    return Audited(tmp_path_factory.mktemp("audited"))


def test_every_control_names_questions_that_exist() -> None:
    """A question that was renamed would be evidence for nothing."""
    known = {one.id for one in (*QUESTIONS, *OF_ONE)}
    named = {id_ for one in controls.controls() for id_ in one.questions}
    assert named <= known
    assert all(one.questions for one in controls.controls())


def test_every_control_of_a_question_is_in_the_table() -> None:
    """Questions and findings name controls too, and the two must not contradict."""
    listed = {
        one.control: one.questions
        for one in controls.controls()
        if one.framework == "nist-800-53"
    }
    missing = {
        (one.id, control)
        for one in QUESTIONS
        for control in one.controls
        if one.id not in listed.get(control, ())
    }
    assert missing == set()


def test_frameworks_are_those_that_were_asked_for() -> None:
    """Each is somebody's checklist."""
    assert controls.frameworks() == (
        *("nist-800-53", "nist-800-171", "iec-62443", "bsi", "nis2", "dora", "cra"),
        "eu-ai-act",
    )


def test_no_control_is_claimed_to_be_met() -> None:
    """Whether it is depends on what people do."""
    text = " ".join(one.asks + one.note for one in controls.controls()).lower()
    assert not [word for word in ("compliant", "complies", "certified") if word in text]


def test_a_framework_nobody_knows_is_refused_with_those_there_are() -> None:
    """An empty table would seem to say that nothing is asked for."""
    with pytest.raises(RequestError) as caught:
        controls.chosen(["iso-9001"])
    assert caught.value.problem == "there is no framework `iso-9001`"
    assert str(caught.value.hint).startswith("frameworks are nist-800-53, ")


def test_answers_stand_beside_the_controls(audited: Audited) -> None:
    """An auditor reads down the column of their framework."""
    answer = audited.world.ask("controls", "bsi")
    found = {(one["control"], one["question"]): one["verdict"] for one in answer.rows}
    alone = {name: audited.world.ask(name).verdict.value for name in ("verify", "log")}
    assert found["OPS.1.1.3.A10", "Q3"] == alone["verify"]
    assert found["OPS.1.1.3.A11", "Q12"] == alone["log"]
    assert {one["framework"] for one in answer.rows} == {"bsi"}


def test_what_is_unknown_makes_the_whole_unknown(audited: Audited) -> None:
    """Evidence with a hole in it is not evidence of the whole."""
    answer = audited.world.ask("controls", "dora")
    assert answer.verdict.value == "unknown"
    assert [one for one in answer.unknown if one.startswith("Q5: ")]
