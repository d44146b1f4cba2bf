"""``airlift audit verify``: what is read, what is noted, and how it ends."""

from pathlib import Path

import pytest

from airlift.cli import config
from airlift.digest import Sha256, sha256
from airlift.registry import hashed
from audited import World, model
from commands import Shell
from observed import put

WEIGHTS = bytes(range(256)) * 400
BLOB = sha256(WEIGHTS)
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS}
LABEL = f"model:org/model@{'a' * 12}/model.safetensors"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    """A site of today: commands read the real clock."""
    world = World(tmp_path / "site")
    now = config.now()
    world.bring(model(files=FILES), now=now)
    world.bring(model("org/other", {"other.json": b"[1]"}), now=now)
    return world


@pytest.fixture(name="run")
def _run(world: World, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(world.home, capsys)


def flip(world: World, blob: Sha256) -> str:
    """Flip a bit of a blob on the disk; return what it hashes to now."""
    span = world.store.span(blob)
    assert span
    span.path.chmod(0o600)
    data = bytearray(span.path.read_bytes())
    data[span.offset + span.length // 2] ^= 1
    span.path.write_bytes(data)
    return sha256(data[span.offset : span.offset + span.length])


def noted(world: World) -> list[str]:
    """Return what was noted of each file."""
    return sorted(one.state or "never" for one in hashed.known(world.home))


def logged(world: World) -> dict[str, object]:
    """Return what the log says of the newest verification."""
    with world.registry() as registry:
        (event,) = registry.events(newest=1)
    assert event.action == "verify"
    return {**event.detail, "outcome": event.outcome}


def test_everything_is_read_noted_and_logged(run: Shell, world: World) -> None:
    """The answer rests on bytes that were read a moment ago."""
    done = run.good("audit", "verify")
    assert done.lines[0] == "Q3 is what is served, bit for bit, what was approved: pass"
    assert done.lines[-1].endswith("(exit code 0)")
    assert "read 3 files, 102 kB" in done.err
    assert "each of 3 files was hashed within 90 days, 3 again since they came" in (
        done.err
    )
    assert noted(world) == ["identical"] * 3
    assert logged(world) == {
        "mode": "full",
        "blobs": 3,
        "bytes": len(WEIGHTS) + 5,
        "left": 0,
        "bad": [],
        "outcome": "done",
    }


def test_one_flipped_byte_ends_with_code_4_and_names_the_file(
    run: Shell, world: World
) -> None:
    """The operator learns which file of which model to stop serving."""
    found = flip(world, BLOB)
    done = run("audit", "verify", "--json")
    assert done.code == 4
    (question,) = done.json["questions"]
    assert question["rows"] == [
        {
            "kind": "file",
            "target": "store",
            "file": LABEL,
            "expected": BLOB,
            "found": found,
            "state": "changed",
            "last_hashed": question["rows"][0]["last_hashed"],
            "problem": f"its {len(WEIGHTS)} bytes hash to {found}",
        }
    ]
    (finding,) = done.json["findings"]
    assert finding["severity"] == "critical"
    assert finding["title"] == (f"{LABEL}: its {len(WEIGHTS)} bytes hash to {found}")
    assert logged(world)["outcome"] == "failed"
    # It stays told until somebody has looked again.
    assert run("audit", "run", "--only", "verify").code == 4
    assert LABEL in run("audit", "verify").out


def test_releases_can_be_named(run: Shell, world: World) -> None:
    """What is broken elsewhere says nothing of this one."""
    flip(world, BLOB)
    assert run.good("audit", "verify", "org/other", "--json").json["coverage"] == {
        "files_total": 1,
        "bytes_total": 3,
        "files_hashed": 1,
        "bytes_hashed": 3,
        "files_hashed_again": 1,
        "files_overdue": 0,
        "within_days": 90,
        "oldest_hash": hashed.known(world.home)[0].since,
    }
    assert sorted(noted(world)) == ["identical", "never", "never"]


def test_a_rolling_run_and_a_sample_say_what_they_left(
    run: Shell, world: World
) -> None:
    """What was not read is counted, and the answer rests on when it was read last."""
    done = run.good("audit", "verify", "--sample", "30")
    assert "read 1 files" in done.err
    assert "with 95 % certainty fewer than 95.00% of all files are bad" in done.err
    assert noted(world).count("identical") == 1
    assert logged(world)["mode"] == "sample"
    run.good("audit", "verify", "--rolling", "1m")
    assert noted(world) == ["identical"] * 3
    assert logged(world)["mode"] == "rolling"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ("--rolling", "1m", "--sample", "5"),
            "--rolling and --sample choose what is read, each in its way",
        ),
        (("--target", "nowhere"), "`nowhere` is no target and no folder"),
        (("org/none",), "no release here is called `org/none`"),
    ],
)
def test_what_cannot_be_done_is_said(
    run: Shell, arguments: tuple[str, ...], problem: str
) -> None:
    """A question that was not asked must not look answered."""
    done = run("audit", "verify", *arguments)
    assert done.code in (2, 8)
    assert problem in done.out + done.err


def test_folders_of_runtimes_are_read_as_well(
    run: Shell, world: World, tmp_path: Path
) -> None:
    """The store may be sound while the copy a runtime loads is not."""
    hub = tmp_path / "hub"
    put(world, "org/model", "hf-cache", hub)
    target = f"hf-cache={hub}"
    done = run.good("audit", "verify", "--target", target, "--json")
    assert done.json["questions"][0]["counts"] == {f"{target} identical": 2}
    (path,) = hub.rglob("model.safetensors")
    path.resolve().chmod(0o600)
    path.resolve().write_bytes(b"x" + WEIGHTS[1:])
    done = run("audit", "verify", "--target", "store", "--target", target, "--json")
    assert done.code == 4
    (row,) = done.json["questions"][0]["rows"]
    assert (row["target"], row["state"]) == (target, "changed")
    assert row["file"].endswith("snapshots/" + "a" * 40 + "/model.safetensors")


def test_a_plain_folder_needs_a_release(
    run: Shell, world: World, tmp_path: Path
) -> None:
    """A folder does not tell what it is of."""
    folder = tmp_path / "model"
    put(world, "org/model", "folder", folder)
    arguments = ("audit", "verify", "--target", folder)
    assert run(*arguments).code != 0
    done = run.good(*arguments, "org/model", "--json")
    assert done.json["questions"][0]["counts"] == {f"{folder} identical": 2}
    (folder / "more.py").write_text("import os")
    done = run(*arguments, "org/model", "--json")
    assert done.code == 10
    assert [one["rule"] for one in done.json["findings"]] == ["extra"]
