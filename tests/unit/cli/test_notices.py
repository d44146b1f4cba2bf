"""Somebody is told what an audit came to, or the audit says that nobody was."""

import json
import sys
from pathlib import Path

import pytest

from airlift.cli import config
from audited import World, model
from commands import Shell


@pytest.fixture(name="run")
def _run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    world = World(tmp_path / "site")
    world.bring(model(), now=config.now())
    return Shell(world.home, capsys)


def keep(path: Path) -> str:
    """Return a command that writes its code and its standard input to *path*."""
    program = (
        "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text("
        "sys.argv[2] + chr(10) + sys.stdin.read())"
    )
    return f"{sys.executable} -c '{program}' {path} {{code}}"


ASK = ("audit", "run", "--only")


def test_a_command_is_fed_the_summary_unless_all_is_well(
    run: Shell, tmp_path: Path
) -> None:
    """Whoever reads mail does not read the journal of each site."""
    target = tmp_path / "told"
    run.good(*ASK, "verify", "--notify", keep(target))
    assert not target.exists()
    done = run(*ASK, "hosts", "--notify", keep(target), "--json")
    assert done.code == 8
    code, summary = target.read_text().split("\n", 1)
    assert code == "8"
    assert json.loads(summary)["schema"] == "airlift.audit-summary/1"
    assert "told by --notify, exit code 8" in done.err


def test_a_notice_that_nobody_gets_is_an_error(run: Shell) -> None:
    """A mail that was never queued must not look like one."""
    failing = f"{sys.executable} -c 'import sys; print(1/0)'"
    done = run(*ASK, "hosts", "--notify", failing)
    assert done.code == 6
    assert "the command of --notify failed: exit code 1" in done.err
    done = run(*ASK, "hosts", "--notify", "/no/such/program")
    assert done.code == 6
    assert "cannot be started" in done.err


def test_a_command_that_reads_nothing_is_not_waited_for(run: Shell) -> None:
    """`logger` without input would hang a pipe; it has none."""
    done = run(*ASK, "hosts", "--notify", f"{sys.executable} -c ''")
    assert done.code == 8


def test_numbers_for_a_monitor_are_written_whatever_came_of_it(
    run: Shell, tmp_path: Path
) -> None:
    """A monitor that sees no new file knows that no audit ran."""
    target = tmp_path / "airlift.prom"
    run.good(*ASK, "verify", "--metrics", target)
    assert "airlift_audit_exit_code 0.0" in target.read_text().splitlines()
    run(*ASK, "hosts", "--metrics", target)
    assert "airlift_audit_exit_code 8.0" in target.read_text().splitlines()
