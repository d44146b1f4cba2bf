"""Matching: what of a new file lies in blobs the far side has (docs/format.md, 5).

Each tensor is compared with its predecessor, the tensor of the same name and type in
a base, wherever it lies there: bytes that are equal become references, and where the
rest is close in value, a difference of its elements travels. Tensors without one are
looked for by the marks of their pieces, and so are the chunks of other files. A mark
or a name only proposes: nothing is referred to whose bytes were not compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from airlift.digest import Sha256
from airlift.format import block
from airlift.format.difference import difference
from airlift.format.head import Op, Piece
from airlift.outbound.opened import Bytes, OpenedBlobs
from airlift.outbound.sections import Section

_WINDOW: Final = 512 << 10
"""Bytes read of each side at a time: both stay in the second-level cache. 4.0 GB a CPU
second, against 3.7 by 256 KiB and 2.9 by 1 MiB."""
GRANULE: Final = 64 << 10
"""Bytes that are compared as one: equal or changed."""
LEAST_REFERENCE: Final = 512
"""Bytes below which a reference costs more than it saves: 24 in a head, and a slab of
its own for the literal that it cuts in two."""
LEAST_DIFFERENCE: Final = 4 << 10
"""Bytes below which a difference costs more than it saves."""
_WORTH: Final = 0.66
"""Of the raw bytes: what a difference must come below. Weights come to 0.67 alone."""
_ABSORBED: Final = 256 << 10
"""Equal bytes between changed ones that travel as a difference of zeros: some 100
bytes a MiB, less than two more pieces and their slabs."""
_GLANCE: Final = 8 << 10
"""Bytes of the least sample, three of which tell whether comparing is worth its time."""
_OWN_RATIO: Final = 1 << 20
"""Bytes of a section from which it is sampled for itself."""
_PARTS: Final = 4
"""Parts of a new blob, three samples each, that tell what its bytes cost alone."""

Run: TypeAlias = tuple[Piece, Sha256 | None]
"""A piece, whose ``base`` means nothing yet, and the blob it refers to."""


@dataclass(frozen=True, slots=True)
class Old:
    """Bytes in a base that a section may have come from.

    Attributes:
        blob: The base.
        start: Where they begin.
        length: How many may be compared.
    """

    blob: Sha256
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Matched:
    """How a section is made.

    Attributes:
        runs: In order; they give the section.
        stored: Estimated bytes that travel.
        alone: Estimated bytes of the same without any base.
        equal: Bytes that are referred to.
    """

    runs: tuple[Run, ...]
    stored: float
    alone: float
    equal: int


class Matcher:
    """Compares sections of one new blob with bytes of others.

    Args:
        blobs: Reads both.
        new: The new blob.
        coded: Whether its bytes would travel coded without a base.
    """

    def __init__(self, blobs: OpenedBlobs, new: Sha256, *, coded: bool) -> None:
        self._blobs, self._new, self._coded = blobs, new, coded
        self._ratio: float | None = None
        self._ours = np.empty(_WINDOW, np.uint8)
        self._theirs = np.empty(_WINDOW, np.uint8)

    def alone(self, start: int, stop: int) -> Matched:
        """Return the bytes from *start* to *stop* as a literal."""
        length = stop - start
        ratio = self._whole_ratio()
        if length >= _OWN_RATIO:
            ratio = self._literal_ratio(_spots([(start, stop)], 8))
        size = length * ratio
        piece = Piece(Op.LITERAL, 0, 0, length, 0)
        return Matched(((piece, None),), size, size, 0)

    def choose(
        self, section: Section, olds: Sequence[Old], *, sure: bool
    ) -> Old | None:
        """Return the one of *olds* that *section* is closest to; None if none is.

        Args:
            section: Of the new blob.
            olds: What it may have come from; the first of equally close ones is taken.
            sure: Whether the first is to be compared even if samples are unlike it.
        """
        if not olds or (len(olds) == 1 and sure):
            return olds[0] if olds else None
        costs = [self._distance(section, old) for old in olds]
        best = min(range(len(olds)), key=lambda at: (costs[at], at))
        if costs[best] < 1:
            return olds[best]
        return olds[0] if sure else None

    def match(self, section: Section, old: Old) -> Matched:
        """Return how *section* is made of *old*, as far as it reaches, and literals."""
        common = _common(section, old)
        compared = list(self._compare(section.start, old, common))
        changed = [(a, b) for equal, a, b in compared if not equal]
        ratio, alone, differs = self._coding(section, old, changed)
        if differs:
            compared = list(_absorb(compared))
        runs: list[Run] = []
        stored, equal_bytes = 0.0, 0
        for equal, first, last in compared:
            length, place = last - first, old.start + first - section.start
            if equal:
                runs.append((Piece(Op.REFERENCE, 0, 0, length, place), old.blob))
                equal_bytes += length
            elif differs:
                width = section.width
                runs.append((Piece(Op.DIFFERENCE, width, 0, length, place), old.blob))
                stored += length * ratio
            else:
                runs.append((Piece(Op.LITERAL, 0, 0, length, 0), None))
                stored += length * alone
        if section.start + common < section.stop:
            rest = self.alone(section.start + common, section.stop)
            runs, stored = [*runs, *rest.runs], stored + rest.stored
        total = (section.stop - section.start) * alone
        return Matched(tuple(runs), stored, total, equal_bytes)

    # --- compare ----------------------------------------------------------------

    def _compare(
        self, start: int, old: Old, common: int
    ) -> Iterator[tuple[bool, int, int]]:
        """Yield ``(equal, start, stop)`` of the new blob, alternating."""
        equal, since = True, start
        for at in range(0, common, _WINDOW):
            size = min(_WINDOW, common - at)
            ours, theirs = self._ours[:size], self._theirs[:size]
            self._blobs.fill(self._new, start + at, ours)
            self._blobs.fill(old.blob, old.start + at, theirs)
            for number, same in enumerate(_granules(ours, theirs)):
                place = start + at + number * GRANULE
                if same != equal:
                    if place > since:
                        yield equal, since, place
                    equal, since = same, place
        if start + common > since:
            yield equal, since, start + common

    # --- estimate ---------------------------------------------------------------

    def _coding(
        self, section: Section, old: Old, changed: Sequence[tuple[int, int]]
    ) -> tuple[float, float, bool]:
        """Return what a byte costs as a difference, what alone, and which to take."""
        size = section.stop - section.start
        alone = self._whole_ratio()
        if not changed or not section.width:
            return 1.0, alone, False
        if size < LEAST_DIFFERENCE:
            # Between two that are differences it is one with them; alone, a literal.
            return alone, alone, True
        spots = _spots(changed, section.width)
        ratio = self._difference_ratio(section, old, spots)
        if size >= _OWN_RATIO:
            alone = self._literal_ratio(spots)
        return ratio, alone, ratio < _WORTH and ratio < 0.95 * alone

    def _difference_ratio(
        self, section: Section, old: Old, spots: Sequence[tuple[int, int]]
    ) -> float:
        new, base = bytearray(), bytearray()
        for start, stop in spots:
            new += self._blobs.read(self._new, start, stop)
            place = old.start + start - section.start
            base += self._blobs.read(old.blob, place, place + stop - start)
        if new == base:
            return 0.0
        coded = difference(memoryview(new), memoryview(base), section.width)
        return len(block.encode_slab(coded)) / len(new)

    def _whole_ratio(self) -> float:
        """Return what a byte of the new blob costs, by samples of all of it."""
        if self._ratio is None:
            size = self._blobs.size(self._new)
            step = max(1, size // _PARTS)
            ranges = [(at, min(size, at + step)) for at in range(0, size, step)]
            spots = [spot for one in ranges for spot in _spots([one], 8)]
            self._ratio = self._literal_ratio(spots)
        return self._ratio

    def _literal_ratio(self, spots: Sequence[tuple[int, int]]) -> float:
        if not self._coded:
            return 1.0
        sample = b"".join(self._blobs.read(self._new, *spot) for spot in spots)
        return min(1.0, len(block.encode_slab(memoryview(sample))) / len(sample))

    def _distance(self, section: Section, old: Old) -> float:
        """Return what is not like *old* in *section*: 0 the same, 1 nothing alike."""
        common = _common(section, old)
        whole = (section.start, section.start + common)
        spots = _spots([whole], section.width, most=_GLANCE)
        if section.width:
            ratio = self._difference_ratio(section, old, spots)
            return ratio if ratio < _WORTH else 1.0
        shift = old.start - section.start
        alike = [
            self._blobs.read(self._new, start, stop)
            == self._blobs.read(old.blob, start + shift, stop + shift)
            for start, stop in spots
        ]
        return 1 - sum(alike) / len(alike)


def _common(section: Section, old: Old) -> int:
    """Return how many bytes of both can be compared: whole elements."""
    size = min(section.stop - section.start, old.length)
    return size - size % (section.width or 1)


def _granules(ours: Bytes, theirs: Bytes) -> Iterator[bool]:
    """Yield, for each granule in order, whether both are alike there."""
    whole = ours.size // GRANULE
    if whole:
        size = whole * GRANULE
        lanes = GRANULE // 8
        differ = ours[:size].view(np.uint64) != theirs[:size].view(np.uint64)
        yield from (not one for one in differ.reshape(whole, lanes).any(axis=1))
    if ours.size > whole * GRANULE:
        rest = whole * GRANULE
        yield bool(np.array_equal(ours[rest:], theirs[rest:]))


def _absorb(
    compared: Sequence[tuple[bool, int, int]],
) -> Iterator[tuple[bool, int, int]]:
    """Yield *compared* with short equal runs beside changed ones counted as changed."""
    merged: list[tuple[bool, int, int]] = []
    for equal, start, stop in compared:
        same = equal and stop - start >= _ABSORBED
        if merged and merged[-1][0] == same:
            merged[-1] = (same, merged[-1][1], stop)
        else:
            merged.append((same, start, stop))
    yield from merged


def _spots(
    ranges: Sequence[tuple[int, int]], width: int, *, most: int = GRANULE
) -> list[tuple[int, int]]:
    """Return up to three samples of *ranges*: of the first, the middle and the last."""
    picked = sorted({0, len(ranges) // 2, len(ranges) - 1}) if ranges else []
    if len(picked) == 1:
        start, stop = ranges[0]
        size = _sample(stop - start, most)
        room = stop - start - size
        # Not its ends: up to a granule there may not have changed at all.
        places = sorted({start + room * part // 6 for part in (1, 3, 5)})
        return [_aligned(one, size, start, width) for one in places]
    found = []
    for index in picked:
        start, stop = ranges[index]
        size = _sample(stop - start, most)
        found.append(_aligned((start + stop - size) // 2, size, start, width))
    return found


def _sample(length: int, most: int) -> int:
    return min(length, max(_GLANCE, min(most, length // 32)))


def _aligned(place: int, size: int, start: int, width: int) -> tuple[int, int]:
    """Return a sample that begins at an element and holds whole ones."""
    unit = width or 8
    begin = start + (place - start) // unit * unit
    return begin, begin + (size // unit * unit or size)
