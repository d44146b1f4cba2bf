"""Media that are hard to read: what can be had of them is had, the rest is named.

The shim refuses, spoils and delays what the real command reads. ``test_sticks.py`` does
the same with errors of the kernel's own.
"""

import fcntl
import itertools
import os
import pty
import re
import shutil
import signal
import struct
import termios
from pathlib import Path

import pytest

from airlift.errors import FormatError, IncompleteError, RequestError
from airlift.registry.registry import Registry
from faults.quick import Quick
from faults.shim import needs_shim, rule
from faults.world import (
    World,
    assert_nothing_live,
    assert_whole,
    take_in,
    wait_for_a_volume,
    without_reissue,
)

pytestmark = [pytest.mark.faults, needs_shim]

PAGE = 4096


UNITS = {"B": 1, "kB": 1000, "MB": 1_000_000}


def to_write(side: Quick, medium: Path) -> float:
    """Return how many bytes of the delivery have not come yet, to three digits."""
    plan = side.ok("import", str(medium), "--dry-run")
    (told,) = re.findall(r"; ([\d.]+) (k?M?B) to write", plan)
    return float(told[0]) * UNITS[told[1]]


def test_one_bad_sector_costs_its_slab_and_is_named_to_the_page(
    world: World, side: Quick
) -> None:
    """Row 19: a scratch in a large file does not cost the volume, or the disc.

    The slab around it holds 4 MiB of one hash, so that much has to come again.
    """
    bad = world.volumes[1]
    at = 3_000_000
    spoilt = side.under(rule("bad", "read", bad.name, at, at + 512))
    error, hint = spoilt.fails(FormatError.exit_code, *take_in(world.medium))[-2:]
    page = at // PAGE * PAGE
    assert error == (
        f"airlift: error: {bad}: byte {page}: 4096 bytes cannot be read: "
        "Input/output error"
    )
    assert without_reissue(hint, "2") == (
        "airlift: hint: what verified is kept; bring good copies of: " + bad.name
    )
    assert_nothing_live(side)
    assert 4_000_000 < to_write(side, world.medium) <= 4_200_000
    side.ok(*take_in(bad))
    assert_whole(side)


def test_a_bad_sector_among_small_files_costs_what_lies_in_it(
    world: World, side: Quick
) -> None:
    """Row 19: headers and files that share a page with it, and nothing behind them."""
    bad = world.volumes[2]
    at = bad.stat().st_size - 90_000
    page = at // PAGE * PAGE
    spoilt = side.under(rule("bad", "read", bad.name, page, page + PAGE))
    error = spoilt.fails(FormatError.exit_code, *take_in(world.medium))[-2]
    told = rf"{bad}: byte (\d+): (\d+) bytes cannot be read: Input/output error"
    places = [
        (int(found[1]), int(found[1]) + int(found[2]))
        for fault in error.removeprefix("airlift: error: ").split("; ")
        if (found := re.fullmatch(told, fault))
    ]
    assert len(places) == error.count("; ") + 1 >= 4
    assert (places[0][0], places[-1][1]) == (page, page + PAGE)
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(places))
    assert to_write(side, world.medium) < 10_000
    side.ok(*take_in(bad))
    assert_whole(side)


def test_several_bad_places_of_a_slab_are_counted(world: World, side: Quick) -> None:
    """Row 19: one line for a slab, with how much of it is bad."""
    bad = world.volumes[1]
    rules = [
        rule("bad", "read", bad.name, at, at + size)
        for at, size in ((1_000_000, 5000), (2_000_000, 1))
    ]
    spoilt = side.under(*rules)
    error = spoilt.fails(FormatError.exit_code, *take_in(world.medium))[-2]
    first = 1_000_000 // PAGE * PAGE
    stop = (2_000_000 // PAGE + 1) * PAGE
    assert error.endswith(
        f": byte {first}: 12288 bytes in 2 places up to byte {stop} cannot be read: "
        "Input/output error"
    )


def test_two_scratched_copies_make_one_good_volume(
    world: World, side: Quick, tmp_path: Path
) -> None:
    """Row 19: slabs come from whichever copy has them."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        shutil.copytree(world.medium, folder)
    name = world.volumes[2].name
    spoilt = side.under(
        rule("bad", "read", f"first/{name}", 3_000_000, 3_000_001),
        rule("bad", "read", f"second/{name}", 4_899_000, 4_899_001),
    )
    done = spoilt.run("import", str(first), str(second), "--yes")
    assert done.returncode == 0, done.stderr
    reason = "cannot be read: Input/output error; it was not needed"
    told = [line for line in done.stderr.splitlines() if "warning: " in line]
    assert told == [
        f"airlift: warning: {first / name}: byte 2998272: 4096 bytes {reason}",
        f"airlift: warning: {second / name}: byte 4898816: 512 bytes {reason}",
    ]
    assert_whole(side)


def test_reads_that_give_less_are_gone_on_with(world: World, side: Quick) -> None:
    """Row 20: network folders and signals do it; it is no error."""
    short = side.under(rule("short", "read", ".tar", 1000))
    short.ok(*take_in(world.medium))
    assert_whole(side)


def test_a_volume_that_cannot_be_opened_does_not_stop_the_others(
    world: World, side: Quick
) -> None:
    """Row 21: it is named once, and the rest of the stick is taken."""
    shut = world.volumes[2]
    spoilt = side.under(rule("eio", "open", shut.name))
    error, hint = spoilt.fails(FormatError.exit_code, *take_in(world.medium))[-2:]
    assert error == (
        f"airlift: error: {shut}: byte 0: cannot be opened: Input/output error"
    )
    kept = without_reissue(hint, "3")
    assert kept.endswith(f"bring good copies of: {shut.name}")
    side.ok(*take_in(shut))
    assert_whole(side)


def test_a_folder_that_is_listed_in_part_gives_that_part(
    world: World, side: Quick, tmp_path: Path
) -> None:
    """Row 21: a bad sector in a folder must not look like a smaller stick."""
    stick = world.stick(tmp_path)
    for path in stick.iterdir():
        if path.suffix != ".tar":
            path.unlink()
    # "." and ".." come too, in any order.
    spoilt = side.under(rule("eio", "list", "stick", 0, 4))
    lines = spoilt.fails(FormatError.exit_code, *take_in(stick))
    assert f"{stick}: byte 0: the list of what lies in it breaks off" in lines[-2]
    side.ok(*take_in(stick))
    assert_whole(side)


def test_a_folder_that_cannot_be_listed_is_said_so(world: World, side: Quick) -> None:
    """Row 21: nothing of it came, and it is not called empty."""
    spoilt = side.under(rule("eio", "list", str(world.medium)))
    error = spoilt.fails(RequestError.exit_code, *take_in(world.medium))[-2]
    assert error == (f"airlift: error: cannot read {world.medium}: Input/output error")


@pytest.mark.parametrize("errno", ["eio", "enodev"])
def test_a_medium_that_disappears_is_asked_for_again(
    world: World, side: Quick, tmp_path: Path, errno: str
) -> None:
    """Rows 22 and 23: not damage, so no exit code of damage; the rest comes later.

    From the third volume on nothing answers any more. It goes on from another place.
    """
    gone = world.volumes[2]
    spoilt = side.under(rule(errno, "read", gone.name, 0, 3))
    error, hint = spoilt.fails(IncompleteError.exit_code, *take_in(world.medium))[-2:]
    assert error == f"airlift: error: {gone}: its medium is not there any more"
    assert without_reissue(hint, "3") == (
        "airlift: hint: put it in again, mounted anywhere, and run the same command; "
        f"what verified is kept; still needed: {gone.name}"
    )
    assert_nothing_live(side)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(gone, elsewhere)
    side.ok(*take_in(elsewhere))
    assert_whole(side)


@pytest.mark.parametrize(
    ("number", "at"), [(1, 1_000_000), (2, 4_860_000)], ids=["slab", "small file"]
)
def test_what_is_right_the_second_time_is_taken_and_told(
    world: World, side: Quick, number: int, at: int
) -> None:
    """Row 25: a loose contact; the operator should know before it gets worse."""
    loose = world.volumes[number]
    spoilt = side.under(rule("flip", "read", loose.name, at, 1))
    done = spoilt.run(*take_in(world.medium))
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == (
        f"airlift: warning: unstable medium: {loose}: 1 piece(s) were right only when "
        "read again; copy it while it can be read"
    )
    assert_whole(side)


def test_a_read_that_fails_once_is_told_too(world: World, side: Quick) -> None:
    """Row 25, by an error instead of a wrong byte; programs and the log hear of it."""
    loose = world.volumes[1]
    spoilt = side.under(rule("shy", "read", loose.name, 3_000_000, 1))
    told = spoilt.json(*take_in(world.medium))
    (delivery,) = told["deliveries"]
    assert delivery["unstable"] == {str(loose): 1}
    registry = Registry.open(side.home)
    (warned,) = [one for one in registry.events() if one.outcome == "warned"]
    registry.close()
    assert (warned.action, dict(warned.detail)) == (
        "import",
        {
            "problem": f"unstable medium: {loose}: 1 piece(s) were right only when "
            "read again"
        },
    )
    assert_whole(side)


def test_what_is_wrong_every_time_is_damage(world: World, side: Quick) -> None:
    """Row 1 beside row 25: asking again does not make wrong bytes right."""
    bad = world.volumes[1]
    spoilt = side.under(rule("flip", "read", bad.name, 3_000_000, 1000))
    error = spoilt.fails(FormatError.exit_code, *take_in(world.medium))[-2]
    assert error.endswith(" differ from their signed digest")
    side.ok(*take_in(bad))
    assert_whole(side)


def read(terminal: int) -> bytes:
    """Return some of what was printed at a terminal; nothing when that is all."""
    try:
        return os.read(terminal, 1 << 16)
    except BlockingIOError:
        return b""


def test_a_slow_medium_is_waited_for_and_progress_is_shown(
    world: World, side: Quick
) -> None:
    """Row 24: hours are no fault; who waits sees bytes and a rate."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
    slow = side.under(rule("sleep", "read", ".tar", 250))
    slow.begin(*take_in(world.medium), err=os.ttyname(theirs))
    done = slow.end()
    os.set_blocking(ours, False)
    shown = b"".join(iter(lambda: read(ours), b""))
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, shown
    assert b"importing: " in shown
    assert b"B/s]" in shown
    assert_whole(side)


def test_a_medium_that_hangs_can_be_left(world: World, side: Quick) -> None:
    """Row 24: Ctrl-C does not wait for the read that hangs; what came is kept."""
    hanging = rule("delay", "read", world.volumes[1].name, 2_000_000, 3_600_000)
    process = side.under(hanging).begin(*take_in(world.medium))
    wait_for_a_volume(side)
    os.kill(process, signal.SIGINT)
    done = side.end()
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert_nothing_live(side)
    side.ok(*take_in(world.medium))
    assert_whole(side)
