"""Strict canonical JSON: one value, one spelling."""

import json

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from airlift.artifact import Json
from airlift.errors import FormatError
from airlift.format import canonical

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-canonical.INTEGER, canonical.INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_reads_back_and_matches_the_reference(value: object) -> None:
    """Two teams must sign the same bytes: the reference writer of RFC 8785 agrees."""
    data = canonical.encode(value)  # type: ignore[arg-type]  # any strict JSON
    assert data == rfc8785.dumps(value)  # type: ignore[arg-type]  # any strict JSON
    assert canonical.decode(data, name="x", limit=1 << 20) == value


@given(VALUES, st.sampled_from([(", ", ": "), (",", ": ")]))
def test_another_layout_is_refused(value: object, separators: tuple[str, str]) -> None:
    """White space is not covered by a signature over the value, so it may not vary."""
    data = json.dumps(value, separators=separators, ensure_ascii=False).encode()
    if data == canonical.encode(value):  # type: ignore[arg-type]  # any strict JSON
        return
    with pytest.raises(FormatError):
        canonical.decode(data, name="x", limit=1 << 20)


REFUSED = {
    "duplicate key": (
        b'{"a":1,"a":1}',
        "x is not strict JSON: an object has a key twice",
    ),
    "float": (b"1.5", "x is not strict JSON: number 1.5 is not an integer"),
    "exponent": (b"1e3", "x is not strict JSON: number 1e3 is not an integer"),
    "NaN": (b"NaN", "x is not strict JSON: number NaN is not an integer"),
    "too large": (
        b"9007199254740992",
        "x is not strict JSON: integer 9007199254740992 is beyond 2**53",
    ),
    "endless digits": (b"1" * 5000, "x is not strict JSON: integer of 5000 digits"),
    "unsorted": (b'{"b":1,"a":1}', "x is not in canonical form at byte 2"),
    "trailing newline": (b"{}\n", "x is not in canonical form at byte 2"),
    "escaped needlessly": (b'"\\u0041"', "x is not in canonical form at byte 1"),
    "negative zero": (b"-0", "x is not in canonical form at byte 0"),
    "over the limit": (b" " * 101, "x has 101 bytes, the limit is 100"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_a_second_spelling_is_refused(data: bytes, message: str) -> None:
    """What a lenient parser forgives is room for two readings of one signature."""
    limit = 100 if len(data) == 101 else 10_000
    with pytest.raises(FormatError) as caught:
        canonical.decode(data, name="x", limit=limit)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b'{"a"}',
        b"\xff",
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",
        b"[1,]",
        b"nul",
    ],
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    """Every parse fault is a FormatError that names the record."""
    with pytest.raises(FormatError, match=r"^x is not strict JSON"):
        canonical.decode(data, name="x", limit=100)


@pytest.mark.parametrize("opener", [b"[", b'{"a":'])
def test_nesting_is_bounded_before_the_parser_runs(opener: bytes) -> None:
    """A hundred thousand brackets would exhaust the parser's stack."""
    with pytest.raises(FormatError, match="nested 100000 deep, the limit is 32"):
        canonical.decode(opener * 100_000, name="x", limit=1 << 20)


def test_brackets_inside_strings_do_not_count_as_nesting() -> None:
    """A template full of brackets is text, also behind an escaped quote."""
    value = {"t": '{{"[' * 100 + "\\"}
    assert canonical.decode(canonical.encode(value), name="x", limit=9999) == value


@pytest.mark.parametrize("value", [1.5, 2**53, {1: 2}, "\ud800", b"x", object()])
def test_what_a_record_cannot_hold_is_a_programming_error(value: object) -> None:
    """The writer never silently changes a value to make it fit."""
    with pytest.raises((ValueError, AttributeError)):
        canonical.encode(value)  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize("text", ["\n", "\\", '"', '\\"', "\\n", '\\\\"\n', "\t{["])
def test_nothing_in_a_string_hides_nesting_behind_it(text: str) -> None:
    """A text that seemed to go on past its end would hide what exhausts the parser."""
    data = b"[" + json.dumps(text).encode() + b",[]" * 9 + b"," + b"[" * 40
    with pytest.raises(FormatError, match="nested 41 deep, the limit is 32"):
        canonical.decode(data, name="x", limit=1 << 20)


@example({"": []}, 31)
@example([{"": {}}], 30)
@given(VALUES, st.integers(0, 40))
def test_nesting_is_counted_whatever_strings_are_about(
    value: object, depth: int
) -> None:
    """The limit is on the value, not on what its texts look like."""
    for _ in range(depth):
        value = [value]
    data = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    refused = ""
    try:
        canonical.decode(data, name="x", limit=1 << 20)
    except FormatError as error:
        refused = error.problem
    assert ("nested" in refused) == (_depth(value) > canonical.DEPTH)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def test_an_integer_beyond_the_limit_is_found_at_any_depth() -> None:
    """The writer looks at every value, not only at the first of its kind."""
    value: Json = {"a": [0, {"b": [1, 2, {"c": -(2**53)}]}]}
    with pytest.raises(
        ValueError, match=r"^integer -9007199254740992 is beyond 2\*\*53$"
    ):
        canonical.encode(value)


def test_keys_beyond_the_bmp_are_sorted_as_the_reference_does() -> None:
    """UTF-16 puts U+1F600 before U+FFFD, code points after it: one order is signed."""
    value: Json = {"\ufffd": 1, "\U0001f600": {"\ufffd": (2,), "\U0001f600": [3]}}
    data = '{"\U0001f600":{"\U0001f600":[3],"\ufffd":[2]},"\ufffd":1}'.encode()
    assert canonical.encode(value) == data
    assert canonical.decode(data, name="x", limit=99) == {
        "\U0001f600": {"\U0001f600": [3], "\ufffd": [2]},
        "\ufffd": 1,
    }
