"""Ordering: which medium gets which volumes and spares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airlift.outbound import allotment, placing
from airlift.outbound.allotment import Sparing
from airlift.outbound.berthing import Place
from airlift.outbound.placing import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """What is kept apart: a spare had better not be lost with what it protects.

    Attributes:
        sparing: Says which file is of which group.
        count: Volumes of the cutting.
        most: Files of a group that a medium may have because of a spare.
    """

    sparing: Sparing
    count: int
    most: int

    def group_of(self, name: str) -> int:
        """Return the group of a volume or spare by its file name."""
        return self.sparing.group_of(name, self.count)


def orders(
    left: Mapping[str, int],
    places: Sequence[Place],
    rooms: Sequence[Room],
    apart: Apart,
) -> list[list[str]]:
    """Return the names that each of *places* is to get; those without room are in none.

    First what already lies there, then volumes one medium after the other, then spares
    where the fewest of their group are.

    Args:
        left: Bytes of each file that is to be written, by name, in order.
        places: The media that are in.
        rooms: What each takes; what is placed is taken off what is free.
        apart: Where spares do not go.
    """
    left, here = dict(left), []
    for place in places:
        found = [name for name in left if (place.folder / name).exists()]
        for name in found:
            del left[name]
        here.append(found)
    spares = {name: n for name, n in left.items() if allotment.spares_of([name])}
    volumes = {name: n for name, n in left.items() if name not in spares}
    placed = placing.place(volumes, rooms)
    on_it = [
        {*place.berth.files, *one, *two}
        for place, one, two in zip(places, here, placed, strict=True)
    ]
    after = [
        room.after(volumes[name] for name in names)
        for room, names in zip(rooms, placed, strict=True)
    ]
    spread = placing.spread(spares, after, on_it, apart.group_of, apart.most)
    return [
        [*one, *two, *three]
        for one, two, three in zip(here, placed, spread, strict=True)
    ]
