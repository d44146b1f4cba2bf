"""Heads: bounded tables of slabs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.errors import FormatError
from airlift.format import head
from airlift.format.head import Codec, PartHead, Slab
from airlift.format.packing import SLAB

SIZES = st.integers(1, SLAB)
RAW_SLABS = st.builds(
    lambda size, digest: Slab(size, size, digest),
    SIZES,
    st.binary(min_size=32, max_size=32),
)
RAW_HEADS = st.builds(
    lambda slabs: PartHead(Codec.RAW, tuple(slabs)), st.lists(RAW_SLABS, max_size=63)
)


@given(RAW_HEADS)
def test_a_head_reads_back(table: PartHead) -> None:
    """The table that was signed is the table that is read."""
    assert head.decode(head.encode(table)) == table


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but a FormatError comes out of arbitrary bytes."""
    try:
        table = head.decode(data)
    except FormatError:
        return
    assert head.encode(table) == data


def test_a_head_that_refers_to_other_blobs_asks_for_a_newer_airlift() -> None:
    """A delta of the future is refused by name, never taken for the whole."""
    data = bytearray(head.encode(PartHead(Codec.RAW, ())))
    data[12:16] = (1).to_bytes(4, "little")
    with pytest.raises(FormatError) as caught:
        head.decode(bytes(data), name="h")
    assert str(caught.value) == "h: the part refers to 1 other blobs"
    assert caught.value.hint == "a newer airlift is needed here"


@pytest.mark.parametrize(
    "slab",
    [Slab(SLAB + 1, SLAB + 1, bytes(32)), Slab(5, 4, bytes(32)), Slab(0, 0, bytes(32))],
)
def test_slabs_out_of_bounds_are_refused(slab: Slab) -> None:
    """Lengths are checked before anything is allocated by them."""
    with pytest.raises(FormatError):
        head.decode(head.encode(PartHead(Codec.RAW, (slab,))))
