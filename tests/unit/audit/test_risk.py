"""What to look at first: parts that are shown, and none that can run away."""

import pytest

from airlift.audit import risk


def test_the_parts_are_shown_beside_the_sum() -> None:
    """A number alone cannot be argued with; what weighs nothing is left out."""
    parts = {"kev": 1000, "high": 200, "epss": 0}
    assert risk.shown(parts) == "1200 = kev 1000 + high 200"
    assert risk.shown({"epss": 0}) == "0"


@pytest.mark.parametrize(
    ("score", "weight"),
    [("0.94321", 94), ("1", 100), ("0", 0), ("", 0), ("x", 0), ("nan", 0), ("inf", 0)],
)
def test_a_share_weighs_up_to_a_hundred(score: str, weight: int) -> None:
    """Text that is no number weighs nothing, and breaks nothing."""
    assert risk.likelihood(score) == weight


@pytest.mark.parametrize(
    ("since", "months"),
    [
        ("2026-03-01T00:00:00Z", 0),
        ("2026-01-02T00:00:00Z", 1),
        ("2016-01-01T00:00:00Z", 24),
        ("2027-01-01T00:00:00Z", 0),
        ("", 0),
    ],
)
def test_age_weighs_at_most_two_years(since: str, months: int) -> None:
    """An old fault is not worse for ever; one of tomorrow is not better."""
    assert risk.age(since, "2026-03-02T00:00:00Z") == months
