"""Asking a person before something goes that does not come back."""

import sys

import click

from airlift.errors import RequestError


def ask(question: str, *, given: bool) -> None:
    """Return once a person agreed to *question*.

    Args:
        question: Answered with yes or no, at the terminal.
        given: Whether ``--yes`` was given; then nobody is asked.

    Raises:
        RequestError: They said no, or there is no terminal to ask at.
    """
    if given:
        return
    if not sys.stdin.isatty():
        problem = "this must be agreed to, and there is no terminal to ask at"
        raise RequestError(problem, hint="look with --dry-run, then add --yes")
    if not click.confirm(f"airlift: {question}", err=True):
        problem = "not agreed to; nothing was changed"
        raise RequestError(problem, hint="run the same command when it is wanted")
