"""Selections: what is read out over a telephone comes out as it went in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.errors import FormatError
from airlift.format import selection
from airlift.format.selection import Selection
from airlift.format.volume import LIMIT


@given(
    st.sets(st.integers(1, LIMIT), min_size=1, max_size=60),
    st.text("0123456789abcdef", min_size=8, max_size=16),
)
def test_what_was_asked_for_is_what_is_read(ordinals: set[int], cutting: str) -> None:
    """A volume too few is another trip; one of another cutting fills no gap."""
    asked = Selection(ordinals=tuple(sorted(ordinals)), cutting=cutting)
    read = selection.decode(selection.encode(asked))
    assert read == Selection(ordinals=asked.ordinals, cutting=cutting[:8])


def test_neighbours_are_told_as_a_range() -> None:
    """Three hundred numbers cannot be read out; their ranges can."""
    assert selection.ranges([14, 7, 13, 12, 7]) == "7,12-14"


@pytest.mark.parametrize(
    ("text", "ordinals"),
    [
        ("3", (3,)),
        (" 3, 1-2 ,2", (1, 2, 3)),
        ("0007", (7,)),
        ("99999", (99_999,)),
    ],
)
def test_people_write_it_in_many_ways(text: str, ordinals: tuple[int, ...]) -> None:
    """It comes from paper and telephones."""
    assert selection.decode(text) == Selection(ordinals=ordinals)


@pytest.mark.parametrize(
    "text",
    ["", ",", "0", "3-2", "1-", "a", "1,,2", "100000", "1@", "1@xyz1", "1@2@3333"],
)
def test_what_says_nothing_is_refused(text: str) -> None:
    """A guess would be another trip with the wrong volumes."""
    with pytest.raises(FormatError) as caught:
        selection.decode(text)
    assert caught.value.problem == f"`{text}` does not say which volumes"
