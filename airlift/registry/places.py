"""Where pieces of blobs lie, told by what they begin like, and an index in memory.

Apart from the index that stays (``airlift.registry.pieces``), because that one brings
SQLAlchemy, which takes longer to load than a small delivery to plan.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from airlift.digest import Sha256

PLACES: Final = 8
"""Most places given for a mark: bytes that are everywhere prove little anywhere."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece lies: *length* bytes of *blob* from *start*."""

    blob: Sha256
    start: int
    length: int


class Places(Protocol):
    """An index of pieces."""

    def close(self) -> None:
        """Let go of it."""
        ...

    def known(self, blobs: Iterable[Sha256]) -> set[Sha256]:
        """Return those of *blobs* whose pieces are in the index."""
        ...

    def add(self, blob: Sha256, marks: Sequence[tuple[bytes, int, int]]) -> None:
        """Take in the pieces of *blob*, unless they are known.

        Args:
            blob: Whose they are; also one of no pieces is known afterwards.
            marks: The mark, start and length of each, each start once.
        """
        ...

    def find(
        self, marks: Iterable[bytes], among: Iterable[Sha256]
    ) -> Mapping[bytes, tuple[Place, ...]]:
        """Return where pieces with these marks lie in the blobs *among*.

        Args:
            marks: Of the pieces looked for.
            among: Blobs that may be referred to, the best first.

        Returns:
            At most eight places a mark, in the order of *among*, then of their start.
        """
        ...


class PassingPlaces:
    """An index in memory, for a delivery that builds on itself alone."""

    def __init__(self) -> None:
        self._known: set[Sha256] = set()
        self._places: defaultdict[bytes, list[Place]] = defaultdict(list)

    def close(self) -> None:
        """Let go of it: nothing to do."""

    def known(self, blobs: Iterable[Sha256]) -> set[Sha256]:
        """Return those of *blobs* whose pieces are in the index."""
        return self._known.intersection(blobs)

    def add(self, blob: Sha256, marks: Sequence[tuple[bytes, int, int]]) -> None:
        """Take in the pieces of *blob*, unless they are known."""
        if blob in self._known:
            return
        self._known.add(blob)
        for mark, start, length in marks:
            self._places[mark].append(Place(blob, start, length))

    def find(
        self, marks: Iterable[bytes], among: Iterable[Sha256]
    ) -> Mapping[bytes, tuple[Place, ...]]:
        """Return where pieces with these marks lie in the blobs *among*."""
        order = {blob: rank for rank, blob in enumerate(among)}
        found = {}
        for mark in set(marks) & self._places.keys():
            places = [one for one in self._places[mark] if one.blob in order]
            places.sort(key=lambda one: (order[one.blob], one.start))
            if places:
                found[mark] = tuple(places[:PLACES])
        return found
