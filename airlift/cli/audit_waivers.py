"""``airlift audit waivers``: which findings were accepted."""

import click

from airlift.audit.answer import Options
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("waivers")
@click.argument("items", nargs=-1)
@audit_frame.shared
def command(asked: Asked, items: tuple[str, ...]) -> int:
    """List the findings that were accepted, by whom, why and until when.

    ITEMS are ids of findings. A waiver that is over, or was taken back, or that too few
    approvers signed, accepts nothing.
    """
    return audit_frame.answer(asked, "waivers", Options(items=items))
