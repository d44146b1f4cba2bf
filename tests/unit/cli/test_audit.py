"""``airlift audit`` at the terminal, in a pipe, and for programs."""

import csv
import io
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import catalogues
from airlift.audit.questions import QUESTIONS
from airlift.cli import audit_out, audit_view, config
from airlift.format.catalogue import Feed
from audited import World, model, wheels
from commands import Shell, process, terminal

LONG = "an-organisation-with-a-long-name/a-model-with-an-even-longer-name-70B-instruct"


@pytest.fixture(name="world", scope="module")
def _world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A site of today: commands read the real clock."""
    now = config.now()
    year = int(now[:4])
    world = World(tmp_path_factory.mktemp("world"))
    world.bring(model(LONG), wheels("demo-1.0-py3-none-any.whl"), now=now)
    world.hear(
        catalogues.of(
            catalogues.item(LONG, as_of=now),
            feed=Feed(as_of=now, problem="", records=1),
            issued=now,
            next_expected=f"{year + 1}{now[4:]}",
            valid_until=f"{year + 2}{now[4:]}",
        )
    )
    return world


@pytest.fixture(name="run")
def _run(world: World, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(world.home, capsys)


def test_without_a_question_all_are_asked(run: Shell) -> None:
    """The one command that a timer and an officer need to know."""
    bare, named = run("audit"), run("audit", "run")
    assert bare.code == named.code
    names = [row.split()[1] for row in bare.lines if row[:1] == "Q"]
    assert names == [one.name for one in QUESTIONS]
    assert bare.lines[-1].endswith(f"(exit code {bare.code})")


def test_the_screen_fits_a_terminal_of_80_by_24(world: World) -> None:
    """What scrolled away is not read."""
    shown = terminal("audit", "--home", str(world.home))
    assert len(shown) <= 24
    assert max(map(len, shown)) <= 80
    assert "verdict: " in shown[-1]


def test_a_pipe_keeps_names_whole(run: Shell) -> None:
    """``airlift audit inventory | grep`` must find what it is asked for."""
    done = run.good("audit", "inventory")
    assert LONG in done.out
    assert "a" * 40 in done.out


def test_a_terminal_cuts_the_middle_and_says_what_is_left_out(world: World) -> None:
    """Both ends of a name tell models apart; a column that is gone is named."""
    shown = terminal("audit", "inventory", "--home", str(world.home))
    assert max(map(len, shown)) <= 80
    (row,) = [one for one in shown if one.startswith("model")]
    assert "~" in row
    assert "a" * 12 in row


def test_a_terminal_cuts_nothing_where_all_is_asked_for(world: World) -> None:
    """To copy a whole digest from: `-v` shows what a pipe would get."""
    shown = terminal("audit", "inventory", "-v", "--home", str(world.home))
    (row,) = [one for one in shown if one.startswith("model")]
    assert LONG in row
    assert "a" * 40 in row
    assert not [one for one in shown if "no room for" in one]


def test_the_middle_of_a_name_is_cut() -> None:
    """Never more than there is room for."""
    assert audit_view.middle("abcdefghij", 10) == "abcdefghij"
    assert audit_view.middle("abcdefghijk", 7) == "abc~ijk"
    assert audit_view.middle("abcdefghijk", 6) == "abc~jk"
    assert audit_view.middle("abc", 2) == "a~"


@pytest.mark.parametrize("room", [0, 1, 3, 4, 5, 9, 40, None])
def test_what_is_listed_keeps_within_its_room(room: int | None) -> None:
    """However many questions there are by then, and what is left out is counted."""
    unknown, to_do = [f"  u{n}" for n in range(5)], [f"  f{n}" for n in range(12)]
    shown = audit_view._within(unknown, to_do, room)
    assert len(shown) <= max(1, 40 if room is None else room)
    assert [one for one in shown if "more" in one or "open" in one]


def test_a_program_gets_one_report(run: Shell) -> None:
    """Nothing but JSON on standard output, by its own schema."""
    done = run("audit", "--json")
    told = done.json
    assert (told["schema"], told["exit_code"]) == ("airlift.audit/1", done.code)
    assert {one["name"] for one in told["questions"]} == {one.name for one in QUESTIONS}


def test_a_terminal_is_shown_json_that_it_cannot_obey(world: World) -> None:
    """Names come from outside; in a pipe the bytes are those of the report."""
    shown = terminal("audit", "inventory", "--json", "--home", str(world.home))
    assert shown[0] == "{"
    assert json.loads("".join(shown))["schema"] == "airlift.audit/1"


def test_the_schema_is_printed(world: World) -> None:
    """Where nobody can look it up."""
    printed = process("audit", "schema")
    told = process("audit", "--json", "--home", world.home)
    Draft202012Validator(printed.json).validate(told.json)


def test_a_spreadsheet_gets_a_table(run: Shell) -> None:
    """Exact numbers, full digests, one line a row."""
    done = run.good("audit", "inventory", "--csv")
    table = list(csv.DictReader(io.StringIO(done.out)))
    assert [(row["name"], row["version"], row["bytes"]) for row in table[:1]] == [
        (LONG, "a" * 40, "2")
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_a_spreadsheet_runs_nothing(text: str) -> None:
    """Names and titles come from upstream, and formulas reach the network."""
    assert audit_out._safe(text) == f"'{text}"
    assert audit_out._safe(f"a{text}") == f"a{text}"


def test_ids_alone_can_be_had(run: Shell) -> None:
    """One line for each open finding, for a loop in a shell."""
    told = run("audit", "freshness", "--json").json
    assert run("audit", "freshness", "-q").lines == [
        one["id"] for one in told["findings"]
    ]


def test_three_forms_of_one_answer_are_refused(run: Shell) -> None:
    """Rather than one of them silently chosen."""
    done = run("audit", "--csv", "-q")
    assert done.code == 2
    assert done.err.splitlines() == [
        "airlift: error: --json, --csv and --quiet are three forms of one answer",
        "airlift: hint: choose one of them",
    ]


def test_files_are_written(run: Shell, tmp_path: Path) -> None:
    """To be carried to the auditor: the report, and tables for a spreadsheet."""
    folder = tmp_path / "new" / "audit"
    folder.parent.mkdir()
    run("audit", "--out", folder)
    names = {one.name for one in folder.iterdir()}
    assert names == {
        *("report.json", "findings.csv"),
        *(f"{one.name}.csv" for one in QUESTIONS),
    }
    assert (
        json.loads((folder / "report.json").read_text())["schema"] == "airlift.audit/1"
    )


@pytest.mark.parametrize("when", ["yesterday", "2026-02-30", "2026-3-1"])
def test_a_day_that_is_none_is_refused(run: Shell, when: str) -> None:
    """Rather than another day answered for."""
    done = run("audit", "--as-of", when)
    assert done.code == 2
    assert done.err.splitlines()[0] == (
        f"airlift: error: `{when}` is no day and no time"
    )


def test_today_is_now(run: Shell) -> None:
    """The end of today lies in the future, and today can be asked about."""
    done = run.good("audit", "inventory", "--as-of", config.now()[:10])
    assert done.lines[0].endswith(": pass")


def test_knowledge_older_than_asked_for_is_a_code(run: Shell) -> None:
    """Eleven: a timer can tell it from findings."""
    assert run("audit", "inventory", "--max-age", "30d").code == 0


def test_what_is_asked_alone_names_what_was_left_out(run: Shell) -> None:
    """A short report must not look like a good one."""
    told = run("audit", "--only", "inventory", "--json").json
    assert [one["id"] for one in told["questions"]] == ["Q1"]
    assert told["left_out"] == sorted(
        one.id for one in QUESTIONS if one.name != "inventory"
    )
    excluded = run("audit", "--exclude", "Q1", "--json").json
    assert excluded["left_out"] == ["Q1"]
