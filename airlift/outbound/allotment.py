"""Allotment: which spares a delivery gets, and which volumes each is made of.

Known before anything is written, by names and sizes alone.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from airlift.format import parity, selection

_FILE: Final = re.compile(r"\.(S?)(\d+)-of-(\d+)\.(?:tar|spare)\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparing:
    """How many spare volumes to make.

    Attributes:
        spares: Of each group, which is how many of its volumes may be lost; 0 for
            none.
        per_medium: Volumes that one medium will hold; as many groups are made, so
            that a lost medium is one loss in each.
    """

    spares: int = 0
    per_medium: int = 1

    def groups(self, count: int) -> list[range]:
        """Return the ordinals of each group of *count* volumes."""
        return parity.groups_of(count, self.per_medium)

    def group_of(self, name: str, count: int) -> int:
        """Return the group of a volume or spare by its file *name*, from 1.

        Args:
            name: As airlift writes it.
            count: Volumes of the cutting.
        """
        spare, number = _parse(name)
        if spare:
            return (number - 1) // self.spares + 1
        return (number - 1) % parity.group_count(count, self.per_medium) + 1


NO_SPARES: Final = Sparing()


def sizes(
    volumes: Mapping[str, int], site: str, sequence: int, wanted: Sparing
) -> dict[str, int]:
    """Return the bytes of each spare by its file name, before any volume is written.

    Args:
        volumes: The bytes of each volume by its file name, in order.
        site: Stands in the names.
        sequence: Stands in the names.
        wanted: How many.
    """
    if not wanted.spares or not volumes:
        return {}
    lengths = list(volumes.values())
    groups = wanted.groups(len(lengths))
    total, found = len(groups) * wanted.spares, {}
    for number in range(1, total + 1):
        members = groups[(number - 1) // wanted.spares]
        name = parity.file_name(site, sequence, number, total)
        found[name] = parity.size_of([lengths[one - 1] for one in members])
    return found


def volumes_of(names: Iterable[str]) -> tuple[int, ...]:
    """Return which volumes *names* are, in order; other files are none."""
    return _numbers(names, spares=False)


def spares_of(names: Iterable[str]) -> tuple[int, ...]:
    """Return which spares *names* are, in order; other files are none."""
    return _numbers(names, spares=True)


def told(volumes: Iterable[int], spares: Iterable[int]) -> str:
    """Return which files, for a person: ``volumes 7-10 and spares 1-2``."""
    both = (("volumes", tuple(volumes)), ("spares", tuple(spares)))
    return " and ".join(
        f"{word} {selection.ranges(numbers)}" for word, numbers in both if numbers
    )


def shown(names: Iterable[str]) -> str:
    """Return which volumes and spares *names* are, for a person."""
    listed = tuple(names)
    return told(volumes_of(listed), spares_of(listed))


def needed(spares: Iterable[str], count: int, wanted: Sparing) -> tuple[int, ...]:
    """Return the ordinals of the volumes that *spares* are made of.

    Args:
        spares: File names.
        count: Volumes of the cutting.
        wanted: How many there are of each group.
    """
    groups = wanted.groups(count)
    chosen = {wanted.group_of(one, count) for one in spares}
    return tuple(sorted(one for number in chosen for one in groups[number - 1]))


def beyond(lost: Iterable[str], count: int, wanted: Sparing) -> bool:
    """Say whether the spares that are left cannot make up for *lost* files.

    Args:
        lost: Names of volumes and spares that nobody has any more.
        count: Volumes of the cutting.
        wanted: How many spares each group had.
    """
    if not wanted.spares:
        return any(volumes_of([one]) for one in lost)
    gone, volumes = Counter[int](), set[int]()
    for name in lost:
        group = wanted.group_of(name, count)
        gone[group] += 1
        if volumes_of([name]):
            volumes.add(group)
    # Of a group that lost nothing but spares, nothing is lost.
    return any(gone[group] > wanted.spares for group in volumes)


def _numbers(names: Iterable[str], *, spares: bool) -> tuple[int, ...]:
    found = (_parse(name) for name in names if _FILE.search(name))
    return tuple(sorted(number for spare, number in found if spare is spares))


def _parse(name: str) -> tuple[bool, int]:
    match = _FILE.search(name)
    assert match, name
    return bool(match[1]), int(match[2])
