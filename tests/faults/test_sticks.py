"""Sticks that are scratched, pulled out, forged: with the kernel's own errors.

A file system of the kernel's (ext4) or of FUSE's (exFAT) lies on an image that refuses,
spoils, delays or loses what it is told to, so that page cache, read-ahead and sync are
those of the real thing.
"""

import os
import re
import signal
from pathlib import Path

import pytest

from airlift.errors import FormatError, IncompleteError, RequestError
from airlift.outbound.checking import FAKE
from faults.quick import Quick
from faults.shim import needs_shim, rule
from faults.sticks import Stick, Sticks, needs_exfat, needs_sticks
from faults.world import (
    World,
    again,
    assert_nothing_live,
    assert_whole,
    take_in,
    wait_for_a_volume,
    without_reissue,
)
from integration.sides import SITE

pytestmark = [pytest.mark.faults, needs_sticks, needs_shim]

SYSTEMS = ["ext4", pytest.param("exfat", marks=needs_exfat)]
SECTOR = 512


def sector(stick: Stick, volume: Path, at: int) -> list[int]:
    """Return where on the stick the sector with byte *at* of *volume* lies."""
    data = volume.read_bytes()
    at = at // SECTOR * SECTOR
    place = stick.place(data[at : at + SECTOR])
    return [place, place + SECTOR]


@pytest.fixture(name="side")
def _side(world: World, tmp_path: Path, sticks: Sticks) -> Quick:
    """A fresh isolated side that sees the sticks."""
    return world.isolated(tmp_path, sticks.runner)


@pytest.fixture(name="sender")
def _sender(world: World, tmp_path: Path, sticks: Sticks) -> Quick:
    """The side that sends, as it was after the delivery; it sees the sticks too."""
    return world.sender(tmp_path, sticks.runner)


@pytest.mark.parametrize("system", SYSTEMS)
def test_bad_sectors_cost_a_page_each(
    world: World, sticks: Sticks, side: Quick, system: str
) -> None:
    """Row 19: of three bad sectors in two volumes, all else is taken."""
    stick = sticks.make(system)
    stick.hold(world.medium)
    _, second, third = world.volumes
    places = [(second, 3_000_000), (second, 3_000_600), (third, 2_000_000)]
    stick.lie(bad=[sector(stick, *one) for one in places])
    with stick.mounted("ro"):
        error, hint = side.fails(FormatError.exit_code, *take_in(stick.point))[-2:]
    # exFAT comes through a server whose own reads fail a cache's unit at a time.
    size = r"4096" if system == "ext4" else r"\d+"
    for name, page in ((second.name, "2998272"), (third.name, "1998848")):
        at = page if system == "ext4" else r"\d+"
        told = rf"{stick.point / name}: byte {at}: {size} bytes cannot be read: "
        assert re.search(told + "Input/output error", error)
    assert error.count("cannot be read") == 2 or system != "ext4"
    kept = without_reissue(hint, "2-3")
    assert kept.endswith(f"bring good copies of: {second.name}, {third.name}")
    assert_nothing_live(side)
    stick.lie()
    with stick.mounted("ro"):
        side.ok(*take_in(stick.point))
    assert_whole(side)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_stick_pulled_out_is_asked_for_and_gone_on_with(
    world: World, sticks: Sticks, side: Quick, system: str
) -> None:
    """Rows 22 and 23: what came stays, and the stick may come back anywhere."""
    stick = sticks.make(system)
    stick.hold(world.medium)
    stick.lie(slow=0.02)
    stick.mount("ro")
    side.begin(*take_in(stick.point))
    wait_for_a_volume(side)
    stick.pull()
    done = side.end()
    error, hint = done.stderr.splitlines()[-2:]
    assert done.returncode == IncompleteError.exit_code, done.stderr
    gone = error.removeprefix("airlift: error: ").removesuffix(
        ": its medium is not there any more"
    )
    assert gone in [str(stick.point / one.name) for one in world.volumes[1:]]
    assert hint.startswith(
        "airlift: hint: put it in again, mounted anywhere, and run the same command; "
        "what verified is kept; still needed: "
    )
    assert Path(gone).name in hint
    assert world.volumes[0].name not in hint
    assert_nothing_live(side)
    other = stick.snapshot(sticks.place())
    with other.mounted("ro"):
        side.ok(*take_in(other.point))
    assert_whole(side)


def test_a_slow_stick_can_be_left(
    world: World,
    sticks: Sticks,
    side: Quick,
) -> None:
    """Row 24: Ctrl-C takes no longer than the read that is going on."""
    stick = sticks.make()
    stick.hold(world.medium)
    stick.lie(slow=0.03)
    with stick.mounted("ro"):
        process = side.begin(*take_in(stick.point))
        wait_for_a_volume(side)
        stick.lie(slow=1.0)
        os.kill(process, signal.SIGINT)
        done = side.end()
        assert done.returncode == 130, done.stderr
        assert "Traceback" not in done.stderr
        assert_nothing_live(side)
        stick.lie(slow=0.002)
        side.ok(*take_in(stick.point))
    assert_whole(side)


def test_a_byte_that_is_wrong_once_is_read_again(
    world: World, sticks: Sticks, side: Quick
) -> None:
    """Row 25: the second reading comes from the stick, not out of a cache.

    Only where the file system lets reads go past the caches below it: the server of
    exFAT keeps one of its own, and what is wrong in that stays wrong until it goes.
    """
    stick = sticks.make()
    stick.hold(world.medium)
    loose = world.volumes[1]
    place = sector(stick, loose, 3_000_000)[0]
    stick.lie(flip={"at": place, "times": 1})
    with stick.mounted("ro"):
        done = side.run(*take_in(stick.point))
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == (
        f"airlift: warning: unstable medium: {stick.point / loose.name}: 1 piece(s) "
        "were right only when read again; copy it while it can be read"
    )
    assert_whole(side)


@needs_exfat
def test_a_forged_stick_is_found_out_once_it_was_mounted_again(
    world: World, sticks: Sticks, side: Quick, sender: Quick
) -> None:
    """Row 26: 8 of the 64 MiB it claims. Every write and sync of it says yes.

    Both ends find it: who wrote it by a check, who reads it by the digests.
    """
    stick = sticks.make("exfat", real=8 << 20)
    with stick.mounted():
        sender.ok(*again(stick.point))
    with stick.mounted():
        lines = sender.fails(FormatError.exit_code, "check", str(stick.point))
        bad = [one.name for one in world.volumes[-2:]]
        slip = sender.run("check", str(stick.point)).stdout.splitlines()
        told = [one.split()[1].rstrip(":") for one in slip if one.startswith("BAD ")]
        assert set(bad) <= set(told)
        assert world.volumes[0].name not in told
        error = side.fails(FormatError.exit_code, *take_in(stick.point))[-2]
    assert lines[-1].endswith(f"`; {FAKE}")
    assert world.volumes[-1].name in error
    assert_nothing_live(side)


@needs_exfat
def test_a_forged_stick_that_wraps_is_named_as_a_cause(
    sticks: Sticks, sender: Quick
) -> None:
    """Row 27: it writes over its own beginning, and is no stick any more."""
    stick = sticks.make("exfat")
    stick.lie(wrap=8 << 20)
    with stick.mounted():
        sender.ok(*again(stick.point))
    with pytest.raises(AssertionError, match="FUSE exfat"):
        stick.mount()
    error, hint = sender.fails(RequestError.exit_code, "check", str(stick.point))[-2:]
    assert error == (f"airlift: error: no volume of delivery 1 is in {stick.point}")
    assert hint == f"airlift: hint: is this the right medium, and mounted? {FAKE}"


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_sync_that_lies_is_found_out_by_a_check(
    world: World, sticks: Sticks, sender: Quick, system: str
) -> None:
    """Row 28: nothing but a check after a fresh mount says that a stick is good."""
    stick = sticks.make(system)
    lying = sender.under(rule("noop", "fsync", stick.point))
    with stick.mounted():
        lying.ok(*again(stick.point))
        pulled = stick.snapshot(sticks.place())
    with pulled.mounted():
        done = sender.run("check", str(pulled.point))
        assert done.returncode in (RequestError.exit_code, FormatError.exit_code)
        assert "good " not in done.stdout
    with stick.mounted():
        slip = sender.ok("check", str(stick.point))
        assert f"delivery 1 to {SITE}" in slip
        assert slip.count("good ") == len(world.volumes)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_stick_pulled_out_while_it_is_written_brings_nothing_wrong(
    world: World, sticks: Sticks, side: Quick, system: str
) -> None:
    """Row 7: names and sizes may be right, bytes are not; only bytes count.

    Copied without a sync, as a file manager does, and pulled in the middle of it.
    """
    stick = sticks.make(system)
    stick.mount()
    sticks.bench.sh('cp "$1"/*.tar "$2"', world.medium, stick.point)
    pulled = stick.snapshot(sticks.place())
    with pulled.mounted():
        done = side.run(*take_in(pulled.point))
    assert done.returncode in (2, FormatError.exit_code, IncompleteError.exit_code)
    assert_nothing_live(side)
    stick.unmount()
    with stick.mounted("ro"):
        side.ok(*take_in(stick.point))
    assert_whole(side)


@needs_exfat
def test_exfat_takes_every_name_that_airlift_writes(
    sticks: Sticks, side: Quick, sender: Quick
) -> None:
    """Row 36: it refuses colons and ignores case; models keep their names inside."""
    stick = sticks.make("exfat")
    with stick.mounted():
        sender.ok(*again(stick.point), "--spare", "1")
    with stick.mounted("ro"):
        sender.ok("check", str(stick.point))
        side.ok(*take_in(stick.point))
    assert_whole(side)


def test_a_stick_mounted_for_reading_is_enough(
    world: World, sticks: Sticks, side: Quick, sender: Quick
) -> None:
    """Row 33: a lock switch or a disc; neither import nor check writes to it."""
    stick = sticks.make()
    stick.hold(world.medium)
    with stick.mounted("ro"):
        before = stick.backing.read_bytes()
        sender.ok("check", str(stick.point))
        side.ok(*take_in(stick.point))
    assert stick.backing.read_bytes() == before
    assert_whole(side)
