"""Spare volumes: what is lost or damaged on the way is rebuilt, byte for byte."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import RequestError
from airlift.format import parity
from airlift.format.parity import HEAD, STRIPE
from airlift.inbound import media
from airlift.outbound.allotment import Sparing
from airlift.progress import Silent
from airlift.repair import repairing
from airlift.repair.outcome import Mended
from crossing import Crossing, noise

SIZE = 2_000_000
"""Bytes of each file, and with the signed files of each volume: 31 stripes."""


class Stick:
    """A delivery of ten volumes and two spares, and copies of it to harm."""

    def __init__(self, folder: Path, spares: int = 2, per_medium: int = 1) -> None:
        self.crossing = Crossing(folder)
        connected = self.crossing.connected
        files = {f"{n}.bin": noise(SIZE, n) for n in range(10)}
        self.departure = connected.export(
            self.crossing.medium,
            connected.folder("acme/m", files),
            capacity=SIZE + (500 << 10),
            sparing=Sparing(spares=spares, per_medium=per_medium),
        )
        self.good = {one.path.name: one.path.read_bytes() for one in self.volumes}

    @property
    def volumes(self) -> list[media.Candidate]:
        """The volumes as they were written."""
        return media.find([self.crossing.medium]).candidates

    @property
    def names(self) -> list[str]:
        """File names of the volumes, in order."""
        return sorted(self.good)

    @property
    def spares(self) -> list[str]:
        """File names of the spares, in order."""
        return [one.name for one in self.departure.spares]


class Bench:
    """Media that were harmed, and a folder to repair into."""

    def __init__(self, stick: Stick, folder: Path) -> None:
        self.stick, self.media = stick, folder / "media"
        self.out = folder / "out"
        shutil.copytree(stick.crossing.medium, self.media)

    def spoil(self, name: str, *stripes: int) -> None:
        """Overwrite a sector in each of these stripes of a volume or spare."""
        with (self.media / name).open("r+b") as file:
            for stripe in stripes:
                file.seek(stripe * STRIPE + 8192)
                file.write(b"scratch!" * 512)

    def lose(self, *names: str) -> None:
        """Take files away."""
        for name in names:
            (self.media / name).unlink()

    def repair(self, *paths: Path) -> list[Mended]:
        """Repair from *paths*, from all media where none are named."""
        return repairing.repair(paths or [self.media], self.out, Silent())

    def rebuilt(self) -> list[str]:
        """Return the volumes in the folder, each found equal to what was written."""
        found = sorted(path.name for path in self.out.glob("*.tar"))
        wrong = [
            name
            for name in found
            if (self.out / name).read_bytes() != self.stick.good[name]
        ]
        assert wrong == []
        return found

    def lacking(self, mended: list[Mended]) -> dict[str, list[range]]:
        """Return which stripes are lacking of which volume."""
        return {
            one.name: list(one.lacking)
            for group in mended
            for one in group.outcomes
            if one.lacking
        }


@pytest.fixture(scope="module", name="stick")
def _stick(tmp_path_factory: pytest.TempPathFactory) -> Stick:
    return Stick(tmp_path_factory.mktemp("stick"))


@pytest.fixture(name="bench")
def _bench(stick: Stick, tmp_path: Path) -> Bench:
    return Bench(stick, tmp_path)


def scattered(count: int, most: int, names: list[str]) -> Iterator[tuple[str, int]]:
    """Yield bad sectors at random places, at most *most* in a row of stripes."""
    rng, rows = random.Random(5), dict[int, int]()
    places = [(name, row) for name in names for row in range(SIZE // STRIPE)]
    rng.shuffle(places)
    for name, row in places:
        if rows.get(row, 0) < most and count:
            rows[row] = rows.get(row, 0) + 1
            count -= 1
            yield name, row


def test_media_that_came_whole_need_nothing(bench: Bench) -> None:
    """The usual day: nothing is written, nothing is left behind."""
    assert all(one.done for one in bench.repair())
    assert list(bench.out.iterdir()) == []


def test_fifty_bad_sectors_are_repaired(bench: Bench) -> None:
    """Scratched discs and worn sticks lose sectors all over."""
    for name, row in scattered(50, 2, bench.stick.names):
        bench.spoil(name, row)
    mended = bench.repair()
    assert all(one.done for one in mended)
    assert sum(one.rebuilt for one in mended[0].outcomes) == 50
    assert bench.rebuilt() == bench.stick.names
    assert not (bench.out / repairing.SCRATCH).exists()


def test_any_two_lost_volumes_are_rebuilt(bench: Bench) -> None:
    """Two sticks may be lost with two spares."""
    lost = [bench.stick.names[0], bench.stick.names[7]]
    bench.lose(*lost)
    assert all(one.done for one in bench.repair())
    assert bench.rebuilt() == lost


def test_a_lost_volume_and_twenty_bad_sectors_are_repaired(bench: Bench) -> None:
    """Losses add up row by row, not over the whole delivery."""
    bench.lose(bench.stick.names[3])
    left = [name for name in bench.stick.names if name != bench.stick.names[3]]
    for name, row in scattered(20, 1, left):
        bench.spoil(name, row)
    assert all(one.done for one in bench.repair())
    assert bench.stick.names[3] in bench.rebuilt()


def test_a_truncated_volume_is_completed(bench: Bench) -> None:
    """A copy that was interrupted is the commonest damage of all."""
    name = bench.stick.names[5]
    os.truncate(bench.media / name, SIZE * 7 // 10)
    assert all(one.done for one in bench.repair())
    assert bench.rebuilt() == [name]


def test_damaged_spares_serve_with_the_rows_they_have(bench: Bench) -> None:
    """Spares travel on the same media as volumes."""
    first, second = bench.stick.spares
    name = bench.stick.names[1]
    with (bench.media / first).open("r+b") as file:
        file.write(b"\0" * 4096)
    bench.spoil(first, 5, 6, 7)
    os.truncate(bench.media / second, HEAD + 20 * parity.row_size(10))
    bench.spoil(name, 1, 9, 28)
    assert all(one.done for one in bench.repair())
    assert bench.rebuilt() == [name]


def test_a_volume_that_cannot_say_which_it_is_gives_what_it_has(bench: Bench) -> None:
    """One bad sector in front, under any name, must not cost the whole volume."""
    renamed, *lost = bench.stick.names[4], *bench.stick.names[8:]
    with (bench.media / renamed).open("r+b") as file:
        file.write(b"\0" * 4096)
    (bench.media / renamed).rename(bench.media / "FOUND.000")
    bench.lose(lost[0])
    bench.spoil(lost[1], 12)
    assert all(one.done for one in bench.repair())
    assert bench.rebuilt() == [renamed, *lost]


def test_what_is_beyond_repair_is_named_to_the_stripe(bench: Bench) -> None:
    """Nobody is left to find out by an import what is lost, and where."""
    names = bench.stick.names
    for name in names[:3]:
        bench.spoil(name, 7, 8, 25)
    bench.spoil(names[4], 20)
    mended = bench.repair()
    assert bench.lacking(mended) == {
        name: [range(7, 9), range(25, 26)] for name in names[:3]
    }
    assert mended[0].unread == ()
    assert bench.rebuilt() == [names[4]]


def test_lost_volumes_beyond_repair_leave_no_file(bench: Bench) -> None:
    """A half-written volume under its name would be carried on."""
    lost = bench.stick.names[2:5]
    bench.lose(*lost)
    mended = bench.repair()
    assert bench.lacking(mended) == {name: [range(31)] for name in lost}
    assert bench.rebuilt() == []


def test_media_are_read_one_at_a_time(bench: Bench) -> None:
    """The isolated host has one reader, and no room for the delivery twice."""
    names, spares = bench.stick.names, bench.stick.spares
    bench.lose(names[6])
    bench.spoil(names[2], 3)
    bench.spoil(names[8], 28)
    order = [spares[1], names[8], names[0], spares[0], *names[1:6], names[7], names[9]]
    mended: list[Mended] = []
    for name in order:
        mended = bench.repair(bench.media / name)
    assert mended[0].done
    assert {names[6], names[2], names[8]} <= set(bench.rebuilt())
    assert not (bench.out / repairing.SCRATCH).exists()


def test_the_first_medium_must_hold_a_spare(bench: Bench) -> None:
    """Without one nobody can say which stripes are right; it is not read in vain."""
    with pytest.raises(RequestError) as caught:
        bench.repair(bench.media / bench.stick.names[0])
    assert caught.value.problem == "no spare volume is there"
    assert not bench.out.exists()


def test_what_is_still_wanted_is_named(bench: Bench) -> None:
    """The next stick to fetch from the safe, by name."""
    names, spares = bench.stick.names, bench.stick.spares
    bench.lose(*names[:2])
    mended = bench.repair(
        bench.media / spares[0], *(bench.media / name for name in names[2:])
    )
    assert mended[0].unread == (spares[1],)
    assert set(bench.lacking(mended)) == set(names[:2])
    assert bench.repair(bench.media / spares[1])[0].done
    assert bench.rebuilt() == names[:2]


def test_two_damaged_copies_make_one_good_volume(bench: Bench, tmp_path: Path) -> None:
    """A second stick with the same volume is as good as a spare."""
    names = bench.stick.names
    shutil.copytree(bench.media, tmp_path / "second")
    for name in names[:3]:
        bench.spoil(name, 4)
    second = bench.media
    bench.media = tmp_path / "second"
    for name in names[:3]:
        bench.spoil(name, 9)
    assert bench.repair(second, bench.media)[0].done
    assert bench.rebuilt() == names[:3]


def test_a_torn_scratch_is_forgotten_and_never_believed(bench: Bench) -> None:
    """A power cut may leave sums that are older or newer than what is said of them."""
    names, spares = bench.stick.names, bench.stick.spares
    bench.lose(*names[:2])
    bench.repair(bench.media / spares[0], *(bench.media / one for one in names[2:]))
    sums = next((bench.out / repairing.SCRATCH).glob("*/sums"))
    with sums.open("r+b") as file:
        file.seek(10 * 2 * STRIPE)
        file.write(b"torn" * 1000)
    mended = bench.repair(bench.media / spares[1])
    assert bench.lacking(mended) == {name: [range(10, 11)] for name in names}
    assert bench.repair()[0].done
    assert bench.rebuilt() == names[:2]


def test_a_lost_medium_is_one_loss_in_each_group(tmp_path: Path) -> None:
    """Media hold several volumes; one spare medium makes up for any of them."""
    stick = Stick(tmp_path / "stick", spares=1, per_medium=4)
    bench = Bench(stick, tmp_path)
    assert len(stick.spares) == 4
    lost = stick.names[4:8]
    bench.lose(*lost)
    assert all(one.done for one in bench.repair())
    assert bench.rebuilt() == lost


def falsify(path: Path) -> None:
    """Change the parity in every row of a spare, so that the rows check all the same."""
    label = media.find([path]).spares[0].label
    named = parity.identity(label)
    data = bytearray(path.read_bytes())
    for row in range(label.rows):
        at = parity.row_at(label, row)
        data[at] ^= 1
        stripe, tags = data[at : at + STRIPE], data[at + STRIPE : at + STRIPE + 160]
        check = parity.seal(named, row, bytes(stripe), bytes(tags))
        data[at + STRIPE : at + STRIPE + len(check)] = check
    path.write_bytes(data)


def test_a_spare_with_wrong_parity_rebuilds_nothing(bench: Bench) -> None:
    """Whoever makes spares can stop a repair and do nothing else."""
    names, spares = bench.stick.names, bench.stick.spares
    bench.lose(names[0], spares[1])
    falsify(bench.media / spares[0])
    assert bench.lacking(bench.repair()) == {names[0]: [range(31)]}
    assert bench.rebuilt() == []


def test_a_wrong_spare_does_not_spoil_the_right_one(bench: Bench) -> None:
    """Of two spares one is enough for one volume, whichever it is."""
    names, spares = bench.stick.names, bench.stick.spares
    bench.lose(names[4])
    falsify(bench.media / spares[0])
    assert bench.repair()[0].done
    assert bench.rebuilt() == [names[4]]


def test_spares_with_wrong_tags_and_parity_name_no_volume(bench: Bench) -> None:
    """What agrees with itself and not with the volume's digest is not handed out."""
    names, spares = bench.stick.names, bench.stick.spares
    bench.lose(names[0], spares[1])
    label = media.find([bench.media]).spares[0].label
    named = parity.identity(label)
    path = bench.media / spares[0]
    data = bytearray(path.read_bytes())
    first = bytearray(bench.stick.good[names[0]][:STRIPE])
    first[100] ^= 1
    at = parity.row_at(label, 0)
    data[at + 100] ^= 1
    tags = parity.tag(bytes(first)) + bytes(data[at + STRIPE + 16 : at + STRIPE + 160])
    check = parity.seal(named, 0, bytes(data[at : at + STRIPE]), tags)
    data[at + STRIPE : at + STRIPE + len(check)] = check
    path.write_bytes(data)
    (outcome,) = [one for one in bench.repair()[0].outcomes if not one.done]
    wrong = bytes(first) + bench.stick.good[names[0]][STRIPE:]
    assert outcome.problem == (
        f"rebuilt {names[0]} hashes to {sha256(wrong)}, "
        f"expected {sha256(bench.stick.good[names[0]])}"
    )
    assert bench.rebuilt() == []
    assert not (bench.out / repairing.SCRATCH).exists()


def test_another_file_is_never_replaced(bench: Bench) -> None:
    """What lies in the folder may be the only copy of something."""
    name = bench.stick.names[0]
    bench.lose(name)
    bench.out.mkdir()
    (bench.out / name).write_bytes(b"mine")
    (outcome,) = [one for one in bench.repair()[0].outcomes if not one.done]
    assert outcome.problem == f"{bench.out / name} is there and is another file"
    assert (bench.out / name).read_bytes() == b"mine"


def test_what_was_rebuilt_is_imported(bench: Bench) -> None:
    """The point of it all."""
    bench.lose(*bench.stick.names[:2])
    assert bench.repair()[0].done
    landed = bench.stick.crossing.isolated.land(bench.media, bench.out)
    assert landed.generation == 1


def test_volumes_shrink_so_that_spares_fit_too(tmp_path: Path) -> None:
    """A spare that is larger than the medium would be found out while writing."""
    stick = Stick(tmp_path)
    capacity = SIZE + (500 << 10)
    assert all(one.size <= capacity for one in stick.departure.spares)
    assert {one.name: one.size for one in stick.departure.spares} == {
        one.path.name: one.label.size
        for one in media.find([stick.crossing.medium]).spares
    }
