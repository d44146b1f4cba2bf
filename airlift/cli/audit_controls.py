"""``airlift audit controls``: what the answers are evidence for."""

import click

from airlift.audit import controls
from airlift.audit.answer import Options
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("controls")
@click.option(
    "--framework",
    "frameworks",
    multiple=True,
    metavar="F",
    help="Only this one; repeat. An unknown one lists them all.",
)
@audit_frame.shared
def command(asked: Asked, frameworks: tuple[str, ...]) -> int:
    """List controls with the questions that support evidence for them, and answers.

    Frameworks are nist-800-53, nist-800-171, iec-62443, bsi, nis2, dora, cra and
    eu-ai-act. airlift supports evidence; whether a control is met is for an assessor to
    say. In --json, `certain` is false where number and wording are to be looked up.
    """
    controls.chosen(frameworks)
    return audit_frame.answer(asked, "controls", Options(items=frameworks))
