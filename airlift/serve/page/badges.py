"""Ages as badges, and updates in the order they are pressing, of a recorded report. Pure.

A report says how old knowledge was when it was made. A reader comes later: ages are
counted on to today, and what was fresh then may be stale by now.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airlift.trust.clock import days_from

Told = Mapping[str, Any]
"""A report, or a part of one, as JSON."""

UPDATES: Final = 50
"""Updates that are shown, the most pressing first; the pack has all."""
_SHOWN: Final = {
    "catalogue": "catalogue",
    "advisories": "advisories",
    "virus scans": "virus scans",
    "rehash": "hashes",
}
"""What a badge is of, by the source that the report names."""
_UPSTREAM: Final = ("catalogue", "advisories")


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """How old one kind of knowledge is.

    Attributes:
        label: Of what.
        word: ``fresh``, ``ageing``, ``stale``, ``late`` or ``never``.
        days: Its age; None where it never was.
    """

    label: str
    word: str
    days: int | None


def ages(told: Told, now: str) -> tuple[Badge, ...]:
    """Return the four ages of a report, counted to *now*; none where none were asked."""
    bounds = told["knowledge"]["bounds"]
    return tuple(
        _badge(row, bounds, now)
        for row in rows(told, "freshness")
        if row["source"] in _SHOWN
    )


def _badge(row: Told, bounds: Told, now: str) -> Badge:
    label, as_of = _SHOWN[row["source"]], row["as_of"]
    if not as_of:
        return Badge(label=label, word="never", days=None)
    # This host's clock may have been set back since: nothing grows younger by it.
    days = max(days_from(as_of, now), row["age_days"])
    if row["source"] in _UPSTREAM:
        is_fresh, is_usable = (
            days <= bounds["fresh_days"],
            days <= bounds["ageing_days"],
        )
        word = "fresh" if is_fresh else "ageing" if is_usable else "stale"
    else:
        word = "fresh" if days <= row["bound_days"] else "late"
    return Badge(label=label, word=word, days=days)


def updates(told: Told) -> Sequence[Told]:
    """Return what upstream had newer, the most pressing first."""
    return list(rows(told, "outdated"))


def rows(told: Told, name: str) -> Iterator[Told]:
    """Yield the table of the question called *name*; nothing where it was not asked."""
    for one in told["questions"]:
        if one["name"] == name:
            yield from one["rows"]
