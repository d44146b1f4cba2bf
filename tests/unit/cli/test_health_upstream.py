"""What ``doctor`` says of catalogues."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import catalogues
import informed
from airlift.cli import health_upstream
from airlift.cli.health import Finding, Verdict
from airlift.format.catalogue import Catalogue
from airlift.registry.upstream import Upstream

FIRST = "2026-03-02T06:00:00Z"


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    return informed.site(tmp_path)


def hear(home: Path, **changes: object) -> None:
    """Take in a catalogue of ``FIRST`` that expects the next in a week."""
    item = catalogues.item(as_of=FIRST)
    made: Catalogue = catalogues.of(
        item,
        issued=FIRST,
        next_expected="2026-03-09T06:00:00Z",
        valid_until="2026-05-01T06:00:00Z",
    )
    with closing(Upstream.open(home)) as upstream:
        informed.take(upstream, replace(made, **changes))  # type: ignore[arg-type]


def findings(home: Path, now: str) -> list[tuple[str, Verdict, str]]:
    """Return check, verdict and text of what is found."""
    found: list[Finding] = list(health_upstream.upstream(home, now=now))
    return [(one.check, one.verdict, one.text) for one in found]


def test_a_site_without_catalogues_is_told_so(home: Path) -> None:
    """No warning: not every sender makes them; and no "all is well" either."""
    assert findings(home, FIRST) == [
        (
            "catalogue",
            Verdict.OK,
            "none was imported; nothing is known of upstream",
        )
    ]


def test_a_fresh_catalogue_is_well(home: Path) -> None:
    """The usual week."""
    hear(home)
    assert findings(home, "2026-03-05T06:00:00Z") == [
        ("catalogue", Verdict.OK, f"the newest is 1, of {FIRST}"),
        ("upstream", Verdict.OK, "nothing that is held was withdrawn or advised on"),
    ]


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (
            "2026-03-15T06:00:00Z",
            f"the newest is 1, of {FIRST}; catalogue 2 was due 6 days ago",
        ),
        (
            "2025-03-15T06:00:00Z",
            (
                f"the newest is 1, of {FIRST}; this host's clock says 2025-03-15T06:00:00Z,"
                f" 352 days before {FIRST}, which has been already: set the clock; ages are"
                " counted to the later time"
            ),
        ),
    ],
)
def test_silence_and_a_wrong_clock_are_warnings(
    home: Path, now: str, text: str
) -> None:
    """Cron mails them to somebody who can ask."""
    hear(home)
    assert findings(home, now)[0] == ("catalogue", Verdict.WARNING, text)


def test_entries_that_nobody_answered_for_are_a_warning(home: Path) -> None:
    """The catalogue is new, and what it says of one source is old."""
    old = catalogues.item(as_of="2026-01-02T06:00:00Z", problem="no answer")
    hear(home, items=(old,))
    assert findings(home, FIRST)[0] == (
        "catalogue",
        Verdict.WARNING,
        f"the newest is 1, of {FIRST}; 1 of its entries are not fresh",
    )
