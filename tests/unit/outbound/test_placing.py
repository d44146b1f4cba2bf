"""Placing: nothing is placed twice, nothing beyond what is free, and media are not wasted."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from airlift.outbound import placing
from airlift.outbound.placing import CLUSTER, Device, Room

GIB = 1 << 30


@given(
    st.lists(st.integers(1, 40), max_size=30),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 100)), max_size=5),
    st.lists(st.integers(0, 120), min_size=3, max_size=3),
)
def test_what_is_placed_fits_and_is_placed_once(
    sizes: list[int], limits: list[tuple[int, int]], frees: list[int]
) -> None:
    """Two folders of one stick share its room; a limit holds whatever is free."""
    unit = 1 << 20
    named = {f"{n:04d}": size * unit for n, size in enumerate(sizes)}
    devices = [Device(free * unit) for free in frees]
    rooms = [Room(devices[index], most * unit) for index, most in limits]
    placed = placing.place(named, rooms)
    flat = [name for names in placed for name in names]
    assert len(flat) == len(set(flat))
    used = dict.fromkeys(range(3), 0)
    for names, (index, most) in zip(placed, limits, strict=True):
        assert names == sorted(names)
        taken = sum(named[name] + CLUSTER for name in names)
        assert taken <= most * unit
        used[index] += taken
    for index, taken in used.items():
        assert taken <= frees[index] * unit
        assert devices[index].free == frees[index] * unit - taken
    for name in named.keys() - set(flat):
        for names, (index, most) in zip(placed, limits, strict=True):
            left = most * unit - sum(named[one] + CLUSTER for one in names)
            assert named[name] + CLUSTER > min(left, devices[index].free)


@given(
    st.lists(st.integers(1, 40), max_size=12),
    st.lists(st.integers(0, 120), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_what_is_spread_fits_and_lies_with_few_of_its_group(
    sizes: list[int], frees: list[int], groups: int, most: int
) -> None:
    """A spare on the stick of what it protects is lost with it."""
    unit = 1 << 20
    named = {f"S{n:04d}": size * unit for n, size in enumerate(sizes)}
    rooms = [Room(Device(free * unit), 60 * unit) for free in frees]
    here = [[f"V{index:04d}"] for index in range(len(rooms))]

    def group_of(name: str) -> int:
        return int(name[1:]) % groups

    placed = placing.spread(named, rooms, here, group_of, most)
    flat = [name for names in placed for name in names]
    assert len(flat) == len(set(flat))
    counts = [
        Counter(map(group_of, [*before, *names]))
        for before, names in zip(here, placed, strict=True)
    ]
    for index, free in enumerate(frees):
        taken = sum(named[name] + CLUSTER for name in placed[index])
        assert taken <= min(60 * unit, free * unit)
        assert rooms[index].device.free == free * unit - taken
    assert all(max(one.values()) <= max(most, 1) for one in counts)
    for name in named.keys() - set(flat):
        for index, names in enumerate(placed):
            left = 60 * unit - sum(named[one] + CLUSTER for one in names)
            full = named[name] + CLUSTER > min(left, rooms[index].device.free)
            assert full or counts[index][group_of(name)] >= most


def test_a_file_goes_where_the_fewest_of_its_group_are() -> None:
    """Room decides only where groups do not."""
    rooms = [Room(Device(10 * GIB), 10 * GIB) for _ in range(3)]
    here = [["a1", "b1"], ["a2"], ["b2"]]
    placed = placing.spread(
        {"b3": GIB, "a3": GIB, "b4": GIB}, rooms, here, lambda name: ord(name[0]), 9
    )
    assert placed == [["b4"], ["b3"], ["a3"]]


def test_the_count_says_how_many_to_buy() -> None:
    """Eleven volumes of 2 GiB on sticks of 8 GiB: three each, not four."""
    assert placing.count([2 * GIB] * 11, 8 * GIB) == 4
    assert placing.count([2 * GIB] * 11, 8 * GIB + 4 * CLUSTER) == 3
    assert placing.count([], GIB) == 0
    assert placing.count([2 * GIB], GIB) == 0
