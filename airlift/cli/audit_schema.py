"""``airlift audit schema``: what is printed as JSON, for programs."""

from importlib import resources
from typing import Final

import click

SCHEMAS: Final = ("report", "changes", "check", "export", "summary", "waive")


@click.command("schema")
@click.argument("what", type=click.Choice(SCHEMAS), default=SCHEMAS[0])
def command(what: str) -> None:
    """Print a JSON Schema: of reports (`airlift.audit/1`), which most subcommands print.

    `changes`, `check`, `export` and `waive` print their own; `summary` is what --notify
    tells. Each says in `schema` which it is.
    """
    found = resources.files("airlift.audit") / "schema" / f"{what}.json"
    click.echo(found.read_text("utf-8"), nl=False)
