"""The table of faults names tests that are there, and tells when one did not run."""

from pathlib import Path

import pytest

from faults import table
from faults.rows import ROWS, Row
from faults.table import Ran

pytestmark = pytest.mark.faults


def test_every_fault_has_its_tests() -> None:
    """All 54, by number, and each with at least one."""
    assert [row.number for row in ROWS] == list(range(1, 55))
    assert [row.number for row in ROWS if not row.tests] == []


def test_the_tests_of_the_table_are_there() -> None:
    """A test that is renamed or deleted must not leave a fault without one."""
    assert table.missing() == []


def test_the_documents_keep_the_count() -> None:
    """Who weighs airlift by its documents must not count tests that went."""
    text = (table.TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
    told = f"{len(ROWS)} faults, shown by {len(table.named())} tests"
    assert told in " ".join(text.split())


def test_a_test_that_is_not_there_is_missed(tmp_path: Path) -> None:
    """The check above must be able to fail."""
    (tmp_path / "test_x.py").write_text("def test_a() -> None: ...\n")
    assert table._defined(tmp_path / "test_x.py") == {"test_a"}
    assert table._defined(tmp_path / "test_y.py") == set()


ROW = Row(1, "a fault", ("a.py::test_a", "b.py::test_b"))
GOOD = Ran("b.py::test_b", "passed")


@pytest.mark.parametrize(
    ("ran", "told"),
    [
        ([Ran("a.py::test_a", "passed"), GOOD], ""),
        ([Ran("a.py::test_a", "skipped", "needs root"), GOOD], ""),
        ([GOOD], "did not run: a.py::test_a"),
        ([Ran("a.py::test_a", "failed"), GOOD], "failed: a.py::test_a"),
        (
            [Ran("a.py::test_a", "skipped"), GOOD],
            "skipped without a word: a.py::test_a",
        ),
        (
            [Ran(one, "skipped", "needs root") for one in ROW.tests],
            "all of its tests were skipped",
        ),
    ],
)
def test_a_row_is_shown_only_by_tests_that_ran(ran: list[Ran], told: str) -> None:
    """Green means that it happened and was looked at, not that nobody complained."""
    assert table.unmet(ROW, ran) == told


def test_a_report_is_read_as_pytest_writes_it(pytester_report: Path) -> None:
    """Parameters count one by one; reasons are kept."""
    assert table.report(pytester_report) == [
        Ran("faults/test_x.py::test_one", "passed"),
        Ran("faults/test_x.py::test_one", "passed"),
        Ran("faults/test_x.py::test_two", "skipped", "needs root"),
        Ran("faults/test_x.py::test_three", "failed"),
    ]


@pytest.fixture(name="pytester_report")
def _report(tmp_path: Path) -> Path:
    """A report of four tests."""
    path = tmp_path / "report.xml"
    path.write_text(
        '<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest">'
        '<testcase classname="tests.faults.test_x" name="test_one[a]" time="0.1" />'
        '<testcase classname="tests.faults.test_x" name="test_one[b::c.d]" />'
        '<testcase classname="tests.faults.test_x" name="test_two">'
        '<skipped type="pytest.skip" message="needs root">x</skipped></testcase>'
        '<testcase classname="tests.faults.test_x" name="test_three">'
        '<failure message="no">x</failure></testcase></testsuite></testsuites>'
    )
    return path
