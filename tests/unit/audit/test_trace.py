"""Where a thing came from: every step on record, or "not ours"."""

from pathlib import Path

import pytest

from airlift import __version__
from airlift.audit import origin, trace
from airlift.audit.answer import Answer
from airlift.audit.finding import Verdict
from airlift.digest import sha256
from airlift.errors import RequestError
from airlift.format.observation import Place
from airlift.progress import Silent
from audited import NOW, TODAY, World, model, rows, told
from observed import environment, look, put, take, wheel_set
from wheelhouse import wheel

WEIGHTS = bytes(range(256)) * 400
BLOB = sha256(WEIGHTS)
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS}
COMMIT = "a" * 40
LABEL = f"model:org/model@{COMMIT[:12]}"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    world = World(tmp_path / "site")
    world.bring(model(files=FILES))
    return world


def ask(world: World, item: str | Path) -> Answer:
    """Return what is on record of *item*."""
    with world.site() as site:
        return trace.trace(site, origin.find(site, str(item), Silent()))


def steps(answer: Answer) -> list[str]:
    """Return the steps by name."""
    return [str(row["step"]) for row in answer.rows]


def test_a_release_is_traced_from_upstream_to_the_live_set(world: World) -> None:
    """Who says so, and where it can be looked up, stands beside each step."""
    answer = ask(world, "org/model")
    assert rows(answer, "step", "time", "actor", "object") == [
        ("fetched", "", "https://hub.example org/model", LABEL),
        ("released", "", "", f"{LABEL}, release 1 of it"),
        *((f"signed as {role}", NOW, "alice", "delivery 2") for role in _roles(answer)),
        ("imported", NOW, "ann", f"delivery 2, by airlift {__version__}"),
        ("went live", NOW, "ann", f"{LABEL} (import)"),
        ("last hashed", NOW, "", "2 files, 0 again since they came, 0 bad"),
    ]
    assert len(_roles(answer)) >= 3
    assert answer.verdict is Verdict.PASS
    recorded = [str(row["recorded"]) for row in answer.rows]
    assert recorded[0] == "the signed document of the release"
    assert recorded[-3:] == [
        *("event 3", "generation 1"),
        "the registry: the look that is longest ago",
    ]
    keys = {row["key"] for row in answer.rows if str(row["step"]).startswith("signed")}
    assert all(len(str(one)) == 64 for one in keys)


def _roles(answer: Answer) -> list[str]:
    return [
        one.removeprefix("signed as ")
        for one in steps(answer)
        if one.startswith("signed as ")
    ]


def test_what_happened_later_stands_in_its_place(world: World) -> None:
    """Taken out, denied, seen on a host: a trace does not end with the import."""
    with world.registry() as registry:
        (held,) = registry.releases()
        registry.pin([held.id], why="golden", now="2026-03-02T07:00:00Z", actor="bob")
        registry.deny([held.id], why="poison", now="2026-03-03T07:00:00Z", actor="eve")
    answer = ask(world, held.id)
    later = rows(answer, "step", "time", "actor")
    assert ("pin", "2026-03-02T07:00:00Z", "bob") in later
    assert ("deny", "2026-03-03T07:00:00Z", "eve") in later
    assert ("left the live set", "2026-03-03T07:00:00Z", "eve") in later


@pytest.mark.parametrize("spelling", ["{}", "sha256:{}"])
def test_a_digest_is_traced_to_the_file_it_is_of(world: World, spelling: str) -> None:
    """A scanner, or Ollama's log, names nothing else."""
    answer = ask(world, spelling.format(BLOB))
    assert ("named", f"{LABEL}/model.safetensors", BLOB) in rows(
        answer, "step", "object", "digest"
    )


def test_a_delivery_is_traced_by_its_digest(world: World) -> None:
    """The slip on a medium names it so."""
    with world.registry() as registry:
        delivered = registry.deliveries()[0]
    answer = ask(world, delivered.id)
    assert steps(answer)[-1] == "imported"


def test_a_digest_of_nothing_here_is_not_ours(world: World) -> None:
    """It is a finding: somebody has seen these bytes somewhere."""
    stranger = sha256(b"stranger")
    answer = ask(world, stranger)
    why = "no release, delivery or file that is held has this digest"
    assert told(answer) == [("not-ours", "high", f"{stranger}: not ours, {why}")]
    assert rows(answer, "step", "object", "recorded") == [("not ours", stranger, why)]


def test_a_name_that_means_nothing_is_refused(world: World) -> None:
    """A misspelt name is no finding about anything."""
    with pytest.raises(RequestError, match="no release here is called `org/none`"):
        ask(world, "org/none")


def test_a_file_as_a_runtime_has_it_is_hashed_and_named(
    world: World, tmp_path: Path
) -> None:
    """Whatever it is called there: the bytes decide."""
    hub = tmp_path / "hub"
    put(world, "org/model", "hf-cache", hub)
    path = hub / f"models--org--model/snapshots/{COMMIT}/model.safetensors"
    answer = ask(world, path)
    assert rows(answer, "step", "object", "digest")[0] == ("found", str(path), BLOB)
    assert steps(answer)[1:3] == ["fetched", "released"]
    path.resolve().chmod(0o600)
    path.resolve().write_bytes(WEIGHTS[:-1] + b"?")
    answer = ask(world, path)
    why = "no release that is held has these bytes"
    assert told(answer) == [("not-ours", "high", f"{path}: not ours, {why}")]


def test_a_folder_is_told_by_release_and_strangers_by_name(
    world: World, tmp_path: Path
) -> None:
    """A runtime is given a folder; one file among the signed ones is enough to run code."""
    folder = tmp_path / "model"
    put(world, "org/model", "folder", folder)
    (folder / "modeling.py").write_text("import os\n")
    answer = ask(world, folder)
    assert rows(answer, "step", "object", "recorded")[0] == (
        *("found", str(folder)),
        "2 of 3 files here are of it",
    )
    assert [one.subject.name for one in answer.findings] == [f"{folder}/modeling.py"]


def test_a_file_of_an_installed_package_is_traced_to_its_wheel(
    world: World, tmp_path: Path
) -> None:
    """Wheels are unpacked on hosts: no file there has a digest that a release names."""
    world.bring(wheel_set("tools", ("good", "1.0")))
    site = tmp_path / "env"
    environment(site, wheel("good", "1.0")[:2], wheel("strange", "1.0")[:2])
    answer = ask(world, site / "good/__init__.py")
    assert rows(answer, "step", "recorded")[0] == (
        "found",
        "installed from good-1.0-py3-none-any.whl, as its RECORD says",
    )
    assert ("named",) in rows(answer, "step")
    answer = ask(world, site / "strange/__init__.py")
    why = "a file of strange 1.0, and no wheel of that is held"
    assert told(answer)[0][2].endswith(f"not ours, {why}")
    (site / "good/__init__.py").write_text("import os\n")
    answer = ask(world, site / "good/__init__.py")
    why = "a file of good 1.0, with other bytes than in its wheels"
    assert told(answer)[0][2].endswith(f"not ours, {why}")


def test_hosts_that_were_seen_to_hold_it_are_named(
    world: World, tmp_path: Path
) -> None:
    """Where it runs is a part of where it went."""
    put(world, "org/model", "hf-cache", tmp_path / "hub")
    kept = take(world, look(places={Place.HUB: tmp_path / "hub"}))
    answer = ask(world, "org/model")
    assert rows(answer, "step", "time", "object", "digest")[-1] == (
        *("observed", TODAY, "host gpu-1: 2 of 2 files", kept.id),
    )


def test_what_is_no_file_is_refused(world: World, tmp_path: Path) -> None:
    """A pipe would be waited for; nothing at all is a misspelt path."""
    with pytest.raises(RequestError, match="there is no file"):
        ask(world, tmp_path / "nothing")


def test_what_cannot_be_read_is_unknown_and_not_foreign(world: World) -> None:
    """Nobody may conclude from a bad sector that a file is a stranger.

    The memory of another process is a regular file that no read gets anything of.
    """
    answer = ask(world, "/proc/self/mem")
    assert answer.verdict is Verdict.UNKNOWN
    assert answer.unknown == ("/proc/self/mem: it cannot be read",)
    assert answer.findings == ()
