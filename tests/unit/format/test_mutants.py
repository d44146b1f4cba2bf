"""Damaged slabs and heads: refused, or all their bytes and not one outside.

``scripts/fuzz_blocks.py`` goes on to a million; a failure names the mutant's number.
"""

import pytest

import mutants
from airlift.format import block, head
from fuzz_blocks import run

COUNT = 2000


def test_mutants_end_in_refusals_in_bounded_memory() -> None:
    """No crash, no hang, no claim believed; a digest check refuses every one."""
    counts, _ = run(10_000_000, COUNT, workers=1)
    refused = counts["slab: refused"] + counts["head: refused"]
    assert sum(counts.values()) == COUNT
    assert refused > COUNT // 2
    # Both sides of the check are reached: some damage is in payloads only.
    assert counts["slab: other bytes"] > 0
    assert counts["head: another"] > 0


@pytest.mark.parametrize("found", mutants.slabs(), ids=lambda found: found.kind)
def test_what_mutants_are_made_of_is_sound(found: mutants.Specimen) -> None:
    """A specimen that were refused anyway would prove nothing."""
    raw = block.decode_slab(memoryview(found.stored), len(found.raw))
    assert raw == found.raw


def test_heads_that_mutants_are_made_of_are_sound() -> None:
    """With slabs alone, and with references, differences and bases."""
    tables = [head.decode(found.stored) for found in mutants.heads()]
    assert [len(table.pieces) for table in tables] == [0, 0, 3]


def test_mutants_are_made_of_every_kind_and_mode() -> None:
    """Without this a new mode would never be damaged."""
    kinds, modes = set(), set()
    for found in mutants.slabs():
        kind, count = found.stored[:2]
        entries = found.stored[8 : 8 + 5 * count]
        kinds.add(kind)
        modes |= {mode for mode, _ in mutants.PLANE.iter_unpack(entries)}
    assert kinds == set(block.BlockKind)
    assert modes == set(block.Mode)


@pytest.mark.parametrize("number", range(40))
def test_a_mutant_follows_from_its_number(number: int) -> None:
    """A failure can be made again on another machine."""
    assert mutants.mutant(number) == mutants.mutant(number)
