"""What a part may build on: what is there before it, and nothing of itself."""

import pytest

from airlift.digest import Sha256
from airlift.format.grounds import Grounds
from airlift.format.head import Codec, Op, PartHead, Piece, Slab
from airlift.format.packing import PackedBlob, PackingList, Part

HELD, FIRST, SECOND, THIRD, OTHER = (Sha256(letter * 64) for letter in "abcde")


def blob(name: Sha256, size: int) -> PackedBlob:
    """A blob of *size* bytes that travels whole."""
    part = Part(sha256=name, size=size, raw=size)
    return PackedBlob(sha256=name, size=size, parts=(part,))


LISTING = PackingList(blobs=(blob(FIRST, 50), blob(SECOND, 60), blob(THIRD, 70)))


def referring(*bases: tuple[Sha256, int]) -> PartHead:
    """A part that refers to each of *bases* up to a byte, behind a long literal."""
    pieces = [Piece(Op.LITERAL, 0, 0, 1000, 0)]
    for index, (_, end) in enumerate(bases):
        pieces.append(Piece(Op.REFERENCE, 0, index, 8, end - 8))
        pieces.append(Piece(Op.DIFFERENCE, 2, index, 4, 0))
    slabs = [Slab(1000, 1000, bytes(32)), *[Slab(4, 4, bytes(32))] * len(bases)]
    names = tuple(name for name, _ in bases)
    return PartHead(Codec.RAW, tuple(slabs), names, tuple(pieces))


def test_a_part_builds_on_what_is_held_and_on_what_comes_before() -> None:
    """To the last byte of each."""
    grounds = Grounds(LISTING, [HELD], {HELD: 40}.get)
    table = referring((HELD, 40), (FIRST, 50), (SECOND, 60))
    assert grounds.fault(table, THIRD) == ""


def test_a_part_without_bases_builds_on_nothing() -> None:
    """Most parts are so."""
    table = PartHead(Codec.RAW, (Slab(5, 5, bytes(32)),))
    assert Grounds(LISTING).fault(table, FIRST) == ""


@pytest.mark.parametrize("base", [SECOND, THIRD, OTHER, HELD])
def test_a_part_builds_on_nothing_else(base: Sha256) -> None:
    """Not on its own blob, nor a later one, nor what the site happens to hold."""
    problem = f"builds on blob {base}, which need not be there by then"
    assert Grounds(LISTING).fault(referring((base, 8)), SECOND) == problem


@pytest.mark.parametrize(("base", "size"), [(HELD, 40), (FIRST, 50)])
def test_a_part_refers_to_no_byte_behind_a_base(base: Sha256, size: int) -> None:
    """No memory is touched, and no file is read, that is not there."""
    grounds = Grounds(LISTING, [HELD], {HELD: 40}.get)
    problem = f"refers to byte {size + 1} of blob {base}, which has {size} bytes"
    assert grounds.fault(referring((base, size + 1)), SECOND) == problem


def test_a_size_that_is_not_known_is_not_judged() -> None:
    """Volumes can be looked through where there is no store."""
    assert Grounds(LISTING, [HELD]).fault(referring((HELD, 1 << 50)), FIRST) == ""
