"""Placing: which volumes go to which medium, before anything is written."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

CLUSTER: Final = 128 << 10
"""Bytes a file may take beyond its own: the clusters of large exFAT sticks."""


@dataclass(slots=True)
class Device:
    """A file system that may be shared by several folders.

    Attributes:
        free: Bytes that may still be written.
    """

    free: int


@dataclass(frozen=True, slots=True)
class Room:
    """What one medium takes.

    Attributes:
        device: What its folder lies on.
        most: Bytes of files it may have in all, whatever is free.
    """

    device: Device
    most: int

    def after(self, sizes: Iterable[int]) -> "Room":
        """Return it with files of *sizes* placed, as far as `most` goes."""
        return Room(self.device, self.most - sum(one + CLUSTER for one in sizes))


def place(sizes: Mapping[str, int], rooms: Sequence[Room]) -> list[list[str]]:
    """Return the names that go to each of *rooms*; what fits nowhere is in none.

    Each goes to the first that has room for it, so media are filled one after the
    other and a medium holds volumes that follow each other, as far as that can be.

    Args:
        sizes: Bytes of each file, in the order in which they should lie.
        rooms: The media, in order; what is placed is taken off what is free.
    """
    placed: list[list[str]] = [[] for _ in rooms]
    left = [room.most for room in rooms]
    for name, size in sizes.items():
        needed = size + CLUSTER
        for index, room in enumerate(rooms):
            if needed <= min(left[index], room.device.free):
                placed[index].append(name)
                left[index] -= needed
                room.device.free -= needed
                break
    return placed


def spread(
    sizes: Mapping[str, int],
    rooms: Sequence[Room],
    here: Sequence[Iterable[str]],
    group_of: Callable[[str], int],
    most: int,
) -> list[list[str]]:
    """Return the names that go to each of *rooms*, away from others of their group.

    Each goes to the one, of those with room for it, that has the fewest of its group.
    What fits nowhere is in none.

    Args:
        sizes: Bytes of each file, in the order in which they are placed.
        rooms: The media, in order; what is placed is taken off what is free.
        here: The names that are on each medium.
        group_of: Returns the group of a file by its name.
        most: Files of a group that a medium may have.
    """
    placed: list[list[str]] = [[] for _ in rooms]
    left = [room.most for room in rooms]
    counts = [Counter(map(group_of, names)) for names in here]
    for name, size in sizes.items():
        needed, group = size + CLUSTER, group_of(name)
        fit = [
            (counts[index][group], index)
            for index, room in enumerate(rooms)
            if needed <= min(left[index], room.device.free)
        ]
        count_here, index = min(fit, default=(most, 0))
        if count_here < most:
            placed[index].append(name)
            counts[index][group] += 1
            left[index] -= needed
            rooms[index].device.free -= needed
    return placed


def count(sizes: Sequence[int], most: int) -> int:
    """Return how many media of *most* bytes take files of *sizes*; 0 if none does.

    Args:
        sizes: Bytes of each, in the order in which they should lie.
        most: Bytes that a medium takes.
    """
    left: list[int] = []
    for size in sizes:
        needed = size + CLUSTER
        if needed > most:
            return 0
        index = next((n for n, room in enumerate(left) if needed <= room), None)
        if index is None:
            left.append(most - needed)
        else:
            left[index] -= needed
    return len(left)
