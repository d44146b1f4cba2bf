"""Heads: bounded tables of slabs, and of the pieces that other blobs give."""

import struct
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.digest import Sha256
from airlift.errors import FormatError
from airlift.format import head
from airlift.format.head import Codec, Op, PartHead, Piece, Slab
from airlift.format.packing import HEAD_LIMIT, SLAB

SIZES = st.integers(1, SLAB)
BLAKE3S = st.binary(min_size=32, max_size=32)
RAW_SLABS = st.builds(lambda size, digest: Slab(size, size, digest), SIZES, BLAKE3S)
RAW_HEADS = st.builds(
    lambda slabs: PartHead(Codec.RAW, tuple(slabs)), st.lists(RAW_SLABS, max_size=63)
)
A, B = Sha256("0a" * 32), Sha256("0b" * 32)
LITERAL = Piece(Op.LITERAL, 0, 0, 9, 0)
REFERENCE = Piece(Op.REFERENCE, 0, 0, 5, 100)
DIFFERENCE = Piece(Op.DIFFERENCE, 2, 1, SLAB + 4, 7)


def slab(raw: int) -> Slab:
    """A raw slab of *raw* bytes."""
    return Slab(raw, raw, bytes(32))


PIECED = PartHead(
    Codec.RAW,
    (slab(9), slab(SLAB), slab(4)),
    (A, B),
    (LITERAL, REFERENCE, DIFFERENCE),
)


@st.composite
def pieced_heads(draw: st.DrawFn) -> PartHead:
    """Any head with pieces that keeps the rules."""
    bases = sorted(draw(st.sets(BLAKE3S, min_size=1, max_size=4)))
    lengths = st.integers(1, 3 * SLAB // 8)
    offsets = st.integers(0, (1 << 53) - 3 * SLAB)

    def piece(op: Op, base: int) -> Piece:
        width = draw(st.sampled_from([2, 4, 8])) if op is Op.DIFFERENCE else 0
        length = draw(lengths) * max(1, width)
        if op is Op.LITERAL:
            return Piece(op, 0, 0, length, 0)
        return Piece(op, width, base, length, draw(offsets))

    numbers = range(len(bases))
    used = [piece(draw(st.sampled_from([Op(1), Op(2)])), n) for n in numbers]
    ops = st.tuples(st.sampled_from(list(Op)), st.sampled_from(list(numbers)))
    others = [piece(op, base) for op, base in draw(st.lists(ops, max_size=8))]
    mixed = [Piece(Op.LITERAL, 0, 0, draw(lengths), 0), *used, *others]
    pieces = mixed[:1] + [b for a, b in pairwise(mixed) if not b.continues(a)]
    sizes = [
        min(SLAB, one.length - start)
        for one in pieces
        if one.op is not Op.REFERENCE
        for start in range(0, one.length, SLAB)
    ]
    return PartHead(
        codec=Codec.RAW,
        slabs=tuple(Slab(size, size, draw(BLAKE3S)) for size in sizes),
        bases=tuple(Sha256(one.hex()) for one in bases),
        pieces=tuple(pieces),
    )


@given(RAW_HEADS)
def test_a_head_reads_back(table: PartHead) -> None:
    """The table that was signed is the table that is read."""
    assert head.decode(head.encode(table)) == table


@given(pieced_heads())
def test_a_head_with_pieces_reads_back(table: PartHead) -> None:
    """What comes from other blobs is exactly what was signed."""
    assert head.decode(head.encode(table)) == table


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but a FormatError comes out of arbitrary bytes."""
    try:
        table = head.decode(data)
    except FormatError:
        return
    assert head.encode(table) == data


@given(pieced_heads(), st.data())
def test_a_changed_head_is_refused_or_another_one(
    table: PartHead, data: st.DataObject
) -> None:
    """There is one spelling of each table: no byte of a head means nothing."""
    good = head.encode(table)
    at = data.draw(st.integers(0, len(good) - 1))
    changed = bytearray(good)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        other = head.decode(bytes(changed))
    except FormatError:
        return
    assert other != table
    assert head.encode(other) == changed


def test_a_part_with_pieces_gives_what_they_give() -> None:
    """References give bytes of the blob that no slab holds."""
    assert (PIECED.raw, PIECED.decoded) == (9 + 5 + SLAB + 4, 9 + SLAB + 4)


def test_the_largest_head_is_within_its_limit() -> None:
    """A writer that keeps the limits on slabs and pieces never makes one too large."""
    pieces = [
        Piece(Op.REFERENCE, 0, index, 1, 0) for index in range(head.PIECES - 4096)
    ]
    for index in range(head.PIECED_SLABS):
        pieces.insert(2 * index, Piece(Op.LITERAL, 0, 0, 1, 0))
    table = PartHead(
        Codec.RAW,
        (slab(1),) * head.PIECED_SLABS,
        tuple(Sha256(f"{index:064x}") for index in range(head.PIECES - 4096)),
        tuple(pieces),
    )
    data = head.encode(table)
    assert len(data) < HEAD_LIMIT // 2
    assert head.decode(data) == table


@pytest.mark.parametrize(
    "slab",
    [Slab(SLAB + 1, SLAB + 1, bytes(32)), Slab(5, 4, bytes(32)), Slab(0, 0, bytes(32))],
)
def test_slabs_out_of_bounds_are_refused(slab: Slab) -> None:
    """Lengths are checked before anything is allocated by them."""
    with pytest.raises(FormatError):
        head.decode(head.encode(PartHead(Codec.RAW, (slab,))))


def with_piece(**changed: Any) -> PartHead:
    """``PIECED`` with its difference changed."""
    return replace(PIECED, pieces=(LITERAL, REFERENCE, replace(DIFFERENCE, **changed)))


HUGE = (1 << 53) + 1
HOSTILE = {
    "gives nothing": (with_piece(length=0), "h: piece 2 gives 0 bytes"),
    "gives too much": (with_piece(length=HUGE), f"h: piece 2 gives {HUGE} bytes"),
    "ends behind every blob": (
        with_piece(offset=1 << 53),
        f"h: piece 2 ends at byte {(1 << 53) + SLAB + 4} of its base",
    ),
    "width 3": (
        with_piece(width=3),
        f"h: piece 2 is a difference of {SLAB + 4} bytes of width 3",
    ),
    "width 0": (
        with_piece(width=0),
        f"h: piece 2 is a difference of {SLAB + 4} bytes of width 0",
    ),
    "half an element": (
        with_piece(width=8),
        f"h: piece 2 is a difference of {SLAB + 4} bytes of width 8",
    ),
    "a base that is not there": (
        with_piece(base=2),
        "h: piece 2 refers to base 2 of 2",
    ),
    "a base that is not used": (
        with_piece(base=0),
        "h: bases are not sorted, each once and each used",
    ),
    "bases out of order": (
        replace(PIECED, bases=(B, A)),
        "h: bases are not sorted, each once and each used",
    ),
    "a base twice": (
        replace(PIECED, bases=(A, A)),
        "h: bases are not sorted, each once and each used",
    ),
    "no pieces": (
        replace(PIECED, pieces=()),
        "h: bases are not sorted, each once and each used",
    ),
    "no bases": (
        PartHead(Codec.RAW, (slab(9),), (), (LITERAL,)),
        "h: bases are not sorted, each once and each used",
    ),
    "a literal of a base": (
        replace(PIECED, pieces=(replace(LITERAL, base=1), REFERENCE, DIFFERENCE)),
        "h: piece 0 is a literal with a base",
    ),
    "a literal at an offset": (
        replace(PIECED, pieces=(replace(LITERAL, offset=1), REFERENCE, DIFFERENCE)),
        "h: piece 0 is a literal with a base",
    ),
    "a reference with a width": (
        replace(PIECED, pieces=(LITERAL, replace(REFERENCE, width=2), DIFFERENCE)),
        "h: piece 1 is a reference of width 2",
    ),
    "two literals in a row": (
        replace(
            PIECED,
            slabs=(slab(9), *PIECED.slabs),
            pieces=(LITERAL, LITERAL, REFERENCE, DIFFERENCE),
        ),
        "h: piece 1 continues the one before it",
    ),
    "a reference that goes on": (
        replace(
            PIECED,
            pieces=(LITERAL, REFERENCE, replace(REFERENCE, offset=105), DIFFERENCE),
        ),
        "h: piece 2 continues the one before it",
    ),
    "only references": (
        PartHead(Codec.RAW, (), (A,), (REFERENCE,)),
        "h: 0 slabs are not those of its pieces",
    ),
    "a slab too few": (
        replace(PIECED, slabs=PIECED.slabs[:2]),
        "h: 2 slabs are not those of its pieces",
    ),
    "a slab of two pieces": (
        replace(PIECED, slabs=(slab(10), slab(SLAB), slab(3))),
        "h: 3 slabs are not those of its pieces",
    ),
    "short slabs in front": (
        replace(PIECED, slabs=(slab(9), slab(4), slab(SLAB))),
        "h: 3 slabs are not those of its pieces",
    ),
    "more than its slabs hold": (
        with_piece(length=1 << 52),
        "h: 3 slabs are not those of its pieces",
    ),
    "too many slabs": (
        replace(PIECED, slabs=(slab(1),) * 4097),
        "h: 4097 slabs and 3 pieces, the limits are 4096 and 8192",
    ),
    "too many pieces": (
        replace(PIECED, pieces=(LITERAL, REFERENCE) * 4097),
        "h: 3 slabs and 8194 pieces, the limits are 4096 and 8192",
    ),
    "too many bytes": (
        PartHead(
            Codec.RAW,
            (slab(1), *(slab(SLAB),) * 63),
            (A,),
            (replace(LITERAL, length=1), REFERENCE, replace(LITERAL, length=63 * SLAB)),
        ),
        f"h: slabs of {63 * SLAB + 1} bytes, the limit is {63 * SLAB}",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_pieces_that_break_a_rule_are_refused(case: str) -> None:
    """A site that reads this head never copies, allocates or guesses by it."""
    table, problem = HOSTILE[case]
    with pytest.raises(FormatError) as caught:
        head.decode(head.encode(table), name="h")
    assert str(caught.value) == problem


def test_a_kind_of_piece_that_is_not_known_asks_for_a_newer_airlift() -> None:
    """A delta of the future is refused by name, never taken for what is known."""
    data = bytearray(head.encode(PIECED))
    data[-24] = 3
    with pytest.raises(FormatError) as caught:
        head.decode(bytes(data), name="h")
    assert str(caught.value) == "h: piece 2 is of unknown kind 3"
    assert caught.value.hint == "a newer airlift is needed here"


def test_bytes_of_a_piece_that_are_reserved_are_zero() -> None:
    """What means nothing today can mean something tomorrow."""
    data = bytearray(head.encode(PIECED))
    data[-22] = 1
    with pytest.raises(FormatError) as caught:
        head.decode(bytes(data), name="h")
    assert str(caught.value) == "h: piece 2 has bytes set that are reserved"


def test_counts_that_the_bytes_do_not_hold_are_refused() -> None:
    """A table of four thousand million pieces is not looked for."""
    data = bytearray(head.encode(PIECED))
    struct.pack_into("<II", data, 12, 1 << 31, (1 << 32) - 1)
    with pytest.raises(FormatError) as caught:
        head.decode(bytes(data), name="h")
    assert str(caught.value) == (
        f"h: head of {len(data)} bytes does not hold 3 slabs, 2147483648 bases and"
        " 4294967295 pieces"
    )
