"""Drawings of a report: bars and steps as numbers that a template draws. Pure.

Every drawing has a table or a list beside it that says the same in words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

WIDTH: Final = 600
HEIGHT: Final = 120
"""Units of a drawing; it is scaled to the page."""
_OPEN: Final = ("critical", "high", "medium", "low", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: its label, what it says in words, and its length of ``WIDTH``."""

    label: str
    words: str
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A quantity over time.

    Attributes:
        points: Of an SVG polyline, ``x,y`` each, in units.
        first: The day it begins with.
        last: The day it ends with.
        most: Its largest value.
    """

    points: str
    first: str
    last: str
    most: int


def ages(sources: Sequence[dict[str, Any]], bounds: dict[str, Any]) -> list[Bar]:
    """Return a bar for the age of each source; one never heard has none."""
    known = [one["age_days"] for one in sources if one["age_days"] is not None]
    most = max([*known, bounds["ageing_days"], 1])
    found = []
    for one in sources:
        days = one["age_days"]
        words = one["state"] if days is None else f"{one['state']}, {days} d"
        length = 0 if days is None else max(2, round(days / most * WIDTH))
        found.append(Bar(label=one["source"], words=words, length=length))
    return found


def bound(days: int, sources: Sequence[dict[str, Any]], bounds: dict[str, Any]) -> int:
    """Return where *days* lies in the drawing of ``ages``."""
    known = [one["age_days"] for one in sources if one["age_days"] is not None]
    most: int = max([*known, bounds["ageing_days"], 1])
    return round(days / most * WIDTH)


def steps(told: Iterable[tuple[str, int]]) -> Steps | None:
    """Return the steps of values at times, sorted; None of fewer than two.

    Args:
        told: ``YYYY-MM-DDThh:mm:ssZ`` and the value from then on.
    """
    listed = sorted(told)
    if len(listed) < 2:
        return None
    most = max(value for _, value in listed) or 1
    across = WIDTH / (len(listed) - 1)
    points = [
        f"{round(at * across)},{round(HEIGHT - value / most * (HEIGHT - 4))}"
        for at, (_, value) in enumerate(listed)
    ]
    return Steps(
        points=" ".join(points),
        first=listed[0][0][:10],
        last=listed[-1][0][:10],
        most=most,
    )


def stored(releases: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return how many bytes were held after each import, of what is held now."""
    total, found = 0, {}
    for imported, size in sorted(releases):
        total += size
        found[imported] = total
    return list(found.items())


def opened(reports: Iterable[dict[str, Any]]) -> list[tuple[str, int]]:
    """Return how many findings were open in each report, by its time."""
    return [
        (
            str(one["generated_at"]),
            sum(each["verdict"] == "finding" for each in one["findings"]),
        )
        for one in reports
    ]


def by_severity(findings: Iterable[dict[str, Any]]) -> list[tuple[str, int]]:
    """Return how many open findings there are of each severity, the worst first."""
    listed = [one["severity"] for one in findings if one["verdict"] == "finding"]
    return [(word, listed.count(word)) for word in _OPEN]
