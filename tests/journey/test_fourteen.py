"""The fourteen questions of an auditor, answered by one site to which it all happened."""

from collections.abc import Mapping

import pytest

import fourteen
from fourteen import Answered, Asked

ASKED = fourteen.questions()


@pytest.fixture(name="answers", scope="module")
def _answers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Answered]:
    """Every answer, by what was asked: the site is made once."""
    folder = tmp_path_factory.mktemp("fourteen")
    return {one.asked.id: one for one in fourteen.run(folder, ASKED)}


def test_every_question_is_asked() -> None:
    """All fourteen, and of the site before anything went wrong as well."""
    numbers = {one.number for one in ASKED if one.stage == "wronged"}
    assert numbers == {"all", *(f"Q{n}" for n in range(1, 15))}
    assert {one.stage for one in ASKED} == {"sound", "wronged", "forged"}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("asked", ASKED, ids=lambda one: one.id)
def test_a_question_is_answered_as_was_written_before(
    asked: Asked, answers: Mapping[str, Answered]
) -> None:
    """What was done to the site is found, and nothing else is reported."""
    found = answers[asked.id]
    assert list(fourteen.lines(found)) == []
    assert found.found == asked.expected
