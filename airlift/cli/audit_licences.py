"""``airlift audit licences``: terms, lineage, and what changed of them."""

import click

from airlift.audit.answer import Options
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("licences")
@click.argument("items", nargs=-1)
@audit_frame.shared
def command(asked: Asked, items: tuple[str, ...]) -> int:
    """List licences: as stated, as SPDX, what the policy says, and what models are made of.

    The strictest licence among what a model was made from stands beside its own; a
    licence, a text of one, gating or base models that changed are findings. Ranks order
    licences and are no legal advice.
    """
    return audit_frame.answer(asked, "licences", Options(items=items))
