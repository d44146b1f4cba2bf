"""Several media: what fits where, what fails, what goes on, and what comes again."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from airlift.artifact import Pinned
from airlift.errors import FormatError, IncompleteError, RequestError, StoreError
from airlift.format import medium_note
from airlift.format.selection import Selection
from airlift.outbound import checking, departure, remaking
from airlift.outbound.allotment import NO_SPARES, Sparing
from airlift.outbound.checking import Checked
from airlift.outbound.departure import Departure, Order
from airlift.outbound.quay import NO_LIMIT, Loading, Media, Wanted
from airlift.outbound.remaking import Archive, Reissued
from airlift.outbound.stowage import Stowage, Stowages
from airlift.progress import Silent
from crossing import NOW, Crossing, noise, weights

FILES = {f"part-{n}.bin": noise(200_000, n) for n in range(1, 10)}
"""Two to a volume: five volumes, the last half full."""
CUT = 500_000
TWO = 2 * CUT + (256 << 10)
"""Bytes of a medium that takes two volumes."""
Act = Callable[[Wanted], bool]


@dataclass
class Carrier:
    """Somebody who brings media as a test wants it, and remembers what was said."""

    acts: list[Act] = field(default_factory=list)
    plans: list[tuple[list[Loading], Wanted | None]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    asked: list[Wanted] = field(default_factory=list)

    def now(self) -> str:
        """Return the time."""
        return NOW

    def loading(self, plan: Sequence[Loading], left: Wanted | None) -> None:
        """Remember a plan."""
        self.plans.append((list(plan), left))

    def trouble(self, problem: str) -> None:
        """Remember what went wrong."""
        self.troubles.append(problem)

    def bring(self, wanted: Wanted) -> bool:
        """Do what the test says."""
        self.asked.append(wanted)
        return self.acts.pop(0)(wanted) if self.acts else False


class Yard:
    """A crossing whose delivery goes to several media."""

    def __init__(self, folder: Path) -> None:
        self.crossing = Crossing(folder)
        self.folder = folder
        self.model = self.crossing.connected.folder("acme/m", FILES)
        self.stowages = Stowages(self.crossing.connected.dock.ledger.folder)

    def stick(self, name: str) -> Path:
        """Return the folder of a medium."""
        return self.folder / name

    def export(
        self,
        *folders: Path,
        carrier: Carrier | None = None,
        most: int = NO_LIMIT,
        wait: bool = False,
        again: int = 0,
        pinned: Sequence[Pinned] | None = None,
        capacity: int = CUT,
        sparing: Sparing = NO_SPARES,
    ) -> Departure:
        """Export to *folders*."""
        media = Media(folders=folders, quay=carrier or Carrier(), most=most, wait=wait)
        order = Order(
            pinned=() if again else tuple(pinned or [self.model]),
            site="plant7",
            folder=folders[0],
            media=media,
            capacity=capacity,
            operator="alice",
            again=again,
            sparing=sparing,
        )
        side = self.crossing.connected
        return departure.export(
            order, side.dock, [side.key], now=NOW, progress=Silent()
        )

    def reissue(
        self,
        *ordinals: int,
        to: Path,
        cutting: str = "",
        most: int = NO_LIMIT,
        sequence: int = 1,
    ) -> Reissued:
        """Write volumes once more."""
        dock = self.crossing.connected.dock
        archive = Archive(
            publisher=dock.publisher,
            ledger=dock.ledger,
            store=dock.store,
            spool=self.folder / "respool",
        )
        chosen = Selection(ordinals=ordinals, cutting=cutting)
        known = remaking.find("plant7", sequence, chosen, archive.stowages)
        media = Media(folders=(to,), quay=Carrier(), most=most)
        return remaking.reissue(known, chosen, archive, media, Silent())

    def stowage(self) -> Stowage:
        """Return what is known of the only cutting."""
        (found,) = self.stowages.of("plant7", 1)
        return found

    def where(self) -> dict[int, tuple[int, ...]]:
        """Return the ordinals on each medium, as noted."""
        return {
            one.number: tuple(int(name.split(".")[1][:4]) for name in one.files)
            for one in self.stowage().berths
        }


@pytest.fixture(name="yard")
def _yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


@pytest.fixture(name="reference")
def _reference(tmp_path: Path) -> dict[str, bytes]:
    """The volumes as one folder gets them."""
    yard = Yard(tmp_path / "reference")
    yard.export(yard.stick("all"))
    return volumes(yard.stick("all"))


def volumes(*folders: Path) -> dict[str, bytes]:
    """Return the volumes in *folders* by name."""
    return {
        path.name: path.read_bytes()
        for folder in folders
        for path in sorted(folder.glob("*.tar"))
    }


def swap(stick: Path, drive: Path, away: Path) -> Act:
    """Return an act: take out what is in *drive* and put in *stick*."""

    def act(_: Wanted) -> bool:
        drive.rename(away)
        stick.mkdir(exist_ok=True)
        stick.rename(drive)
        return True

    return act


# --- several at once ---------------------------------------------------------------


def test_volumes_are_spread_over_media_and_none_is_lost(yard: Yard) -> None:
    """Each gets whole volumes by its room, in order, and together they are all."""
    a, b, c = (yard.stick(name) for name in "abc")
    carrier = Carrier()
    done = yard.export(a, b, c, carrier=carrier, most=TWO)
    assert yard.where() == {1: (1, 2), 2: (3, 4), 3: (5,)}
    assert [len(volumes(one)) for one in (a, b, c)] == [2, 2, 1]
    (plan, left) = carrier.plans[0]
    assert left is None
    assert [(one.number, one.shown()) for one in plan] == [
        (1, "volumes 1-2"),
        (2, "volumes 3-4"),
        (3, "volumes 5"),
    ]
    assert len(done.volumes) == 5
    yard.crossing.isolated.land(a, b, c)


def test_every_medium_has_the_same_small_files(yard: Yard) -> None:
    """A scan station has one stick before it, and must know what belongs to it."""
    a, b, c = (yard.stick(name) for name in "abc")
    yard.export(a, b, c, most=TWO)
    front = "AIRLIFT-plant7-000001"
    for name in ("README.txt", "SHA256SUMS", "SHA256SUMS.sig", "SHA256SUMS.minisig"):
        texts = {(one / f"{front}.{name}").read_bytes() for one in (a, b, c)}
        assert len(texts) == 1, name
    sums = (a / f"{front}.SHA256SUMS").read_text()
    assert [line.split()[1] for line in sums.splitlines()] == [
        f"{front}.{n:04d}-of-0005.tar" for n in range(1, 6)
    ]
    note = medium_note.decode((b / f"{front}.MEDIUM.txt").read_bytes())
    assert note.number == 2
    assert note.media == {1: (1, 2), 2: (3, 4), 3: (5,)}


def test_volumes_are_the_same_wherever_they_go(yard: Yard, tmp_path: Path) -> None:
    """What was asked for again must fit what came first."""
    a, b, c = (yard.stick(name) for name in "abc")
    yard.export(a, b, c, most=TWO)
    whole = tmp_path / "whole"
    yard.export(whole, again=1)
    assert volumes(a, b, c) == volumes(whole)


def test_too_little_room_is_said_before_a_byte_is_written(yard: Yard) -> None:
    """Half a delivery on two sticks is no use to anybody who has only two."""
    a, b = yard.stick("a"), yard.stick("b")
    with pytest.raises(StoreError) as caught:
        yard.export(a, b, most=TWO)
    assert caught.value.problem.startswith("no room for volumes 5, ")
    assert caught.value.hint == (
        "name more media with --to, or be asked for them with --wait; "
        "nothing was written"
    )
    assert not volumes(a, b)


# --- one drive ---------------------------------------------------------------------


def test_one_drive_is_filled_with_one_medium_after_the_other(yard: Yard) -> None:
    """Most hosts have one slot that they allow."""
    drive = yard.stick("drive")
    carrier = Carrier(
        [
            swap(yard.stick("two"), drive, yard.stick("one")),
            swap(yard.stick("three"), drive, yard.stick("second")),
        ]
    )
    yard.export(drive, carrier=carrier, most=TWO, wait=True)
    assert yard.where() == {1: (1, 2), 2: (3, 4), 3: (5,)}
    assert [(one.number, one.count, one.volumes) for one in carrier.asked] == [
        (2, 3, (3, 4, 5)),
        (3, 3, (5,)),
    ]
    sticks = [yard.stick("one"), yard.stick("second"), drive]
    assert [sorted(volumes(one)) for one in sticks] == [
        [f"AIRLIFT-plant7-000001.{n:04d}-of-0005.tar" for n in numbers]
        for numbers in ((1, 2), (3, 4), (5,))
    ]
    sums = {(one / "AIRLIFT-plant7-000001.SHA256SUMS").read_bytes() for one in sticks}
    assert len(sums) == 1
    yard.crossing.isolated.land(*sticks)


def test_a_medium_that_was_not_changed_is_asked_for_again(yard: Yard) -> None:
    """People press Enter; the full stick is still in."""
    drive = yard.stick("drive")
    carrier = Carrier([lambda _: True])
    with pytest.raises(IncompleteError) as caught:
        yard.export(drive, carrier=carrier, most=TWO, wait=True)
    assert [one.number for one in carrier.asked] == [2, 2]
    assert carrier.troubles[0].startswith(f"medium 1 at {drive} has ")
    assert caught.value.problem == (
        "volumes 3-5 of delivery 1 to plant7 are on no medium yet"
    )
    assert caught.value.hint == (
        "what was written counts; with another medium, the same command goes on"
    )


def test_an_export_goes_on_days_later_with_the_next_medium(yard: Yard) -> None:
    """The first sticks are on their way; what is on them is known, not guessed."""
    first, second, third = (yard.stick(name) for name in "123")
    with pytest.raises(IncompleteError):
        yard.export(first, most=TWO, wait=True)
    with pytest.raises(IncompleteError):
        yard.export(second, most=TWO, wait=True)
    done = yard.export(third)
    assert done.resumed
    assert yard.where() == {1: (1, 2), 2: (3, 4), 3: (5,)}
    assert [one.kept for one in done.volumes] == [True, True, True, True, False]
    yard.crossing.isolated.land(first, second, third)


def test_a_stick_that_is_put_in_again_is_known(yard: Yard) -> None:
    """Room that was made on it is used, and it keeps its number."""
    drive = yard.stick("drive")
    with pytest.raises(IncompleteError):
        yard.export(drive, most=TWO, wait=True)
    yard.export(drive)
    assert yard.where() == {1: (1, 2, 3, 4, 5)}


def test_what_was_deleted_from_a_medium_is_written_again(yard: Yard) -> None:
    """Sticks are used again; a volume that nobody has must not count as written."""
    drive = yard.stick("drive")
    with pytest.raises(IncompleteError):
        yard.export(drive, most=TWO, wait=True)
    (drive / "AIRLIFT-plant7-000001.0001-of-0005.tar").unlink()
    carrier = Carrier()
    yard.export(drive, carrier=carrier)
    assert carrier.troubles == [f"medium 1 at {drive} no longer has volumes 1"]
    assert yard.where() == {1: (1, 2, 3, 4, 5)}
    assert len(volumes(drive)) == 5


# --- media that fail ---------------------------------------------------------------


def test_what_a_failing_medium_did_not_get_goes_to_the_next(yard: Yard) -> None:
    """A stick that refuses costs the stick, not the delivery."""
    a, b = yard.stick("a"), yard.stick("b")
    # A folder where volume 2 is to be written: the medium refuses that write.
    blocked = a / "AIRLIFT-plant7-000001.0002-of-0005.tar.part"
    (blocked / "x").mkdir(parents=True)
    carrier = Carrier()
    yard.export(a, b, carrier=carrier, most=8 * CUT)
    assert yard.where() == {1: (1,), 2: (2, 3, 4, 5)}
    assert carrier.troubles == [f"cannot write {blocked}: Is a directory"]
    yard.crossing.isolated.land(a, b)


def test_when_every_medium_failed_the_rest_is_named(yard: Yard) -> None:
    """Nobody finds out on the other side that volumes never left."""
    a, b = yard.stick("a"), yard.stick("b")
    for stick, number in ((a, 2), (b, 3)):
        part = f"AIRLIFT-plant7-000001.{number:04d}-of-0005.tar.part"
        (stick / part / "x").mkdir(parents=True)
    with pytest.raises(IncompleteError) as caught:
        yard.export(a, b)
    assert caught.value.problem == (
        "volumes 3-5 of delivery 1 to plant7 are on no medium yet; "
        f"cannot write {a}/AIRLIFT-plant7-000001.0002-of-0005.tar.part: Is a directory; "
        f"cannot write {b}/AIRLIFT-plant7-000001.0003-of-0005.tar.part: Is a directory"
    )
    yard.export(yard.stick("c"))
    yard.crossing.isolated.land(a, b, yard.stick("c"))


def in_a_namespace(*arguments: str | Path) -> str:
    """Run the program with sticks of its own; return what it printed."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare")
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this host allows no mount namespace to this user")
    here = Path(__file__).parent
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, here / "stowing_program.py", *arguments],
        env={**os.environ, "PYTHONPATH": str(here.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_stick_that_somebody_else_fills_keeps_what_it_got(tmp_path: Path) -> None:
    """What was free when it was looked at is gone; the rest goes to the next stick."""
    part = tmp_path / "a" / "AIRLIFT-plant7-000001.0002-of-0005.tar.part"
    assert in_a_namespace("full", tmp_path) == (
        f"{part.parent} is full: {part.name} could not be finished\n"
        "{1: (1,), 2: (2, 3, 4, 5)}\n"
        "['AIRLIFT-plant7-000001.0001-of-0005.tar']\n"
        "landed\n"
    )


def test_a_stick_that_is_pulled_leaves_nothing_on_the_disk_below(
    tmp_path: Path,
) -> None:
    """The folder where it was mounted takes every write, and counts for none."""
    assert in_a_namespace("pulled", tmp_path) == (
        f"medium 1 at {tmp_path / 'a'} was taken out while it was written\n"
        "{1: (1, 2, 3, 4, 5)}\n"
        "[]\n"
        "landed\n"
    )


def test_a_volume_that_is_there_with_other_bytes_is_written_again(yard: Yard) -> None:
    """A pulled stick has files of the right name and size with anything inside."""
    stick = yard.stick("a")
    yard.export(stick)
    good = volumes(stick)
    name = sorted(good)[2]
    (stick / name).write_bytes(good[name][:-4096] + bytes(4096))
    yard.export(stick, again=1)
    assert volumes(stick) == good


# --- volumes once more ---------------------------------------------------------------


def test_lost_volumes_come_again_byte_for_byte(yard: Yard) -> None:
    """They must fit what arrived of the first ones."""
    a, again = yard.stick("a"), yard.stick("again")
    yard.export(a)
    cutting = yard.stowage().cutting
    done = yard.reissue(2, 4, to=again, cutting=cutting[:8])
    assert done.ordinals == (2, 4)
    first = volumes(a)
    names = sorted(first)
    assert volumes(again) == {name: first[name] for name in (names[1], names[3])}
    assert yard.where() == {1: (1, 2, 3, 4, 5), 2: (2, 4)}
    for name in (names[1], names[3]):
        (a / name).unlink()
    yard.crossing.isolated.land(a, again)


def test_volumes_of_a_delivery_in_pieces_come_again(yard: Yard) -> None:
    """What was built on something is packed by the recipe that was kept."""
    side = yard.crossing.connected
    old = weights(3_000_000)
    new = old[:-100] + bytes(range(100))
    for name, data, base in (("a", old, "none"), ("b", new, "last")):
        pinned = side.folder("acme/w", {"model.safetensors": data})
        side.export(yard.stick(name), pinned, build_on=base)
    assert yard.stick("b").stat().st_size < 1_000_000
    yard.reissue(1, to=yard.stick("again"), sequence=2)
    assert volumes(yard.stick("again")) == volumes(yard.stick("b"))


def test_a_volume_that_does_not_exist_is_refused(yard: Yard) -> None:
    """A digit misheard must not become a trip."""
    yard.export(yard.stick("a"))
    with pytest.raises(RequestError) as caught:
        yard.reissue(5, 6, 7, to=yard.stick("again"))
    assert caught.value.problem == "there is no volume 6-7: the last is 5"


def test_two_cuttings_must_be_told_apart(yard: Yard) -> None:
    """Volume 2 of one is not volume 2 of the other."""
    yard.export(yard.stick("a"))
    yard.export(yard.stick("b"), again=1, capacity=2 * CUT)
    with pytest.raises(RequestError) as caught:
        yard.reissue(2, to=yard.stick("again"))
    assert caught.value.problem.startswith(
        "delivery 1 to plant7 was cut in more than one way: @"
    )
    cutting = next(
        one.cutting for one in yard.stowages.of("plant7", 1) if one.capacity == CUT
    )
    yard.reissue(2, to=yard.stick("again"), cutting=cutting[:8])
    name = "AIRLIFT-plant7-000001.0002-of-0005.tar"
    assert volumes(yard.stick("again")) == {name: (yard.stick("a") / name).read_bytes()}


def test_a_cutting_that_never_was_is_refused(yard: Yard) -> None:
    """The line was misread, or is of another sender."""
    yard.export(yard.stick("a"))
    cutting = yard.stowage().cutting[:8]
    with pytest.raises(RequestError) as caught:
        yard.reissue(2, to=yard.stick("again"), cutting="00000000")
    assert caught.value.problem == (
        "delivery 1 to plant7 was never cut as @00000000, but as "
        f"@{cutting} (5 volumes of at most {CUT} bytes)"
    )


def test_what_was_collected_is_refused_with_what_to_do(yard: Yard) -> None:
    """The volumes cannot be made as they were; a new delivery can."""
    yard.export(yard.stick("a"))
    shutil.rmtree(yard.folder / "connected" / "store" / "blobs")
    with pytest.raises(StoreError) as caught:
        yard.reissue(2, to=yard.stick("again"))
    assert "of delivery 1 to plant7 are no longer in the store" in caught.value.problem
    assert caught.value.hint == (
        "they cannot be written again as they were: make a new delivery with `airlift "
        "export MANIFEST --build-on none`, which fetches them again"
    )
    assert not yard.stick("again").exists()


def test_a_lost_medium_is_written_again(yard: Yard) -> None:
    """Whoever lost a stick knows its number, not its volumes."""
    a, b, c = (yard.stick(name) for name in "abc")
    yard.export(a, b, c, most=TWO)
    known = yard.stowage()
    yard.stowages.write(known.lose(2, NOW))
    assert yard.stowage().pending == known.berths[1].files
    again = yard.stick("again")
    assert yard.reissue(to=again).ordinals == (3, 4)
    assert volumes(again) == volumes(b)
    assert yard.where() == {1: (1, 2), 2: (3, 4), 3: (5,), 4: (3, 4)}
    with pytest.raises(RequestError) as caught:
        yard.reissue(to=again)
    assert caught.value.problem == (
        "every volume of delivery 1 to plant7 is on a medium"
    )


def test_what_waits_is_written_with_what_is_asked_for(yard: Yard) -> None:
    """A trip with volume 2 is the trip that volume 4 was waiting for."""
    a, again = yard.stick("a"), yard.stick("again")
    yard.export(a)
    name = yard.stowage().files[3].name
    yard.stowages.write(yard.stowage().waiting([name]))
    assert yard.reissue(2, to=again).ordinals == (2, 4)
    assert volumes(again) == {
        one: data for one, data in volumes(a).items() if ".0002" in one or one == name
    }


def test_what_lies_on_another_medium_too_is_not_lost(yard: Yard) -> None:
    """Only what nobody has any more travels again."""
    yard.export(yard.stick("a"))
    yard.reissue(2, 3, to=yard.stick("copy"))
    known = yard.stowage().lose(1, NOW)
    assert [name.split(".")[1][:4] for name in known.pending] == [
        "0001",
        "0004",
        "0005",
    ]


def test_a_store_that_makes_other_bytes_is_found(yard: Yard) -> None:
    """Equal names and other bytes would be the worst of all re-issues."""
    yard.export(yard.stick("a"))
    known = yard.stowage()
    first = replace(known.files[1], sha256=known.files[2].sha256)
    yard.stowages.write(known.learned([first]))
    with pytest.raises(StoreError) as caught:
        yard.reissue(2, to=yard.stick("again"))
    assert caught.value.problem == (
        f"{first.name} comes out as {known.files[1].sha256}, it was {first.sha256}"
    )
    assert not volumes(yard.stick("again"))


# --- what is known of media ------------------------------------------------------------


def checked(yard: Yard, folder: Path) -> Checked:
    """Read a medium back and note what was found."""
    entry = yard.crossing.connected.dock.ledger.newest("plant7")
    assert entry
    known = checking.cutting_on(folder, yard.stowages.of("plant7", 1))
    assert known
    found = checking.check(folder, entry, Silent(), known)
    yard.stowages.write(checking.noted(known, found, folder, NOW))
    return found


def test_a_medium_is_not_checked_on_the_mount_it_was_written_on(yard: Yard) -> None:
    """What comes out of a cache says nothing about the stick."""
    a = yard.stick("a")
    yard.export(a)
    assert checked(yard, a).fresh_mount is not True
    (berth,) = yard.stowage().berths
    assert berth.checked == ""
    # As after a fresh mount: what is noted is another than what is there now.
    yard.stowages.write(yard.stowage().with_berth(replace(berth, mount="boot once 1")))
    assert checked(yard, a).fresh_mount is True
    assert yard.stowage().berths[0].checked == NOW


def test_what_does_not_read_back_is_wanted_again(yard: Yard) -> None:
    """The ledger must not count on a volume that the stick has lost."""
    a, b = yard.stick("a"), yard.stick("b")
    yard.export(a, b, most=3 * CUT)
    bad = a / "AIRLIFT-plant7-000001.0002-of-0005.tar"
    bad.write_bytes(bad.read_bytes()[:-1] + b"x")
    assert checked(yard, a).bad == (bad.name,)
    known = yard.stowage()
    assert known.pending == (bad.name,)
    assert known.berths[0].bad == (bad.name,)
    assert bad.name not in known.berths[0].files
    assert yard.reissue(to=yard.stick("c")).ordinals == (2,)


def test_a_copy_made_by_hand_is_noted_and_not_taken_for_checked(yard: Yard) -> None:
    """Nobody knows what was written when, nor out of which cache it reads."""
    a, copy = yard.stick("a"), yard.stick("copy")
    yard.export(a)
    copy.mkdir()
    for path in sorted(a.glob("*.tar"))[:2]:
        shutil.copy(path, copy)
    assert checked(yard, copy).fresh_mount is None
    assert yard.where() == {1: (1, 2, 3, 4, 5), 2: (1, 2)}
    assert [one.checked for one in yard.stowage().berths] == ["", ""]
    # Put in again: now it is known on which mount it was seen before.
    berth = replace(yard.stowage().berths[1], mount="boot once 1")
    yard.stowages.write(yard.stowage().with_berth(berth))
    assert checked(yard, copy).fresh_mount is True
    assert yard.stowage().berths[1].checked == NOW


def test_stowage_that_was_damaged_on_disk_is_refused(yard: Yard) -> None:
    """A guess where volumes are is a trip for nothing."""
    yard.export(yard.stick("a"))
    (path,) = yard.crossing.connected.dock.ledger.folder.rglob("*.stowage")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError):
        yard.stowages.of("plant7", 1)
