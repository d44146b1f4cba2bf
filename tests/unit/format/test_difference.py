"""Differences: exact for every bit pattern, small where numbers are near."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.format.difference import difference, restore

WIDTHS = (2, 4, 8)
FLOATS: Mapping[int, type[Any]] = {2: np.float16, 4: np.float32, 8: np.float64}


def there_and_back(new: bytes, old: bytes, width: int) -> bytes:
    """Return what is restored of a difference."""
    out = bytearray(len(new))
    restore(difference(new, old, width), old, out, width)
    return bytes(out)


def by_definition(new: int, old: int, width: int) -> int:
    """The stored integer as docs/format.md defines it, in plain arithmetic."""
    top = 1 << (8 * width - 1)

    def order(number: int) -> int:
        return number ^ (top - 1) if number & top else number

    step = (order(new) - order(old)) % (2 * top)
    return 2 * step if step < top else 2 * (2 * top - step) - 1


@pytest.mark.parametrize("seed", range(4))
def test_every_16_bit_pattern_comes_back(seed: int) -> None:
    """Numbers that are none, infinities and both zeros among them."""
    patterns = np.arange(1 << 16, dtype="<u2")
    old = np.random.default_rng(seed).permutation(patterns)
    stored = np.frombuffer(difference(patterns.tobytes(), old.tobytes(), 2), "<u2")
    assert there_and_back(patterns.tobytes(), old.tobytes(), 2) == patterns.tobytes()
    assert stored.tolist() == [
        by_definition(new, before, 2)
        for new, before in zip(patterns.tolist(), old.tolist(), strict=True)
    ]


@pytest.mark.parametrize("width", WIDTHS)
@given(data=st.data())
def test_a_difference_is_what_the_document_says(
    width: int, data: st.DataObject
) -> None:
    """Another team restores it by the document alone."""
    edge = 1 << (8 * width - 1)
    numbers = st.integers(0, 2 * edge - 1) | st.sampled_from(
        [0, 1, edge - 1, edge, edge + 1, 2 * edge - 1]
    )
    pairs = data.draw(st.lists(st.tuples(numbers, numbers)))
    new, old = (
        b"".join(pair[at].to_bytes(width, "little") for pair in pairs) for at in (0, 1)
    )
    expected = b"".join(
        by_definition(*pair, width).to_bytes(width, "little") for pair in pairs
    )
    assert bytes(difference(new, old, width)) == expected
    assert there_and_back(new, old, width) == new


@pytest.mark.parametrize("width", WIDTHS)
def test_many_random_patterns_come_back(width: int) -> None:
    """Over several steps, the last one a short one, and each kind of special number."""
    generator = np.random.default_rng(width)
    count = (600 << 10) // width + 3
    new, old = (
        generator.integers(0, 1 << (8 * width), count, f"<u{width}", endpoint=False)
        for _ in range(2)
    )
    kind = FLOATS[width]
    special = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0], kind)
    new[:36].view(kind)[:] = np.repeat(special, 6)
    old[:36].view(kind)[:] = np.tile(special, 6)
    assert there_and_back(new.tobytes(), old.tobytes(), width) == new.tobytes()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_step_to_the_next_number_is_one_or_two(width: int) -> None:
    """Also across zero and a power of two, where an exclusive or turns many bits."""
    kind = FLOATS[width]
    start = np.array([1.0, -1.0, 0.0, -2.0, np.inf], kind)
    up, down = (np.nextafter(start, kind(to)) for to in (np.inf, -np.inf))
    rising = np.frombuffer(
        difference(up.tobytes(), start.tobytes(), width), f"<u{width}"
    )
    falling = np.frombuffer(
        difference(down.tobytes(), start.tobytes(), width), f"<u{width}"
    )
    assert rising.tolist() == [2, 2, 2, 2, 0]
    # Below the positive zero comes the negative one.
    assert falling.tolist() == [1, 1, 3, 1, 1]


def test_what_did_not_change_is_zero() -> None:
    """Zeros shrink to nothing."""
    same = np.random.default_rng(1).bytes(1000)
    assert bytes(difference(same, same, 8)) == bytes(1000)


def test_it_is_restored_in_place() -> None:
    """Import has one buffer a slab: the difference becomes the elements, or the base."""
    new, old = (
        np.random.default_rng(2).bytes(6000),
        np.random.default_rng(3).bytes(6000),
    )
    over_stored = bytearray(difference(new, old, 4))
    restore(over_stored, old, over_stored, 4)
    over_old = bytearray(old)
    restore(difference(new, old, 4), over_old, over_old, 4)
    assert (bytes(over_stored), bytes(over_old)) == (new, new)


def test_elements_need_not_be_aligned() -> None:
    """A tensor may begin anywhere in the files of others."""
    new, old = np.random.default_rng(4).bytes(801), np.random.default_rng(5).bytes(805)
    stored = bytearray(1) + difference(new[1:], old[5:], 8)
    out = bytearray(803)
    restore(memoryview(stored)[1:], memoryview(old)[5:], memoryview(out)[3:], 8)
    assert out[3:] == new[1:]


def test_threads_do_not_share_working_memory() -> None:
    """Import restores several slabs at once."""
    blobs = [np.random.default_rng(seed).bytes(400_000) for seed in range(9)]
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(there_and_back, blobs[1:] * 4, blobs[:-1] * 4, [2, 4, 8, 2] * 8)
        )
    assert found == blobs[1:] * 4


@pytest.mark.parametrize(
    ("new", "old", "width"),
    [(b"abc", b"abc", 2), (b"ab", b"abcd", 2), (b"abc", b"abc", 3)],
)
def test_what_is_not_whole_elements_is_refused(
    new: bytes, old: bytes, width: int
) -> None:
    """A mistake of the caller is not turned into bytes."""
    with pytest.raises(ValueError, match="bytes in elements of"):
        difference(new, old, width)
