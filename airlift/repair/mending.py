"""Mending one group of volumes: each file is read once, sums are kept, gaps solved.

A row is settled when every stripe of it is known. Until then the spares and the
stripes that were read are added up; as soon as no more stripes are unknown than spares
were read, the unknown ones follow from the sums. Every stripe, read or solved, must
have its tag, so neither a bad sector nor a wrong spare gets into a rebuilt volume
unnoticed.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from airlift.format import galois, parity
from airlift.format.galois import Bytes
from airlift.format.parity import HEAD, STRIPE, SpareLabel
from airlift.progress import Advance
from airlift.repair.parts import Parts
from airlift.repair.reading import File
from airlift.repair.scratch import DAMAGED, PLACED, Rows, Scratch, State
from airlift.store import direct

_STRIPES: Final = 320
"""Stripes in memory at once, 20 MiB: so many rows of all volumes together."""
_MOST_ROWS: Final = 32

_HERE: Final = (State.SUMMED, State.GOOD, State.REBUILT)
"""States of a stripe that is known, or in the sums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtHand:
    """The files of one group that can be read now.

    Attributes:
        volumes: By index in the group; copies of one volume one after the other.
        spares: By index among the group's spares, from 0.
    """

    volumes: dict[int, list[File]]
    spares: dict[int, list[File]]


@dataclass(slots=True)
class _Fresh:
    """What was read just now of some rows.

    Attributes:
        stripes: Right stripes by volume and row; views that last until the next read.
        parity: Whole rows of spares by spare and row.
    """

    stripes: dict[tuple[int, int], Bytes]
    parity: dict[tuple[int, int], Bytes]


class Mender:
    """Mends the group *label* with the files *here*."""

    def __init__(
        self, label: SpareLabel, here: AtHand, scratch: Scratch, parts: Parts
    ) -> None:
        self._label, self._here, self._scratch = label, here, scratch
        self._parts = parts
        self._count = len(label.volumes)
        self._step = max(1, min(_MOST_ROWS, _STRIPES // self._count))
        self._named = [
            parity.identity(label.sibling(n)) for n in range(1, label.spares + 1)
        ]
        # A row of a spare is a stripe and less than a page of tags.
        self._page = direct.buffer(self._step * (STRIPE + direct.PAGE))

    def gather(self, advance: Advance) -> None:
        """Read everything at hand that is still needed, and solve what can be."""
        # No further than files reach: a spare may claim a terabyte and have no row.
        for first in range(0, self._reach(), self._step):
            rows = self._scratch.load(first, min(self._step, self._label.rows - first))
            if all(self._settled(rows, row) for row in range(len(rows))):
                continue
            fresh = _Fresh({}, {})
            self._read_spares(rows, fresh, advance)
            self._read_volumes(rows, fresh, advance)
            for row in range(len(rows)):
                self._row(rows, row, fresh)
            self._scratch.store(rows)

    def copy(self, item: int) -> None:
        """Take the right stripes of a damaged volume over into the rebuilt one."""
        for first in range(0, self._height(item), self._step):
            count = min(self._step, self._height(item) - first)
            rows = self._scratch.load(first, count)
            todo = [
                row
                for row in np.flatnonzero(~rows.flagged(PLACED)[:, item]).tolist()
                if rows.state[row, item] in (*_HERE, State.UNVOUCHED)
            ]
            if not todo:
                continue
            for row, stripe in self._stripes(item, rows, todo):
                self._parts.put(item, first + row, stripe)
                rows.mark(row, item, PLACED)
            self._scratch.store(rows)

    def _reach(self) -> int:
        """Return how many rows some file at hand has something of."""
        width = parity.row_size(self._count)
        rows = [
            *(parity.rows_of(file.size()) for file in _all(self._here.volumes)),
            *((file.size() - HEAD) // width + 1 for file in _all(self._here.spares)),
        ]
        return min(self._label.rows, max(rows, default=0))

    def _height(self, item: int) -> int:
        return parity.rows_of(self._label.volumes[item].size)

    def _settled(self, rows: Rows, row: int) -> bool:
        states = rows.state[row, : self._count]
        return bool(np.isin(states, (State.GOOD, State.REBUILT)).all())

    def _read_spares(self, rows: Rows, fresh: _Fresh, advance: Advance) -> None:
        width = parity.row_size(self._count)
        at = parity.row_at(self._label, rows.first)
        for index, files in self._here.spares.items():
            for file in files:
                got = file.pieces(self._page, at, width, len(rows))
                advance(sum(got))
                for row, length in enumerate(got):
                    piece = self._page[row * width : row * width + length]
                    self._take_parity(rows, row, index, piece, fresh)

    def _take_parity(
        self, rows: Rows, row: int, index: int, piece: memoryview, fresh: _Fresh
    ) -> None:
        item = self._count + index
        opened = parity.opened(self._named[index], rows.first + row, piece)
        if opened is None or not rows.learn(row, opened[1]):
            if rows.state[row, item] == State.UNSEEN:
                rows.set(row, item, State.BAD)
            return
        if rows.state[row, item] in (State.UNSEEN, State.BAD):
            fresh.parity[index, row] = np.frombuffer(opened[0], np.uint8).copy()

    def _read_volumes(self, rows: Rows, fresh: _Fresh, advance: Advance) -> None:
        for item in range(self._count):
            todo = []
            for row in range(len(rows)):
                if rows.first + row >= self._height(item):
                    self._beyond(rows, row, item)
                elif rows.state[row, item] not in _HERE:
                    todo.append(row)
            if todo and item in self._here.volumes:
                for row, stripe in self._stripes(item, rows, todo):
                    advance(STRIPE)
                    if rows.tag(row, item):
                        fresh.stripes[item, row] = np.frombuffer(stripe, np.uint8)
                    else:
                        rows.set(row, item, State.UNVOUCHED)

    def _beyond(self, rows: Rows, row: int, item: int) -> None:
        """Behind a volume's end are zeros, which add nothing to the sums."""
        if rows.state[row, item] == State.UNSEEN:
            rows.set(row, item, State.SUMMED)

    def _stripes(
        self, item: int, rows: Rows, todo: Sequence[int]
    ) -> list[tuple[int, memoryview]]:
        """Return those of the rows *todo* of a volume that some file has right.

        One that a file has wrong is noted. Where nothing says what is right, what can
        be read is taken for it.
        """
        left, found = list(todo), dict[int, memoryview]()
        for file in self._here.volumes.get(item, ()):
            if not left:
                break
            low, high = left[0], left[-1] + 1
            view = self._page[: (high - low) * STRIPE]
            at = (rows.first + low) * STRIPE
            got = file.pieces(view, at, STRIPE, high - low)
            for row in list(left):
                stripe = view[(row - low) * STRIPE : (row - low + 1) * STRIPE]
                if self._is_right(rows, row, item, stripe, got[row - low]):
                    found[row] = memoryview(bytes(stripe))
                    left.remove(row)
                else:
                    rows.mark(row, item, DAMAGED)
                    if rows.state[row, item] not in _HERE:
                        rows.set(row, item, State.BAD)
        return sorted(found.items())

    def _is_right(
        self, rows: Rows, row: int, item: int, stripe: memoryview, got: int
    ) -> bool:
        size = self._label.volumes[item].size
        wanted = min(STRIPE, size - (rows.first + row) * STRIPE)
        if got < wanted:
            return False
        stripe[wanted:] = bytes(STRIPE - wanted)
        expected = rows.tag(row, item)
        return expected is None or parity.tag(stripe) == expected

    def _row(self, rows: Rows, row: int, fresh: _Fresh) -> None:
        """Settle a row if that can be done; else add what is fresh to its sums."""
        read = [item for item in range(self._count) if (item, row) in fresh.stripes]
        lacking = [
            item
            for item in range(self._count)
            if item not in read and rows.state[row, item] not in _HERE
        ]
        if not lacking:
            self._settle(rows, row)
            return
        spares = [
            index
            for index in range(self._label.spares)
            if (index, row) in fresh.parity
            or rows.state[row, self._count + index] == State.SUMMED
        ]
        # The first spares are the cheapest: one loss takes no more than XOR.
        first = spares[: len(lacking)] if len(lacking) <= len(spares) else []
        self._sum(rows, row, fresh, first)
        if first and self._solve(rows, row, lacking, first):
            return
        rest = [index for index in range(self._label.spares) if index not in first]
        self._sum(rows, row, fresh, rest)
        for index in spares:
            rows.set(row, self._count + index, State.SUMMED)
        for item in read:
            rows.set(row, item, State.SUMMED)
        # One of them may be wrong, and another choice right.
        for choice in itertools.combinations(spares, len(lacking)):
            if self._solve(rows, row, lacking, choice):
                return

    def _sum(self, rows: Rows, row: int, fresh: _Fresh, spares: Sequence[int]) -> None:
        """Add what is fresh of a row to the sums of *spares*."""
        for index in spares:
            into = rows.sums[row, index]
            if (parity_of := fresh.parity.get((index, row))) is not None:
                galois.add(into, parity_of, 1)
            for item in range(self._count):
                if (stripe := fresh.stripes.get((item, row))) is not None:
                    galois.add(into, stripe, galois.factor(index, item))

    def _solve(
        self, rows: Rows, row: int, lacking: Sequence[int], spares: Sequence[int]
    ) -> bool:
        """Settle a row by as many *spares*; say whether they give the right stripes."""
        sums = [rows.sums[row, index] for index in spares]
        solved = [one.tobytes() for one in galois.solve(lacking, spares, sums)]
        if [parity.tag(one) for one in solved] != [
            rows.tag(row, item) for item in lacking
        ]:
            return False
        for item, stripe in zip(lacking, solved, strict=True):
            self._parts.put(item, rows.first + row, stripe)
            rows.set(row, item, State.REBUILT)
            rows.mark(row, item, PLACED)
        self._settle(rows, row)
        return True

    def _settle(self, rows: Rows, row: int) -> None:
        """Let go of the sums of a row of which every stripe is known."""
        for item in range(self._count + self._label.spares):
            if rows.state[row, item] != State.REBUILT:
                rows.set(row, item, State.GOOD)


def _all(files: Mapping[int, Sequence[File]]) -> list[File]:
    return [file for several in files.values() for file in several]
