"""What to look at first: a sum whose parts are shown, for the order of things alone.

It is no measure of anything. Nothing passes or fails by it.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from airlift.audit.finding import Severity
from airlift.trust import clock

EXPLOITED: Final = 1000
WITHDRAWN: Final = 300
BEHAVIOUR: Final = 20
"""Of an update that changes behaviour and no weights."""
MONTHS: Final = 24
"""Most months of age that count, one point each."""
_SEVERITIES: Final[Mapping[Severity, int]] = {
    Severity.CRITICAL: 400,
    Severity.HIGH: 200,
    Severity.MEDIUM: 80,
    Severity.LOW: 20,
    Severity.INFO: 0,
}
_MONTH_DAYS: Final = 30


def severity(level: Severity) -> int:
    """Return what a severity weighs."""
    return _SEVERITIES[level]


def likelihood(score: str) -> int:
    """Return what a share of one, as decimal text, weighs: 0 to 100."""
    try:
        return int(100 * Decimal(score))
    except (InvalidOperation, ValueError, OverflowError):
        return 0


def age(since: str, at: str) -> int:
    """Return what weighs that something is known *since*: its months, at most 24."""
    if not since:
        return 0
    return max(0, min(MONTHS, clock.days_from(since, at) // _MONTH_DAYS))


def shown(parts: Mapping[str, int]) -> str:
    """Return the sum of *parts* and each of them, ``1412 = kev 1000 + critical 400 + ...``."""
    listed = " + ".join(f"{name} {weight}" for name, weight in parts.items() if weight)
    return f"{sum(parts.values())} = {listed}" if listed else "0"
