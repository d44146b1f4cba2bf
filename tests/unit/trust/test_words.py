"""Fingerprints spoken as words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlift.errors import RequestError
from airlift.trust import words


@given(st.binary(max_size=64))
@settings(deadline=None)
def test_words_come_back_as_the_bytes_they_stand_for(digest: bytes) -> None:
    """A fingerprint that does not survive the telephone protects nobody."""
    assert words.parse(" ".join(words.spell(digest))) == digest


def test_the_list_is_the_published_one() -> None:
    """The example of the list's own manual: both sides may use different software."""
    digest = bytes.fromhex("E58294F2E9A227486E8B061B31CC528FD7FA3F19")
    assert " ".join(words.spell(digest)) == (
        "topmost istanbul pluto vagabond treadmill pacific brackish dictator"
        " goldfish medusa afflict bravado chatter revolver dupont midsummer"
        " stopwatch whimsical cowbell bottomless"
    )


def test_every_byte_has_its_own_word_in_both_lists() -> None:
    """Two bytes with one word would be two fingerprints with one sound."""
    every = [words.spell(bytes([byte, byte])) for byte in range(256)]
    assert len({word for pair in every for word in pair}) == 512


def test_a_misheard_word_is_named_with_what_was_probably_said() -> None:
    """The listener should ask for one word, not for all of them."""
    with pytest.raises(RequestError) as caught:
        words.parse("topmost istambul pluto")
    assert str(caught.value) == "word 2, `istambul`, is not on the word list"
    assert caught.value.hint == "perhaps `istanbul`"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("topmost istanbul vagabond treadmill", "word 3, `vagabond`"),
        ("topmost topmost istanbul", "word 2, `topmost`"),
        ("istanbul topmost", "word 1, `istanbul`"),
    ],
)
def test_a_word_dropped_doubled_or_swapped_is_noticed(text: str, place: str) -> None:
    """The alternation of two and three syllables exists for this."""
    with pytest.raises(RequestError) as caught:
        words.parse(text)
    assert str(caught.value) == f"{place}, has the wrong number of syllables here"


def test_case_and_punctuation_do_not_matter() -> None:
    """People write words down as they please."""
    assert words.parse("Topmost, Istanbul. PLUTO") == bytes.fromhex("e58294")


def test_terminal_escapes_in_a_typed_word_are_defused() -> None:
    """What was pasted must not drive the terminal that shows the error."""
    with pytest.raises(RequestError) as caught:
        words.parse("\x1b[2J")
    assert str(caught.value) == r"word 1, `\x1b[2j`, is not on the word list"
