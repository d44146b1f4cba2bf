"""Environments with real clients, shared by the whole session."""

from pathlib import Path

import pytest

import venvs


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder environments are made in."""
    return venvs.kept() or tmp_path_factory.mktemp("clients")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many cells of the client matrix were seen working."""
    passed = [
        report.nodeid
        for report in terminalreporter.stats.get("passed", [])
        if report.when == "call" and "clients/test_matrix.py" in report.nodeid
    ]
    if passed:
        clients = {node.partition("[")[2] for node in passed}
        text = f"client matrix: {len(clients)} clients, {len(passed)} operations passed"
        terminalreporter.write_line(text)
