"""Work run to completion on a few threads; only what needs an order waits for it.

A worker takes a job (a slab of 4 MiB) and does all there is to do with it while its
bytes are in the processor's cache: read, check, code, write. What must happen in order,
such as the SHA-256 of a file, is a **lane**: whoever brings the item that is next does
the step, for the items after it too if they are there. So nothing is handed from thread
to thread, and a lane is as fast as one thread.

hashlib, blake3, zstandard, numpy and reading and writing release the interpreter lock.
"""

import os
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, Generic, TypeVar

from airlift.crew import Stop, work

T = TypeVar("T")

PROCESSORS: Final = min(14, len(os.sched_getaffinity(0)))
"""Processors this process may use, as far as it uses them: beyond, memory grows (20 MiB
a worker) and speed does not, as digests and disks set the pace."""
THREADS: Final = PROCESSORS + 2
"""Workers: two more than processors, for those that wait for the disk."""
ALIVE: Final = THREADS + 4
"""Jobs that may be under way at once: bounds memory, and lets lanes lag a little."""

_LOOK_S: Final = 0.1
"""How often a worker that waits for room looks whether all is over."""


class Lane(Generic[T]):
    """Does *step* for items in the order of their numbers, from any threads.

    An error of *step* comes out of the ``put`` that did it; no step follows it.

    Args:
        step: Called with one item after the other, never twice at once.
        first: Number of the first item.
    """

    def __init__(self, step: Callable[[T], None], first: int = 0) -> None:
        self._step, self._next = step, first
        self._waiting: dict[int, T] = {}
        self._turn = threading.Lock()

    def put(self, number: int, item: T) -> None:
        """Hand over *item*; return when it was dealt with or another thread will."""
        self._waiting[number] = item
        # Looked at again after each release: whoever put an item in between and did
        # not get the turn relies on it.
        while self._next in self._waiting and self._turn.acquire(blocking=False):
            try:
                while self._next in self._waiting:
                    self._step(self._waiting.pop(self._next))
                    self._next += 1
            finally:
                self._turn.release()


def run(
    jobs: Iterable[T],
    do: Callable[[T, Callable[[], None]], None],
    *,
    alive: int = ALIVE,
    threads: int = THREADS,
    stop: Stop | None = None,
) -> None:
    """Call ``do(job, done)`` for every job on *threads* threads; return when all are.

    Jobs are begun in order, so that lanes never wait for one that was not begun. The
    first error, of *jobs* too, ends the rest and comes out here, as does Ctrl-C. Not
    one *do* is running then, or begins later, so that what they use can be closed;
    *jobs* may hang on (a pipe that gives nothing) and is left alone.

    Args:
        jobs: Drawn from as there is room, by one thread at a time.
        do: Calls its *done* once, when the memory of the job is free again, from
            whatever thread.
        alive: Most jobs that are begun and not done.
        threads: Workers.
        stop: Set when it is over; whatever waits inside of *do* must look at it.
    """
    room, feed = threading.Semaphore(alive), _Feed(jobs)
    inside = _Inside(stop or Stop())
    loop = partial(_loop, feed, do, room, inside)
    try:
        work([loop] * threads, workers=threads, stop=inside.stop)
    finally:
        inside.wait()


class _Inside:
    """How many threads are doing a job; none begins one after the stop."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
        self._count, self._changed = 0, threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self.stop.check()
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify()

    def wait(self) -> None:
        """Wait until nobody is."""
        with self._changed:
            self._changed.wait_for(lambda: not self._count)


class _Feed(Generic[T]):
    """An iterator that several threads draw from."""

    def __init__(self, jobs: Iterable[T]) -> None:
        self._jobs, self._lock = iter(jobs), threading.Lock()

    def take(self) -> list[T]:
        """Return the next job, or nothing when there is none."""
        with self._lock:
            for job in self._jobs:
                return [job]
            return []


def _loop(
    feed: _Feed[T],
    do: Callable[[T, Callable[[], None]], None],
    room: threading.Semaphore,
    inside: _Inside,
) -> None:
    while True:
        while not room.acquire(timeout=_LOOK_S):
            inside.stop.check()
        inside.stop.check()
        taken = feed.take()
        if not taken:
            room.release()
            return
        with inside:
            do(taken[0], room.release)
