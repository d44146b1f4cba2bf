"""``airlift audit freshness``: how old what is known is."""

import click

from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("freshness")
@audit_frame.shared
def command(asked: Asked) -> int:
    """Say how old what is known is: of each upstream, advisories, scans and hashes.

    Ages are counted from when a source answered, to the latest time that anything
    proves; a source that never answered is unknown.
    """
    return audit_frame.answer(asked, "freshness")
