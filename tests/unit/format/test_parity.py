"""Spare volumes: the arithmetic, and heads and rows that check themselves."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.digest import sha256
from airlift.errors import FormatError
from airlift.format import galois, parity
from airlift.format.parity import HEAD, STRIPE, TAG, Protected, SpareLabel

BYTES = np.arange(256, dtype=np.uint8)


def label(*, count: int = 3, **changes: object) -> SpareLabel:
    """Return the label of the first of two spares of *count* volumes."""
    one = SpareLabel(
        site="plant7",
        sequence=7,
        dispatch=sha256(b"dispatch"),
        cutting="0123456789abcdef",
        count=count,
        group=1,
        groups=1,
        index=1,
        spares=2,
        volumes=tuple(
            Protected(ordinal=n, size=100_000 * n, sha256=sha256(b"%d" % n))
            for n in range(1, count + 1)
        ),
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def shift_and_add(a: int, b: int) -> int:
    """Multiply polynomials over GF(2) and reduce by 0x11d, bit by bit."""
    found = 0
    for bit in range(8):
        found ^= (a << bit) if b >> bit & 1 else 0
    for bit in range(14, 7, -1):
        found ^= 0x11D << (bit - 8) if found >> bit & 1 else 0
    return found


def test_the_table_of_products_is_that_of_long_multiplication() -> None:
    """Another implementation must get the same parity from the definition alone."""
    found = [[galois.times(a, b) for b in range(256)] for a in range(256)]
    assert found == [[shift_and_add(a, b) for b in range(256)] for a in range(256)]


def test_adding_a_multiple_is_adding_each_product() -> None:
    """The fast way and the definition agree for every element."""
    for by in range(256):
        into = np.zeros(256, np.uint8)
        galois.add(into, BYTES, by)
        assert into.tolist() == [shift_and_add(by, value) for value in range(256)]


@pytest.mark.parametrize("count", [1, 2, 7, 200])
def test_doubling_from_the_last_volume_makes_the_same_spares(count: int) -> None:
    """What the sender makes by doubling is what the receiver adds up by factors."""
    volumes = np.random.default_rng(count).integers(0, 256, (count, 640), np.uint8)
    doubled = np.zeros((3, 640), np.uint8)
    added = np.zeros((3, 640), np.uint8)
    for index in reversed(range(count)):
        galois.append(doubled, volumes[index], bytearray(640))
    for index, spare in itertools.product(range(count), range(3)):
        galois.add(added[spare], volumes[index], galois.factor(spare, index))
    assert doubled.tolist() == added.tolist()


def test_any_spares_make_up_for_as_many_volumes() -> None:
    """Every choice of spares, and of volumes at the borders and in between."""
    volumes = np.random.default_rng(0).integers(0, 256, (255, 8), np.uint8)
    sums = np.zeros((3, 8), np.uint8)
    for index in reversed(range(255)):
        galois.append(sums, volumes[index], bytearray(8))
    rng = random.Random(1)
    for size in (1, 2, 3):
        lost = [sorted(rng.sample(range(255), size)) for _ in range(5)]
        lost.append([0, 1, 254][:size])
        for gone, spares in itertools.product(
            lost, itertools.combinations(range(3), size)
        ):
            known = sums.copy()
            for index, spare in itertools.product(
                set(range(255)) - set(gone), range(3)
            ):
                galois.add(known[spare], volumes[index], galois.factor(spare, index))
            solved = galois.solve(gone, spares, [known[spare] for spare in spares])
            assert [one.tolist() for one in solved] == volumes[gone].tolist()


def test_a_head_says_what_was_put_into_it() -> None:
    """Sites with many volumes have heads that still fit."""
    for one in (label(), label(count=parity.WIDEST)):
        assert parity.decode_head(parity.encode_head(one), name="s") == one


@given(st.integers(0, 1500), st.integers(1, 255))
def test_a_changed_head_is_refused(at: int, bits: int) -> None:
    """Sizes are allocated by a head, so not one bit of it may be off."""
    changed = bytearray(parity.encode_head(label()))
    changed[at] ^= bits
    with pytest.raises(FormatError):
        parity.decode_head(bytes(changed), name="s")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"index": 3}, "s: `group` contradicts the other fields"),
        ({"spares": 4}, "s: `group` contradicts the other fields"),
        ({"group": 2}, "s: `group` contradicts the other fields"),
        ({"groups": 2}, "s: `group` contradicts the other fields"),
        (
            {"count": 4, "volumes": label().volumes},
            "s: `group` contradicts the other fields",
        ),
        ({"volumes": ()}, "s: `group` contradicts the other fields"),
        ({"site": "../../etc"}, "s: `check` does not fit the other fields"),
        (
            {
                "count": 1,
                "volumes": (
                    Protected(ordinal=1, size=(1 << 40) + 1, sha256=sha256(b"")),
                ),
            },
            f"s: `volumes` has a volume of more than {1 << 40} bytes",
        ),
    ],
)
def test_a_head_that_contradicts_itself_is_refused(
    changes: dict[str, object], problem: str
) -> None:
    """Whoever writes spares by hand decides neither memory nor file names."""
    one = label(**changes)  # type: ignore[arg-type]
    with pytest.raises(FormatError) as caught:
        parity.decode_head(parity.encode_head(one), name="s")
    assert caught.value.problem == problem


def test_zeros_behind_a_head_are_part_of_it() -> None:
    """Nothing is hidden in what nobody reads."""
    data = bytearray(parity.encode_head(label()))
    data[-1] = 1
    with pytest.raises(FormatError) as caught:
        parity.decode_head(bytes(data), name="s")
    assert caught.value.problem == "s: `check` does not fit the other fields"


def test_a_row_is_believed_only_in_its_place() -> None:
    """A row of another spare, or one that slipped, is as bad as a changed one."""
    named = parity.identity(label())
    stripe, tags = random.Random(1).randbytes(STRIPE), b"t" * 3 * TAG
    row = stripe + parity.seal(named, 5, stripe, tags)
    assert len(row) == parity.row_size(3)
    found = parity.opened(named, 5, memoryview(row))
    assert found is not None
    assert (bytes(found[0]), found[1]) == (stripe, tags)
    other = parity.identity(label(index=2))
    assert parity.opened(named, 6, memoryview(row)) is None
    assert parity.opened(other, 5, memoryview(row)) is None
    for at in (0, STRIPE - 1, STRIPE, len(row) - 1):
        changed = bytearray(row)
        changed[at] ^= 1
        assert parity.opened(named, 5, memoryview(changed)) is None
    for length in (0, 1, STRIPE, len(row) - 1):
        assert parity.opened(named, 5, memoryview(row[:length])) is None


def test_neighbours_fall_into_different_groups() -> None:
    """A lost medium must be one loss in each group, not all of one."""
    assert [list(one) for one in parity.groups_of(7, 3)] == [[1, 4, 7], [2, 5], [3, 6]]
    assert [list(one) for one in parity.groups_of(2, 5)] == [[1], [2]]
    assert [len(one) for one in parity.groups_of(401, 1)] == [134, 134, 133]


def test_the_size_is_known_before_a_byte_is_written() -> None:
    """The medium is found too small before hours of writing."""
    assert label().size == 2 * HEAD + 5 * (STRIPE + 4 * TAG)
    assert label().file_name == "AIRLIFT-plant7-000007.S0001-of-0002.spare"
    assert label().volume_name(3) == "AIRLIFT-plant7-000007.0003-of-0003.tar"
