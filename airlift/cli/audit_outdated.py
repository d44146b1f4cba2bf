"""``airlift audit outdated``: what is newer upstream, and asking for it."""

from functools import partial

import click

from airlift.audit import outdated
from airlift.audit.answer import Answer, Options
from airlift.audit.site import Site
from airlift.cli import audit_frame, output
from airlift.cli.audit_frame import Asked
from airlift.errors import RequestError
from airlift.format.request_text import entry_key
from airlift.inbound import request_draft
from airlift.registry.registry import Registry


@click.command("outdated")
@click.argument("items", nargs=-1)
@click.option(
    "--request", is_flag=True, help="Put all that is listed on the list to ask for."
)
@audit_frame.shared
def command(asked: Asked, items: tuple[str, ...], *, request: bool) -> int:
    """List what upstream has newer: how far behind, how far the change goes, what it takes.

    Sizes are those of the newest's files, and of those that are not held here. With
    --request the entries go on the list of `airlift request`.
    """
    if request and asked.as_of:
        problem = "--request asks for what is newer now, --as-of looks back"
        raise RequestError(problem, hint="leave one of them out")
    wanted: list[str] = []
    ask = partial(_ask, wanted=wanted)
    code = audit_frame.answer(asked, "outdated", Options(items=items), ask=ask)
    if request:
        _add(asked, wanted)
    return code


def _ask(site: Site, options: Options, *, wanted: list[str]) -> Answer:
    """Answer, and keep the keys of the entries that are listed."""
    found = outdated.ask(site, options)
    if site.made is not None:
        wanted += [entry_key(site.made.entry(one)) for one in outdated.numbers(found)]
    return found


def _add(asked: Asked, wanted: list[str]) -> None:
    registry = Registry.open(asked.home)
    try:
        with registry.exclusive("request"):
            draft = request_draft.read(asked.home)
            for key in wanted:
                draft = draft.adding(key)
            if wanted:
                request_draft.write(asked.home, draft)
    finally:
        registry.close()
    output.note(f"{len(wanted)} on the list; next: `airlift request export`")
