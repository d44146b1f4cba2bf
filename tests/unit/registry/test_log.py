"""Nobody can change what happened without a command saying so."""

import importlib.util
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from airlift.artifact import Json
from airlift.cli import log_export
from airlift.digest import sha256
from airlift.errors import RegistryError, RequestError
from airlift.format import checkpoint as notes
from airlift.format import merkle
from airlift.inbound import log_check
from airlift.inbound.own_key import Maker
from airlift.registry.held import Event
from airlift.registry.logbook import Logbook
from airlift.registry.registry import Registry
from airlift.trust import site_key
from authority import NOW
from independent import log as second
from independent.record import RefusedError
from policies import document, made
from sites import Site

VERIFIER = Path(__file__).parents[3] / "scripts" / "verify_log.py"
EVENTS = 12


def grown(folder: Path) -> Path:
    """Return the home of a site whose log has twelve signed events."""
    site = Site(folder)
    key = site_key.create(site.home, "plant7")
    told = {"key_id": str(key.public.key_id)}
    site.registry.log(Event(time=NOW, actor="me", action="site-key", detail=told))
    site.model("org/one", b"1")
    for number in range(EVENTS - 3):
        detail = {"n": number}
        site.registry.log(Event(time=NOW, actor="me", action="note", detail=detail))
    site.registry.close()
    return site.home


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grown(tmp_path_factory.mktemp("site"))


@pytest.fixture(name="copy")
def _copy(home: Path, tmp_path: Path) -> Callable[[], Path]:
    def again() -> Path:
        target = tmp_path / "copy"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(home, target)
        return target

    return again


def raw(home: Path) -> sqlite3.Connection:
    """Open the database as somebody who owns the host does: without the triggers."""
    found = sqlite3.connect(home / "registry.db")
    names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    for (name,) in found.execute(names).fetchall():
        found.execute(f"DROP TRIGGER {name}")
    return found


def test_each_event_says_what_was_trusted_and_is_signed(home: Path) -> None:
    """Years later, it must be clear under which rules something was let in."""
    book = Logbook(home)
    registry = Registry.open(home, readonly=True)
    events = registry.events()
    assert [one.number for one in events] == list(range(1, EVENTS + 1))
    assert events[0].metadata == {}
    assert set(events[2].metadata) == {
        *("root", "timestamp", "snapshot", "targets", "site-plant7"),
    }
    assert events[2].floor == registry.trust_state().floor
    assert {one.tool.split(" ")[0] for one in events} == {"airlift"}
    # The first two: no key was there yet, then one that signs for both.
    assert [one.size for one in book.checkpoints()] == list(range(2, EVENTS + 1))
    note = notes.decode((home / "log" / "checkpoint").read_bytes())
    assert note.checkpoint == book.head()
    found = log_check.check(home)
    assert (found.faults, found.audited.signed) == ((), EVENTS)
    registry.close()


def mutations() -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Yield every way to change one row of the log, by hand, at every position."""
    for at in range(1, EVENTS + 1):
        for column in (
            "time",
            "actor",
            "action",
            "subject",
            "outcome",
            "floor",
            "tool",
        ):
            change = f"UPDATE event SET {column} = {column} || 'x' WHERE number = {at}"
            yield f"edit {column}", at, (change,)
        other = '{"evil":1}'
        for column in ("detail", "metadata"):
            change = f"UPDATE event SET {column} = '{other}' WHERE number = {at}"
            yield f"edit {column}", at, (change,)
        yield "drop", at, (f"DELETE FROM event WHERE number = {at}",)
        yield (
            "drop and close up",
            at,
            (
                f"DELETE FROM event WHERE number = {at}",
                f"UPDATE event SET number = -number + 1 WHERE number > {at}",
                "UPDATE event SET number = -number WHERE number < 0",
            ),
        )
        yield (
            "insert",
            at,
            (
                f"UPDATE event SET number = -number - 1 WHERE number >= {at}",
                "UPDATE event SET number = -number WHERE number < 0",
                (
                    f"INSERT INTO event SELECT {at}, time, actor, action, subject, outcome,"
                    f" detail, floor, metadata, tool FROM event WHERE number = {at + 1}"
                ),
            ),
        )
        yield (
            f"truncate after {at - 1}",
            at,
            (f"DELETE FROM event WHERE number >= {at}",),
        )
        yield (
            "edit hash",
            at,
            (
                f"UPDATE log_node SET hash = zeroblob(32) WHERE level = 0 AND place = {at - 1}",
            ),
        )
    for level in range(1, EVENTS.bit_length()):
        for place in range(EVENTS >> level):
            where = f"level = {level} AND place = {place}"
            change = f"UPDATE log_node SET hash = zeroblob(32) WHERE {where}"
            yield f"edit hash of level {level}", place, (change,)
    for at in range(1, EVENTS):
        yield (
            "swap",
            at,
            (
                f"UPDATE event SET number = -1 WHERE number = {at}",
                f"UPDATE event SET number = {at} WHERE number = {at + 1}",
                f"UPDATE event SET number = {at + 1} WHERE number = -1",
            ),
        )
        yield (
            "drop checkpoints from here",
            at,
            (f"DELETE FROM checkpoint WHERE size >= {at}",),
        )
    for size in range(2, EVENTS + 1):
        yield (
            "edit checkpoint",
            size,
            (
                f"UPDATE checkpoint SET note = replace(note, 'plant', 'plans') WHERE size = {size}",
            ),
        )


def test_every_change_of_every_row_is_found(
    copy: Callable[[], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Drop, edit, insert, reorder, truncate: at every position, by who owns the host."""
    cases = list(mutations())
    home, missed = copy(), []
    sound = (home / "registry.db").read_bytes()
    for what, at, statements in cases:
        (home / "registry.db").write_bytes(sound)
        database = raw(home)
        for statement in statements:
            database.execute(statement)
        database.commit()
        database.close()
        if not Logbook(home).audit(site_key.read_public(home)).faults:
            missed.append((what, at))
    with capsys.disabled():
        print(f"\nlog: {len(cases) - len(missed)} of {len(cases)} changes found")
    assert missed == []


def replant(home: Path) -> None:
    """Make all hashes agree with the events again, as a careful thief does."""
    database = raw(home)
    database.execute("DELETE FROM log_node")
    edge = merkle.Range()
    for entry in Logbook(home).entries(EVENTS):
        for one in edge.append(merkle.leaf_hash(entry)):
            row = (one.level, one.index, one.hash)
            database.execute("INSERT INTO log_node VALUES (?, ?, ?)", row)
    database.commit()
    database.close()


def test_hashes_made_anew_do_not_hide_an_edit(copy: Callable[[], Path]) -> None:
    """The tree is no secret; the key that signed its roots is."""
    for at in range(1, EVENTS + 1):
        home = copy()
        database = raw(home)
        database.execute(f"UPDATE event SET actor = 'nobody' WHERE number = {at}")
        database.commit()
        database.close()
        replant(home)
        found = Logbook(home).audit(site_key.read_public(home)).faults
        first = max(2, at)
        assert f"the checkpoint of {first} events has the root" in found[0]
        with pytest.raises(RegistryError, match="they are not the same events"):
            Registry.open(home)


def test_a_database_and_records_put_back_are_found_by_the_checkpoint_beside(
    tmp_path: Path,
) -> None:
    """Another disk is mounted at `log`: a restored snapshot does not bring that back."""
    home = grown(tmp_path)
    old = tmp_path / "old"
    shutil.copytree(home, old)
    registry = Registry.open(home)
    registry.log(Event(time=NOW, actor="me", action="note"))
    registry.close()
    shutil.copy(home / "log" / "checkpoint", old / "log" / "checkpoint")
    with pytest.raises(RegistryError) as caught:
        Registry.open(old)
    assert caught.value.problem == (
        f"the log has {EVENTS} events, log/checkpoint says {EVENTS + 1}"
    )


def shipped(folder: Path, key: str) -> tuple[int, str]:
    """Return what the verifier that airlift ships says of *folder*."""
    command = [sys.executable, "-I", str(VERIFIER), str(folder), "--key", key]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def independent(folder: Path, key: str, *kept: Path) -> str:
    """Return what the verifier of the tests has against *folder*; empty if nothing."""
    try:
        second.verify(folder, [key], [one.read_bytes() for one in kept])
    except (RefusedError, ValueError, OSError, KeyError) as error:
        return str(error) or type(error).__name__
    return ""


@pytest.fixture(name="carried", scope="module")
def _carried(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("carried") / "out"
    log_export.write(Logbook(home), folder)
    return folder


@pytest.fixture(name="vkey", scope="module")
def _vkey(carried: Path) -> str:
    return (carried / "keys").read_text().strip()


def test_a_carried_log_is_verified_without_airlift(carried: Path, vkey: str) -> None:
    """An auditor must not have to believe the program whose log it is."""
    assert shipped(carried, vkey) == (
        0,
        f"{EVENTS} entries, 11 checkpoints, {EVENTS} proofs, 0 cosignatures: all agree\n",
    )
    assert second.verify(carried, [vkey]) == EVENTS


Lines = list[bytes]
EDITS: Mapping[str, Callable[[Lines, int], Lines]] = {
    "drop": lambda of, at: of[:at] + of[at + 1 :],
    "double": lambda of, at: of[: at + 1] + of[at:],
    "truncate": lambda of, at: of[:at],
    "swap": lambda of, at: [*of[:at], *of[at : at + 2][::-1], *of[at + 2 :]],
    "edit": lambda of, at: [
        *of[:at],
        of[at].replace(b'"done"', b'"not"'),
        *of[at + 1 :],
    ],
    "respell": lambda of, at: [*of[:at], of[at].replace(b":", b": ", 1), *of[at + 1 :]],
}
"""What may become of the lines of a log, at a place."""


def _edited(what: str, at: int) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        path = folder / "entries.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(EDITS[what](lines, at)))

    return act


def _gone(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def spoiled() -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield every way to change one event of a carried log, at every position."""
    for at in range(EVENTS):
        for what in EDITS:
            if what != "swap" or at + 1 < EVENTS:
                yield f"{what} {at}", _edited(what, at)
    for at in range(1, EVENTS + 1):
        name = f"proofs/{at:08d}.tlog-proof"
        yield f"no proof {at}", _gone(name)
        yield f"proof {at}", _flipped(name)
        if at > 1:
            yield f"checkpoint {at}", _flipped(f"checkpoints/{at:08d}")


def _flipped(name: str) -> Callable[[Path], None]:
    """Change one bit in the middle of a file."""

    def act(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)

    return act


def test_both_verifiers_find_every_change_of_a_carried_log(
    carried: Path, vkey: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Drop, double, truncate, edit, respell, swap: at every position, by anybody."""
    cases, found, target = (
        list(spoiled()),
        {"shipped": 0, "independent": 0},
        tmp_path / "c",
    )
    missed = []
    for what, change in cases:
        shutil.copytree(carried, target)
        change(target)
        verdicts = (bool(loaded(target, vkey)), bool(independent(target, vkey)))
        found["shipped"] += verdicts[0]
        found["independent"] += verdicts[1]
        if verdicts != (True, True):
            missed.append((what, verdicts))
        shutil.rmtree(target)
    with capsys.disabled():
        for name, count in found.items():
            print(
                f"\ncarried log: {count} of {len(cases)} changes found ({name})", end=""
            )
        print()
    assert missed == []


def loaded(folder: Path, key: str, *kept: Path) -> str:
    """Return what the shipped verifier has against *folder*, run in this process."""
    spec = importlib.util.spec_from_file_location("verify_log", VERIFIER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        module.check(folder, [key], list(kept))
    except (module.Wrong, OSError, ValueError, KeyError, TypeError) as error:
        return str(error) or type(error).__name__
    return ""


@dataclass(frozen=True)
class Past:
    """A site's homes after each of its events but the last, the newest, and a note."""

    ages: tuple[Path, ...]
    newest: Path
    kept: Path


@pytest.fixture(name="past", scope="module")
def _past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    folder = tmp_path_factory.mktemp("past")
    site = Site(folder)
    key = site_key.create(site.home, "plant7")
    ages = []
    for number in range(EVENTS):
        told: dict[str, Json] = {"key_id": key.public.key_id, "n": number}
        action = "note" if number else "site-key"
        site.registry.log(Event(time=NOW, actor="me", action=action, detail=told))
        ages.append(folder / f"age-{number}")
        shutil.copytree(site.home, ages[-1])
    site.registry.close()
    *older, newest = ages
    shutil.copy(newest / "log" / "checkpoint", folder / "kept")
    return Past(tuple(older), newest, folder / "kept")


def counted(
    capsys: pytest.CaptureFixture[str], what: str, found: Sequence[bool]
) -> None:
    """Print how many were found, and check that all were."""
    with capsys.disabled():
        print(f"\nput back, {what}: {sum(found)} of {len(found)} ages found")
    assert all(found)


def test_a_database_put_back_is_found_by_the_files_beside_it(
    past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The usual accident: somebody restores one file."""
    found = []
    for number, old in enumerate(past.ages):
        home = Path(shutil.copytree(past.newest, tmp_path / str(number)))
        shutil.copy(old / "registry.db", home)
        found.append(refused(home))
    counted(capsys, "database alone", found)


def test_a_home_put_back_is_found_by_another_disk_at_its_log(
    past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All other files agree, as after the restore of a snapshot."""
    found = []
    for number, old in enumerate(past.ages):
        home = Path(shutil.copytree(old, tmp_path / str(number)))
        assert not refused(home)
        shutil.copy(past.kept, home / "log" / "checkpoint")
        found.append(refused(home))
    counted(capsys, "home without its log folder", found)


def test_a_whole_host_put_back_is_found_by_what_was_carried_away(
    past: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On it, everything agrees; here and for both verifiers only a note of later tells."""
    found = []
    for number, old in enumerate(past.ages):
        assert log_check.check(old).faults == ()
        (line,) = log_check.check(old, [past.kept]).faults
        assert line == f"the log has {number + 2} events, kept says {EVENTS + 1}"
        out = tmp_path / str(number)
        log_export.write(Logbook(old), out)
        vkey = (out / "keys").read_text().strip()
        assert (loaded(out, vkey), independent(out, vkey)) == ("", "")
        later = (loaded(out, vkey, past.kept), independent(out, vkey, past.kept))
        found.append(all(later))
    counted(capsys, "whole host", found)


def refused(home: Path) -> bool:
    """Say whether the registry in *home* does not open."""
    try:
        Registry.open(home).close()
    except RegistryError:
        return True
    return False


def test_an_event_is_proved_alone(home: Path) -> None:
    """Who is shown one event is shown nothing of the others."""
    entry, proof = Logbook(home).prove(3)
    head, note = proof.decode().split("\n\n", 1)
    assert head.split("\n")[:2] == ["c2sp.org/tlog-proof@v1", "index 2"]
    assert sha256(b"\0" + entry) != sha256(entry)
    assert notes.decode(note.encode()).checkpoint == Logbook(home).head()


def test_a_key_that_the_log_does_not_name_signs_nothing(tmp_path: Path) -> None:
    """The power went after the key was made: nobody could tell later whose it was."""
    site = Site(tmp_path)
    key = site_key.create(site.home, "plant7")
    site.model("org/one", b"1")
    assert Logbook(site.home).checkpoints() == ()
    maker = Maker(home=site.home, registry=site.registry, now=NOW, actor="me")
    assert maker.key().public == key.public
    last = site.registry.events(newest=1)[0]
    assert last.detail == {"key_id": key.public.key_id, "found": True}
    assert [one.size for one in Logbook(site.home).checkpoints()] == [3]
    assert maker.key().public == key.public
    assert site.registry.events(newest=1)[0] == last
    assert log_check.check(site.home).faults == ()


def test_what_is_refused_is_in_the_log(tmp_path: Path) -> None:
    """An attempt is what an auditor wants to hear of, also where nothing changed."""
    site = Site(tmp_path)
    one = site.model("org/one", b"1")
    site.registry.deny([one], why="licence", now=NOW, actor="officer")
    with pytest.raises(RequestError):
        site.registry.activate([one], now=NOW, actor="mallory")
    with pytest.raises(RequestError):
        site.registry.rollback(99, now=NOW, actor="mallory")
    told = [
        (last.actor, last.action, last.subject, last.outcome, last.detail)
        for last in site.registry.events(newest=2)
    ]
    revision = site.registry.releases()[0].release.revision
    problem = f"model:org/one@{revision[:12]} is denied: licence"
    assert told == [
        ("mallory", "activate", "", "refused", {"ids": [one], "problem": problem}),
        (
            "mallory",
            "rollback",
            "to 99",
            "refused",
            {"to": 99, "problem": "there is no generation 99; there are 1 to 2"},
        ),
    ]


def test_a_new_root_and_a_new_policy_have_lines_of_their_own(tmp_path: Path) -> None:
    """Whose keys count is what everything else rests on."""
    site = Site(tmp_path)
    site.model("org/one", b"1")
    site.side.publisher.set_policy(document(made()), site.side.signers, NOW)
    site.model("org/two", b"2")
    site.side.publisher.set_policy(document(made(2)), site.side.signers, NOW)
    site.model("org/three", b"3")
    site.model("org/four", b"4")
    lines = [
        (one.subject, one.detail["before"], one.detail["by"])
        for one in site.registry.events()
        if one.action in ("root", "policy")
    ]
    assert lines == [("policy 1", 0, "delivery 2"), ("policy 2", 1, "delivery 3")]
