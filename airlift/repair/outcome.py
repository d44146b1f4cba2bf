"""What became of each volume of a group: whole, rebuilt, or lacking which stripes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from airlift.errors import FormatError, RequestError
from airlift.format import parity
from airlift.format.galois import Bytes
from airlift.format.parity import SpareLabel
from airlift.repair.parts import Parts
from airlift.repair.scratch import DAMAGED, PLACED, Scratch, State

_LOOK = 4096
"""Rows looked at together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one volume.

    Attributes:
        name: Its file name.
        stripes: How many it has.
        rebuilt: How many were made from the spares.
        lacking: Those that are unknown, as ranges of indices.
        unvouched: How many were read that no whole spare speaks for.
        elsewhere: How many are right on its medium and still to be copied from there.
        path: Where it was rebuilt; None where it was not.
        problem: Why what was rebuilt is not kept; empty where it is.
    """

    name: str
    stripes: int
    rebuilt: int = 0
    lacking: tuple[range, ...] = ()
    unvouched: int = 0
    elsewhere: int = 0
    path: Path | None = None
    problem: str = ""

    @property
    def lost(self) -> int:
        """How many stripes are unknown."""
        return sum(map(len, self.lacking))

    @property
    def done(self) -> bool:
        """Whether it is whole, on its medium or rebuilt."""
        return not (self.lacking or self.elsewhere or self.problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What a repair did for one group of volumes.

    Attributes:
        label: Of one of its spares.
        outcomes: One for each volume, in order.
        unread: Names of the spares that could still help and were not read so far.
    """

    label: SpareLabel
    outcomes: tuple[Outcome, ...]
    unread: tuple[str, ...]

    @property
    def done(self) -> bool:
        """Whether every volume is whole."""
        return all(one.done for one in self.outcomes)


@dataclass(slots=True)
class Tally:
    """Counts of the stripes of one volume.

    Attributes:
        lacking: Their indices, in order.
        placed: How many are in the volume that is being rebuilt.
        damaged: Whether any was not right in some file.
    """

    lacking: list[int] = field(default_factory=list)
    rebuilt: int = 0
    placed: int = 0
    unvouched: int = 0
    damaged: bool = False

    @property
    def rebuilding(self) -> bool:
        """Whether a new file is needed: none that was read is whole."""
        return self.damaged or self.rebuilt > 0

    def add(self, first: int, states: Bytes) -> None:
        """Count the *states*, with flags, of the stripes from index *first* on."""
        plain = states & 0x0F
        missing = np.isin(plain, (State.UNSEEN, State.BAD))
        self.lacking += (np.flatnonzero(missing) + first).tolist()
        self.rebuilt += int((plain == State.REBUILT).sum())
        self.unvouched += int((plain == State.UNVOUCHED).sum())
        self.placed += int((states & PLACED > 0).sum())
        self.damaged |= bool((states & DAMAGED).any())


def tally(label: SpareLabel, scratch: Scratch) -> list[Tally]:
    """Return the counts of every volume of a group."""
    found = [Tally() for _ in label.volumes]
    for first, states in _states(label, scratch):
        for item, (one, volume) in enumerate(zip(found, label.volumes, strict=True)):
            own = max(0, parity.rows_of(volume.size) - first)
            one.add(first, states[:own, item])
    return found


def conclude(label: SpareLabel, scratch: Scratch, parts: Parts) -> Mended:
    """Name the volumes that are rebuilt, and say what became of the others."""
    tallies = tally(label, scratch)
    outcomes = tuple(
        _outcome(label, item, one, parts) for item, one in enumerate(tallies)
    )
    lacking = sorted({row for one in tallies for row in one.lacking})
    return Mended(
        label=label, outcomes=outcomes, unread=_unread(label, scratch, lacking)
    )


def _outcome(label: SpareLabel, item: int, one: Tally, parts: Parts) -> Outcome:
    volume = label.volumes[item]
    stripes = parity.rows_of(volume.size)
    path, problem = None, ""
    if one.rebuilding and one.placed == stripes:
        try:
            path = parts.publish(item)
        except (FormatError, RequestError) as error:
            problem = error.problem
    return Outcome(
        name=label.volume_name(volume.ordinal),
        stripes=stripes,
        rebuilt=one.rebuilt,
        lacking=tuple(_ranges(one.lacking)),
        unvouched=one.unvouched,
        elsewhere=stripes - one.placed - len(one.lacking) if one.rebuilding else 0,
        path=path,
        problem=problem,
    )


def _unread(label: SpareLabel, scratch: Scratch, lacking: list[int]) -> tuple[str, ...]:
    """Return the spares of which nothing was read where something is lacking."""
    if not lacking:
        return ()
    seen = np.zeros(label.spares, np.bool_)
    for first, states in _states(label, scratch):
        here = [row - first for row in lacking if first <= row < first + len(states)]
        seen |= (states[here, len(label.volumes) :] & 0x0F > 0).any(axis=0)
    return tuple(
        label.sibling(index).file_name
        for index in range(1, label.spares + 1)
        if not seen[index - 1]
    )


def _states(label: SpareLabel, scratch: Scratch) -> Iterator[tuple[int, Bytes]]:
    for first in range(0, label.rows, _LOOK):
        yield first, scratch.states(first, min(_LOOK, label.rows - first))


def _ranges(indices: list[int]) -> Iterator[range]:
    """Yield consecutive indices as ranges."""
    begin = previous = -1
    for index in indices:
        if index != previous + 1 or begin < 0:
            if begin >= 0:
                yield range(begin, previous + 1)
            begin = index
        previous = index
    if begin >= 0:
        yield range(begin, previous + 1)
