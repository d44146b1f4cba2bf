"""What became of the tests that show the faults of ``rows.py``."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from xml.etree import ElementTree as ET

from faults.rows import ROWS

TESTS: Final = Path(__file__).resolve().parent.parent


class Shown(Protocol):
    """A row of a table that tests show."""

    @property
    def tests(self) -> tuple[str, ...]:
        """``FILE::FUNCTION`` below ``tests/``, each with all its parameters."""
        ...


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a test, one of its parameters.

    Attributes:
        test: ``FILE::FUNCTION`` below ``tests/``.
        outcome: ``passed``, ``skipped`` or ``failed``.
        reason: Why it was skipped.
    """

    test: str
    outcome: str
    reason: str = ""


def named() -> list[str]:
    """Return every test of the table once, sorted."""
    return sorted({test for row in ROWS for test in row.tests})


def missing(tests: Sequence[str] = ()) -> list[str]:
    """Return those of *tests* that no file defines; by default, of the table's."""
    wanted = list(tests) or named()
    known = {
        path: _defined(TESTS / path) for path in {one.split("::")[0] for one in wanted}
    }
    lost = []
    for test in wanted:
        path, name = test.split("::")
        if name not in known[path]:
            lost.append(test)
    return lost


def _defined(path: Path) -> set[str]:
    """Return the names of the functions that a file of tests has."""
    if not path.exists():
        return set()
    tree = ast.parse(path.read_text())
    return {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}


def report(junit: Path) -> list[Ran]:
    """Return what a report of pytest (``--junit-xml``) says of each test."""
    found = []
    for case in ET.parse(junit).iter("testcase"):
        module = case.get("classname", "").removeprefix("tests.").replace(".", "/")
        name = re.sub(r"\[.*", "", case.get("name", ""), flags=re.DOTALL)
        outcome, reason = "passed", ""
        for child in case:
            if child.tag in ("failure", "error"):
                outcome = "failed"
            elif child.tag == "skipped":
                outcome, reason = "skipped", child.get("message", "")
        found.append(Ran(f"{module}.py::{name}", outcome, reason))
    return found


def unmet(row: Shown, ran: Iterable[Ran]) -> str:
    """Say why a row is not shown by what *ran*; empty if it is.

    Each of its tests must have run. One that was skipped must say what it lacks, and
    not all of them may have been.
    """
    mine = [one for one in ran if one.test in row.tests]
    if lost := sorted(set(row.tests) - {one.test for one in mine}):
        return f"did not run: {', '.join(lost)}"
    outcomes = counted(row, mine)
    if outcomes["failed"]:
        return "failed: " + ", ".join(
            sorted({one.test for one in mine if one.outcome == "failed"})
        )
    if mute := [
        one.test for one in mine if one.outcome == "skipped" and not one.reason
    ]:
        return f"skipped without a word: {', '.join(sorted(set(mute)))}"
    return "" if outcomes["passed"] else "all of its tests were skipped"


def counted(row: Shown, ran: Iterable[Ran]) -> Mapping[str, int]:
    """Return how many tests of a row passed, were skipped, failed."""
    return Counter(one.outcome for one in ran if one.test in row.tests)
