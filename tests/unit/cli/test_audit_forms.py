"""``airlift audit`` on a site where every question finds something: forms and screens."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from airlift.audit.questions import QUESTIONS
from airlift.cli import audit_schema, cmd_audit, config
from commands import Done, Shell, process, terminal
from troubled import CHAT, Troubled

PRINTS = {
    "run": ("report",),
    "freshness": ("report",),
    "inventory": ("report",),
    "bundles": ("report", "--gaps"),
    "outdated": ("report",),
    "withdrawn": ("report",),
    "denied": ("report",),
    "vulns": ("report",),
    "models": ("report",),
    "cross": ("report",),
    "licences": ("report",),
    "diff": ("report", f"{CHAT}@{'a' * 40}", f"{CHAT}@{'b' * 40}"),
    "keys": ("report",),
    "waivers": ("report",),
    "waive": ("waive",),
    "changes": ("changes", "{out}/before/report.json"),
    "hosts": ("report",),
    "verify": ("report", "--sample", "50"),
    "trace": ("report", f"{CHAT}@{'b' * 40}"),
    "log": ("report", "--deep"),
    "controls": ("report", "--framework", "nist-800-53"),
    "export": ("export", "--out", "{out}/pack.tar", "--no-bom"),
    "check": ("check", "{out}/pack.tar", "--key", "{key}"),
}
"""Subcommand to the schema of what it prints as JSON, and what it is given."""


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Troubled:
    """A site of today, on which nothing is well."""
    return Troubled(tmp_path_factory.mktemp("site"), config.now(), served=True)


@pytest.fixture(name="run")
def _run(site: Troubled, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(site.home, capsys)


def schema(name: str) -> Draft202012Validator:
    """Return what tells whether JSON is as the schema *name* has it."""
    text = (resources.files("airlift.audit") / "schema" / f"{name}.json").read_text()
    return Draft202012Validator(json.loads(text))


def filled(run: Shell, site: Troubled, out: Path, name: str) -> list[str]:
    """Return what a subcommand is given, once the files it reads are there."""
    if name == "changes":
        run("audit", "--out", out / "before")
    if name == "check":
        run("audit", "export", "--no-bom", "--out", out / "pack.tar")
    places = {"out": out, "key": site.public}
    return [one.format(**places) for one in PRINTS[name][1:]]


def asked(run: Shell, site: Troubled, out: Path, name: str) -> Done:
    """Run one subcommand with ``--json``."""
    given = filled(run, site, out, name)
    if name == "check":  # it needs no site, and takes none
        return run.bare("audit", name, *given, "--json")
    return run("audit", name, *given, "--json")


def test_no_subcommand_is_left_out_here() -> None:
    """Whatever prints JSON says in which form; a new one belongs into this table."""
    assert {*PRINTS, "schema"} == set(cmd_audit._COMMANDS)
    assert {one[0] for one in PRINTS.values()} | {"summary"} == {*audit_schema.SCHEMAS}


@pytest.mark.parametrize("name", [one for one in PRINTS if one != "waive"])
def test_what_is_printed_as_json_is_as_its_schema_has_it(
    run: Shell, site: Troubled, tmp_path: Path, name: str
) -> None:
    """A program that reads one answer can read every other."""
    told = asked(run, site, tmp_path, name).json
    schema(PRINTS[name][0]).validate(told)


@pytest.mark.parametrize("name", audit_schema.SCHEMAS)
def test_each_schema_is_printed(name: str) -> None:
    """Where nobody can look it up; what it says of itself is what documents say."""
    told = process("audit", "schema", name).json
    Draft202012Validator.check_schema(told)
    ending = "" if name == "report" else f"-{name}"
    assert told["$id"] == f"airlift.audit{ending}/1"
    assert told["properties"]["schema"] == {"const": told["$id"]}


def test_nearly_every_question_finds_something_here(run: Shell) -> None:
    """Else the screens below would be of an easy site."""
    told: Any = run("audit", "--json").json
    silent = [one["name"] for one in told["questions"] if one["verdict"] == "pass"]
    assert silent == ["inventory", "log", "denied"]
    assert told["exit_code"] == 4
    severities = {one["severity"] for one in told["findings"]}
    assert severities >= {"critical", "high", "medium", "low"}


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (80, 50), (132, 43)])
def test_the_worst_site_fits_a_screen(site: Troubled, columns: int, lines: int) -> None:
    """What scrolled away is not read: the verdict, and what is left out is counted."""
    shown = terminal("audit", "--home", str(site.home), columns=columns, lines=lines)
    assert len(shown) <= lines - 1
    assert max(map(len, shown)) <= columns
    assert shown[-1] == (
        "verdict: integrity is gone: stop serving what is named above (exit code 4)"
    )
    names = {one.split()[1] for one in shown if one[:1] == "Q"}
    (passed,) = (one for one in shown if one.startswith("pass: "))
    assert passed == "pass: inventory, denied, log"
    assert names | {*passed[6:].split(", ")} == {one.name for one in QUESTIONS}
    worst = shown[shown.index("open findings, the worst first:") + 1]
    assert worst.startswith("  critical ")
    assert worst.endswith("config.json: it is not in the store")


def test_what_waiving_prints_is_as_its_schema_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Taking back and giving again are told in one form; on a site of its own."""
    own = Troubled(tmp_path, config.now())
    run = Shell(own.home, capsys)
    told = run("audit", "waive", own.waived, "--revoke", "--by", "dora", "--json").json
    schema("waive").validate(told)
    assert told["state"] == f"{own.waived} is open again"
