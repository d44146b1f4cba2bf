"""``airlift audit bundles``: what came, what never came, what was refused."""

from functools import partial

import click

from airlift.audit import bundles
from airlift.audit.answer import Options
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("bundles")
@click.argument("items", nargs=-1)
@click.option("--gaps", is_flag=True, help="Only what was not taken in whole.")
@audit_frame.shared
def command(asked: Asked, items: tuple[str, ...], *, gaps: bool) -> int:
    """List the deliveries that came, are incomplete, were refused or never came.

    ITEMS are sequence numbers or ids. A number below the newest that never came is a
    medium that lies somewhere.
    """
    ask = partial(bundles.ask, only_gaps=gaps)
    return audit_frame.answer(asked, "bundles", Options(items=items), ask=ask)
