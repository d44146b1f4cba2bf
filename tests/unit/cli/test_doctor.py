"""``doctor``: each fault of a host is one line, with what to do about it."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from airlift.cli import config, health_origin, health_site
from airlift.digest import sha256
from airlift.store.blobs import BlobStore
from airlift.trust import clock, keys
from airlift.trust.publisher import Publisher
from commands import Done, Shell, process
from crossing import Crossing

HOST = ("versions", "libraries", "home", "space", "modes")
SITE = (
    *(
        "database",
        "registry",
        "clock",
        "people",
        "root",
        "metadata",
        "deliveries",
        "verified",
    ),
    *(
        "quarantine",
        "names",
        "airlift",
        "store",
        "mark",
        "catalogue",
        "incoming",
        "rot",
    ),
)


def verdicts(done: Done) -> dict[str, str]:
    """Return the verdict of every check that ``doctor --json`` made."""
    return {one["check"]: one["verdict"] for one in done.json["checks"]}


def told(done: Done, check: str) -> tuple[str, str]:
    """Return text and hint of a check of ``doctor --json``."""
    (found,) = [one for one in done.json["checks"] if one["check"] == check]
    return found["text"], found["hint"]


def test_a_healthy_site_has_no_problem(run: Shell) -> None:
    """Every check of an isolated host, in one order, one line each."""
    run.good("activate", "acme/risky")
    done = run.good("doctor", "--json")
    assert verdicts(done) == dict.fromkeys((*HOST, *SITE), "ok") | {
        "space": verdicts(done)["space"]  # depends on the machine
    }
    assert done.json["problems"] == 0
    assert set(done.json["checks"][0]) == {"check", "verdict", "text", "hint"}
    lines = run.good("doctor").lines
    checks = [line.split()[1] for line in lines if not line.startswith(" ")]
    assert tuple(checks) == (*HOST, *SITE)


def test_looking_changes_nothing(run: Shell) -> None:
    """It may be run at any time, also while an import runs."""
    before = {
        path: (path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in run.home.rglob("*")
    }
    run.good("doctor")
    after = {
        path: (path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in run.home.rglob("*")
    }
    assert after == before


def test_what_waits_in_quarantine_is_a_warning(run: Shell) -> None:
    """Warnings do not fail a cron job."""
    done = run.good("doctor", "--json")
    assert verdicts(done)["quarantine"] == "warning"
    assert told(done, "quarantine") == (
        "1 release(s) wait to be looked at",
        "`airlift list --state quarantine`, then `show` and `activate`",
    )


def test_names_that_container_tools_mix_up_are_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They take lower case only; the server answers neither of such a pair."""
    crossing = Crossing(tmp_path)
    connected, isolated = crossing.connected, crossing.isolated
    files = {"a.json": b"{}"}
    pinned = [connected.folder(name, files) for name in ("Acme/M", "acme/m")]
    connected.export(crossing.medium, *pinned)
    isolated.land(crossing.medium)
    isolated.registry.close()
    done = Shell(isolated.home, capsys)("doctor", "--json")
    assert told(done, "names") == (
        "one name to container tools: Acme/M and acme/m",
        "they cannot be pulled as images; `airlift remove` all but one of each",
    )


def test_an_import_says_which_names_container_tools_mix_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever brought the second of the two is still there to be asked."""
    crossing = Crossing(tmp_path)
    files = {"a.json": b"{}"}
    connected = crossing.connected
    pinned = [connected.folder(name, files) for name in ("Acme/M", "acme/m")]
    connected.export(crossing.medium, *pinned)
    crossing.isolated.registry.close()
    done = Shell(crossing.isolated.home, capsys)(
        "import", str(crossing.medium), "--yes"
    )
    assert done.err.splitlines()[-2:] == [
        "airlift: warning: one name to container tools: Acme/M and acme/m",
        "airlift: hint: they cannot be pulled as images; `airlift remove` all but one of each",
    ]


def test_a_blob_that_is_gone_is_a_problem(run: Shell) -> None:
    """Found without hashing, because the records say what must be there."""
    BlobStore(run.home / "store").remove([sha256(b"print(1)\n")])
    done = run("doctor")
    assert done.code == 6
    line = "problem  store       acme/risky (quarantine) lacks 1 blob(s)"
    assert line in done.lines
    assert done.err.splitlines()[0] == "airlift: error: 1 problem(s) found: see above"


def test_a_damaged_database_is_a_problem_of_the_registry(run: Shell) -> None:
    """Exit code 7, and the hint is the command that mends it."""
    with (run.home / "registry.db").open("r+b") as stream:
        stream.seek(4096)
        stream.write(os.urandom(40_000))
    done = run("doctor", "--json")
    assert done.code == 7
    assert verdicts(done)["database"] == "problem"
    assert told(done, "database")[1] == (
        "run `airlift rebuild`: the database is made again from records"
    )


def test_another_journal_mode_is_noticed(run: Shell) -> None:
    """Somebody else has written here."""
    with sqlite3.connect(run.home / "registry.db") as database:
        database.execute("PRAGMA journal_mode=WAL")
    done = run("doctor", "--json")
    assert verdicts(done)["database"] == "warning"
    assert told(done, "database")[0] == "journal mode is wal, expected delete"


@pytest.mark.parametrize(
    ("name", "mode", "text"),
    [
        ("registry.db", 0o644, "registry.db is open to others (mode 0644)"),
        ("store", 0o777, "store is writable by others (mode 0777)"),
        ("records", 0o755, "records is open to others (mode 0755)"),
    ],
)
def test_rights_given_away_are_a_problem(
    run: Shell, name: str, mode: int, text: str
) -> None:
    """Whoever can write here decides what is served."""
    (run.home / name).chmod(mode)
    done = run("doctor", "--json")
    assert done.code == 6
    assert told(done, "modes")[0] == f"{run.home}/{text}"


def test_a_link_in_the_place_of_the_store_is_a_problem(run: Shell) -> None:
    """Nothing of airlift's is a link."""
    (run.home / "incoming").rmdir()
    (run.home / "incoming").symlink_to(run.home)
    done = run("doctor", "--json")
    assert told(done, "modes")[0] == f"{run.home}/incoming is a link"


@pytest.mark.parametrize(
    ("days", "check", "verdict"),
    [
        (-1, "clock", "problem"),
        (61, "deliveries", "warning"),
        (92, "verified", "warning"),
        (46, "metadata", "warning"),
        (1010, "root", "warning"),
    ],
)
def test_time_is_watched(home: Path, days: int, check: str, verdict: str) -> None:
    """A clock that went back, and everything that runs out, by itself."""
    then = clock.after(config.now(), days=days)
    found = {one.check: one.verdict for one in health_site.site(home, now=then)}
    assert found[check] == verdict
    before = {
        one.check: one.verdict for one in health_site.site(home, now=config.now())
    }
    assert before[check] == "ok"


def test_stale_volumes_and_rot_set_aside_are_warnings(run: Shell) -> None:
    """What nobody will finish, and what nobody looked into."""
    waiting = run.home / "incoming" / ("ab" * 32)
    waiting.mkdir(parents=True, mode=0o700)
    os.utime(waiting, (1_700_000_000, 1_700_000_000))
    aside = run.home / "store" / "quarantine"
    aside.mkdir(mode=0o700)
    (aside / ("cd" * 32)).write_bytes(b"rotten")
    done = run.good("doctor", "--json")
    assert told(done, "incoming") == (
        "deliveries that wait for volumes: abababababab since 2023-11-14T22:13:20Z",
        "bring the missing volumes, or give up with `airlift gc --incoming`",
    )
    assert told(done, "rot")[0] == f"1 rotten blob(s) were moved to {aside}"


def test_a_failed_verification_is_a_problem_until_one_succeeds(run: Shell) -> None:
    """Nobody forgets what the last verification found."""
    store = BlobStore(run.home / "store")
    blob = store.add([b"x" * 20_000])
    span = store.span(blob)
    assert span
    span.path.chmod(0o644)
    span.path.write_bytes(b"y" * 20_000)
    assert run("verify").code == 6
    assert verdicts(run("doctor", "--json"))["verified"] == "problem"
    run.good("gc", "--yes")
    run.good("verify")
    assert verdicts(run.good("doctor", "--json"))["verified"] == "ok"


def test_a_home_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped --home is exit code 2, and makes no folder."""
    run = Shell(tmp_path / "nowhere", capsys)
    done = run("doctor", "--json")
    assert done.code == 2
    assert told(done, "home") == (
        f"{tmp_path}/nowhere is not there",
        "`airlift trust init` begins one; `--home` names another",
    )
    assert not run.home.exists()
    (tmp_path / "nowhere").mkdir()
    assert told(run("doctor", "--json"), "side")[0] == (
        "neither a registry nor a signing side is here"
    )


def test_the_connected_side_is_checked_too(both: Path, tmp_path: Path) -> None:
    """Keys, expiries, pending signatures, unfinished deliveries, tools."""
    home = Path(shutil.copytree(both / "connected", tmp_path / "connected"))
    key = keys.generate("ann")
    keys.save(home / "keys", key, "correct horse battery", cost=keys.LOW_MEMORY)
    found = {one.check: one for one in health_origin.origin(home, now=config.now())}
    assert {check: str(one.verdict) for check, one in found.items()} == dict.fromkeys(
        ("keys", "people", "expiry", "pending", "ledger", "tools"), "ok"
    )
    assert found["keys"].text == "1 key(s), locked: ann"
    assert found["ledger"].text == "3 deliveries, all written"
    done = process("doctor", "--home", home)
    assert done.code == 0, done


def test_what_the_connected_side_lacks_is_told(both: Path, tmp_path: Path) -> None:
    """Before the day of the courier, not on it."""
    home = Path(shutil.copytree(both / "connected", tmp_path / "connected"))
    (home / "ledger" / "plant7" / "000002.json").unlink()
    now = config.now()
    late = clock.after(now, days=60)
    found = {one.check: one for one in health_origin.origin(home, now=late)}
    assert found["keys"].verdict == "warning"
    assert (found["ledger"].verdict, found["ledger"].text) == (
        "warning",
        "signed, and volumes not finished: 2 to plant7",
    )
    assert found["expiry"].verdict == "problem"
    timestamp = Publisher.open(home / "trust").expiries()["timestamp"]
    assert found["expiry"].text == f"expired: timestamp on {timestamp}"
    soon = health_origin.origin(home, now=clock.after(now, days=40))
    assert {one.check: one.verdict for one in soon}["expiry"] == "warning"
