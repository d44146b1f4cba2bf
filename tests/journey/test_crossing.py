"""From one side to the other: what is carried is what is served, or it is refused."""

import itertools
import os
import shutil
from pathlib import Path

import pytest

from airlift.artifact import Release
from airlift.digest import sha256
from airlift.errors import FormatError, IncompleteError, StoreError, TrustError
from airlift.format import dispatch, packing, release
from airlift.format.dispatch import Dispatch
from airlift.inbound import landing, media
from airlift.outbound import fitting
from airlift.outbound.cutting import Cargo, Cutter
from airlift.outbound.fetching import fetch
from airlift.outbound.ledger import Entry
from airlift.outbound.packing import Packer
from airlift.progress import Silent
from crossing import MODEL, NOW, Crossing, Desk, noise

CUT = 5_000_000
"""Bytes of a volume: MODEL takes three, cut inside files."""


@pytest.fixture(name="crossing")
def _crossing(tmp_path: Path) -> Crossing:
    return Crossing(tmp_path)


def volumes(folder: Path) -> list[Path]:
    """Return the volumes in *folder*, in order."""
    return sorted(folder.glob("*.tar"))


def carried(crossing: Crossing, files: dict[str, bytes]) -> bool:
    """Say whether the live releases of the isolated side hold exactly *files*."""
    registry, store = crossing.isolated.registry, crossing.isolated.store
    found = {
        file.path: b"".join(store.read(file.sha256))
        for held in registry.releases()
        if held.state == "live"
        for file in registry.files(held.id)
    }
    return found == files


def test_what_is_exported_is_what_is_live(crossing: Crossing) -> None:
    """The whole product in one line."""
    done = crossing.connected.export(
        crossing.medium, crossing.connected.folder("acme/m", MODEL), capacity=CUT
    )
    assert len(done.volumes) == 3
    assert done.packed.listing.stored_size < done.packed.listing.raw_size
    landed = crossing.isolated.land(crossing.medium)
    assert (landed.repeat, landed.held) == (False, {})
    assert carried(crossing, dict(MODEL))


def test_two_revisions_travel_in_one_delivery(crossing: Crossing) -> None:
    """A model and the version before it, so that clients may choose."""
    newer = {**MODEL, "config.json": b'{"hidden_size": 8}'}
    connected = crossing.connected
    pinned = [connected.folder("acme/m", files) for files in (MODEL, newer)]
    connected.export(crossing.medium, *pinned)
    crossing.isolated.land(crossing.medium)
    held = crossing.isolated.registry.releases(name="acme/m")
    assert [(one.release.counter, one.state) for one in held] == [
        (2, "live"),
        (1, "live"),
    ]
    assert {one.release.revision for one in held} == {one.revision for one in pinned}


def test_importing_again_changes_nothing(crossing: Crossing) -> None:
    """The operator may run it twice without fear; scripts see success."""
    crossing.connected.export(
        crossing.medium, crossing.connected.folder("acme/m", MODEL)
    )
    crossing.isolated.land(crossing.medium)
    before = crossing.isolated.fingerprint()
    assert crossing.isolated.land(crossing.medium).repeat
    assert crossing.isolated.fingerprint() == before


def test_importing_again_brings_back_what_the_store_lost(crossing: Crossing) -> None:
    """Telling an operator to import again must work; "nothing changed" would be a lie."""
    connected = crossing.connected
    connected.export(crossing.medium, connected.folder("acme/m", MODEL), capacity=CUT)
    crossing.isolated.land(crossing.medium)
    before = crossing.isolated.fingerprint()
    store = crossing.isolated.store
    noisy = max(store.all(), key=lambda one: one[1])[0]
    span = store.span(noisy)
    assert span
    span.path.unlink()
    landed = crossing.isolated.land(crossing.medium)
    assert (landed.repeat, landed.restored) == (True, True)
    assert crossing.isolated.fingerprint() == before
    assert not crossing.isolated.land(crossing.medium).restored


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_volumes_may_come_in_any_order_over_days(
    crossing: Crossing, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Sticks are read as they come; what came is kept between two runs."""
    crossing.connected.export(
        crossing.medium, crossing.connected.folder("acme/m", MODEL), capacity=CUT
    )
    every = volumes(crossing.medium)
    for count, number in enumerate(order, 1):
        stick = tmp_path / f"stick{count}"
        stick.mkdir()
        shutil.copy(every[number], stick / f"{number} (1).TAR")
        if count == 3:
            crossing.isolated.land(stick)
            break
        missing = [every[n].name for n in range(3) if n not in order[:count]]
        with pytest.raises(IncompleteError) as caught:
            crossing.isolated.land(stick)
        assert caught.value.problem.endswith("needed: " + ", ".join(missing))
    assert carried(crossing, dict(MODEL))


@pytest.mark.parametrize("lost", range(3))
def test_a_lost_volume_is_named(crossing: Crossing, lost: int) -> None:
    """The operator must know which stick to fetch, not that something failed."""
    crossing.connected.export(
        crossing.medium, crossing.connected.folder("acme/m", MODEL), capacity=CUT
    )
    name = volumes(crossing.medium)[lost].name
    volumes(crossing.medium)[lost].unlink()
    before = crossing.isolated.fingerprint()
    with pytest.raises(IncompleteError) as caught:
        crossing.isolated.land(crossing.medium)
    assert caught.value.problem.endswith(f"needed: {name}")
    assert crossing.isolated.fingerprint() == before


def test_one_drive_at_a_time(crossing: Crossing, tmp_path: Path) -> None:
    """A host with one port asks for the next medium in the same run."""
    crossing.connected.export(
        crossing.medium, crossing.connected.folder("acme/m", MODEL), capacity=CUT
    )
    sticks = []
    for number, path in enumerate(volumes(crossing.medium)):
        stick = tmp_path / f"stick{number}"
        stick.mkdir()
        shutil.move(path, stick)
        sticks.append(stick)
    desk = Desk(next_media=[media.find([stick]).candidates for stick in sticks[1:]])
    crossing.isolated.land(sticks[0], desk=desk)
    assert carried(crossing, dict(MODEL))
    assert len(desk.admitted) == 1


@pytest.mark.parametrize("change", ["shorter", "longer", "empty"])
@pytest.mark.parametrize("which", range(3))
def test_a_volume_of_another_length_is_refused_by_name(
    crossing: Crossing, which: int, change: str
) -> None:
    """A copy cut short by a byte, or with a byte too many, is named."""
    crossing.connected.export(
        crossing.medium, crossing.connected.folder("acme/m", MODEL), capacity=CUT
    )
    path = volumes(crossing.medium)[which]
    good = path.read_bytes()
    path.write_bytes(
        {"shorter": good[:-1], "longer": good + b"\0", "empty": b""}[change]
    )
    before = crossing.isolated.fingerprint()
    with pytest.raises(FormatError) as caught:
        crossing.isolated.land(crossing.medium)
    assert str(path) in caught.value.problem
    assert path.name in caught.value.hint or change == "longer"
    assert crossing.isolated.fingerprint() == before
    path.write_bytes(good)
    crossing.isolated.land(crossing.medium)
    assert carried(crossing, dict(MODEL))


def test_a_volume_of_an_older_delivery_does_not_stand_in(
    crossing: Crossing, tmp_path: Path
) -> None:
    """A swapped stick is reported as missing, not mixed in."""
    older = {**MODEL, "config.json": b"{}", "sub/noise.bin": noise(6_000_000, 9)}
    crossing.connected.export(
        tmp_path / "old", crossing.connected.folder("acme/m", older), capacity=CUT
    )
    crossing.connected.export(
        crossing.medium, crossing.connected.folder("acme/m", MODEL), capacity=CUT
    )
    swapped = volumes(crossing.medium)[1]
    shutil.copy(volumes(tmp_path / "old")[1], swapped)
    found = media.find([crossing.medium])
    groups = media.group(found.candidates)
    assert [len(several) for _, several in groups] == [1, 2]
    with pytest.raises(IncompleteError) as caught:
        landing.land(
            groups[1][1], crossing.isolated.gate, Desk(), now="2026-11-23T12:00:00Z"
        )
    assert caught.value.problem.endswith(f"needed: {swapped.name}")


def test_duplicates_strays_and_traps_on_a_medium_are_told_apart(
    crossing: Crossing, tmp_path: Path
) -> None:
    """What other systems leave on sticks is named and left alone, and nothing hangs."""
    crossing.connected.export(
        crossing.medium, crossing.connected.folder("acme/m", MODEL)
    )
    (only,) = volumes(crossing.medium)
    shutil.copy(only, crossing.medium / "copy of it.bin")
    (crossing.medium / ".DS_Store").write_bytes(b"x" * 600)
    (crossing.medium / "System Volume Information").mkdir()
    (crossing.medium / f"._{only.name}").write_bytes(b"\0" * 4096)
    os.mkfifo(crossing.medium / "AIRLIFT-fifo.tar")
    (crossing.medium / "link.tar").symlink_to(only)
    found = media.find([crossing.medium])
    assert sorted(
        Path(stray.split(" (not")[0]).name for stray in found.strays
    ) == sorted([".DS_Store", f"._{only.name}", "AIRLIFT-fifo.tar", "link.tar"])
    landed = crossing.isolated.land(crossing.medium)
    assert [Path(one).name for one in landed.arrival.duplicates] == ["copy of it.bin"]
    assert carried(crossing, dict(MODEL))
    assert tmp_path.exists()


def test_a_later_delivery_supersedes_and_the_older_commit_stays_reachable(
    crossing: Crossing, tmp_path: Path
) -> None:
    """An update moves `main`; clients that hold the old commit still find it."""
    connected = crossing.connected
    connected.export(tmp_path / "1", connected.folder("acme/m", MODEL))
    newer = {**MODEL, "config.json": b'{"v": 2}'}
    second = connected.export(tmp_path / "2", connected.folder("acme/m", newer))
    assert [one.counter for one in second.releases] == [2]
    crossing.isolated.land(tmp_path / "1")
    crossing.isolated.land(tmp_path / "2")
    held = crossing.isolated.registry.releases()
    assert [(one.release.counter, str(one.state)) for one in held] == [
        (2, "live"),
        (1, "live"),
    ]


def test_an_older_delivery_is_refused_after_a_newer_one(
    crossing: Crossing, tmp_path: Path
) -> None:
    """Yesterday's stick does not bring yesterday's model back."""
    connected = crossing.connected
    connected.export(tmp_path / "1", connected.folder("acme/m", {"a": b"1"}))
    connected.export(tmp_path / "2", connected.folder("acme/m", {"a": b"2"}))
    landed = crossing.isolated.land(tmp_path / "2")
    assert landed.arrival.delivery.missed == (1,)
    before = crossing.isolated.fingerprint()
    with pytest.raises(TrustError):
        crossing.isolated.land(tmp_path / "1")
    assert crossing.isolated.fingerprint() == before


def test_another_sites_delivery_is_refused(tmp_path: Path) -> None:
    """A courier who mixes up two sites changes nothing at either."""
    crossing = Crossing(tmp_path, sites=("plant7", "plant8"))
    connected = crossing.connected
    connected.export(
        crossing.medium, connected.folder("acme/m", {"a": b"1"}), site="plant8"
    )
    before = crossing.isolated.fingerprint()
    with pytest.raises(TrustError, match="plant8"):
        crossing.isolated.land(crossing.medium)
    assert crossing.isolated.fingerprint() == before


def test_a_stranger_is_not_believed(crossing: Crossing, tmp_path: Path) -> None:
    """A perfect delivery under another root is nobody's."""
    stranger = Crossing(tmp_path / "stranger")
    stranger.connected.export(
        crossing.medium, stranger.connected.folder("acme/m", MODEL)
    )
    before = crossing.isolated.fingerprint()
    with pytest.raises(TrustError):
        crossing.isolated.land(crossing.medium)
    assert crossing.isolated.fingerprint() == before
    assert not list((tmp_path / "isolated" / "incoming").glob("*"))


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    """Reproducible: two exports of one lock differ in nothing but who, when and where."""
    first, second = Crossing(tmp_path / "a"), Crossing(tmp_path / "b")
    one = first.connected.export(first.medium, first.connected.folder("acme/m", MODEL))
    two = second.connected.export(
        second.medium, second.connected.folder("acme/m", MODEL)
    )
    assert one.packed == two.packed
    assert one.record.releases == two.record.releases
    assert one.record.packing_sha256 == two.record.packing_sha256


def test_a_killed_export_goes_on_with_the_same_delivery(crossing: Crossing) -> None:
    """Volumes that were finished are kept, and no sequence number is wasted."""
    connected = crossing.connected
    pinned = connected.folder("acme/m", MODEL)
    done = connected.export(crossing.medium, pinned, capacity=CUT)
    every = {path.name: path.read_bytes() for path in volumes(crossing.medium)}
    # As a kill after the second of three volumes leaves it: no end in the ledger.
    connected.dock.ledger.write(Entry(record=done.record))
    volumes(crossing.medium)[2].rename(
        volumes(crossing.medium)[2].with_suffix(".tar.part")
    )
    again = connected.export(
        crossing.medium, pinned, capacity=CUT, now="2026-11-23T13:00:00Z"
    )
    assert again.resumed
    assert again.record == done.record
    assert [one.kept for one in again.volumes] == [True, True, False]
    assert {path.name: path.read_bytes() for path in volumes(crossing.medium)} == every


def test_lost_volumes_of_a_finished_delivery_are_written_again(
    crossing: Crossing, tmp_path: Path
) -> None:
    """The same bytes for a lost stick; another cut for another medium; no signature."""
    connected = crossing.connected
    done = connected.export(
        crossing.medium, connected.folder("acme/m", MODEL), capacity=CUT
    )
    every = {path.name: path.read_bytes() for path in volumes(crossing.medium)}
    volumes(crossing.medium)[1].unlink()
    again = connected.export(crossing.medium, capacity=CUT, again=1)
    assert again.record == done.record
    assert [one.kept for one in again.volumes] == [True, False, True]
    assert {path.name: path.read_bytes() for path in volumes(crossing.medium)} == every
    connected.export(tmp_path / "whole", again=1)
    crossing.isolated.land(tmp_path / "whole")
    assert carried(crossing, dict(MODEL))


def test_rot_in_the_connected_store_is_found_before_the_trip(
    crossing: Crossing,
) -> None:
    """A byte that rots between fetch and export must not cost a week."""
    connected = crossing.connected
    pinned = connected.folder("acme/m", MODEL)
    connected.export(crossing.medium, pinned)
    noisy = next(file for file in pinned.files if file.path == "sub/noise.bin")
    assert noisy.sha256
    span = connected.dock.store.span(noisy.sha256)
    assert span
    span.path.chmod(0o644)
    with span.path.open("r+b") as stream:
        stream.seek(span.offset + 1_000_000)
        stream.write(b"rot")
    with pytest.raises(StoreError, match=r"sub/noise\.bin: the store's bytes hash to"):
        connected.export(crossing.medium.with_name("m2"), pinned)


def test_an_empty_delivery_crosses(crossing: Crossing) -> None:
    """Nothing new is news too: metadata stays fresh."""
    crossing.connected.export(crossing.medium)
    landed = crossing.isolated.land(crossing.medium)
    assert landed.arrival.delivery.releases == ()


def test_a_delivery_that_builds_on_what_is_not_here_is_refused_before_anything(
    crossing: Crossing,
) -> None:
    """A signed delivery that cannot be completed says what is lacking, and what to do."""
    connected = crossing.connected
    pinned = connected.folder("acme/m", MODEL)
    files = fetch(
        pinned,
        connected.dock.sources(pinned.kind),
        connected.dock.store,
        progress=Silent(),
    )
    made = Release(
        kind=pinned.kind,
        name=pinned.name,
        revision=pinned.revision,
        counter=1,
        files=files,
    )
    document = release.encode(made)
    packer = Packer(connected.dock.store, connected.dock.spool)
    packed = packer.pack(files[:-1], Silent())
    listing = packing.encode(packed.listing)
    record = Dispatch(
        site="plant7",
        sequence=1,
        earlier=(),
        issued=NOW,
        operator="alice",
        releases=(release.identify(document),),
        needs=(),
        packing_sha256=sha256(listing),
        packing_size=len(listing),
    )
    records = connected.publisher.publish(
        site="plant7",
        releases=[document],
        dispatch=dispatch.encode(record),
        packing=listing,
        signers=[connected.key],
        now=NOW,
    )
    cargo = Cargo(records=records, listing=packed.listing, heads=packed.heads)
    crossing.medium.mkdir()
    labels = fitting.cut(cargo, record, 64 << 20)
    Cutter(cargo, packer).write(labels, crossing.medium, Silent())
    before = crossing.isolated.fingerprint()
    with pytest.raises(IncompleteError) as caught:
        crossing.isolated.land(crossing.medium)
    assert caught.value.problem == (
        "delivery 1 builds on 1 blob(s) that this site does not hold:"
        " tokenizer.json of acme/m"
    )
    assert caught.value.hint == (
        "ask for a delivery that carries everything (`airlift export --build-on none`)"
    )
    assert crossing.isolated.fingerprint() == before
