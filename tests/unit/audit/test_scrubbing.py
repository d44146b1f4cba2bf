"""Within any budget, what has waited longest is hashed first, and it comes round."""

from dataclasses import replace
from pathlib import Path

import pytest

from airlift import lanes
from airlift.audit import scrubbing
from airlift.audit.scrubbing import Means
from airlift.digest import sha256
from airlift.progress import Silent
from airlift.registry import hashed
from airlift.registry.hashed import State
from audited import World, model

FILES = {f"part-{n}": bytes([n]) * (1000 + n) for n in range(10)}
DIGESTS = [sha256(data) for data in FILES.values()]


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.bring(model(files=FILES))
    return world


class Time:
    """A clock that goes on a second with each look at it, and a day with each lot."""

    def __init__(self) -> None:
        self.seconds, self.day = 0, 1

    def now(self) -> str:
        """Return a day, each time the next."""
        self.day += 1
        return f"2026-04-{self.day:02d}T00:00:00Z"

    def clock(self) -> float:
        """Return seconds, each time one more."""
        self.seconds += 1
        return float(self.seconds)


def means(world: World, time: Time, first: int = scrubbing.FIRST) -> Means:
    """Return what hashing is done with."""
    return Means(
        home=world.home,
        store=world.store,
        now=time.now,
        clock=time.clock,
        progress=Silent(),
        first=first,
    )


def test_bad_ones_then_the_oldest_then_what_is_served(world: World) -> None:
    """What was put right must not be told as bad for long."""
    first, second, third = DIGESTS[:3]
    day = "2026-03-{:02d}T00:00:00Z".format
    hashed.record(world.home, [(first, State.IDENTICAL)], time=day(20))
    hashed.record(world.home, [(second, State.CHANGED)], time=day(25))
    hashed.record(world.home, [(third, State.IDENTICAL)], time=day(10))
    order = [one.blob for one in scrubbing.oldest_first(hashed.known(world.home))]
    assert order[0] == second
    assert order[-2:] == [third, first]
    assert order[1:-2] == sorted(DIGESTS[3:])


def test_everything_is_read_and_noted(world: World) -> None:
    """The time that is noted is that before the first byte was read."""
    known = hashed.known(world.home)
    done = scrubbing.run(known, means(world, Time()))
    assert (len(done.looks), done.left, done.bad) == (10, 0, ())
    assert done.size == sum(map(len, FILES.values()))
    after = hashed.known(world.home)
    assert {(one.since, one.state) for one in after} == {
        ("2026-04-02T00:00:00Z", State.IDENTICAL)
    }


def test_runs_too_short_for_all_come_round_in_the_end(world: World) -> None:
    """However short a night is, no file is left out for ever."""
    time, looked = Time(), []
    for _ in range(10):
        order = scrubbing.oldest_first(hashed.known(world.home))
        done = scrubbing.run(order, means(world, time, first=1), budget_s=0)
        assert (len(done.looks), done.left) == (1, 9)
        looked.append(done.looks[0].blob)
    assert sorted(looked) == sorted(DIGESTS)


def test_a_budget_ends_when_its_time_is_over(world: World) -> None:
    """Each look at this clock takes a second: the lots after the first are sized by it."""
    known = scrubbing.oldest_first(hashed.known(world.home))
    done = scrubbing.run(known, means(world, Time(), first=1), budget_s=4)
    assert 1 < len(done.looks) < 10
    assert len(done.looks) + done.left == 10
    noted = {one.since for one in hashed.known(world.home) if one.state}
    assert len(noted) > 1


def test_a_run_that_is_broken_off_loses_one_lot(world: World) -> None:
    """Ctrl-C after hours must not throw hours away."""
    time, lots = Time(), []

    def now() -> str:
        lots.append(1)
        if len(lots) == 3:
            raise KeyboardInterrupt
        return time.now()

    known = scrubbing.oldest_first(hashed.known(world.home))
    with pytest.raises(KeyboardInterrupt):
        scrubbing.run(known, replace(means(world, time), now=now, lot=1))
    noted = [one for one in hashed.known(world.home) if one.state]
    assert len(noted) == 2 * min(lanes.THREADS, 5)
    left = scrubbing.oldest_first(hashed.known(world.home))[: 10 - len(noted)]
    assert {one.state for one in left} == {None}


def test_a_sample_is_drawn_by_lot_and_says_what_it_rules_out(world: World) -> None:
    """Ten sound ones of a thousand say little of the rest, and say how little."""
    known = hashed.known(world.home)
    assert len(scrubbing.sampled(known, 30, seed=1)) == 3
    assert len(scrubbing.sampled(known, 0.001, seed=1)) == 1
    drawn = {tuple(scrubbing.sampled(known, 30, seed=seed)) for seed in range(20)}
    assert len(drawn) > 10
    assert round(scrubbing.share_missed(10), 4) == 0.2589
    assert round(scrubbing.share_missed(299), 4) == 0.01
    assert scrubbing.share_missed(0) == 1.0
