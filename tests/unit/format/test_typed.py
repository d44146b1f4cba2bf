"""Typed text: what a person reads off paper comes in right, or is named."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.errors import FormatError
from airlift.format import typed

LABEL = "AIRLIFT/REQUEST/1"
DATA = bytes(range(200))
ROWS = [line.replace(" ", "") for line in typed.lines(DATA, LABEL)]


def refused(text: str) -> str:
    """Return why *text* is refused."""
    with pytest.raises(FormatError) as caught:
        typed.read(text, LABEL, name="it")
    return str(caught.value)


@given(st.binary(min_size=1, max_size=300))
def test_bytes_survive_paper(data: bytes) -> None:
    """As the lines of a file, and as the run of characters of a QR code."""
    text = typed.spell(data, LABEL)
    assert typed.read(text, LABEL, name="it") == data
    assert typed.read(typed.plain(data, LABEL), LABEL, name="it") == data
    assert typed.unspell(text, LABEL, name="it") == data
    assert max(map(len, text.splitlines())) <= 34


def test_a_qr_code_can_hold_it_as_letters_and_digits() -> None:
    """Its alphanumeric mode takes a third less room than bytes of text."""
    assert set(typed.plain(DATA, LABEL)) <= set(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
    )


def test_how_a_person_types_makes_no_difference() -> None:
    """Case, gaps, dashes, the label, and letters that look like digits."""
    text = typed.spell(DATA, LABEL)
    loose = text.lower().replace("0", "o").replace("1", "l").replace(" ", "-")
    body = loose.split("\n", 1)[1]
    for form in (body, body.replace("l", "i"), f"\n  {body.replace('-', '')} \n\n"):
        assert typed.read(form, LABEL, name="it") == DATA
    assert typed.read("".join(body.split()), LABEL, name="it") == DATA


def test_a_file_has_one_spelling() -> None:
    """What a person types may be loose; a file that crosses a border may not."""
    text = typed.spell(DATA, LABEL)
    for other in (text.lower(), text + "\n", text.replace(" ", "  ", 1), text[:-1]):
        assert typed.read(other, LABEL, name="it") == DATA
        with pytest.raises(FormatError) as caught:
            typed.unspell(other, LABEL, name="it")
        assert str(caught.value) == "it is not in the one spelling of such a file"


@given(st.data())
def test_a_slip_is_found_and_its_line_named(data: st.DataObject) -> None:
    """Ten lines typed again for one wrong letter would not be typed a third time."""
    at = data.draw(st.integers(0, len(ROWS) - 1))
    place = data.draw(st.integers(0, len(ROWS[at]) - 1))
    other = data.draw(st.sampled_from(sorted(set(typed.ALPHABET) - {ROWS[at][place]})))
    rows = list(ROWS)
    rows[at] = rows[at][:place] + other + rows[at][place + 1 :]
    # Ten bits check a line: one slip in a thousand is left to the signature.
    try:
        assert typed.read("\n".join(rows), LABEL, name="it") != DATA
    except FormatError as error:
        assert str(error).startswith(f"it: line {at + 1} is mistyped")  # noqa: PT017


def test_hardly_a_slip_gets_past_the_lines() -> None:
    """What does, only the signature finds, and that cannot say where."""
    chance, missed = random.Random(7), 0
    for _ in range(2000):
        rows = [list(row) for row in ROWS]
        at = chance.randrange(len(rows))
        place = chance.randrange(len(rows[at]) - 1)
        if chance.random() < 0.5:
            rows[at][place : place + 2] = rows[at][place : place + 2][::-1]
        else:
            rows[at][place] = chance.choice(typed.ALPHABET)
        text = "\n".join("".join(row) for row in rows)
        if text == "\n".join(ROWS):
            continue
        try:
            typed.read(text, LABEL, name="it")
        except FormatError:
            continue
        missed += 1
    assert missed < 10


def test_lines_left_out_swapped_or_of_another_text_are_named() -> None:
    """Each with what to look for."""
    rows = list(ROWS)
    assert refused("\n".join(rows[:-1])) == f"it: line {len(rows) - 1} is not the last"
    assert refused("\n".join([rows[1], rows[0], *rows[2:]])) == (
        "it: line 1 is mistyped; line 2 is mistyped"
    )
    assert "line 3 has 27 characters, expected 28" in refused(
        "\n".join([*rows[:2], rows[2][:-1], *rows[3:]])
    )
    assert refused("\n".join([rows[0][:5] + "?" + rows[0][6:], *rows[1:]])) == (
        "it: line 1 has `?`, which no line has"
    )
    other = typed.lines(DATA, "AIRLIFT/OTHER/1")
    assert refused("\n".join(other)).count("is mistyped") == len(other)
    assert refused(" \n") == "it is empty"
    assert refused("AIRLIFT/REQUEST/1:") == "it is empty"


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing typed brings the reader down."""
    try:
        data = typed.read(text, LABEL, name="it")
    except FormatError:
        return
    assert typed.read(typed.spell(data, LABEL), LABEL, name="it") == data
