"""``airlift audit models``: what the files of models can do."""

import click

from airlift.audit.answer import Options
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("models")
@click.argument("items", nargs=-1)
@audit_frame.shared
def command(asked: Asked, items: tuple[str, ...]) -> int:
    """Look into the files of models: pickles, code, chat templates, headers.

    Of all that is held, or of those that ITEMS name. Nothing of a model is run: pickles
    are looked into by two scanners (`pip install airlift[scan]`), each in a process of
    its own, and one that was not scanned is a finding. What was seen is kept in the
    registry, so that files that have not changed cost nothing the next time.
    """
    return audit_frame.answer(asked, "models", Options(items=items))
