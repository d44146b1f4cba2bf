"""Recipes: which parts the same pieces make, whoever cuts them."""

from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.digest import Sha256, sha256
from airlift.errors import FormatError
from airlift.format import canonical, head
from airlift.format.fields import Fields
from airlift.format.head import PIECED_SLABS, PIECES, Codec, Op, PartHead, Piece, Slab
from airlift.format.packing import PART_LIMIT, SLAB
from airlift.outbound import recipe
from airlift.outbound.recipe import Cut, Recipe

Run: TypeAlias = tuple[Piece, Sha256 | None]
A, B = sorted([sha256(b"a"), sha256(b"b")])


def literal(length: int) -> Run:
    """Return bytes that travel."""
    return Piece(Op.LITERAL, 0, 0, length, 0), None


def reference(base: Sha256, offset: int, length: int) -> Run:
    """Return bytes of *base*."""
    return Piece(Op.REFERENCE, 0, 0, length, offset), base


def differing(base: Sha256, offset: int, length: int) -> Run:
    """Return 16-bit elements near those of *base*."""
    return Piece(Op.DIFFERENCE, 2, 0, length, offset), base


def checked(found: Recipe) -> None:
    """Read the head of every part as the far side does, and count the bytes."""
    position = 0
    for part in found.portions():
        slabs = tuple(Slab(1, cut.length, bytes(32)) for cut in part.cuts)
        table = PartHead(Codec.BLOCKS, slabs, part.bases, part.pieces)
        assert head.decode(head.encode(table)) == table
        assert (part.start, part.raw) == (position, table.raw)
        position += part.raw
    assert position == found.size


def test_what_continues_is_one_piece() -> None:
    """Tensors that lie in the same order on both sides cost one piece, not one each."""
    found = recipe.of(
        [B, A],
        [
            literal(10),
            literal(5),
            reference(B, 0, 100),
            reference(B, 100, 50),
            reference(A, 150, 7),
            differing(A, 158, 8),
            differing(A, 166, 4),
        ],
    )
    assert found == Recipe(
        bases=(A, B),
        pieces=(
            Piece(Op.LITERAL, 0, 0, 15, 0),
            Piece(Op.REFERENCE, 0, 1, 150, 0),
            Piece(Op.REFERENCE, 0, 0, 7, 150),
            Piece(Op.DIFFERENCE, 2, 0, 12, 158),
        ),
    )
    assert (found.size, found.carried) == (184, 27)
    checked(found)


def test_slabs_begin_where_their_piece_does() -> None:
    """Elements cut through their middle look like noise, and a reader would refuse."""
    found = recipe.of([A], [literal(9), reference(A, 0, 7), differing(A, 8, SLAB + 6)])
    (part,) = found.portions()
    assert part.cuts == (
        Cut(0, 9),
        Cut(16, SLAB, 2, A, 8),
        Cut(16 + SLAB, 6, 2, A, 8 + SLAB),
    )


def test_a_part_is_full_of_decoded_bytes_not_of_references() -> None:
    """Bytes that do not travel take no room; those that do end the part at 252 MiB."""
    found = recipe.of(
        [A],
        [
            reference(A, 0, 1 << 40),
            differing(A, 1 << 41, PART_LIMIT + SLAB),
            reference(A, 5, 9),
        ],
    )
    first, second = found.portions()
    assert first.raw == (1 << 40) + PART_LIMIT
    assert len(first.cuts) == PART_LIMIT // SLAB
    assert second.pieces == (
        Piece(Op.DIFFERENCE, 2, 0, SLAB, (1 << 41) + PART_LIMIT),
        Piece(Op.REFERENCE, 0, 0, 9, 5),
    )
    checked(found)


def test_a_part_without_bases_is_a_plain_one() -> None:
    """A reader refuses pieces that refer to nothing."""
    runs = [literal(PART_LIMIT), differing(A, 0, 4)]
    first, second = recipe.of([A], runs).portions()
    assert (first.bases, first.pieces) == ((), ())
    assert (first.raw, len(first.cuts)) == (PART_LIMIT, 63)
    assert (second.start, second.bases) == (PART_LIMIT, (A,))


def test_what_refers_to_others_only_still_carries_a_slab() -> None:
    """A part of no slab has nothing to travel in a volume."""
    (part,) = recipe.of([A], [reference(A, 100, 10_000)]).portions()
    assert part.cuts == (Cut(0, 4096),)
    assert part.pieces == (
        Piece(Op.LITERAL, 0, 0, 4096, 0),
        Piece(Op.REFERENCE, 0, 0, 5904, 4196),
    )
    (short,) = recipe.of([A], [reference(A, 100, 100)]).portions()
    assert (short.bases, short.pieces, short.cuts) == ((), (), (Cut(0, 100),))


@pytest.mark.parametrize("op", [reference, differing])
def test_no_part_has_more_pieces_or_slabs_than_a_reader_takes(
    op: Callable[[Sha256, int, int], Run],
) -> None:
    """A million scattered changes make more parts, not one that is refused."""
    runs = [op(A, 10_000 * number, 4098) for number in range(3 * PIECES)]
    found = recipe.of([A], runs)
    checked(found)
    parts = list(found.portions())
    assert max(len(part.pieces) for part in parts) <= PIECES
    assert max(len(part.cuts) for part in parts) <= PIECED_SLABS


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Op), st.sampled_from([A, B]), st.integers(1, 9 << 20)
        ),
        min_size=1,
        max_size=60,
    )
)
def test_parts_are_what_any_reader_takes(steps: list[tuple[Op, Sha256, int]]) -> None:
    """Whatever a plan says, its heads decode and give the blob."""
    runs: list[Run] = []
    for op, base, length in steps:
        width = 2 if op is Op.DIFFERENCE else 0
        size, place = length + length % 2, 0 if op is Op.LITERAL else length
        runs.append(
            (Piece(op, width, 0, size, place), None if op is Op.LITERAL else base)
        )
    found = recipe.of([one for _, one in runs if one], runs)
    checked(found)
    record = canonical.decode(
        canonical.encode(found.as_table()), name="x", limit=1 << 20
    )
    again = recipe.from_table(Fields(record, record="x"))
    assert (again, again.digest) == (found, found.digest)


@pytest.mark.parametrize("row", ["", "1 2 3", "9 0 0 1 0", "a b c d e"])
def test_a_damaged_recipe_is_refused(row: str) -> None:
    """The ledger's disk may fail; a delivery made again must not be another one."""
    table = {"bases": [], "pieces": [row]}
    with pytest.raises(FormatError) as caught:
        recipe.from_table(Fields(table, record="recipes"))
    assert caught.value.problem == "recipes: `pieces` is not a list of pieces"
