"""The table of attacks names tests that are there, and the document has it."""

from pathlib import Path

import pytest

from attacks import table
from attacks.rows import ROWS, TITLES, Row
from faults.table import Ran

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "security.md"
COUNTS = {"A": 9, "B": 12, "C": 14, "D": 10, "E": 11, "H": 8, "J": 8}


def test_every_attack_has_its_tests() -> None:
    """Every number of the threat model once, in order, and each with a test."""
    expected = [f"{one}{n}" for one in COUNTS for n in range(1, COUNTS[one] + 1)]
    assert [row.number for row in ROWS] == expected
    assert [row.number for row in ROWS if not row.tests] == []
    assert list(TITLES) == list(COUNTS)


def test_the_tests_of_the_table_are_there() -> None:
    """A test that is renamed or deleted must not leave an attack without one."""
    assert table.missing() == []


def test_the_document_has_the_table() -> None:
    """What is promised to readers is what the tests are named after."""
    text = DOCUMENT.read_text()
    assert table.written(text, table.document()) == text


ROW = Row("A1", "an attack", "an answer", ("a.py::test_a",))


@pytest.mark.parametrize(
    ("ran", "told"),
    [
        ([Ran("a.py::test_a", "passed")], ""),
        ([], "did not run: a.py::test_a"),
        ([Ran("a.py::test_a", "failed")], "failed: a.py::test_a"),
    ],
)
def test_an_attack_is_shown_only_by_tests_that_ran(ran: list[Ran], told: str) -> None:
    """Green means that it was tried and answered."""
    assert table.unmet(ROW, ran) == told


def test_the_document_keeps_what_is_around_the_table() -> None:
    """The text is written by people, the table by the script."""
    text = f"front\n{table.BEGIN}\nold\n{table.END}\nback\n"
    assert table.written(text, "new\n") == (
        f"front\n{table.BEGIN}\n\nnew\n\n{table.END}\nback\n"
    )
    with pytest.raises(ValueError, match=r"^$"):
        table.written("nothing", "new")
