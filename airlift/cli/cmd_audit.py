"""``airlift audit``: questions to an isolated site, answered without contact."""

import importlib
from typing import Final

import click

_COMMANDS: Final = {
    "run": "audit_run",
    "freshness": "audit_knowledge",
    "inventory": "audit_inventory",
    "bundles": "audit_bundles",
    "outdated": "audit_outdated",
    "withdrawn": "audit_withdrawn",
    "denied": "audit_denied",
    "vulns": "audit_vulns",
    "models": "audit_models",
    "cross": "audit_cross",
    "licences": "audit_licences",
    "diff": "audit_diff",
    "keys": "audit_keys",
    "waivers": "audit_waivers",
    "waive": "audit_waive",
    "changes": "audit_changes",
    "hosts": "audit_hosts",
    "verify": "audit_verify",
    "trace": "audit_trace",
    "log": "audit_log",
    "controls": "audit_controls",
    "export": "audit_export",
    "check": "audit_check",
    "schema": "audit_schema",
}
"""Subcommand to the module of this package that has it as ``command``, as shown."""


class _Questions(click.Group):
    """A group that loads a question when it is asked, and asks all when none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take options without a subcommand as those of ``run``."""
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands in the order they are shown."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one subcommand."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"airlift.cli.{_COMMANDS[cmd_name]}")
        found: click.Command = module.command
        return found


@click.group("audit", cls=_Questions)
def command() -> None:
    """Answer an auditor's questions about this isolated site, without any contact.

    Alone, as `run`: every question on one screen. How old knowledge is stands above
    every verdict; what cannot be answered is `unknown`, never `pass`. Exit codes: 10
    findings, 8 something is unknown, 11 knowledge too old, 4 integrity is gone.
    """
