"""``airlift audit run``: every question, on one screen."""

import click

from airlift.audit import questions
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("run")
@click.option("--only", multiple=True, help="Ask this question alone; repeat.")
@click.option("--exclude", multiple=True, help="Do not ask this question; repeat.")
@audit_frame.shared
def command(asked: Asked, only: tuple[str, ...], exclude: tuple[str, ...]) -> int:
    """Ask every question and show what each comes to, on one screen.

    Questions are named by id or name (`Q4b`, `freshness`); the report lists those that
    were left out. --csv prints the findings.
    """
    return audit_frame.whole(asked, questions.chosen(only, exclude))
