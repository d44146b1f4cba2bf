"""What hosts hold, held against what was approved."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.artifact import Json, Kind, Release
from airlift.audit.finding import Verdict
from airlift.digest import sha256
from airlift.format.observation import Place
from audited import TODAY, World, model, rows, told
from hubs.gguf_file import Gguf, string, tensor
from observed import environment, look, put, take, wheel_set
from wheelhouse import wheel

COMMIT = "a" * 40
OLD = "b" * 40
FILES = {"config.json": b"{}\n", "model.safetensors": bytes(range(256)) * 40}
GGUF = Gguf(
    keys=[string("general.architecture", "llama")],
    tensors=[tensor("a", [1024, 8], kind=24)],
).whole(bytes(8192))
SNAPSHOT = f"models--org--model/snapshots/{COMMIT}"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    """A site with a model, whose cache of a hub is in ``hub``."""
    world = World(tmp_path / "site")
    world.bring(model(files=FILES))
    put(world, "org/model", "hf-cache", tmp_path / "hub")
    return world


@pytest.fixture(name="hub")
def _hub(tmp_path: Path) -> dict[Place, Path]:
    return {Place.HUB: tmp_path / "hub"}


def states(world: World) -> list[tuple[Json, ...]]:
    """Return name, state and problem of everything on every host."""
    return rows(world.ask("hosts"), "name", "state", "problem")


def spoil(place: Path, data: bytes) -> None:
    """Put other bytes where *place* leads to."""
    place = place.resolve()
    place.chmod(0o600)
    place.write_bytes(data)


def test_a_site_that_saw_no_host_knows_nothing_of_any(world: World) -> None:
    """No observation is not an empty host."""
    answer = world.ask("hosts")
    assert answer.verdict is Verdict.UNKNOWN
    assert answer.why == (
        "no host was ever observed: run `airlift observe` on each, and read what it"
        " writes with `airlift audit hosts --read FILE`"
    )


def test_what_was_installed_from_here_is_approved(
    world: World, hub: dict[Place, Path]
) -> None:
    """Every file of it was hashed on the host, and is as it was signed."""
    take(world, look(places=hub))
    answer = world.ask("hosts")
    assert answer.verdict is Verdict.PASS
    assert answer.as_of == TODAY
    assert answer.rows == (
        {
            "kind": "model",
            "host": "gpu-1",
            "place": "hub",
            "name": "org/model",
            "version": COMMIT,
            "state": "approved",
            "files": 2,
            "problem": "",
            "observed": TODAY,
        },
    )


def test_one_flipped_byte_on_a_host_breaks_integrity(
    world: World, hub: dict[Place, Path]
) -> None:
    """Clients look at lengths only; the host's own names are not believed."""
    data = FILES["model.safetensors"]
    spoil(hub[Place.HUB] / SNAPSHOT / "model.safetensors", b"\xff" + data[1:])
    take(world, look(places=hub))
    answer = world.ask("hosts")
    assert answer.broken
    assert told(answer) == [
        (
            "changed",
            "critical",
            f"org/model@{COMMIT[:12]} on gpu-1: changed: model.safetensors",
        )
    ]
    assert answer.findings[0].subject.hosts == ("gpu-1",)


def test_the_same_drift_on_two_hosts_is_one_finding(
    world: World, hub: dict[Place, Path]
) -> None:
    """A waiver, or a fix, is for the thing and not for each place it is in."""
    (hub[Place.HUB] / SNAPSHOT / "extra.py").write_text("print(1)")
    for host in ("gpu-1", "gpu-2"):
        take(world, look(host, hub))
    answer = world.ask("hosts")
    assert [one.subject.hosts for one in answer.findings] == [("gpu-1", "gpu-2")]
    assert told(answer) == [
        (
            "foreign",
            "high",
            f"org/model@{COMMIT[:12]} on gpu-1, gpu-2: foreign: extra.py",
        )
    ]


def test_files_that_lack_and_files_nobody_could_read_are_told_apart(
    world: World, hub: dict[Place, Path]
) -> None:
    """The one is known, the other is not."""
    (hub[Place.HUB] / SNAPSHOT / "config.json").unlink()
    take(world, look("one", hub))
    gone = hub[Place.HUB] / SNAPSHOT / "model.safetensors"
    gone.resolve().unlink()
    take(world, look("two", hub))
    answer = world.ask("hosts")
    assert rows(answer, "host", "state", "problem") == [
        ("one", "incomplete", "incomplete: config.json"),
        ("two", "unread", "unread: model.safetensors"),
    ]
    assert answer.verdict is Verdict.UNKNOWN
    assert answer.unknown == (
        f"host two: org/model@{COMMIT[:12]}: unread: model.safetensors",
    )


def test_models_from_elsewhere_are_foreign(
    world: World, hub: dict[Place, Path]
) -> None:
    """A revision nobody approved is as foreign as a model nobody carried."""
    root = hub[Place.HUB]
    shutil.copytree(root / SNAPSHOT, root / f"models--org--model/snapshots/{OLD}")
    shutil.copytree(root / SNAPSHOT, root / f"models--who--knows/snapshots/{OLD}")
    take(world, look(places=hub))
    assert states(world) == [
        ("org/model", "approved", ""),
        ("org/model", "foreign", "this revision is in no release here"),
        ("who/knows", "foreign", "no release here"),
    ]


def test_what_is_live_no_more_is_old_and_what_is_denied_is_worse(
    world: World, hub: dict[Place, Path]
) -> None:
    """A runtime goes on with what it has until somebody looks."""
    take(world, look(places=hub))
    with world.registry() as registry:
        (held,) = registry.releases()
        registry.deactivate([held.id], now=TODAY, actor="ann")
    assert states(world) == [("org/model", "old", "retired on this site")]
    with world.registry() as registry:
        registry.deny([held.id], why="poisoned", now=TODAY, actor="ann")
    assert states(world) == [("org/model", "denied", "denied: poisoned")]


def test_an_old_observation_answers_nothing(
    world: World, hub: dict[Place, Path]
) -> None:
    """What a host held in March says little of May."""
    take(world, look(places=hub))
    answer = world.ask("hosts", now="2026-05-20T06:00:00Z")
    assert answer.verdict is Verdict.UNKNOWN
    assert answer.unknown == (
        "host gpu-1: observed 76 days ago, more than 30: run `airlift observe` there",
    )


# --- Ollama ---------------------------------------------------------------------------


def test_what_ollama_pulled_of_a_plain_gguf_is_recognised(
    world: World, tmp_path: Path
) -> None:
    """The manifest is made here, so that it is known what it must be."""
    world.bring(_gguf())
    root = tmp_path / "ollama"
    put(world, "org/small", "ollama", root)
    take(world, look(places={Place.OLLAMA: root}))
    assert states(world) == [("org/small", "approved", "")] * 2


def test_another_system_text_on_approved_weights_is_foreign(
    world: World, tmp_path: Path
) -> None:
    """`ollama create` on the host changes what a model says, and no weight."""
    world.bring(_gguf())
    root = tmp_path / "ollama"
    put(world, "org/small", "ollama", root)
    found = [one for one in (root / "manifests").rglob("*") if one.is_file()]
    spoil(found[0], found[0].read_bytes().replace(b'"layers":[', b'"layers": ['))
    take(world, look(places={Place.OLLAMA: root}))
    (state,) = (one for one in states(world) if one[1] != "approved")
    problem = (
        "its manifest is in no release here, though some of its layers are: another"
        " template or parameters"
    )
    assert state[1:] == ("foreign", problem)


def test_a_blob_of_ollama_that_is_not_its_name_is_changed(
    world: World, tmp_path: Path
) -> None:
    """Ollama hashes once, when it pulls."""
    world.bring(_gguf())
    root = tmp_path / "ollama"
    put(world, "org/small", "ollama", root)
    digest = sha256(GGUF)
    spoil(root / f"blobs/sha256-{digest}", b"x" + GGUF[1:])
    take(world, look(places={Place.OLLAMA: root}))
    assert set(states(world)) == {("org/small", "changed", f"changed: {digest}")}


def _gguf() -> tuple[Release, tuple[bytes, ...]]:
    release, contents = model("org/small", {"m-Q8_0.gguf": GGUF}, kind=Kind.GGUF)
    files = tuple(replace(one, format="gguf") for one in release.files)
    return replace(release, files=files), contents


# --- packages -------------------------------------------------------------------------


def test_packages_are_held_against_the_wheels_that_were_carried(
    world: World, tmp_path: Path
) -> None:
    """Name and version alone would let a rebuilt package pass."""
    world.bring(wheel_set("tools", ("good", "1.0"), ("built", "2.0"), ("newer", "3.0")))
    site = tmp_path / "env"
    environment(
        site,
        wheel("good", "1.0")[:2],
        wheel("built", "2.0", payload=b"from elsewhere")[:2],
        wheel("newer", "2.9")[:2],
        wheel("strange", "1.0")[:2],
    )
    (site / "touched-1.0.dist-info").mkdir()
    take(world, look(pythons={"vllm": site}))
    answer = world.ask("hosts")
    assert rows(answer, "name", "version", "state", "problem") == [
        (
            *("built", "2.0", "other"),
            "it was installed from other bytes than the wheels that are held",
        ),
        ("good", "1.0", "approved", ""),
        (
            *("newer", "2.9", "foreign"),
            "no wheel of this version is held; held are 3.0",
        ),
        ("strange", "1.0", "foreign", "no wheel of this version is held"),
        (
            *("touched", "1.0", "unread"),
            "it has no RECORD: nothing tells what its files should be",
        ),
    ]
    assert [(one.rule, one.severity.value) for one in answer.findings] == [
        ("other", "high"),
        ("foreign", "medium"),
        ("foreign", "medium"),
    ]
    assert not answer.broken


def test_a_line_changed_in_an_installed_package_breaks_integrity(
    world: World, tmp_path: Path
) -> None:
    """Its RECORD is the host's; the files are hashed."""
    world.bring(wheel_set("tools", ("good", "1.0")))
    site = tmp_path / "env"
    environment(site, wheel("good", "1.0")[:2])
    (site / "good/__init__.py").write_text("import os\n")
    take(world, look(pythons={"vllm": site}))
    answer = world.ask("hosts")
    assert answer.broken
    assert states(world) == [
        ("good", "changed", "files are not as its RECORD says: good/__init__.py")
    ]


def test_a_rewritten_record_does_not_help(world: World, tmp_path: Path) -> None:
    """Who changes a file can change RECORD too; the wheel's own lines are here."""
    world.bring(wheel_set("tools", ("good", "1.0")))
    site = tmp_path / "env"
    environment(site, wheel("good", "1.0")[:2])
    record = site / "good-1.0.dist-info/RECORD"
    kept = [
        line
        for line in record.read_text().splitlines()
        if not line.startswith("good/__init__.py")
    ]
    record.write_text("\n".join(kept) + "\n")
    take(world, look(pythons={"vllm": site}))
    assert [one[1] for one in states(world)] == ["other"]


def test_the_inventory_says_who_uses_what(world: World, tmp_path: Path) -> None:
    """Before something is taken out of the live set somebody asks who has it."""
    world.bring(wheel_set("tools", ("good", "1.0"), ("idle", "1.0")))
    site = tmp_path / "env"
    environment(site, wheel("good", "1.0")[:2])
    places = {Place.HUB: tmp_path / "hub"}
    take(world, look("gpu-1", places))
    take(world, look("gpu-2", places, {"vllm": site}))
    assert rows(world.ask("inventory"), "name", "used_by") == [
        ("org/model", ("gpu-1", "gpu-2")),
        ("tools", ()),
        ("good", ("gpu-2",)),
        ("idle", ()),
    ]
