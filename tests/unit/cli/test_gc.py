"""``gc``: what goes, why, and what never does."""

import shutil
from pathlib import Path

import pytest

from airlift.errors import IncompleteError
from commands import Shell, answering
from crossing import Crossing, noise

WHY = "neither live, nor in the live set before, nor pinned"


@pytest.fixture(name="retired")
def _retired(run: Shell) -> str:
    """The id of a release that nothing keeps: retired two live sets ago."""
    listed = run.good("list", "--json").json["releases"]
    ids = {one["sequence"]: str(one["id"]) for one in listed}
    run.good("remove", ids[2])
    run.good("activate", "acme/risky")
    return ids[2]


def test_a_plan_says_what_goes_and_why_and_deletes_nothing(
    run: Shell, retired: str
) -> None:
    """An operator looks first."""
    before = sorted(run.home.rglob("*"))
    done = run.good("gc", "--dry-run")
    (revision,) = {
        one["revision"][:12]
        for one in run.good("list", "--json").json["releases"]
        if one["id"] == retired
    }
    assert done.lines == [
        f"release  folder  acme/m  {revision}  90 kB  ({WHY})",
        "1 blob(s) to delete, 8 B",
    ]
    assert sorted(run.home.rglob("*")) == before


def test_a_collection_deletes_the_plan_and_nothing_else(
    run: Shell, retired: str
) -> None:
    """The weights are shared with a live release and stay."""
    plan = run.good("gc", "--dry-run", "--json").json
    held = run.good("list", "--json").json["releases"]
    assert plan == {
        "dry_run": True,
        "releases": [
            {
                **next(one for one in held if one["id"] == retired),
                "why": WHY,
            }
        ],
        "incoming": [],
        "partials": 0,
        "blobs": 1,
        "bytes": 8,
        "freed": 0,
    }
    done = run.good("gc", "--yes", "--json").json
    assert done == {**plan, "dry_run": False, "freed": done["freed"]}
    after = run.good("list", "--json").json["releases"]
    assert after == [one for one in held if one["id"] != retired]
    assert run.good("verify").code == 0
    assert run.good("gc", "--yes").lines == ["0 blob(s) to delete, 0 B", "freed 0 B"]


def test_what_is_live_last_good_pinned_or_waiting_stays(run: Shell) -> None:
    """The four reasons, one after the other."""
    ids = {
        one["sequence"]: str(one["id"])
        for one in run.good("list", "--json").json["releases"]
    }

    def planned() -> list[str]:
        plan = run.good("gc", "--dry-run", "--json").json
        return [one["id"] for one in plan["releases"]]

    assert planned() == []  # live, live, in quarantine
    run.good("remove", ids[2])
    assert planned() == []  # in the live set before
    run.good("pin", ids[2], "--why", "kept")
    run.good("activate", ids[3])
    assert planned() == []  # pinned
    run.good("pin", ids[2], "--remove")
    assert planned() == [ids[2]]


@pytest.mark.usefixtures("retired")
def test_without_a_terminal_nothing_is_deleted_unasked(run: Shell) -> None:
    """A cron job says --yes, or nothing happens."""
    before = run.good("list", "--json").json
    done = run("gc")
    assert done.code == 2
    assert done.err == (
        "airlift: error: this must be agreed to, and there is no terminal to ask at\n"
        "airlift: hint: look with --dry-run, then add --yes\n"
    )
    assert run.good("list", "--json").json == before


@pytest.mark.usefixtures("retired")
def test_at_a_terminal_a_person_decides(run: Shell) -> None:
    """No is no, and yes is yes."""
    no = answering("n\n", "gc", "--home", run.home)
    assert no.code == 2
    assert no.err == (
        "airlift: delete 1 release(s) and 8 B of blobs? [y/N]: "
        "airlift: error: not agreed to; nothing was changed\n"
        "airlift: hint: run the same command when it is wanted\n"
    )
    assert len(run.good("list", "--json").json["releases"]) == 3
    assert answering("y\n", "gc", "--home", run.home).code == 0
    assert len(run.good("list", "--json").json["releases"]) == 2


def test_what_came_of_an_incomplete_delivery_stays_unless_given_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second stick may be days away; a collection does not undo the first."""
    crossing = Crossing(tmp_path)
    files = {"a.bin": noise(9_000_000), "b.bin": noise(9_000_000, 5)}
    pinned = crossing.connected.folder("acme/m", files)
    crossing.connected.export(crossing.medium, pinned, capacity=5_000_000)
    stick, rest = tmp_path / "stick", tmp_path / "rest"
    first, *others = sorted(crossing.medium.glob("*.tar"))
    for folder, several in ((stick, [first]), (rest, others)):
        folder.mkdir()
        for one in several:
            shutil.copy(one, folder)
    with pytest.raises(IncompleteError):
        crossing.isolated.land(stick)
    run = Shell(crossing.isolated.home, capsys)
    waiting = [path.name for path in (run.home / "incoming").iterdir()]
    assert len(waiting) == 1
    kept = list(crossing.isolated.store.partials())
    assert kept
    assert run.good("gc", "--yes").lines == ["0 blob(s) to delete, 0 B", "freed 0 B"]
    assert list(crossing.isolated.store.partials()) == kept
    done = run.good("gc", "--incoming", "--yes", "--json").json
    assert (done["incoming"], done["partials"]) == (waiting, len(kept))
    assert list((run.home / "incoming").iterdir()) == []
    assert list(crossing.isolated.store.partials()) == []
    # Everything is still on the media: the delivery can begin again.
    crossing.isolated.land(stick, rest)
    assert run.good("verify").code == 0
