"""What the tests of faults work with: a delivery, two sides, a bench for sticks."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults import shim
from faults.quick import Quick, Runner
from faults.sticks import Bench, Sticks
from faults.world import World


@pytest.fixture(scope="session", name="world")
def _world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A finished delivery of three volumes; never changed."""
    return World.made(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session", name="library")
def _library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shim, compiled."""
    return shim.library(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="session", name="runner")
def _runner(library: Path) -> Iterator[Runner]:
    """What starts commands under the shim."""
    runner = Runner(library)
    yield runner
    runner.close()


@pytest.fixture(name="side")
def _side(world: World, tmp_path: Path, runner: Runner) -> Quick:
    """A fresh isolated side."""
    return world.isolated(tmp_path, runner)


@pytest.fixture(name="sender")
def _sender(world: World, tmp_path: Path, runner: Runner) -> Quick:
    """The side that sends, as it was after the delivery."""
    return world.sender(tmp_path, runner)


@pytest.fixture(scope="session", name="sticks")
def _sticks(
    library: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sticks]:
    """A place for sticks, and nothing left of it afterwards."""
    with Bench() as bench:
        runner = Runner(library, bench.inside)
        folder, numbers = tmp_path_factory.mktemp("sticks"), itertools.count(1)
        yield Sticks(bench, runner, folder, numbers)
        runner.close()
