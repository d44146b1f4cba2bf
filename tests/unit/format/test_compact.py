"""Compact records: one spelling, any CBOR tool reads it, nothing else is read."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.errors import FormatError
from airlift.format import compact
from airlift.format.compact import NUMBER, Value

LEAVES = st.one_of(st.integers(0, NUMBER), st.binary(max_size=300), st.text())
VALUES = st.recursive(
    LEAVES,
    lambda below: (
        st.lists(below, max_size=30).map(tuple)
        | st.dictionaries(st.integers(0, 300), below, max_size=30)
    ),
    max_leaves=20,
)


def plain(value: Value) -> object:
    """Return *value* as cbor2 gives it."""
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return value


def depth(value: Value) -> int:
    """Return how many levels *value* has."""
    below = value.values() if isinstance(value, dict) else value
    if isinstance(value, int | str | bytes):
        return 0
    return 1 + max(map(depth, below), default=0)  # type: ignore[arg-type]


def refused(data: bytes) -> str:
    """Return why *data* is refused."""
    with pytest.raises(FormatError) as caught:
        compact.decode(data, name="it", limit=1000)
    return str(caught.value)


@given(VALUES)
def test_the_spelling_is_the_standards(value: Value) -> None:
    """Whoever checks us with another tool sees the same bytes and the same value."""
    data = compact.encode(value)
    assert data == cbor2.dumps(value, canonical=True)
    assert cbor2.loads(data) == plain(value)
    if depth(value) <= compact.DEPTH:
        assert compact.decode(data, name="it", limit=len(data)) == value


@given(st.binary(max_size=40))
def test_what_is_read_has_that_one_spelling(data: bytes) -> None:
    """A choice of spelling would be room to hide something in."""
    try:
        value = compact.decode(data, name="it", limit=40)
    except FormatError:
        return
    assert compact.encode(value) == data


@given(st.dictionaries(st.integers(0, 30), LEAVES, min_size=2, max_size=5))
def test_another_order_of_keys_is_refused(table: dict[int, Value]) -> None:
    """So would an order be."""
    turned = dict(sorted(table.items(), reverse=True))
    assert (
        "keys are not rising" in refused(cbor2.dumps(turned))
        or len(cbor2.dumps(turned)) > 1000
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "it is cut off (byte 0)"),
        ("1800", "it has a number that is not in its shortest form (byte 2)"),
        ("1900ff", "it has a number that is not in its shortest form (byte 3)"),
        ("1bffffffffffffffff", "it has a number that is not in its shortest form"),
        ("20", "it has a value of the unknown type 1 (byte 1)"),
        ("f5", "it has a value of the unknown type 7 (byte 1)"),
        ("c100", "it has a value of the unknown type 6 (byte 1)"),
        ("9fff", "it has a length that is not stated (byte 1)"),
        ("9a00ffffff", "it is cut off (byte 5)"),
        ("5a00ffffff", "it is cut off (byte 5)"),
        ("61ff", "it has text that is not UTF-8 (byte 2)"),
        ("a2000000", "it is cut off (byte 1)"),
        ("a200000000", "it has a map whose keys are not rising numbers (byte 4)"),
        ("a1610000", "it has a map whose keys are not rising numbers (byte 2)"),
        ("818181818100", "it is nested too deeply (byte 5)"),
        ("0000", "it goes on for 1 bytes after its end"),
        ("00" * 1001, "it has 1001 bytes, the limit is 1000"),
    ],
)
def test_everything_else_is_refused(data: str, why: str) -> None:
    """Each with what is wrong and where."""
    assert refused(bytes.fromhex(data)).startswith(why)


def test_a_number_nobody_can_spell_is_a_bug_of_ours() -> None:
    """It must not be written as something else."""
    for number in (-1, NUMBER + 1):
        with pytest.raises(ValueError, match="is not from 0 to"):
            compact.encode(number)
