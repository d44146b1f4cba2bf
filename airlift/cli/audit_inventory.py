"""``airlift audit inventory``: what is held."""

import click

from airlift.audit.answer import Options
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("inventory")
@click.argument("items", nargs=-1)
@audit_frame.shared
def command(asked: Asked, items: tuple[str, ...]) -> int:
    """List what is held, since when, and which delivery brought it.

    A row for each release and each wheel, or those that ITEMS name: when it was
    approved, imported, first live and last hashed, and who signed for it.
    """
    return audit_frame.answer(asked, "inventory", Options(items=items))
