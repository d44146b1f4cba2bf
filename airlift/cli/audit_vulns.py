"""``airlift audit vulns``: known vulnerabilities of what is here."""

import click

from airlift.audit.answer import Options
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("vulns")
@click.argument("items", nargs=-1, metavar="[ITEM]...")
@audit_frame.shared
def command(asked: Asked, items: tuple[str, ...]) -> int:
    """List the known vulnerabilities of packages that are held or run here.

    All of them, or those that ITEMS name: a package, NAME==VERSION, a wheel set, a
    digest, or a host. Advisories are those of the newest catalogue; what it did not
    look through is unknown. The order is by risk, whose parts are shown.
    """
    return audit_frame.answer(asked, "vulns", Options(items=items))
