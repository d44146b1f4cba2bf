"""``airlift audit hosts``: what runtimes hold, and how that differs from what is approved."""

from pathlib import Path

import click

from airlift.audit.answer import Options
from airlift.cli import audit_frame, cmd_observe, output
from airlift.cli.audit_frame import Asked


@click.command("hosts")
@click.argument("hosts", nargs=-1)
@click.option(
    "--read",
    "given",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="First take in what `airlift observe` wrote on a host; repeat.",
)
@audit_frame.shared
def command(asked: Asked, hosts: tuple[str, ...], given: tuple[Path, ...]) -> int:
    """Compare what each host was seen to hold with what was approved.

    All hosts, or HOSTS. Each model and package is approved, old, incomplete, foreign,
    other, changed or denied. A host that was not observed for long is unknown.
    """
    for path in given:
        output.note(cmd_observe.told(cmd_observe.take_in(asked.home, path)))
    return audit_frame.answer(asked, "hosts", Options(items=hosts))
