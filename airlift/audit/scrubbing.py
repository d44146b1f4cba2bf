"""Hashing blobs again within a budget: what was looked at longest ago first.

Nobody hashes tens of terabytes every night. What a site can promise is that every byte
was hashed within so many days: each run takes what has waited longest, as far as its time
goes, and notes it lot by lot, so that a run that is broken off loses one lot at most and
the next goes on where it was.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airlift import lanes
from airlift.progress import Progress
from airlift.registry import hashed
from airlift.registry.hashed import Known, State
from airlift.store import scrub
from airlift.store.scrub import Look
from airlift.store.store import Store

LOT: Final = 64 << 30
"""Bytes hashed between two notes: a minute or two, and one end of a lot, where fewer files
than processors are left, costs a hundredth of it: shards have 5 GB."""
BLOBS: Final = 20_000
"""Most blobs of a lot: small ones cost time by the piece."""
FIRST: Final = 256 << 20
"""Bytes of the first lot of a budget, by which the speed of this host is learnt."""
CERTAINTY: Final = 0.95
"""Of what a sample is said to have found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What hashing is done with.

    Attributes:
        home: The folder of the registry; what is found is noted there.
        store: Where the blobs are.
        now: The host's time, ``YYYY-MM-DDThh:mm:ssZ``.
        clock: Seconds that only rise.
        progress: Told about bytes hashed.
        lot: Most bytes hashed between two notes.
        first: Bytes of the first lot of a budget.
    """

    home: Path
    store: Store
    now: Callable[[], str]
    clock: Callable[[], float]
    progress: Progress
    lot: int = LOT
    first: int = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrubbed:
    """What one run did.

    Attributes:
        looks: What was found of each blob that was read, by digest.
        left: How many there was no time for.
        seconds: How long it took.
    """

    looks: tuple[Look, ...]
    left: int
    seconds: float

    @property
    def size(self) -> int:
        """Bytes that were read."""
        return sum(look.size for look in self.looks)

    @property
    def bad(self) -> tuple[Look, ...]:
        """Those that are not as they should be."""
        return tuple(
            one for one in self.looks if hashed.judge(one)[0] is not State.IDENTICAL
        )


def oldest_first(known: Sequence[Known]) -> list[Known]:
    """Return *known* in the order of a rolling verification.

    Bad ones first: what was put right since must not be told as bad for long. Of what
    waits equally long, what is served comes first.
    """
    return sorted(
        known, key=lambda one: (not one.is_bad, one.since, not one.live, one.blob)
    )


def sampled(known: Sequence[Known], percent: float, seed: int) -> list[Known]:
    """Return *percent* of *known*, one at least, every blob as likely as any other."""
    count = min(len(known), max(1, math.ceil(len(known) * percent / 100)))
    # Not for a secret: who may change the store between two runs may change it after.
    return random.Random(seed).sample(list(known), count)  # noqa: S311 - see above


def share_missed(count: int) -> float:
    """Return the share of bad blobs that a sample of *count* sound ones rules out.

    Were more than this share bad, the sample would have met one, in ``CERTAINTY`` of all
    cases. 0 to 1.
    """
    return 1 - (1 - CERTAINTY) ** (1 / count) if count else 1.0


def run(
    wanted: Sequence[Known], means: Means, budget_s: float | None = None
) -> Scrubbed:
    """Hash *wanted* in order, noting what is found; return what that was.

    Args:
        wanted: In the order they are to be read in.
        means: With what.
        budget_s: Seconds after which no further lot is begun; None for no end. One lot
            is read in any case, so that runs of any length come round.

    Raises:
        RegistryError: What was found cannot be noted.
        StoreError: The store cannot be read.
    """
    begun, looks, done = means.clock(), list[Look](), 0
    total = None if budget_s is not None else sum(one.size for one in wanted)
    with means.progress.task("verifying", total) as advance:
        for lot in _lots(wanted, means, begun, budget_s):
            since = means.now()
            sizes = {one.blob: one.size for one in lot}
            spans = means.store.spans(sizes)
            found = scrub.rehash(sizes, means.store.span, advance, spans)
            noted = ((look.blob, hashed.judge(look)[0]) for look in found)
            hashed.record(means.home, noted, time=since)
            looks += found
            done += len(lot)
    return Scrubbed(
        looks=tuple(sorted(looks, key=lambda look: look.blob)),
        left=len(wanted) - done,
        seconds=means.clock() - begun,
    )


def _lots(
    wanted: Sequence[Known], means: Means, begun: float, budget_s: float | None
) -> Iterator[list[Known]]:
    """Yield *wanted* in lots, each cut when the one before has been read."""
    at = read = 0
    while at < len(wanted):
        allowed, least = means.lot, lanes.THREADS
        if budget_s is not None:
            spent = means.clock() - begun
            if at and spent >= budget_s:
                return
            least, allowed = 1, means.first
            if read and spent:
                allowed = min(means.lot, int(read / spent * (budget_s - spent)))
        lot = _lot(wanted, at, allowed, least)
        at += len(lot)
        read += sum(one.size for one in lot)
        yield lot


def _lot(wanted: Sequence[Known], at: int, allowed: int, least: int) -> list[Known]:
    """Return what comes next of *wanted*: *allowed* bytes, *least* blobs at least."""
    lot: list[Known] = []
    size = 0
    for one in wanted[at : at + BLOBS]:
        if len(lot) >= least and size + one.size > allowed:
            break
        lot.append(one)
        size += one.size
    return lot
