"""Media that refuse what is written: no half volume keeps a name, nothing is lost."""

import os
import signal
from pathlib import Path

import pytest

from airlift.errors import RegistryError, StoreError
from faults.quick import Quick
from faults.shim import needs_shim, rule
from faults.world import (
    World,
    again,
    assert_whole,
    take_in,
    wait_for_a_volume,
)
from integration.sides import Side

pytestmark = [pytest.mark.faults, needs_shim]


def assert_same(world: World, medium: Path) -> None:
    """Check that the volumes on *medium* are those that were written before."""
    names = sorted(path.name for path in medium.iterdir() if path.suffix == ".tar")
    assert names == [path.name for path in world.volumes]
    for path in world.volumes:
        assert (medium / path.name).read_bytes() == path.read_bytes()
    assert not list(medium.glob("*.part"))


def finished(medium: Path) -> list[str]:
    """Return the names of what looks finished, and check that nothing else is there."""
    names = sorted(path.name for path in medium.iterdir())
    assert [one for one in names if not one.endswith(".tar")] == []
    return names


def test_a_sync_that_fails_costs_the_volume(
    world: World, sender: Quick, tmp_path: Path
) -> None:
    """Row 29: a second sync would say yes to pages that are lost, so none is tried."""
    medium = tmp_path / "medium"
    failing = sender.under(rule("eio", "fsync", ".0002-of-0003.tar.part", 1))
    error, hint = failing.fails(StoreError.exit_code, *again(medium))[-2:]
    part = medium / (world.volumes[1].name + ".part")
    assert error == f"airlift: error: cannot write {part}: Input/output error"
    assert hint == "airlift: hint: check the medium, then run the same command again"
    assert finished(medium) == [world.volumes[0].name]
    sender.ok(*again(medium))
    assert_same(world, medium)


def test_a_folder_whose_sync_fails_is_told(
    world: World, sender: Quick, tmp_path: Path
) -> None:
    """Row 29: the volume is whole, its name may not be; the same command makes sure."""
    medium = tmp_path / "medium"
    medium.mkdir()
    # Its own folder is made by then: one sync of it after each volume.
    failing = sender.under(rule("eio", "fsync", f"{medium}", 1, 1))
    error = failing.fails(StoreError.exit_code, *again(medium))[-2]
    assert error == (
        f"airlift: error: cannot sync the folder {medium}: input/output error"
    )
    sender.ok(*again(medium))
    assert_same(world, medium)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("enospc", "{folder} is full: {part} could not be finished"),
        ("efbig", "{part} is larger than the file system of {folder} allows"),
        ("eio", "cannot write {folder}/{part}: Input/output error"),
        ("enodev", "cannot write {folder}/{part}: No such device"),
    ],
)
def test_a_medium_that_refuses_a_write_keeps_what_is_whole(
    world: World, sender: Quick, tmp_path: Path, error: str, told: str
) -> None:
    """Row 30, and a stick pulled out: the half volume goes, for the room it takes."""
    medium = tmp_path / "medium"
    part = world.volumes[2].name + ".part"
    refusing = sender.under(rule(error, "write", part, 0, 1))
    line = refusing.fails(StoreError.exit_code, *again(medium))[-2]
    assert line == "airlift: error: " + told.format(folder=medium, part=part)
    assert finished(medium) == [path.name for path in world.volumes[:2]]
    sender.ok(*again(medium))
    assert_same(world, medium)


def test_what_an_earlier_try_left_is_written_over(
    world: World, sender: Quick, tmp_path: Path
) -> None:
    """Row 37: a killed export leaves a `.part`; it never becomes a volume as it is."""
    medium = tmp_path / "medium"
    medium.mkdir()
    for path in world.volumes:
        (medium / f"{path.name}.part").write_bytes(b"old" * 1_000_000)
    sender.ok(*again(medium))
    assert_same(world, medium)


def test_two_imports_at_once_do_not_meet(world: World, side: Quick) -> None:
    """Row 38: the second says who is at work, changes nothing, and may come later."""
    slow = side.under(
        rule("delay", "read", world.volumes[1].name, 2_000_000, 3_600_000)
    )
    first = slow.begin(*take_in(world.medium))
    wait_for_a_volume(side)
    other = Side(side.home)
    error, hint = other.fails(RegistryError.exit_code, *take_in(world.medium))[-2:]
    assert error == (
        f"airlift: error: the registry is busy: process {first}, `import` is writing"
    )
    assert hint == ("airlift: hint: wait for it to finish, then run the command again")
    os.kill(first, signal.SIGINT)
    assert side.end().returncode == 130
    side.ok(*take_in(world.medium))
    assert_whole(side)
