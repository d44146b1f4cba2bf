"""Times as records spell them, and the arithmetic on them.

There is one spelling, ``YYYY-MM-DDThh:mm:ssZ``: of fixed width, always UTC, so that
later times also sort later as text. Nothing here reads a clock.
"""

from datetime import UTC, datetime, timedelta

from airlift import naming
from airlift.errors import FormatError
from airlift.format.dispatch import is_time

_SPELLING = "%Y-%m-%dT%H:%M:%SZ"


def moment(text: str, *, what: str) -> datetime:
    """Return the moment that *text* names, in UTC.

    Args:
        text: A time in the one spelling.
        what: What it is the time of, for an error.

    Raises:
        FormatError: It is spelt otherwise, or no calendar has such a day.
    """
    try:
        if is_time(text):
            return datetime.strptime(text, _SPELLING).replace(tzinfo=UTC)
    except ValueError:
        pass  # the thirtieth of February and the like
    problem = (
        f"{what} is `{naming.show(text[:40])}`, expected a time like"
        " `2026-01-31T23:59:59Z`"
    )
    raise FormatError(problem)


def after(text: str, *, days: int) -> str:
    """Return the time *days* days after *text*."""
    later = moment(text, what="time") + timedelta(days=days)
    # Not strftime, which does not pad years before 1000 on every platform.
    return later.isoformat().replace("+00:00", "Z")


def days_from(earlier: str, later: str) -> int:
    """Return the whole days from *earlier* to *later*; negative if it is before."""
    span = moment(later, what="time") - moment(earlier, what="time")
    return span.days if span.days >= 0 else -((-span).days)
