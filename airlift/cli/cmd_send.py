"""``airlift send``: hand a written delivery to a one-way link, file by file."""

import time
from pathlib import Path

import click

from airlift import hook
from airlift.artifact import Json
from airlift.cli import config, output
from airlift.cli.duration import Duration
from airlift.errors import RequestError
from airlift.hook import Hook
from airlift.outbound import dropping
from airlift.outbound.dropping import Dropped, Dropping, Link


@click.command("send")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder that the link's own software empties.",
)
@click.option(
    "--hook",
    "command_line",
    metavar="COMMAND",
    help="Run this for each file; {file} stands for its path, {name} for its name.",
)
@click.option(
    "--hook-timeout",
    type=Duration(),
    default="1h",
    show_default=True,
    help="How long it may take for one file.",
)
@click.option(
    "--hook-takes", is_flag=True, help="Delete each file once the hook ended well."
)
@click.option(
    "--mbps",
    type=click.FloatRange(min=0),
    default=0,
    help="Megabits a second at which files are handed on; 0 for no limit.",
)
@click.option(
    "--repeat",
    type=click.IntRange(min=1, max=99),
    default=1,
    show_default=True,
    help="Send everything so many times, under fresh names.",
)
@click.option(
    "--anew", is_flag=True, help="Begin anew where an earlier run did not end."
)
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    folder: Path,
    target: Path,
    command_line: str | None,
    hook_timeout: int,
    hook_takes: bool,
    mbps: float,
    repeat: int,
    anew: bool,
    as_json: bool,
) -> None:
    """Hand the deliveries that `export` wrote to FOLDER to a one-way link.

    Each file appears in the folder of --to whole, under its name, small letters only:
    volumes first, then spares, sums, signatures. Killed, the same command goes on at
    the next file. Sent again, everything gets fresh names (`.r2`), because receivers
    may refuse names that they have seen; `airlift watch` on the far side knows volumes
    by their content. The hook is run without a shell.
    """
    if hook_takes and not command_line:
        problem = "--hook-takes is about a hook, and there is none"
        raise RequestError(problem, hint="give --hook, or leave it out")
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
    if not target.is_dir():
        problem = f"{target} is not a folder"
        raise RequestError(problem, hint="is it mounted?")
    progress = output.progress(quiet=as_json)
    done = []
    for key, paths in dropping.deliveries(folder).items():
        site, sequence = key
        state = home / "drops" / site / f"{sequence:06d}.json"
        sending = Dropping(key, state, link)
        if anew:
            sending.forget()
        files = dropping.parcels(paths)
        done.append(sending.send(files, repeat=repeat, progress=progress))
    _show(done, as_json=as_json)


def _hook(command_line: str | None, timeout: int) -> Hook | None:
    if command_line is None:
        return None
    words = hook.parse(command_line, "file", "name")
    return Hook(words=words, timeout_s=timeout, clock=time.monotonic)


def _show(done: list[Dropped], *, as_json: bool) -> None:
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
