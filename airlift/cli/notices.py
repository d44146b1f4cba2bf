"""Telling somebody what an audit came to: a command, and a file for a monitor."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from airlift import hook
from airlift.audit import notice, report
from airlift.audit.finding import Severity
from airlift.audit.report import Report
from airlift.cli import output
from airlift.errors import StoreError
from airlift.hook import Hook
from airlift.store.durable import Disk

PATIENCE_S: Final = 60
"""Seconds a command may take: a mail is queued in less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """Who is told.

    Attributes:
        command: Run unless all is well, with the summary on its standard input; None
            for none.
        metrics: The file that numbers are written to; None for none.
    """

    command: str | None
    metrics: Path | None

    def tell(self, found: Report, fail_on: Severity | None) -> None:
        """Tell them what *found* says.

        Raises:
            RequestError: The command is none.
            StoreError: The command failed, or the file cannot be written: a notice
                that nobody gets must not look like none.
        """
        if self.metrics:
            Disk().write_file(self.metrics, notice.metrics(found, fail_on), mode=0o644)
        code = report.exit_code(found, fail_on)
        if not self.command or code == 0:
            return
        words = hook.parse(self.command)
        run = Hook(words=words, timeout_s=PATIENCE_S, clock=time.monotonic)
        ended = run.fed(notice.summary(found, fail_on), code=str(code))
        if not ended.good:
            said = "; ".join(ended.output)
            problem = f"the command of --notify failed: {ended}: {said}"
            raise StoreError(problem, hint="run the command by hand with any text")
        output.note(f"told by --notify, exit code {code}")


def options(command: Callable[..., int]) -> Callable[..., int]:
    """Add ``--notify`` and ``--metrics`` to a command."""
    notify = click.option(
        "--notify",
        metavar="COMMAND",
        help="Run unless all is well, with a summary in JSON on its standard input;"
        " {code} is the exit code. No shell.",
    )
    metrics = click.option(
        "--metrics",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write numbers for Prometheus' text file collector into this file.",
    )
    return notify(metrics(command))
