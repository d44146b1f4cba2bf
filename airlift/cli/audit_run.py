"""``airlift audit run``: every question, on one screen."""

from pathlib import Path

import click

from airlift.audit import questions
from airlift.cli import audit_frame, notices
from airlift.cli.audit_frame import Asked
from airlift.cli.notices import Notices


@click.command("run")
@click.option("--only", multiple=True, help="Ask this question alone; repeat.")
@click.option("--exclude", multiple=True, help="Do not ask this question; repeat.")
@notices.options
@audit_frame.shared
def command(
    asked: Asked,
    only: tuple[str, ...],
    exclude: tuple[str, ...],
    notify: str | None,
    metrics: Path | None,
) -> int:
    """Ask every question and show what each comes to, on one screen.

    Questions are named by id or name (`Q4b`, `freshness`); the report lists those that
    were left out. --csv prints the findings.
    """
    told = Notices(command=notify, metrics=metrics)
    return audit_frame.whole(asked, questions.chosen(only, exclude), told.tell)
