"""How old knowledge is: counted from when its source answered, never forgiven.

A clock that was set back must not make old knowledge young. So ages are counted to the
latest time that anything proves: this host's clock, what was signed, and what the log
has seen since the newest catalogue came.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from airlift.format.catalogue import Catalogue
from airlift.trust import clock

FRESH_DAYS: Final = 10
"""A carrier who comes every week may be three days late."""
AGEING_DAYS: Final = 30
LEEWAY: Final = timedelta(hours=1)
"""What two sound clocks may differ by, and what one may be stepped by."""


class Age(StrEnum):
    """What an age means."""

    FRESH = "fresh"
    AGEING = "ageing"
    STALE = "stale"
    NEVER = "never"
    """It was never answered for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """The time that ages are counted to.

    Attributes:
        at: It, ``YYYY-MM-DDThh:mm:ssZ``.
        problem: What is wrong with this host's clock; empty where nothing shows.
    """

    at: str
    problem: str = ""

    def days(self, as_of: str) -> int | None:
        """Return the whole days since *as_of*; None where that is empty."""
        return max(0, clock.days_from(as_of, self.at)) if as_of else None

    def age(self, as_of: str) -> Age:
        """Return what the age of knowledge as of *as_of* means."""
        days = self.days(as_of)
        if days is None:
            return Age.NEVER
        if days <= FRESH_DAYS:
            return Age.FRESH
        return Age.AGEING if days <= AGEING_DAYS else Age.STALE


def today(now: str, *, issued: str, floor: str, seen: str) -> Today:
    """Return the time that ages are counted to.

    Args:
        now: This host's clock.
        issued: When the newest catalogue was made.
        floor: The largest time that a delivery has verified.
        seen: The latest time in the log since the newest catalogue came.
    """
    latest = max(now, issued, floor, seen)
    behind_by = _moment(latest) - _moment(now)
    if behind_by <= LEEWAY:
        return Today(at=latest)
    behind = f"{behind_by.days} days" if behind_by.days else "less than a day"
    problem = (
        f"this host's clock says {now}, {behind} before {latest}, which has been already:"
        " set the clock; ages are counted to the later time"
    )
    return Today(at=latest, problem=problem)


def _moment(text: str) -> datetime:
    return clock.moment(text, what="time")


def overdue(made: Catalogue, at: Today) -> str:
    """Say that the next catalogue should be here; empty while it need not."""
    lines = []
    if at.at > made.next_expected:
        days = clock.days_from(made.next_expected, at.at)
        late = f"{days} days ago" if days != 1 else "a day ago"
        when = late if days else "today"
        lines.append(f"catalogue {made.sequence + 1} was due {when}")
    if at.at > made.valid_until:
        lines.append(f"catalogue {made.sequence} was good until {made.valid_until}")
    return "; ".join(lines)
