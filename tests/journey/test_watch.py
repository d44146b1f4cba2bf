"""A watched drop folder: what a one-way link does to files, and what becomes of it."""

import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import policies
from airlift.format import release
from airlift.outbound.allotment import Sparing
from airlift.trust.denials import Denial, What
from airlift.watch.aside import Consume
from airlift.watch.deliveries import State
from airlift.watch.folder import Verdict
from crossing import NOW, Crossing, Isolated, noise
from watched import CUT, RULES, SETTLE_S, Drop, alarm

FILES = {f"{n}.bin": noise(2_000_000, n) for n in range(5)} | {"config.json": b"{}"}


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Crossing:
    """Two deliveries of five volumes, the first with two spares; made once."""
    crossing = Crossing(tmp_path_factory.mktemp("watch"))
    connected = crossing.connected
    pinned = connected.folder("acme/m", FILES)
    connected.export(
        crossing.medium / "1", pinned, capacity=CUT, sparing=Sparing(spares=2)
    )
    newer = {**FILES, "config.json": b'{"v": 2}'}
    pinned = connected.folder("acme/m", newer)
    connected.export(crossing.medium / "2", pinned, capacity=CUT)
    crossing.isolated.registry.close()
    return crossing


@pytest.fixture(name="drop")
def _drop(made: Crossing, tmp_path: Path) -> Drop:
    """A fresh isolated side with an empty drop folder."""
    crossing = Crossing.__new__(Crossing)
    crossing.connected, crossing.medium = made.connected, made.medium
    root = made.connected.publisher.root_bytes()
    crossing.isolated = Isolated(tmp_path / "isolated", root)
    return Drop(crossing, tmp_path / "drop")


def volumes(drop: Drop, number: int = 1) -> Sequence[Path]:
    """Return the volumes of a delivery."""
    found = sorted((drop.crossing.medium / str(number)).glob("*.tar"))
    assert len(found) == 5
    return found


def spares(drop: Drop) -> Sequence[Path]:
    """Return the spares of the first delivery."""
    return sorted((drop.crossing.medium / "1").glob("*.spare"))


def test_volumes_are_taken_as_they_arrive_and_the_last_imports(drop: Drop) -> None:
    """No marker, no order, no names: the bytes say when it is all there."""
    told = []
    for number, path in reversed(list(enumerate(volumes(drop), 1))):
        drop.put(path, f"{number}.dat")
        told += drop.settle()
    (one,) = drop.watch.deliveries
    assert told == [
        f"{n}.dat: volume {n} of 5; delivery 1 to plant7: {6 - n} of 5 volumes;"
        f" waiting for {wanted}@{one.cutting[:8]}"
        for n, wanted in ((5, "1-4"), (4, "1-3"), (3, "1-2"), (2, "1"))
    ] + ["delivery 1 to plant7: complete; live set 1"]
    assert drop.carried() == FILES
    assert drop.settle() == []


def test_a_file_that_still_changes_is_not_read(drop: Drop) -> None:
    """Reading what is being written costs a pass and can only say that it is short."""
    first, *_ = volumes(drop)
    for length in (1_000_000, 2_000_000, None):
        drop.put(first, length=length)
        assert drop.turn(SETTLE_S - 1) == []
        assert drop.verdicts() == {first.name: Verdict.UNREAD}
    assert len(drop.turn(SETTLE_S)) == 1


def test_a_file_that_grows_for_hours_is_kept_as_far_as_it_is_good(drop: Drop) -> None:
    """Some links write under the final name; the last byte may come hours later."""
    first, *rest = volumes(drop)
    for path in rest:
        drop.put(path)
    drop.put(first, length=1_900_000)
    drop.settle()
    assert drop.verdicts()[first.name] is Verdict.FAULTY
    before = drop.crossing.isolated
    drop.put(first, length=2_100_000)
    drop.turn(3000)
    assert drop.carried() == {}
    drop.put(first)
    told = drop.settle()
    assert told[-1] == "delivery 1 to plant7: complete; live set 1"
    assert not list((before.home / "incoming").glob("*"))
    assert drop.carried() == FILES


def test_a_full_sized_file_of_zeros_is_read_again_when_it_is_filled(drop: Drop) -> None:
    """Size says nothing: some programs set the room aside first."""
    paths = volumes(drop)
    for path in paths[1:]:
        drop.put(path)
    target = drop.folder / "one.tar"
    target.write_bytes(bytes(paths[0].stat().st_size))
    drop.settle()
    assert drop.verdicts()["one.tar"] is Verdict.STRAY
    with target.open("r+b") as file:
        file.write(paths[0].read_bytes())
    assert drop.settle() == ["delivery 1 to plant7: complete; live set 1"]


def test_deliveries_between_each_other_are_recorded_in_their_order(drop: Drop) -> None:
    """The newer one, recorded first, would shut the older one out for ever."""
    older, newer = volumes(drop, 1), volumes(drop, 2)
    for path in (*older[:2], *newer, *newer[:1]):
        drop.put(path, f"copy-of-{path.name}")
        drop.settle()
    assert drop.carried() == {}
    assert [one.state for one in drop.watch.deliveries] == [State.WAITING, State.HELD]
    for path in older[2:]:
        drop.put(path)
    told = [*drop.settle(), *drop.settle()]
    complete = [line for line in told if "complete" in line]
    assert complete == [
        "delivery 1 to plant7: complete; live set 1",
        "delivery 2 to plant7: complete; live set 2",
    ]
    assert drop.carried()["config.json"] == b'{"v": 2}'


def test_a_newer_delivery_waits_no_longer_than_the_older_one_lives(drop: Drop) -> None:
    """A volume that never comes must not stop every delivery after it."""
    drop.put(volumes(drop, 1)[0])
    for path in volumes(drop, 2):
        drop.put(path)
    drop.settle()
    told = [*drop.turn(RULES.stale_s), *drop.turn(1), *drop.turn(1)]
    assert "delivery 2 to plant7: complete; live set 1" in told
    drop.turn(RULES.deadline_s)
    states = {one.sequence: one.state for one in drop.watch.deliveries}
    assert states == {1: State.SUPERSEDED, 2: State.COMPLETE}


def test_two_lost_volumes_are_rebuilt_from_two_spares(drop: Drop) -> None:
    """Nobody can be asked to send them again: that is what spares are for."""
    paths = volumes(drop)
    for path in (*paths[1:4], *spares(drop)):
        drop.put(path, path.name.lower())
    told = drop.settle()
    told = [line.partition(";")[0] for line in told]
    assert told[-4:] == [
        f"{paths[0].name}: rebuilt from spares",
        f"{paths[0].name}: volume 1 of 5",
        f"{paths[4].name}: rebuilt from spares",
        "delivery 1 to plant7: complete",
    ]
    assert drop.carried() == FILES
    assert not list((drop.crossing.isolated.home / "watch" / "rebuilt").glob("*"))


def test_a_lost_a_cut_and_a_damaged_volume_are_repaired_together(drop: Drop) -> None:
    """Loss on a link looks like all of these, often at once."""
    paths = volumes(drop)
    drop.put(paths[0], length=1_000_000)
    damaged = drop.put(paths[2])
    data = bytearray(damaged.read_bytes())
    for at in random.Random(1).sample(range(100_000, 900_000), 20):
        data[at] ^= 1
    damaged.write_bytes(data)
    drop.put(paths[3])
    drop.put(paths[4])
    drop.put(spares(drop)[0])
    drop.settle()
    assert drop.carried() == {}
    drop.put(spares(drop)[1])
    assert drop.settle()[-1] == "delivery 1 to plant7: complete; live set 1"
    assert drop.carried() == FILES


def test_a_spare_alone_brings_a_delivery_of_one_volume(
    drop: Drop, tmp_path: Path
) -> None:
    """One file on its way and one spare: either of them is enough."""
    connected = Crossing(tmp_path / "other").connected
    isolated = Isolated(tmp_path / "site", connected.publisher.root_bytes())
    pinned = connected.folder("acme/one", {"a.bin": noise(100_000)})
    done = connected.export(tmp_path / "m", pinned, sparing=Sparing(spares=1))
    drop.crossing.isolated = isolated
    drop.restart()
    drop.put(tmp_path / "m" / done.spares[0].name)
    assert drop.settle()[-1] == "delivery 1 to plant7: complete; live set 1"
    assert drop.carried() == {"a.bin": noise(100_000)}


def test_what_stays_bad_is_moved_aside_with_its_reason(drop: Drop) -> None:
    """In place it is in the way of a copy of the same name; gone, nobody knows why."""
    first, *rest = volumes(drop)
    for path in rest:
        drop.put(path)
    drop.put(first, length=2_000_000)
    drop.settle()
    assert len(drop.turn(RULES.give_up_s - 100)) == 1, "only that nothing comes"
    assert (drop.folder / first.name).exists()
    told = [*drop.turn(100), *drop.turn(1)]
    aside = drop.folder / "quarantine"
    assert (aside / first.name).stat().st_size == 2_000_000
    note = (aside / f"{first.name}.reason.txt").read_text().splitlines()
    assert note[:3] == [first.name, "moved here 2026-11-23T12:00:00Z", "2000000 bytes"]
    assert note[3].startswith("faulty: byte 2000000: the volume ends ")
    assert told[-1].startswith(f"{first.name}: given up, moved to quarantine: byte ")
    drop.put(first, "1.r2.tar")
    assert drop.settle() == ["delivery 1 to plant7: complete; live set 1"]


def test_a_bad_copy_is_of_no_interest_once_a_good_one_came(drop: Drop) -> None:
    """A link that sends everything twice loses something every day."""
    first, *rest = volumes(drop)
    drop.put(first, "bad.tar", length=2_000_000)
    for path in (first, *rest):
        drop.put(path)
    drop.settle()
    assert drop.carried() == FILES
    for _ in range(3):
        assert drop.turn(RULES.give_up_s) == []
    assert (drop.folder / "bad.tar").exists()


@pytest.mark.parametrize("consume", [Consume.DELIVERY, Consume.VOLUME])
def test_volumes_are_deleted_when_they_are_not_needed(
    drop: Drop, consume: Consume
) -> None:
    """A drop folder that nobody empties is full one day."""
    drop.rules = replace(RULES, consume=consume)
    drop.restart()
    paths = volumes(drop)
    for path in paths[:4]:
        drop.put(path)
    drop.settle()
    left = 4 if consume is Consume.DELIVERY else 0
    assert len(list(drop.folder.iterdir())) == left
    drop.restart()
    drop.put(paths[4])
    drop.put(spares(drop)[0])
    drop.put(drop.crossing.medium / "1" / "AIRLIFT-plant7-000001.SHA256SUMS")
    drop.settle()
    assert drop.carried() == FILES
    drop.turn(RULES.give_up_s)
    drop.turn(1)
    assert list(drop.folder.iterdir()) == []


def test_nothing_is_deleted_by_default(drop: Drop) -> None:
    """Whoever brought files clears them up, unless we are told to."""
    for path in volumes(drop):
        drop.put(path)
    drop.settle()
    drop.turn(RULES.give_up_s)
    assert len(list(drop.folder.iterdir())) == 5


@pytest.mark.parametrize("name", [".upload.1", "one.tar.part", "one.tar.tmp"])
def test_a_file_that_somebody_will_rename_is_read_and_left_there(
    drop: Drop, name: str
) -> None:
    """Its bytes count; deleted, its program would fail at the renaming."""
    drop.rules = replace(RULES, consume=Consume.VOLUME)
    drop.restart()
    first, *rest = volumes(drop)
    drop.put(first, name)
    for path in rest:
        drop.put(path)
    drop.settle()
    assert drop.carried() == FILES
    assert [path.name for path in drop.folder.iterdir()] == [name]


def test_what_is_not_ours_is_left_alone(drop: Drop) -> None:
    """A FIFO would hang a reader, a link leads elsewhere, a folder is somebody's."""
    drop.rules = replace(RULES, consume=Consume.VOLUME)
    drop.restart()
    os.mkfifo(drop.folder / "1.tar")
    (drop.folder / "2.tar").symlink_to(volumes(drop)[0])
    (drop.folder / "3.tar").mkdir()
    (drop.folder / "notes.txt").write_text("call me")
    assert drop.settle() == []
    drop.turn(RULES.give_up_s)
    assert drop.verdicts() == {"notes.txt": Verdict.STRAY}
    assert len(list(drop.folder.iterdir())) == 4


def test_a_stranger_is_refused_with_an_alarm_and_moved_aside(
    drop: Drop, tmp_path: Path
) -> None:
    """Somebody writes to the link who should not."""
    stranger = Crossing(tmp_path / "stranger").connected
    pinned = stranger.folder("acme/m", {"config.json": b"{}"})
    (written,) = stranger.export(tmp_path / "m", pinned).volumes
    drop.teller.alarm = alarm(tmp_path / "alarms")
    drop.put(written.path, "x.tar")
    (told,) = drop.settle()
    assert told.startswith("x.tar: ")
    drop.turn(RULES.give_up_s)
    drop.turn(1)
    first, second = (tmp_path / "alarms").read_text().splitlines()
    assert first == f"refused: {told}"
    assert second.startswith("given-up: x.tar: given up, moved to quarantine: ")
    aside = {path.name for path in (drop.folder / "quarantine").iterdir()}
    assert aside == {"x.tar", "x.tar.reason.txt"}


def test_silence_is_told_once_and_told_again_after_new_volumes(drop: Drop) -> None:
    """Somebody must ask for what is lost while the sender still has it."""
    paths = volumes(drop)
    drop.put(paths[0])
    drop.settle()
    (one,) = drop.watch.deliveries
    stale = f"stale, 1 of 5 volumes; waiting for 2-5@{one.cutting[:8]}"
    assert drop.turn(RULES.stale_s + 1) == [f"delivery 1 to plant7: {stale}"]
    assert drop.turn(RULES.stale_s) == []
    drop.restart()
    drop.settle()
    assert drop.turn(1) == []
    drop.put(paths[1])
    drop.settle()
    (one,) = drop.watch.deliveries
    assert one.state is State.WAITING
    told = drop.turn(RULES.deadline_s)
    assert told == [
        f"delivery 1 to plant7: overdue, 2 of 5 volumes; waiting for 3-5@{one.cutting[:8]}"
    ]
    assert drop.turn(RULES.deadline_s) == []
    assert drop.teller.alarms == 2


def test_a_restart_goes_on_where_it_was(drop: Drop) -> None:
    """The watch lives for months; hosts do not."""
    drop.rules = replace(RULES, consume=Consume.VOLUME)
    drop.restart()
    paths = volumes(drop)
    for path in paths[:3]:
        drop.put(path)
    drop.settle()
    drop.restart()
    (one,) = drop.watch.deliveries
    assert (one.state, one.missing, one.count) == (State.WAITING, (4, 5), 5)
    for path in paths[3:]:
        drop.put(path)
    drop.settle()
    assert drop.carried() == FILES


def test_a_folder_that_is_away_is_told_once_and_used_when_it_is_back(
    drop: Drop,
) -> None:
    """A network folder comes and goes; the watch must not end by it."""
    away = drop.folder.with_name("away")
    drop.folder.rename(away)
    (told,) = drop.turn()
    assert told == f"cannot list {drop.folder}: no such file or directory"
    assert drop.turn(100) == []
    away.rename(drop.folder)
    for path in volumes(drop):
        drop.put(path)
    drop.turn(100)
    drop.turn(SETTLE_S)
    assert drop.carried() == FILES


def test_a_delta_that_comes_before_its_base_is_taken_after_it(
    drop: Drop, tmp_path: Path
) -> None:
    """Links reorder; what builds on something is not lost for having come early."""
    connected = Crossing(tmp_path / "other").connected
    drop.crossing.isolated = Isolated(tmp_path / "s", connected.publisher.root_bytes())
    drop.restart()
    files = {"a.bin": noise(3_000_000), "b.json": b"1"}
    base = connected.export(tmp_path / "1", connected.folder("acme/m", files))
    files = {**files, "b.json": b"2"}
    pinned = connected.folder("acme/m", files)
    delta = connected.export(tmp_path / "2", pinned, build_on="last")
    drop.put(delta.volumes[0].path)
    (told,) = drop.settle()
    assert "builds on 1 blob(s) that this site does not hold" in told
    drop.put(base.volumes[0].path)
    assert [*drop.settle(), *drop.turn(1)] == [
        "delivery 1 to plant7: complete; live set 1",
        "delivery 2 to plant7: complete; live set 2",
    ]
    assert drop.carried() == files


def test_what_a_stick_brought_is_no_longer_waited_for(drop: Drop) -> None:
    """The rest may come by hand; then there is nothing to be alarmed about."""
    drop.put(volumes(drop)[0])
    drop.settle()
    drop.crossing.isolated.land(drop.crossing.medium / "1")
    assert drop.turn(RULES.deadline_s) == []
    (one,) = drop.watch.deliveries
    assert one.state is State.COMPLETE


def test_numbers_for_a_monitor_say_what_is_missing(drop: Drop, tmp_path: Path) -> None:
    """An alarm may be missed; a chart that stays red is seen on Monday."""
    drop.teller.metrics = tmp_path / "airlift.prom"
    drop.put(volumes(drop)[0])
    shutil.copy(volumes(drop)[0], drop.folder / "again.tar")
    drop.settle()
    lines = (tmp_path / "airlift.prom").read_text().splitlines()
    assert 'airlift_watch_deliveries{state="waiting"} 1.0' in lines
    assert 'airlift_watch_deliveries{state="complete"} 0.0' in lines
    assert 'airlift_watch_files{verdict="good"} 2.0' in lines
    assert 'airlift_watch_missing_volumes{sequence="1",site="plant7"} 4.0' in lines
    assert "airlift_watch_turn_timestamp_seconds 1.80000001e+09" in lines


def test_an_alarm_that_fails_is_told_and_ends_nothing(drop: Drop) -> None:
    """The program that calls people may be the one that is broken."""
    drop.teller.alarm = replace(alarm(Path("/none/of/it")), words=("/no/such/program",))
    drop.put(volumes(drop)[0])
    drop.settle()
    told = drop.turn(RULES.stale_s + 1)
    why = "exit code 127 after 0.0 s: cannot be started: No such file or directory"
    assert told[1:] == [f"the alarm command failed: {why}"]
    assert drop.turn(1) == []


@pytest.mark.parametrize("seed", range(6))
def test_whatever_a_link_does_to_files_the_delivery_arrives(
    drop: Drop, seed: int
) -> None:
    """Pieces, copies, other names, damage, renamed and deleted files, in any order."""
    rng = random.Random(seed)
    consume = (Consume.NEVER, Consume.DELIVERY, Consume.VOLUME)[seed % 3]
    drop.rules = replace(RULES, consume=consume)
    drop.restart()
    for turn in range(25):
        source = rng.choice(volumes(drop))
        name = rng.choice([source.name, f"{turn}.dat", f"{turn}.part", "same.tar"])
        size = source.stat().st_size
        target = drop.put(source, name, length=rng.choice([None, rng.randrange(size)]))
        if rng.random() < 0.3:
            with target.open("r+b") as file:
                file.seek(rng.randrange(max(1, target.stat().st_size - 9)))
                file.write(rng.randbytes(8))
        if rng.random() < 0.2:
            target.rename(target.with_name(f"renamed-{turn}.tar"))
        if rng.random() < 0.1:
            rng.choice(list(drop.folder.glob("*.*"))).unlink()
        drop.turn(rng.choice([1, SETTLE_S, 3 * SETTLE_S]))
        if rng.random() < 0.1:
            drop.restart()
        if found := drop.carried():
            assert found == FILES
    for number, path in enumerate(volumes(drop)):
        drop.put(path, f"last-{number}.tar")
    drop.settle()
    assert drop.carried() == FILES
    assert not list((drop.crossing.isolated.home / "incoming").glob("*"))


def test_what_can_run_waits_for_a_person_with_an_alarm(
    drop: Drop, tmp_path: Path
) -> None:
    """Nobody sits at a watch: what it may not make live, somebody must look at."""
    connected = Crossing(tmp_path / "other").connected
    drop.crossing.isolated = Isolated(tmp_path / "s", connected.publisher.root_bytes())
    drop.restart()
    files = {"config.json": b"{}", "run.py": b"print(1)\n"}
    (written,) = connected.export(
        tmp_path / "m", connected.folder("acme/code", files)
    ).volumes
    drop.teller.alarm = alarm(tmp_path / "alarms")
    drop.put(written.path)
    waits = (
        "delivery 1 to plant7: acme/code waits in quarantine:"
        " can run code when loaded: run.py"
    )
    assert drop.settle() == ["delivery 1 to plant7: complete; live set 0", waits]
    assert (tmp_path / "alarms").read_text() == f"waits: {waits}\n"
    assert drop.carried() == {}


def test_a_revocation_takes_effect_with_an_alarm(drop: Drop, tmp_path: Path) -> None:
    """Nobody sits at a watch: whoever relies on a model must hear that it is gone."""
    connected = Crossing(tmp_path / "other").connected
    drop.crossing.isolated = Isolated(tmp_path / "s", connected.publisher.root_bytes())
    drop.restart()
    sent = connected.export(
        tmp_path / "m1", connected.folder("acme/m", {"config.json": b"{}"})
    )
    drop.put(sent.volumes[0].path)
    drop.settle()
    digest = release.identify(release.encode(sent.releases[0]))
    entry = Denial(what=What.RELEASE, digest=digest, since=NOW, why="bad")
    connected.publisher.deny([entry], [connected.key], NOW)
    drop.teller.alarm = alarm(tmp_path / "alarms")
    drop.put(connected.export(tmp_path / "m2").volumes[0].path)
    gone = "delivery 2 to plant7: acme/m is denied and not served any more"
    assert drop.settle() == ["delivery 2 to plant7: complete; live set 2", gone]
    assert (tmp_path / "alarms").read_text() == f"denied: {gone}\n"
    assert drop.carried() == {}


def test_the_policy_of_the_site_decides_what_goes_live(
    drop: Drop, tmp_path: Path
) -> None:
    """A folder that takes in by itself obeys the rules that people obey."""
    connected = Crossing(tmp_path / "other").connected
    drop.crossing.isolated = Isolated(tmp_path / "s", connected.publisher.root_bytes())
    drop.restart()
    told = policies.made(site="plant7", licences=("mit",))
    connected.publisher.set_policy(policies.document(told), [connected.key], NOW)
    pinned = connected.folder("acme/m", {"config.json": b"{}"})
    (written,) = connected.export(tmp_path / "m", pinned).volumes
    drop.put(written.path)
    (complete, waits) = drop.settle()
    assert complete == "delivery 1 to plant7: complete; live set 0"
    assert waits.startswith("delivery 1 to plant7: acme/m waits in quarantine: ")
    assert drop.carried() == {}
