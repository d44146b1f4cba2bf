"""Times in their one spelling."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlift.errors import FormatError
from airlift.trust import clock

ODD = [
    *("", "2026-03-01", "2026-03-01T12:00:00", "2026-03-01T12:00:00+00:00"),
    *("2026-03-01 12:00:00Z", "2026-03-01t12:00:00z", "2026-3-1T12:00:00Z"),
    *("2026-03-01T12:00Z", "2026-03-01T12:00:00.0Z", "2026-03-01T12:00:60Z"),
    *("2026-03-01T24:00:00Z", "2026-13-01T12:00:00Z", "2026-00-01T12:00:00Z"),
    *("2026-02-30T12:00:00Z", "2026-03-32T12:00:00Z", "2025-02-29T12:00:00Z"),
    *("20260301T120000Z", "02026-03-01T12:00:00Z", "-026-03-01T12:00:00Z"),
    *(" 2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z ", "2026-03-01T12:00:00Z\n"),
    *("2026-03-01T12:00:00ZZ", "0000-01-01T00:00:00Z", "2026-03-01T12:60:00Z"),
    *("\uff12026-03-01T12:00:00Z", "2026-03-01T1\uff12:00:00Z", "1772366400", "now"),
]


@pytest.mark.parametrize("text", ODD)
def test_every_other_spelling_of_a_time_is_refused(text: str) -> None:
    """Times are compared as text; a second spelling would sort anywhere."""
    with pytest.raises(FormatError, match="expected a time like"):
        clock.moment(text, what="the expiry")


def test_the_error_says_which_time_it_is() -> None:
    """An operator must know which record to look at."""
    with pytest.raises(FormatError) as caught:
        clock.moment("soon\x1b", what="the expiry of root")
    assert str(caught.value) == (
        r"the expiry of root is `soon\x1b`, expected a time like `2026-01-31T23:59:59Z`"
    )


@pytest.mark.parametrize(
    "text",
    [
        "2038-01-19T03:14:08Z",
        "2106-02-07T06:28:16Z",
        "9999-12-31T23:59:59Z",
        "2024-02-29T00:00:00Z",
    ],
)
def test_times_past_the_end_of_32_bits_are_times(text: str) -> None:
    """A root signed today may outlive 2038."""
    assert clock.moment(text, what="x").strftime("%Y-%m-%dT%H:%M:%SZ") == text


@given(st.integers(min_value=0, max_value=36500))
@settings(deadline=None)
def test_later_times_sort_later_as_text(days: int) -> None:
    """The floor and every expiry are compared as text."""
    start = "2026-03-01T12:00:00Z"
    later = clock.after(start, days=days)
    assert (later > start) == (days > 0)
    assert clock.days_from(start, later) == days
    assert clock.days_from(later, start) == -days
