"""Whether the log is what it was, asked as part of an audit."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from airlift.audit.finding import Verdict
from airlift.registry.engine import FILE
from airlift.registry.held import Event
from airlift.trust import site_key
from audited import NOW, TODAY, World, model, rows
from audited import told as found_in
from commands import Shell


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    """A site whose log is signed by its key."""
    world = World(tmp_path / "site")
    key = site_key.create(world.home, "plant7")
    with world.registry() as registry:
        detail = {"key_id": str(key.public.key_id)}
        registry.log(Event(time=NOW, actor="ann", action="site-key", detail=detail))
    world.bring(model())
    return world


def edit(world: World, statement: str) -> None:
    """Change the database behind the program's back, as who has the host can."""
    with closing(sqlite3.connect(world.home / FILE)) as database, database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute(statement)


def test_a_log_that_is_signed_to_its_end_passes(world: World) -> None:
    """Every event is hashed again and compared with what was signed."""
    answer = world.ask("log")
    assert answer.verdict is Verdict.PASS
    events = answer.counts["events"]
    assert answer.counts["signed"] == events == len(answer.rows)
    shown = rows(answer, "seq", "action", "outcome")
    assert [one[0] for one in shown] == list(range(1, events + 1))
    assert shown[-1][1:] == ("import", "done")
    assert all(len(str(row["hash"])) == 64 for row in answer.rows)


def test_a_log_that_nobody_signed_is_unknown(tmp_path: Path) -> None:
    """What nothing vouches for is not good because nothing speaks against it."""
    world = World(tmp_path / "unsigned")
    answer = world.ask("log")
    assert answer.verdict is Verdict.UNKNOWN
    assert answer.unknown[0].startswith("no checkpoint of the log was ever signed")


def test_an_edited_event_breaks_integrity(world: World) -> None:
    """Who brought what is the first thing somebody would want to change."""
    edit(world, "UPDATE event SET actor = 'nobody' WHERE action = 'import'")
    answer = world.ask("log")
    assert answer.broken
    assert {rule for rule, _, _ in found_in(answer)} == {"changed"}
    assert {severity for _, severity, _ in found_in(answer)} == {"critical"}


def test_a_row_that_no_event_explains_is_found_by_a_deep_look(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever can write the database can name another blob; the log and signatures stay."""
    run = Shell(world.home, capsys)
    good = run("audit", "verify", "--deep", "--json")
    assert good.code == 0, good.err
    assert good.json["questions"][0]["counts"]["rows"] > 0
    edit(world, "UPDATE release SET name = 'org/other' WHERE name = 'org/model'")
    assert not world.ask("log", now=TODAY).broken
    for command in ("verify", "log"):
        done = run("audit", command, "--deep", "--json")
        assert done.code == 4
        titles = [one["title"] for one in done.json["findings"]]
        told = "table release: 1 rows are there and do not follow from the log"
        assert any(one.startswith(f"not as it was: {told}") for one in titles)


def test_a_checkpoint_kept_elsewhere_finds_a_log_put_back(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The copy in the auditor's drawer is what nobody on the host can change."""
    kept = tmp_path / "drawer"
    kept.write_bytes((world.home / "log/checkpoint").read_bytes())
    run = Shell(world.home, capsys)
    assert run("audit", "log", "--against", kept, "--json").code == 0
    other = World(tmp_path / "other")
    site_key.create(other.home, "plant7")
    done = Shell(other.home, capsys)("audit", "log", "--against", kept, "--json")
    assert done.code == 4
