"""``airlift audit denied``: what counts for nothing any more."""

import click

from airlift.audit.answer import Options
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("denied")
@click.argument("items", nargs=-1, metavar="[ITEM]...")
@audit_frame.shared
def command(asked: Asked, items: tuple[str, ...]) -> int:
    """List keys, releases and files that were denied, and what of them is held still.

    Those of the signed deny list, and those that this site denied by itself. None of
    them is imported, served or installed.
    """
    return audit_frame.answer(asked, "denied", Options(items=items))
