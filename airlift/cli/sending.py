"""The options of commands that hand files to a one-way link, and what they tell."""

import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from airlift import hook
from airlift.artifact import Json
from airlift.cli import config, output
from airlift.cli.duration import Duration
from airlift.errors import RequestError
from airlift.hook import Hook
from airlift.outbound.dropping import Dropped, Dropping, Link

_OPTIONS = (
    click.option(
        "--to",
        "target",
        required=True,
        type=click.Path(path_type=Path, file_okay=False),
        help="The folder that the link's own software empties.",
    ),
    click.option(
        "--hook",
        "command_line",
        metavar="COMMAND",
        help="Run this for each file; {file} stands for its path, {name} for its name.",
    ),
    click.option(
        "--hook-timeout",
        type=Duration(),
        default="1h",
        show_default=True,
        help="How long it may take for one file.",
    ),
    click.option(
        "--hook-takes", is_flag=True, help="Delete each file once the hook ended well."
    ),
    click.option(
        "--mbps",
        type=click.FloatRange(min=0),
        default=0,
        help="Megabits a second at which files are handed on; 0 for no limit.",
    ),
)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* the options that say how to send, and the link as ``link``."""

    @wraps(command)
    def linked(
        *,
        target: Path,
        command_line: str | None,
        hook_timeout: int,
        hook_takes: bool,
        mbps: float,
        **others: Any,
    ) -> None:
        if hook_takes and not command_line:
            problem = "--hook-takes is about a hook, and there is none"
            raise RequestError(problem, hint="give --hook, or leave it out")
        if not target.is_dir():
            problem = f"{target} is not a folder"
            raise RequestError(problem, hint="is it mounted?")
        link = Link(
            folder=target,
            hook=_hook(command_line, hook_timeout),
            takes=hook_takes,
            mbps=mbps,
            sleep=time.sleep,
            clock=time.monotonic,
            now=config.now,
            note=output.note,
        )
        command(link=link, **others)

    for option in reversed(_OPTIONS):
        linked = option(linked)
    return linked


def of(home: Path, key: tuple[str, int], link: Link) -> Dropping:
    """Return what sends the delivery *key*, a site and a sequence, over *link*."""
    site, sequence = key
    return Dropping(key, home / "drops" / site / f"{sequence:06d}.json", link)


def show(done: list[Dropped], *, as_json: bool) -> None:
    """Tell what was sent."""
    if as_json:
        shown: list[Json] = [
            {
                "site": one.site,
                "sequence": one.sequence,
                "files": one.names,
                "sent_before": one.skipped,
                "bytes": one.bytes,
            }
            for one in done
        ]
        output.as_json({"deliveries": shown})
        return
    for one in done:
        before = f" ({one.skipped} before)" if one.skipped else ""
        output.line(
            f"delivery {one.sequence} to {one.site}: {len(one.names)} file(s) sent"
            f"{before}, {output.size(one.bytes)}"
        )


def _hook(command_line: str | None, timeout: int) -> Hook | None:
    if command_line is None:
        return None
    words = hook.parse(command_line, "file", "name")
    return Hook(words=words, timeout_s=timeout, clock=time.monotonic)
