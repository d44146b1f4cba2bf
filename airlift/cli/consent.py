"""Asking a person: before something goes that does not come back, and for a medium."""

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


def inserted(what: str) -> bool:
    """Ask for *what* at the terminal; return whether it is in, or they gave up."""
    try:
        answer = click.prompt(
            f"airlift: insert {what}, or press q",
            default="",
            show_default=False,
            prompt_suffix=": ",
            err=True,
        )
    except click.Abort:
        return False
    return not str(answer).strip().lower().startswith("q")
