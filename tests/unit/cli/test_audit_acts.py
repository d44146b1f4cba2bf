"""What ``airlift audit`` does beside answering: waive, ask for, compare."""

from pathlib import Path

import pytest

import catalogues
from airlift.cli import config
from airlift.format.catalogue import Feed
from airlift.inbound import request_draft
from audited import World, model
from commands import Shell

YEAR = str(int(config.now()[:4]) + 1)


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    """A site of today, whose model has no licence and is behind."""
    now = config.now()
    world = World(tmp_path)
    world.bring(model(licence=""), now=now)
    item = catalogues.item(as_of=now, licence="", modified="")
    world.hear(
        catalogues.of(
            item,
            feed=Feed(as_of=now, problem="", records=1),
            issued=now,
            next_expected=f"{YEAR}{now[4:]}",
            valid_until=f"{int(YEAR) + 1}{now[4:]}",
        )
    )
    return world


@pytest.fixture(name="run")
def _run(world: World, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(world.home, capsys)


def finding(run: Shell) -> str:
    """Return the id of the finding about the licence."""
    (one,) = run("audit", "licences", "-q").lines
    return one


def test_a_finding_is_accepted_and_taken_back(run: Shell) -> None:
    """By its id, as it was printed; the log knows who did."""
    one, today = finding(run), config.now()[:10]
    label = f"org/model@{'a' * 12} states no licence"
    given = ["--until", today, "--reason", "asked them", "--by", "bob"]
    assert run.good("audit", "waive", one, *given).lines == [
        f"accepted until {today}: {label}"
    ]
    shown = run.good("audit", "licences")
    assert shown.lines[0].endswith(": accepted")
    assert f"          accepted by bob until {today}: asked them" in shown.lines
    (row,) = run("audit", "waivers", "--json").json["questions"][0]["rows"]
    assert (row["finding"], row["state"], row["by"]) == (one, "counts", ["bob"])
    assert "waive" in run.good("list", "--history").out
    back = run.good("audit", "waive", one, "--revoke", "--by", "dora")
    assert back.lines == [f"{one} is open again"]
    assert finding(run) == one


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "a waiver needs a day and a reason"),
        (("--until", "{today}"), "a waiver needs a day and a reason"),
        (
            ("--until", "{today}", "--reason", "r"),
            "there is no finding `0123456789abcdef`",
        ),
        (("--revoke",), "no waiver of `0123456789abcdef` stands"),
    ],
)
def test_what_cannot_be_accepted_is_refused(
    run: Shell, arguments: tuple[str, ...], problem: str
) -> None:
    """A typing error must not be a waiver of something that comes later."""
    today = config.now()[:10]
    told = [one.replace("{today}", today) for one in arguments]
    done = run("audit", "waive", "0123456789abcdef", *told)
    assert done.code == 2
    assert done.err.splitlines()[-2] == f"airlift: error: {problem}"


def test_a_person_accepts_once(run: Shell) -> None:
    """Twice the same is a mistake."""
    given = ["--until", config.now()[:10], "--reason", "r", "--by", "bob"]
    one = finding(run)
    run.good("audit", "waive", one, *given)
    done = run("audit", "waive", one, *given)
    assert done.code == 2
    assert "`bob` has accepted it in these words already" in done.err


def test_what_is_outdated_is_asked_for(run: Shell, world: World) -> None:
    """One command from "behind" to the list of the next request."""
    assert request_draft.read(world.home).entries == ()
    done = run("audit", "outdated", "--request")
    assert done.err.splitlines()[-1] == (
        "airlift: 1 on the list; next: `airlift request export`"
    )
    assert "org/model" in run.good("request", "show").out
    again = run("audit", "outdated", "--request")
    assert again.code == done.code
    assert len(request_draft.read(world.home).entries) == 1


def test_asking_does_not_look_back(run: Shell) -> None:
    """What was newer then may not be the newest now."""
    done = run("audit", "outdated", "--request", "--as-of", config.now()[:10])
    assert done.code == 2


def test_two_reports_are_compared(run: Shell, world: World, tmp_path: Path) -> None:
    """The first line says when, each other because of what."""
    for name in ("one", "two"):
        run("audit", "--out", tmp_path / name)
        if name == "one":
            world.bring(model("org/bare", licence=""), now=config.now())
    one, two = (tmp_path / name / "report.json" for name in ("one", "two"))
    same = run.good("audit", "changes", one, one)
    assert same.lines[0].endswith(": nothing is otherwise")
    done = run.good("audit", "changes", one, two)
    rows = [row.split()[:4] for row in done.lines[2:]]
    assert ["inventory", "absent", "finding", "medium"] in rows
    assert run("audit", "changes", one, two, "--fail-on", "medium").code == 10
    told = run("audit", "changes", one, "--json").json
    assert told["schema"] == "airlift.audit-changes/1"
    assert {each["cause"] for each in told["changes"]} == {"inventory", "question"}


def test_a_report_that_is_none_is_refused(run: Shell, tmp_path: Path) -> None:
    """By its name, with what to give instead."""
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    done = run("audit", "changes", path)
    assert done.code == 4
    assert "notes.txt" in done.err
    assert done.err.splitlines()[-1] == (
        "airlift: hint: give the file as `airlift audit --out` wrote it"
    )
