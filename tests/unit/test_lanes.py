"""Lanes: order where it is needed, an end at once where something fails."""

import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from airlift import lanes
from airlift.lanes import Lane


def test_a_lane_takes_items_in_order_whoever_brings_them() -> None:
    """A digest of slabs in the wrong order would refuse a sound file."""
    taken: list[int] = []
    lane = Lane(taken.append)
    numbers = list(range(2000))
    random.Random(1).shuffle(numbers)
    quarters = [numbers[at::4] for at in range(4)]

    def bring(quarter: list[int]) -> None:
        for number in quarter:
            lane.put(number, number)

    threads = [threading.Thread(target=bring, args=(one,)) for one in quarters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == list(range(2000))


def test_a_lane_may_begin_anywhere() -> None:
    """A part in the middle of a file has a lane of its own."""
    taken: list[str] = []
    lane = Lane(taken.append, first=7)
    lane.put(8, "b")
    assert taken == []
    lane.put(7, "a")
    assert taken == ["a", "b"]


def test_no_more_jobs_are_alive_than_allowed() -> None:
    """That is what bounds memory, whatever the size of a model."""
    lock, alive, most = threading.Lock(), 0, 0
    held: list[Callable[[], None]] = []

    def do(_job: int, done: Callable[[], None]) -> None:
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
            held.append(done)
            ready, held[:] = (held[:], []) if len(held) == 3 else ([], held)
        for one in ready:
            with lock:
                alive -= 1
            one()

    lanes.run(range(300), do, alive=3, threads=5)
    assert most == 3
    assert alive == 0


def test_the_first_error_ends_the_rest_and_comes_out() -> None:
    """A full disk must not be found out slab by slab for an hour."""
    begun: list[int] = []

    def do(job: int, done: Callable[[], None]) -> None:
        begun.append(job)
        if job == 5:
            problem = "the disk is full"
            raise OSError(problem)
        time.sleep(0.001)
        done()

    with pytest.raises(OSError, match=r"^the disk is full$"):
        lanes.run(range(100_000), do, alive=3, threads=3)
    assert len(begun) < 100


def test_an_error_of_the_jobs_comes_out() -> None:
    """They read files, which may be gone."""

    def jobs() -> Iterator[int]:
        yield 1
        problem = "no such file"
        raise FileNotFoundError(problem)

    with pytest.raises(FileNotFoundError, match=r"^no such file$"):
        lanes.run(jobs(), lambda _job, done: done())


def test_workers_that_wait_for_room_end_with_the_rest() -> None:
    """A thread left behind would hold its slab for ever."""
    before = threading.active_count()

    def do(job: int, _done: Callable[[], None]) -> None:
        if job == 1:
            time.sleep(0.2)
            problem = "it broke"
            raise ValueError(problem)

    with pytest.raises(ValueError, match=r"^it broke$"):
        lanes.run(range(10), do, alive=2, threads=4)
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_nobody_is_at_work_once_run_has_ended() -> None:
    """Files are closed then; a late write would go to whatever has their number now."""
    ended: list[int] = []
    slow = threading.Event()

    def do(job: int, done: Callable[[], None]) -> None:
        if job == 1:
            slow.wait(10)
            raise ValueError(job)
        slow.set()
        time.sleep(1)  # longer than threads that were told to stop are waited for
        ended.append(job)
        done()

    with pytest.raises(ValueError, match="1"):
        lanes.run(range(2), do, threads=2)
    assert ended == [0]


def test_a_source_that_hangs_is_left_alone() -> None:
    """A pipe that gives nothing must not keep an error, or Ctrl-C, from coming out."""
    hanging = threading.Event()

    def jobs() -> Iterator[int]:
        yield 0
        hanging.wait(30)
        yield 1

    def do(job: int, _done: Callable[[], None]) -> None:
        raise ValueError(job)

    begun = time.monotonic()
    with pytest.raises(ValueError, match="0"):
        lanes.run(jobs(), do, threads=2)
    assert time.monotonic() - begun < 20
    hanging.set()
