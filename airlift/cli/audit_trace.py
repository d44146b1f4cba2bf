"""``airlift audit trace``: where a thing came from, step by step."""

import functools

import click

from airlift.audit import origin
from airlift.audit import trace as tracing
from airlift.audit.answer import Answer, Options
from airlift.audit.site import Site
from airlift.cli import audit_frame
from airlift.cli.audit_frame import Asked


@click.command("trace")
@click.argument("item")
@audit_frame.shared
def command(asked: Asked, item: str) -> int:
    """Say where ITEM came from: upstream, who signed, who approved, what happened since.

    ITEM is a release, an id, a digest, or a path as a runtime has it: a file or folder
    that is hashed and named, or is "not ours". What begins with `/`, `.` or `~` is a
    path.
    """
    return audit_frame.answer(asked, "trace", ask=functools.partial(_ask, item))


def _ask(item: str, site: Site, options: Options) -> Answer:
    return tracing.trace(site, origin.find(site, item, options.progress))
