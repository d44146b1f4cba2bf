"""``activate``, ``remove``, ``rollback``, ``pin`` and the lists of ``list``."""

import re
from typing import Any

import pytest

from airlift import digest
from commands import Shell

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def releases(run: Shell) -> list[dict[str, Any]]:
    """Return what ``list`` says, by the order of deliveries."""
    found: list[dict[str, Any]] = run.good("list", "--json").json["releases"]
    return sorted(found, key=lambda one: int(one["sequence"]))


def states(run: Shell) -> list[str]:
    """Return the states of the three releases."""
    return [one["state"] for one in releases(run)]


def test_what_waits_in_quarantine_goes_live_by_name(run: Shell) -> None:
    """The one way out of quarantine is a person who names the release."""
    done = run.good("activate", "acme/risky")
    revision = releases(run)[2]["revision"][:12]
    assert done.lines == [
        f"+ folder  acme/risky  {revision}",
        "live set 3 takes the place of 2",
    ]
    assert states(run) == ["live", "live", "live"]


def test_a_move_as_json_says_which_releases_came_and_went(run: Shell) -> None:
    """Scripts see the same shape from activate, remove and rollback."""
    first, second, risky = releases(run)
    done = run.good("activate", "folder:acme/risky", "--json").json
    assert done == {
        "before": 2,
        "generation": 3,
        "joined": [{**risky, "state": "live"}],
        "left": [],
    }
    assert risky == {
        "id": risky["id"],
        "state": "quarantine",
        "kind": "folder",
        "name": "acme/risky",
        "revision": risky["revision"],
        "counter": 1,
        "refs": ["main"],
        "files": 1,
        "bytes": 9,
        "imported": risky["imported"],
        "sequence": 3,
        "pinned": "",
        "denied": "",
    }
    assert digest.is_sha256(risky["id"])
    assert TIME.fullmatch(risky["imported"])
    done = run.good("remove", first["id"][:12], second["id"], "--json").json
    assert (done["before"], done["generation"], done["joined"]) == (3, 4, [])
    assert {one["id"] for one in done["left"]} == {first["id"], second["id"]}
    assert {one["state"] for one in done["left"]} == {"retired"}


def test_several_releases_move_together_or_not_at_all(run: Shell) -> None:
    """One wrong name in a list changes nothing."""
    done = run("remove", "acme/m@main", "acme/nothing")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "airlift: error: no release here is called `acme/nothing`\n"
        "airlift: hint: see `airlift list`\n"
    )
    assert states(run) == ["live", "live", "quarantine"]


def test_a_name_that_means_two_releases_is_refused_with_both(run: Shell) -> None:
    """Nobody's guess decides which model a site runs."""
    first, second, _ = releases(run)
    done = run("remove", "acme/m")
    assert done.code == 2
    assert done.err.splitlines()[0] == (
        "airlift: error: `acme/m` may mean "
        f"folder:acme/m@{second['revision'][:12]} (live), "
        f"folder:acme/m@{first['revision'][:12]} (live)"
    )


@pytest.mark.parametrize("command", ["activate", "remove", "pin"])
def test_a_release_must_be_named(run: Shell, command: str) -> None:
    """An empty list from a script is a mistake, not a request."""
    done = run(command)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[0] == (
        "airlift: error: missing argument 'REFERENCES...'"
    )


def test_moving_what_is_there_already_makes_no_new_live_set(run: Shell) -> None:
    """Repeating a command is harmless, and says so."""
    assert run.good("activate", "acme/m@main").lines == ["nothing changed; live set 2"]
    assert run.good("remove", "acme/risky").lines == ["nothing changed; live set 2"]


def test_rollback_returns_to_the_set_before_and_back_again(run: Shell) -> None:
    """A wrong import is undone in one command, and a wrong rollback too."""
    revision = releases(run)[1]["revision"][:12]
    assert run.good("rollback").lines == [
        f"- folder  acme/m  {revision}",
        "live set 3 takes the place of 2",
    ]
    assert states(run) == ["live", "retired", "quarantine"]
    assert run.good("rollback").lines == [
        f"+ folder  acme/m  {revision}",
        "live set 4 takes the place of 3",
    ]
    assert states(run) == ["live", "live", "quarantine"]


def test_rollback_can_be_looked_at_first(run: Shell) -> None:
    """A dry run names what goes and moves nothing."""
    revision = releases(run)[1]["revision"][:12]
    assert run.good("rollback", "--to", "1", "--dry-run").lines == [
        f"- folder  acme/m  {revision}",
        "live set 1 had 1 release(s)",
    ]
    dry = run.good("rollback", "--dry-run", "--json").json
    assert (dry["before"], dry["generation"]) == (2, 1)
    assert [one["sequence"] for one in dry["left"]] == [2]
    assert states(run) == ["live", "live", "quarantine"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--to", "9"), "there is no generation 9; there are 1 to 2"),
        (("--to", "9", "--dry-run"), "there is no live set 9"),
        (("--to", "0"), "invalid value for '--to': 0 is not in the range x>=1"),
    ],
)
def test_a_live_set_that_never_was_is_refused(
    run: Shell, options: tuple[str, ...], problem: str
) -> None:
    """The message says which there are."""
    done = run("rollback", *options)
    assert done.code == 2
    assert done.err.splitlines()[0] == f"airlift: error: {problem}"


def test_a_pin_says_why_and_goes_when_removed(run: Shell) -> None:
    """Whoever wonders next year what is kept, and why, can find out."""
    first = releases(run)[0]
    revision = first["revision"][:12]
    done = run.good("pin", first["id"], "--why", "audit of 2026")
    assert done.lines == [f"folder  acme/m  {revision}  pinned (audit of 2026)"]
    assert releases(run)[0] == {**first, "pinned": "audit of 2026"}
    done = run.good("pin", first["id"], "--remove", "--json")
    assert done.json == {"pinned": "", "releases": [first["id"]]}
    assert releases(run)[0] == first


@pytest.mark.parametrize("options", [(), ("--why", "x", "--remove"), ("--why", "")])
def test_a_pin_without_a_reason_is_refused(
    run: Shell, options: tuple[str, ...]
) -> None:
    """A pin nobody can explain is never taken away."""
    done = run("pin", "acme/risky", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "airlift: error: say why with --why, or unpin with --remove\n"
        "airlift: hint: for example `airlift pin NAME --why audit`\n"
    )


def test_live_sets_are_listed_newest_first(run: Shell) -> None:
    """What ``rollback --to`` can return to."""
    run.good("rollback")
    listed = run.good("list", "--generations", "--json").json["generations"]
    first, second, _ = releases(run)
    assert [
        {key: one[key] for key in ("number", "reason", "note", "members")}
        for one in listed
    ] == [
        {"number": 3, "reason": "rollback", "note": "to the one before", "members": 1},
        {"number": 2, "reason": "import", "note": "delivery 2", "members": 2},
        {"number": 1, "reason": "import", "note": "delivery 1", "members": 1},
    ]
    assert listed[1]["releases"] == sorted([first["id"], second["id"]])
    assert set(listed[0]) == {
        *("number", "created", "reason", "actor", "note", "members", "releases")
    }
    head, newest, *_ = run.good("list", "--generations").lines
    assert head.split("  ")[0] == "LIVE SET"
    assert newest.split()[0] == "3"


def test_the_log_tells_who_did_what(run: Shell) -> None:
    """An auditor reads one list, oldest first, refusals included."""
    run.good("pin", "acme/risky", "--why", "audit")
    events = run.good("list", "--history", "--json").json["events"]
    assert [one["action"] for one in events] == [
        *("create", "import", "import", "import", "pin")
    ]
    last = events[-1]
    assert last == {
        "number": 5,
        "time": last["time"],
        "actor": last["actor"],
        "action": "pin",
        "subject": "audit",
        "outcome": "done",
        "detail": {"generation": 2, "ids": [releases(run)[2]["id"]]},
    }
    assert TIME.fullmatch(last["time"])
    lines = run.good("list", "--history").lines
    assert len(lines) == 5
    assert lines[-1].startswith(f"{last['time']}  {last['actor']}  pin  audit  done  ")


def test_two_lists_at_once_are_refused(run: Shell) -> None:
    """One command, one answer."""
    done = run("list", "--history", "--generations")
    assert done.code == 2
    assert done.err.splitlines()[0] == (
        "airlift: error: --generations and --history are two lists"
    )


def test_the_next_rollback_is_refused_once_its_set_was_collected(run: Shell) -> None:
    """A set comes back whole or not at all."""
    first, second, _ = releases(run)
    run.good("remove", second["id"])
    run.good("remove", first["id"])
    run.good("gc", "--yes")
    done = run("rollback", "--to", "2")
    assert done.code == 2
    assert done.err.splitlines()[0] == (
        "airlift: error: generation 2 had 2 releases, 1 of them collected"
    )
    assert run.good("rollback", "--to", "2", "--dry-run").lines == [
        f"+ folder  acme/m  {first['revision'][:12]}",
        "live set 2 had 2 release(s), 1 of which were collected: it cannot come back",
    ]
