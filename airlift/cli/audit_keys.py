"""``airlift audit keys``: who signs, until when, and for what is live."""

import click

from airlift.audit.answer import Options
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("keys")
@click.argument("items", nargs=-1)
@audit_frame.shared
def command(asked: Asked, items: tuple[str, ...]) -> int:
    """List every key that counts or counted here, and what it signed that is live.

    ITEMS are names of holders, roles or key ids. Every signature of the trusted
    metadata is checked again; one that is not valid ends with exit code 4.
    """
    return audit_frame.answer(asked, "keys", Options(items=items))
