"""``airlift catalogue``: what is known of upstream, carried across the gap."""

import importlib
from typing import Final

import click

_SIDES: Final = {
    "key": "catalogue_build",
    "build": "catalogue_build",
    "import": "catalogue_site",
    "show": "catalogue_site",
    "diff": "catalogue_site",
}
"""Subcommand to the module of this package that has it, in the order of use.

By name: what the connected side asks the network with must not even be loaded on the
isolated side."""


class _Sides(click.Group):
    """A group whose halves are loaded apart."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands in the order of use."""
        return list(_SIDES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one subcommand."""
        if cmd_name not in _SIDES:
            return None
        module = importlib.import_module(f"airlift.cli.{_SIDES[cmd_name]}")
        found: dict[str, click.Command] = module.COMMANDS
        return found[cmd_name]


@click.group("catalogue", cls=_Sides)
def command() -> None:
    """Tell an isolated site what has changed upstream, in one small signed file.

    Connected side: `key` once, then `build` every week. Isolated side: `import` what
    was carried over, then `show` what is newer, withdrawn or unsafe, and how old that
    knowledge is.
    """
