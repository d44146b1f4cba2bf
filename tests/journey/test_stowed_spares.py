"""Spares on several media: made though no two volumes lie together, and of use."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airlift.cli import drives_desk
from airlift.errors import IncompleteError, StoreError
from airlift.outbound import checking
from airlift.outbound.allotment import Sparing
from airlift.outbound.departure import Departure
from airlift.progress import Silent
from airlift.repair import repairing
from crossing import NOW
from journey.test_stowing import Carrier, Yard, swap, volumes

CUT = 640_000
"""Bytes of a volume at most, so that a spare of volumes with two files fits too."""
TWO = 1_300_000
"""Bytes of a medium that takes two volumes, or a volume and a spare."""
ONE = Sparing(spares=1)
PAIRS = Sparing(spares=1, per_medium=2)


@pytest.fixture(name="yard")
def _yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


def export(yard: Yard, *folders: Path, **options: Any) -> Departure:
    """Export to *folders*, cut for spares."""
    return yard.export(*folders, capacity=CUT, **options)


def files(*folders: Path) -> dict[str, bytes]:
    """Return the volumes and spares in *folders* by name."""
    return {
        path.name: path.read_bytes()
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix in (".tar", ".spare")
    }


def land(yard: Yard, *folders: Path) -> list[str]:
    """Rebuild what is lacking in *folders*, import all; return what was rebuilt."""
    out = yard.folder / "rebuilt"
    repairing.repair(folders, out, Silent())
    yard.crossing.isolated.land(*folders, out)
    return sorted(path.name[-16:-4] for path in out.glob("*.tar"))


def media_of(yard: Yard) -> dict[int, list[str]]:
    """Return what is noted of each medium: ordinals, and S before those of spares."""
    return {
        one.number: [name.split(".")[1].split("-")[0].lstrip("0") for name in one.files]
        for one in yard.stowage().berths
    }


def sticks(yard: Yard, count: int) -> list[Path]:
    """Return the folders of some media."""
    return [yard.stick(f"stick-{number}") for number in range(1, count + 1)]


# --- several at once ---------------------------------------------------------------


def test_spares_of_many_media_are_those_of_one_folder(yard: Yard) -> None:
    """The format knows no second kind of spare, and a repair must not care."""
    four = sticks(yard, 4)
    export(yard, *four, most=TWO, sparing=PAIRS)
    whole = yard.stick("whole")
    export(yard, whole, again=1, sparing=PAIRS)
    assert files(*four) == files(whole)
    assert len(files(whole)) == 7


def test_any_medium_may_be_lost_and_is_rebuilt(yard: Yard) -> None:
    """What the spares are for: nobody drives back for a stick."""
    four = sticks(yard, 4)
    done = export(yard, *four, most=TWO, sparing=PAIRS)
    assert media_of(yard) == {
        1: ["1", "2"],
        2: ["3", "4"],
        3: ["5", "S0002"],
        4: ["S0001"],
    }
    assert done.fatal == ()
    assert land(yard, four[0], four[2], four[3]) == ["0003-of-0005", "0004-of-0005"]


def test_the_small_files_name_the_spares_on_every_medium(yard: Yard) -> None:
    """A scan station with the stick of the spares alone can tell that it is whole."""
    four = sticks(yard, 4)
    export(yard, *four, most=TWO, sparing=PAIRS)
    front = "AIRLIFT-plant7-000001"
    sums = {(one / f"{front}.SHA256SUMS").read_text() for one in four}
    assert len(sums) == 1
    assert [line.split()[1] for line in sums.pop().splitlines()] == sorted(files(*four))
    readme = (four[3] / f"{front}.README.txt").read_text()
    assert "2 spare(s), not needed unless volumes are lost or damaged:" in readme


def test_a_medium_that_spares_do_not_make_up_for_is_named(yard: Yard) -> None:
    """Two volumes of one group on a stick, and one spare: said while it can be helped."""
    four = sticks(yard, 4)
    done = export(yard, *four, most=TWO, sparing=ONE)
    assert media_of(yard) == {1: ["1", "2"], 2: ["3", "4"], 3: ["5"], 4: ["S0001"]}
    assert done.fatal == (1, 2)


def test_which_media_may_be_lost_is_printed(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    """An operator must not believe in spares that are of no use."""
    done = export(yard, *sticks(yard, 4), most=TWO, sparing=ONE)
    drives_desk.show_losable(done.berths, done.fatal)
    drives_desk.show_losable(done.berths, ())
    drives_desk.show_losable(done.berths[:1], ())
    assert capsys.readouterr().out == (
        "spares do not make up for a loss of medium 1-2: it has more volumes of a group "
        "than there are spares; --per-medium with as many as a medium holds, or media "
        "of their own for spares, help\n"
        "any one medium may be lost: the spares make up for it\n"
    )


def test_no_room_for_the_spares_is_said_before_a_byte_is_written(yard: Yard) -> None:
    """A delivery without the spares that were wanted is another delivery."""
    three = sticks(yard, 3)
    with pytest.raises(StoreError) as caught:
        export(yard, *three, most=TWO, sparing=PAIRS)
    assert caught.value.problem.startswith("no room for ")
    assert " spares " in caught.value.problem
    assert not any(one.exists() and files(one) for one in three)


# --- one drive ---------------------------------------------------------------------


def fed(yard: Yard, count: int) -> tuple[Path, list[Path], Carrier]:
    """Return a drive, the media as they end up, and who swaps them."""
    drive, kept = yard.stick("drive"), sticks(yard, count)
    acts = [
        swap(yard.stick(f"fresh-{number}"), drive, kept[number - 1])
        for number in range(1, count)
    ]
    return drive, [*kept[:-1], drive], Carrier(acts)


def test_one_drive_gets_volumes_and_then_the_spares(yard: Yard) -> None:
    """The volumes have left the drive when the spares are made of them."""
    drive, ended, carrier = fed(yard, 4)
    export(yard, drive, carrier=carrier, most=TWO, wait=True, sparing=PAIRS)
    assert media_of(yard) == {
        1: ["1", "2"],
        2: ["3", "4"],
        3: ["5", "S0002"],
        4: ["S0001"],
    }
    assert [(one.shown(), one.count) for one in carrier.asked] == [
        ("volumes 3-5 and spares 1-2", 4),
        ("volumes 5 and spares 1-2", 4),
        ("spares 1", 4),
    ]
    assert land(yard, ended[0], ended[2], ended[3]) == ["0003-of-0005", "0004-of-0005"]


def test_a_spare_waits_rather_than_lie_with_what_it_protects(yard: Yard) -> None:
    """On the stick of volume 5, spare 1 would be lost together with it."""
    drive, _, carrier = fed(yard, 4)
    carrier.acts[2:] = [lambda _: True]
    with pytest.raises(IncompleteError) as caught:
        export(yard, drive, carrier=carrier, most=TWO, wait=True, sparing=ONE)
    assert (
        caught.value.problem == "spares 1 of delivery 1 to plant7 are on no medium yet"
    )
    assert any(
        problem.endswith(
            "has volumes of the same groups as spares 1, which would be lost with them"
        )
        for problem in carrier.troubles
    )


def test_an_ended_export_goes_on_with_the_spares_it_made(yard: Yard) -> None:
    """Days later the next stick is there; nothing is signed or named anew."""
    first, second = yard.stick("first"), yard.stick("second")
    with pytest.raises(IncompleteError):
        export(yard, first, most=6 * CUT, wait=True, sparing=ONE)
    sums = (first / "AIRLIFT-plant7-000001.SHA256SUMS").read_bytes()
    waiting = (
        yard.crossing.connected.dock.spool / "AIRLIFT-plant7-000001.S0001-of-0001.spare"
    )
    assert waiting.exists()
    export(yard, second, wait=True, sparing=ONE)
    assert (second / "AIRLIFT-plant7-000001.SHA256SUMS").read_bytes() == sums
    assert media_of(yard) == {1: ["1", "2", "3", "4", "5"], 2: ["S0001"]}
    assert not waiting.exists()
    (first / "AIRLIFT-plant7-000001.0003-of-0005.tar").unlink()
    assert land(yard, first, second) == ["0003-of-0005"]


def test_a_waiting_spare_that_rotted_goes_to_no_medium(yard: Yard) -> None:
    """It lay in the spool for days; a wrong spare is found out when it is needed."""
    first, second = yard.stick("first"), yard.stick("second")
    with pytest.raises(IncompleteError):
        export(yard, first, most=6 * CUT, wait=True, sparing=ONE)
    name = "AIRLIFT-plant7-000001.S0001-of-0001.spare"
    waiting = yard.crossing.connected.dock.spool / name
    good = waiting.read_bytes()
    waiting.write_bytes(good[:-1] + b"x")
    with pytest.raises(StoreError) as caught:
        export(yard, second, wait=True, sparing=ONE)
    assert caught.value.problem == f"{waiting} does not read back as it was made"
    assert files(second) == {}
    export(yard, second, wait=True, sparing=ONE)
    assert files(second) == {name: good}


# --- spares once more ----------------------------------------------------------------


def lost(yard: Yard, number: int) -> Sequence[str]:
    """Note that a medium is lost; return what is wanted again."""
    yard.stowages.write(yard.stowage().lose(number, NOW))
    return yard.stowage().pending


def test_a_lost_medium_with_spares_comes_again_byte_for_byte(yard: Yard) -> None:
    """They must fit the volumes of the first ones."""
    four = sticks(yard, 4)
    export(yard, *four, most=TWO, sparing=PAIRS)
    assert [one[-19:] for one in lost(yard, 4)] == ["S0001-of-0002.spare"]
    again = yard.stick("again")
    done = yard.reissue(to=again)
    assert (done.ordinals, done.spares) == ((), (1,))
    assert files(again) == files(four[3])


def test_volumes_and_spares_that_are_lost_come_in_one_trip(yard: Yard) -> None:
    """Exactly what no medium has, whatever it is."""
    four = sticks(yard, 4)
    export(yard, *four, most=TWO, sparing=PAIRS)
    lost(yard, 3)
    lost(yard, 4)
    again = yard.stick("again")
    done = yard.reissue(to=again)
    assert (done.ordinals, done.spares) == ((5,), (1, 2))
    assert files(again) == files(four[2], four[3])


def test_a_spare_that_does_not_read_back_is_written_again(yard: Yard) -> None:
    """One folder, one bad spare: it costs a spare, not the whole delivery again."""
    stick, again = yard.stick("all"), yard.stick("again")
    export(yard, stick, sparing=ONE)
    good = files(stick)
    (name,) = (one for one in good if one.endswith(".spare"))
    (stick / name).write_bytes(good[name][:-1] + b"x")
    entry = yard.crossing.connected.dock.ledger.newest("plant7")
    assert entry
    found = checking.check(stick, entry, Silent(), yard.stowage())
    yard.stowages.write(checking.noted(yard.stowage(), found, stick, NOW))
    assert yard.stowage().pending == (name,)
    assert yard.reissue(to=again).spares == (1,)
    assert files(again) == {name: good[name]}


def test_spares_that_nobody_noted_how_to_make_do_not_wait(yard: Yard) -> None:
    """Notes of an earlier airlift know that there were spares and not of what."""
    stick = yard.stick("all")
    export(yard, stick, sparing=ONE)
    known = replace(yard.stowage(), sparing=Sparing())
    assert len(known.lose(1, NOW).pending) == len(volumes(stick)) == 5


def test_another_number_of_spares_replaces_the_first(yard: Yard) -> None:
    """The sums on all media name the spares that there are, and no others."""
    four = sticks(yard, 4)
    export(yard, *four, most=TWO, sparing=PAIRS)
    count = len(yard.stowage().ends)
    known = yard.stowage().with_sparing(Sparing(spares=2))
    assert known.beside == {}
    assert [len(one.files) for one in known.berths] == [2, 2, 1, 0]
    assert len(known.files) == count == 5
