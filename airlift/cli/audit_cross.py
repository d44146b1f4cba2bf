"""``airlift audit cross``: models and runtimes that are dangerous together."""

import click

from airlift.audit.answer import Options
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("cross")
@click.argument("items", nargs=-1, metavar="[MODEL]...")
@audit_frame.shared
def command(asked: Asked, items: tuple[str, ...]) -> int:
    """List models that are dangerous with a runtime that is held or runs here.

    By the rules that the newest catalogue carries: a model whose settings name code,
    say, and a version of vLLM that runs it though it was told not to.
    """
    return audit_frame.answer(asked, "cross", Options(items=items))
