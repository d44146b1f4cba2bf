"""``airlift audit schema``: what a report may say, for programs."""

from importlib import resources

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of reports (`airlift.audit/1`)."""
    found = resources.files("airlift.audit") / "schema" / "report.json"
    click.echo(found.read_text("utf-8"), nl=False)
