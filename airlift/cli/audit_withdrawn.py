"""``airlift audit withdrawn``: what upstream took back."""

import click

from airlift.audit.answer import Options
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("withdrawn")
@click.argument("items", nargs=-1)
@audit_frame.shared
def command(asked: Asked, items: tuple[str, ...]) -> int:
    """List what upstream took back: yanked, quarantined, removed, gated, renamed, gone.

    Of what is held first. What was withdrawn stays so until a newer answer says
    otherwise, whatever a later catalogue leaves out.
    """
    return audit_frame.answer(asked, "withdrawn", Options(items=items))
