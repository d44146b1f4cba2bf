"""``verify`` and ``rebuild``: damage is found, named, set aside and made good."""

import shutil
from pathlib import Path

import pytest

from airlift.digest import Sha256, sha256
from airlift.registry import hashed
from airlift.registry.hashed import State
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from commands import Shell, process
from crossing import Crossing, noise

WEIGHTS = noise(90_000)
BLOB = sha256(WEIGHTS)


def rot(home: Path, blob: Sha256) -> str:
    """Flip a bit of a blob on the disk; return what it hashes to now."""
    span = BlobStore(home / "store").span(blob)
    assert span
    span.path.chmod(0o644)
    with span.path.open("r+b") as stream:
        stream.seek(span.offset)
        content = bytearray(stream.read(span.length))
        content[span.length // 2] ^= 1
        stream.seek(span.offset)
        stream.write(content)
    return sha256(content)


def test_a_sound_store_is_hashed_whole(run: Shell) -> None:
    """What is said to have been read was read: every blob, every byte."""
    assert run.good("verify", "--json").json == {
        "blobs": 4,
        "bytes": 90_025,
        "problems": [],
    }
    assert run.good("verify").lines == ["4 blob(s), 90 kB: 0 problem(s)"]


def test_one_release_can_be_verified(run: Shell) -> None:
    """Before a model goes into production, only its own files are read."""
    assert run.good("verify", "acme/risky", "--json").json["blobs"] == 1
    assert run.good("verify", "acme/m@main", "acme/risky", "--json").json["blobs"] == 3


def test_a_rotten_blob_is_named_with_all_that_use_it(run: Shell) -> None:
    """The operator learns which models are hit, and which delivery brought them."""
    found = rot(run.home, BLOB)
    first, second = sorted(
        (
            one
            for one in run.good("list", "--json").json["releases"]
            if one["name"] == "acme/m"
        ),
        key=lambda one: int(one["sequence"]),
    )
    done = run("verify")
    assert done.code == 6
    assert done.lines == [
        f"rotten  {BLOB}: its 90000 bytes hash to {found}",
        f"  used by folder  acme/m  {second['revision'][:12]}  (live), delivery 2",
        f"  used by folder  acme/m  {first['revision'][:12]}  (live), delivery 1",
        "4 blob(s), 90 kB: 1 problem(s)",
    ]
    assert done.err == (
        "airlift: error: 1 blob(s) of the store are rotten, missing or unreadable\n"
        "airlift: hint: export the releases named above again on the connected host and"
        " import that delivery: what is missing comes with it\n"
    )
    done = run("verify", "--json")
    assert done.code == 6
    keys = ("id", "kind", "name", "revision", "state", "sequence")
    assert done.json == {
        "blobs": 4,
        "bytes": 90_025,
        "problems": [
            {
                "blob": BLOB,
                "what": "rotten",
                "problem": f"its 90000 bytes hash to {found}",
                "releases": [
                    {key: one[key] for key in keys} for one in (second, first)
                ],
                "moved_to": "",
            }
        ],
    }


def test_rot_in_a_pack_is_found_too(run: Shell) -> None:
    """Small files lie many to a file; each is hashed by itself."""
    blob = sha256(b"print(1)\n")
    rot(run.home, blob)
    problems = run("verify", "--json").json["problems"]
    assert [(one["blob"], one["what"]) for one in problems] == [(blob, "rotten")]


def test_rot_is_set_aside_only_when_asked(run: Shell) -> None:
    """Evidence stays for whoever looks at the disk, and is never served again."""
    rot(run.home, BLOB)
    run("verify")
    assert not (run.home / "store" / "quarantine").exists()
    done = run("verify", "--quarantine")
    place = run.home / "store" / "quarantine" / BLOB
    assert done.code == 6
    assert f"  moved to {place}" in done.lines
    assert place.read_bytes() != WEIGHTS
    done = run("verify", "--json")
    assert [(one["what"], one["problem"]) for one in done.json["problems"]] == [
        ("missing", "it is not in the store")
    ]


def test_a_lost_blob_that_no_release_uses_is_no_problem(run: Shell) -> None:
    """What a collection took while the store was read was not lost."""
    store = BlobStore(run.home / "store")
    extra = store.add([noise(20_000, 9)])
    rot(run.home, extra)
    done = run("verify")
    assert done.code == 6
    assert done.lines[1] == "  used by no release here"
    run.good("gc", "--yes")
    assert run.good("verify").lines == ["4 blob(s), 90 kB: 0 problem(s)"]


def test_a_new_delivery_brings_back_what_was_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way out that the message names."""
    crossing = Crossing(tmp_path)
    pinned = crossing.connected.folder("acme/m", {"weights.bin": WEIGHTS})
    crossing.connected.export(tmp_path / "1", pinned)
    crossing.isolated.land(tmp_path / "1")
    run = Shell(crossing.isolated.home, capsys)
    rot(run.home, BLOB)
    assert run("verify", "--quarantine").code == 6
    crossing.connected.export(tmp_path / "2", pinned)
    crossing.isolated.land(tmp_path / "2")
    assert run.good("verify").lines == ["1 blob(s), 90 kB: 0 problem(s)"]


def test_the_connected_store_is_mended_by_the_next_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An export that finds rot names this command; it must work there."""
    crossing = Crossing(tmp_path)
    pinned = crossing.connected.folder("acme/m", {"weights.bin": WEIGHTS})
    crossing.connected.export(tmp_path / "1", pinned)
    run = Shell(crossing.connected.home, capsys)
    assert run.good("verify").lines == ["1 blob(s), 90 kB: 0 problem(s)"]
    found = rot(run.home, BLOB)
    done = run("verify", "--quarantine")
    assert (done.code, done.lines[:2]) == (
        6,
        [
            f"rotten  {BLOB}: its 90000 bytes hash to {found}",
            "  used by no release here",
        ],
    )
    assert done.err.splitlines()[1] == (
        "airlift: hint: add --quarantine, and the next export fetches them again"
    )
    crossing.connected.export(tmp_path / "2", pinned)
    assert run.good("verify").lines == ["1 blob(s), 90 kB: 0 problem(s)"]
    done = run("verify", "acme/m")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "airlift: error: releases can be named on the isolated side only",
    )


def test_a_verification_is_in_the_log_with_what_it_found(run: Shell) -> None:
    """When was it last done, and was all well: the doctor and an auditor ask."""
    run.good("verify")
    rot(run.home, BLOB)
    run("verify")
    events = run.good("list", "--history", "--json").json["events"]
    told = [
        (one["outcome"], one["detail"]) for one in events if one["action"] == "verify"
    ]
    assert told == [
        ("done", {"mode": "full", "blobs": 4, "bytes": 90_025, "bad": []}),
        ("failed", {"mode": "full", "blobs": 4, "bytes": 90_025, "bad": [BLOB]}),
    ]


def test_a_lost_database_is_made_again(run: Shell) -> None:
    """Pins, live sets, quarantine and log come back; no delivery is needed."""
    run.good("pin", "acme/risky", "--why", "audit")
    run.good("rollback")
    held = run.good("list", "--json").json
    sets = run.good("list", "--generations", "--json").json
    (run.home / "registry.db").unlink()
    lost = run("list")
    assert (lost.code, lost.out) == (7, "")
    assert run.good("rebuild").lines == ["recreated from 3 deliveries: 3 releases"]
    assert run.good("list", "--json").json == held
    assert run.good("list", "--generations", "--json").json == sets


def test_an_old_database_is_put_aside(run: Shell) -> None:
    """What was there before is not thrown away by a guess."""
    content = (run.home / "registry.db").read_bytes()
    assert run.good("rebuild", "--json").json == {
        "deliveries": 3,
        "releases": 3,
        "missing": [],
        "unlisted": [],
        "aside": str(run.home / "registry.db.old-1"),
    }
    assert (run.home / "registry.db.old-1").read_bytes() == content


def test_a_damaged_database_says_how_to_mend_it(run: Shell) -> None:
    """The hint is the command that works."""
    (run.home / "registry.db").write_bytes(b"not a database" * 1000)
    done = run("list", "--json")
    assert done.code == 7
    assert done.json["error"]["hint"] == (
        "run `airlift rebuild`: the database is made again from records"
    )
    run.good("rebuild")
    assert run.good("verify").code == 0


def test_a_rebuild_says_what_the_store_lacks(run: Shell) -> None:
    """A database that is whole over a store that is not must not look well."""
    BlobStore(run.home / "store").remove([BLOB])
    done = run("rebuild")
    assert done.code == 6
    assert done.err == (
        "airlift: error: the store lacks 1 blob(s) that releases name\n"
        "airlift: hint: `airlift verify` names them and their releases\n"
    )
    done = run("rebuild", "--json")
    assert (done.code, done.json["missing"]) == (6, [BLOB])


def test_a_delivery_on_record_that_was_tampered_with_is_not_believed(
    run: Shell,
) -> None:
    """Rebuilding is no way round the signatures, and the old database stays."""
    path = next((run.home / "records").glob("000002-*/airlift/metadata/timestamp.json"))
    path.chmod(0o644)
    signed = bytearray(path.read_bytes())
    at = signed.index(b'"sig":"') + len(b'"sig":"')
    signed[at] = ord("1") if signed[at] == ord("0") else ord("0")
    path.write_bytes(signed)
    before = (run.home / "registry.db").read_bytes()
    done = run("rebuild")
    assert (done.code, done.out) == (5, "")
    assert "timestamp" in done.err
    assert (run.home / "registry.db").read_bytes() == before


@pytest.mark.parametrize(
    "command", ["verify", "gc", "rebuild", "list", "activate x", "rollback", "pin x"]
)
def test_without_a_registry_every_command_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """A mistyped --home is a message, and makes no folder."""
    run = Shell(tmp_path / "nowhere", capsys)
    extra = ("--why", "x") if command.startswith("pin") else ()
    done = run(*command.split(), *extra)
    assert (done.code, done.out) == (7, "")
    assert "nowhere" in done.err
    assert not (tmp_path / "nowhere").exists()


def test_a_second_writer_is_told_who_holds_the_registry(run: Shell) -> None:
    """Two administrators at once wait for each other, and know for whom."""
    registry = Registry.open(run.home)
    with registry.exclusive("import"):
        done = process("rollback", "--home", run.home)
    assert done.code == 7
    assert "`import` is writing" in done.err
    registry.close()


def test_a_copy_of_the_home_is_whole(run: Shell, tmp_path: Path) -> None:
    """A backup is a copy of the folder; it verifies where it is restored."""
    copy = Path(shutil.copytree(run.home, tmp_path / "copy"))
    done = process("verify", "--home", copy)
    assert (done.code, done.out) == (0, "4 blob(s), 90 kB: 0 problem(s)\n")


def test_what_was_found_is_noted_for_audits(run: Shell) -> None:
    """An audit that reads nothing says what the last look found, whoever looked."""
    run.good("verify")
    assert {one.state for one in hashed.known(run.home)} == {State.IDENTICAL}
    rot(run.home, BLOB)
    assert run("verify").code == 6
    asked = ("audit", "run", "--only", "verify", "--json")
    assert run(*asked).code == 4
    assert run("verify", "--quarantine").code == 6
    (row, *_) = run(*asked).json["questions"][0]["rows"]
    assert (row["expected"], row["state"]) == (BLOB, "missing")
