"""Placing: which volumes go to which medium, before anything is written."""

from collections.abc import Mapping, Sequence
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
