"""Whether served bytes are the approved ones: what is known of it, and since when."""

from pathlib import Path

import pytest

from airlift.audit import verify
from airlift.audit.finding import Verdict
from airlift.digest import Sha256, sha256
from airlift.registry import hashed
from airlift.registry.hashed import State
from audited import NOW, TODAY, World, model, rows, told

WEIGHTS = bytes(range(256)) * 400
BLOB, CONFIG = sha256(WEIGHTS), sha256(b"{}")
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS}
LATER = "2026-07-05T06:00:00Z"
LABEL = f"model:org/model@{'a' * 12}/model.safetensors"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.bring(model(files=FILES))
    return world


def note(world: World, blob: Sha256, state: State, time: str = TODAY) -> None:
    """Note what a look at *blob* found."""
    hashed.record(world.home, [(blob, state)], time=time)


def test_what_came_lately_was_hashed_when_it_came(world: World) -> None:
    """An import believes no byte that it has not hashed."""
    answer = world.ask("verify")
    assert answer.verdict is Verdict.PASS
    assert answer.coverage == {
        "files_total": 2,
        "bytes_total": 2 + len(WEIGHTS),
        "files_hashed": 2,
        "bytes_hashed": 2 + len(WEIGHTS),
        "files_hashed_again": 0,
        "files_overdue": 0,
        "within_days": 90,
        "oldest_hash": NOW,
    }
    assert verify.statement(answer) == (
        f"each of 2 files was hashed within 90 days, 0 again since they came; the oldest"
        f" look is of {NOW}"
    )


def test_what_nobody_looked_at_for_long_is_unknown(world: World) -> None:
    """Disks rot in silence; a pass of March is none of July."""
    note(world, CONFIG, State.IDENTICAL, "2026-07-01T00:00:00Z")
    answer = world.ask("verify", now=LATER)
    assert answer.verdict is Verdict.UNKNOWN
    (line,) = answer.unknown
    assert line == (
        f"1 files that are served ({len(WEIGHTS)} bytes) were not hashed for 90 days:"
        " `airlift audit verify --rolling 30m` reads those that have waited longest"
    )
    assert answer.coverage["files_hashed"] == 1
    assert verify.statement(answer).startswith("1 of 2 files was hashed within 90 days")


def test_a_look_that_found_other_bytes_breaks_integrity(world: World) -> None:
    """The file, the release and the delivery are named, and nothing says pass."""
    note(world, BLOB, State.CHANGED)
    answer = world.ask("verify")
    assert answer.broken
    assert rows(answer, "target", "file", "expected", "state", "last_hashed") == [
        ("store", LABEL, BLOB, "changed", TODAY)
    ]
    assert told(answer) == [
        ("changed", "critical", f"{LABEL}: its bytes hash to something else")
    ]
    assert answer.findings[0].arrived_in == "2"


def test_a_blob_that_is_gone_is_missed_without_a_look(world: World) -> None:
    """The store is asked; nobody has to have noted it."""
    with world.registry():
        world.store.remove([BLOB])
    answer = world.ask("verify")
    assert answer.broken
    assert rows(answer, "file", "state", "problem") == [
        (LABEL, "missing", "it is not in the store")
    ]


def test_what_was_missing_and_came_again_is_sound(world: World) -> None:
    """A repaired release must not be told as broken until the next look."""
    note(world, BLOB, State.MISSING)
    assert world.ask("verify").verdict is Verdict.PASS


def test_what_is_not_served_is_a_finding_and_breaks_nothing(world: World) -> None:
    """A retired release may be rolled back to: it is told, and nothing is stopped."""
    with world.registry() as registry:
        (held,) = registry.releases()
        registry.deactivate([held.id], now=TODAY, actor="ann")
    note(world, BLOB, State.UNREADABLE)
    answer = world.ask("verify")
    assert (answer.broken, answer.verdict) == (False, Verdict.FINDING)
    assert told(answer) == [("unreadable", "high", f"{LABEL}: it could not be read")]


def test_it_can_be_asked_of_one_release(world: World) -> None:
    """Before one model goes into production only its own files matter."""
    world.bring(model("org/other", {"other.json": b"[1]"}))
    note(world, BLOB, State.CHANGED)
    answer = world.ask("verify", "org/other")
    assert answer.verdict is Verdict.PASS
    assert answer.counts == {"files": 1, "hashed": 1, "bad": 0}


def test_the_past_cannot_be_asked(world: World) -> None:
    """Only the newest look is kept; an answer for another day would be made up."""
    answer = world.ask("verify", now=LATER, as_of=TODAY)
    assert answer.verdict is Verdict.UNKNOWN
    assert answer.reason == (
        "only the newest look at each file is kept, not that of another day"
    )
