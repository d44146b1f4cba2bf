"""Tables of the report on paper, and what it says to do."""

from typing import Any

import pytest

from airlift.audit.pack import remedies, tables
from airlift.audit.pack.remedies import Remedy
from airlift.audit.pack.tables import Cell, Row, Table

DIGEST, COMMIT = "0f" * 32, "a" * 40
TIME = "2026-03-05T06:07:08Z"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (DIGEST, Cell(text="0f0f0f0f0f0f", title=DIGEST, is_code=True)),
        (COMMIT, Cell(text="a" * 12, title=COMMIT, is_code=True)),
        (TIME, Cell(text="2026-03-05 06:07", title=TIME)),
        (None, Cell(text="-")),
        ([], Cell(text="-")),
        (0, Cell(text="0")),
        ("\u202eevil", Cell(text="\\u202eevil")),
    ],
)
def test_a_value_is_short_and_its_whole_is_not_lost(
    value: object, expected: Cell
) -> None:
    """A digest cut for the eye must be there for whoever compares it."""
    assert tables.cell(value) == expected


def test_columns_that_say_nothing_are_left_out() -> None:
    """Paper is narrow; a column of dashes tells nobody anything."""
    rows: list[dict[str, Any]] = [
        {"name": "a", "why": "", "bytes": 1500},
        {"name": "b", "why": None},
    ]
    assert tables.laid_out(("name", "why", "bytes"), rows) == Table(
        head=("name", "bytes"),
        rows=(
            Row(cells=(Cell(text="a"), Cell(text="1.5 kB", title="1500 bytes"))),
            Row(cells=(Cell(text="b"), Cell(text="-"))),
        ),
    )


def test_what_a_sheet_has_no_room_for_stands_beneath_its_row() -> None:
    """Nothing is cut off and nothing is left out: it moves, under its heading."""
    row = {
        "kind": "model",
        "name": "an-organisation/" + "n" * 60,
        "made_on": TIME,
        "summary": "s" * 70,
        "reason": "r" * 50,
    }
    (shown,) = tables.laid_out(tuple(row), [row]).rows
    assert [one.text for one in shown.cells] == [
        *("model", row["name"], "2026-03-05 06:07", "r" * 50),
    ]
    assert shown.beneath == (("summary", Cell(text="s" * 70)),)


def test_a_row_without_what_stands_beneath_has_no_line_there() -> None:
    """An empty line under each row would double the paper."""
    rows = [
        {"name": "a", "c": "c", "d": "d", "x": "x" * 150, "y": "y" * 60},
        {"name": "b", "c": "c", "d": "d", "y": "y"},
    ]
    first, second = tables.laid_out(("name", "c", "d", "x", "y"), rows).rows
    assert [key for key, _ in first.beneath] == ["x"]
    assert second.beneath == ()


@pytest.mark.parametrize("count", [1, 7, 15, 40])
def test_whatever_is_told_fits_a_sheet(count: int) -> None:
    """However many columns a question gets one day."""
    row = {f"c{n}": "x" * (n % 30) for n in range(1, count + 1)}
    told = tables.laid_out(tuple(row), [row])
    (shown,) = told.rows
    assert sum(min(len(one.text), 30) + 3 for one in shown.cells) <= 150
    assert len(shown.cells) + len(shown.beneath) == len([1 for n in row.values() if n])


# --- what to do -------------------------------------------------------------------


def found(kind: str, **changes: Any) -> dict[str, Any]:
    """Return a finding about a model, as a report has it."""
    subject = {"kind": "model", "name": "org/model", "version": COMMIT}
    return {
        "kind": kind,
        "rule": "r",
        "fix": None,
        "arrived_in": "7",
        "subject": subject,
        **changes,
    }


def test_damaged_bytes_are_not_to_be_accepted() -> None:
    """The hint beside the worst finding of all must be to repair, from where it came."""
    assert remedies.of(found("integrity")) == Remedy(
        text="Put it aside, and import delivery 7 again.",
        commands=("airlift verify --quarantine",),
    )


def test_a_fix_that_can_be_asked_for_is_asked_for_by_name() -> None:
    """Of a model and a runtime it is the runtime that moves."""
    fix = {"to": "1.5", "delta_bytes": 47_000, "in_catalogue": True}
    asks = ("airlift request add org/model", "airlift request export")
    assert remedies.of(found("vulnerability", fix=fix)) == Remedy(
        text="Move to 1.5.", size=47_000, commands=asks
    )
    runtime = {"to": "vllm 0.14.0", "delta_bytes": None, "in_catalogue": True}
    assert remedies.of(found("cross-finding", fix=runtime)).commands == (
        *("airlift request add vllm", "airlift request export"),
    )


@pytest.mark.parametrize(
    ("fix", "text"),
    [
        (
            {"to": "1.5", "delta_bytes": 0, "in_catalogue": False},
            "Move to 1.5, which is held.",
        ),
        (
            {"to": "1.5", "delta_bytes": None, "in_catalogue": False},
            "Move to 1.5; no catalogue has it, so ask for it.",
        ),
    ],
)
def test_a_fix_that_cannot_be_asked_for_is_told(fix: dict[str, Any], text: str) -> None:
    """A command that answers with an error helps nobody."""
    assert remedies.of(found("vulnerability", fix=fix)) == Remedy(text=text)


def test_a_name_from_outside_is_one_word_of_the_shell() -> None:
    """Whoever copies the command must not run what a model is called."""
    subject = {"kind": "model", "name": "org/$(reboot) x", "version": COMMIT}
    told = remedies.of(found("licence", subject=subject))
    assert told.commands == (f"airlift remove 'org/$(reboot) x@{COMMIT}'",)
    assert remedies.of(found("of a later airlift")) == Remedy(
        text="Somebody has to look at it."
    )
