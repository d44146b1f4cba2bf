"""A year of deliveries with everything going wrong, and no hand to repair it."""

from collections.abc import Sequence

import pytest

from year import Fate, Line, Year, rows
from year_sides import Way

WEEKS = 52


@pytest.fixture(name="lines", scope="module")
def _lines(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Line]:
    return Year(tmp_path_factory.mktemp("year"), seed=1).run(WEEKS)


@pytest.mark.timeout(1800)
def test_after_a_year_every_site_holds_what_was_approved_for_it(
    lines: Sequence[Line],
) -> None:
    """Whatever was lost, damaged, late, refused or came again."""
    assert [(line.site.way, line.equal) for line in lines] == [
        (way, True) for way in Way
    ]


def test_both_sides_say_one_code_after_each_delivery_taken(
    lines: Sequence[Line],
) -> None:
    """Also where nothing ever comes back: it is on the slip, and is printed there."""
    assert [line.unequal for line in lines] == [[], [], []]
    assert min(line.taken for line in lines) > WEEKS // 2


def test_hardly_more_is_carried_than_by_one_who_knew_everything(
    lines: Sequence[Line],
) -> None:
    """Within a tenth of the oracle that `scripts/year.py` defines for each site."""
    ratios = {line.site.way: round(line.ratio, 3) for line in lines}
    assert max(ratios.values()) <= 1.10, ratios


def test_the_year_was_as_bad_as_it_claims(lines: Sequence[Line]) -> None:
    """A year without accidents proves nothing."""
    assert {one for one in Fate for line in lines if line.counts[one]} == set(Fate)
    for line in lines:
        assert line.counts[Fate.LOST] >= 2, line.site.name
        assert line.counts["replayed"], line.site.name
        assert line.counts["refused: trust"], line.site.name
    assert lines[2].counts["anchors"] > 1
    head, *table = rows(lines)
    assert [len(row) for row in table] == [len(head)] * 3
