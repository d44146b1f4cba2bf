"""``airlift audit log``: whether what happened here is what was written down."""

from pathlib import Path

import click

from airlift.audit import log
from airlift.audit.answer import Answer, Options
from airlift.audit.site import Site
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("log")
@click.option(
    "--against",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A checkpoint or receipt kept elsewhere that the log must agree with.",
)
@click.option(
    "--deep",
    is_flag=True,
    help="Also do again what the log says, and compare every row of every table.",
)
@audit_frame.shared
def command(asked: Asked, *, against: tuple[Path, ...], deep: bool) -> int:
    """Compute the log again, compare it with every checkpoint, and list the newest events.

    Exit code 4: an event, a row or a checkpoint is not as it was; 8: the newest events
    are not signed for yet.
    """

    def ask(site: Site, options: Options) -> Answer:
        del options  # a log is one thing: nothing of it can be left out
        return log.assess(site, against, deep=deep)

    return audit_frame.answer(asked, "log", ask=ask)
