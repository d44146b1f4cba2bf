"""Several media on the command line, and the person at the terminal who brings them."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from airlift import naming
from airlift.cli import config, consent, output, pipe
from airlift.cli.capacity import Capacity
from airlift.errors import RequestError
from airlift.format import selection
from airlift.outbound.quay import NO_LIMIT, Loading, Media, Wanted
from airlift.outbound.stowage import Berth

F = TypeVar("F", bound=Callable[..., object])

UNCHECKED = "not checked since it was written"


def options(command: F) -> F:
    """Add ``--to``, ``--wait`` and ``--medium-size`` to a command."""
    to = click.option(
        "--to",
        "folders",
        required=True,
        multiple=True,
        type=click.Path(path_type=Path),
        help="Folder or mounted medium to write to; several are filled at once.",
    )
    wait = click.option(
        "--wait", is_flag=True, help="Ask for the next medium until all is written."
    )
    most = click.option(
        "--medium-size",
        "most",
        type=Capacity(),
        help="Most bytes of volumes a medium gets; by default what it has free.",
    )
    return to(wait(most(command)))


def media(
    folders: Sequence[Path], *, wait: bool, most: int | None, quiet: bool
) -> Media:
    """Return the media that the options mean.

    Raises:
        RequestError: They contradict each other, or there is nobody to ask.
    """
    if pipe.STANDARD in folders and (len(folders) > 1 or wait or most):
        problem = "`-` takes all volumes, one after the other"
        raise RequestError(problem, hint="give `--to -` alone")
    if wait and not sys.stdin.isatty():
        problem = "--wait asks for media, and there is no terminal to ask at"
        raise RequestError(problem, hint="name all media with --to")
    if len({one.absolute() for one in folders}) < len(folders):
        problem = "a folder is named twice with --to"
        raise RequestError(problem, hint="name each medium once")
    return Media(
        folders=tuple(folders),
        quay=TerminalQuay(quiet=quiet),
        most=most or NO_LIMIT,
        wait=wait,
    )


class TerminalQuay:
    """Tells and asks at the terminal.

    Args:
        quiet: Whether plans are left out: a program reads what is printed.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    def now(self) -> str:
        """Return the time."""
        return config.now()

    def loading(self, plan: Sequence[Loading], left: Wanted | None) -> None:
        """Say what goes to which medium, and what media come after these."""
        if self._quiet:
            return
        for one in plan:
            output.note(
                f"medium {one.number} at {_shown(one.folder)}: {one.shown()}, "
                f"{output.size(one.size)} of {output.size(one.free)} free"
            )
        if left:
            output.note(f"after that: {_need(left)}")

    def trouble(self, problem: str) -> None:
        """Say what is wrong with a medium."""
        output.note(f"warning: {problem}")

    def bring(self, wanted: Wanted) -> bool:
        """Ask for a medium."""
        name = f"{wanted.site}-{wanted.sequence:06d} medium {wanted.number}"
        count = f" of {wanted.count}" if wanted.count else ""
        where = " or ".join(map(_shown, wanted.folders))
        output.note(f"still to write: {_need(wanted)}")
        return consent.inserted(f"{name}{count} at {where}")


def show_berths(berths: Sequence[Berth], folders: Sequence[Path]) -> None:
    """Print what lies where, and what to do with the media in *folders*."""
    for one in berths if len(berths) > 1 else ():
        output.line(line(one))
    for folder in folders:
        output.line(f"next: unmount, mount again, and `airlift check {folder}`")


def show_losable(berths: Sequence[Berth], fatal: Sequence[int]) -> None:
    """Print which media may be lost, one at a time, and be made up for by spares.

    Args:
        berths: All media.
        fatal: Numbers of those whose loss the spares could not make up for.
    """
    if sum(not one.lost for one in berths) < 2:
        return
    if not fatal:
        output.line("any one medium may be lost: the spares make up for it")
        return
    output.line(
        f"spares do not make up for a loss of medium {selection.ranges(fatal)}: it has "
        "more volumes of a group than there are spares; --per-medium with as many as "
        "a medium holds, or media of their own for spares, help"
    )


def line(one: Berth) -> str:
    """Return what is known of a medium."""
    drive = f"  ({one.drive.shown()})" if one.drive.shown() else ""
    return f"medium {one.number}  {len(one.files)} file(s)  {state(one)}{drive}"


def state(one: Berth) -> str:
    """Say whether a medium may be relied on."""
    if one.lost:
        return f"lost {one.lost}"
    if one.bad:
        return f"{len(one.bad)} bad file(s)"
    return f"checked {one.checked}" if one.checked else UNCHECKED


def _need(wanted: Wanted) -> str:
    more = wanted.count - wanted.number + 1 if wanted.count else 0
    media_ = f", {more} more like the largest so far" if more else ""
    return (
        f"{wanted.shown()}, {output.size(wanted.size)}{media_}; "
        f"a medium needs at least {output.size(wanted.least)} free"
    )


def _shown(folder: Path) -> str:
    return naming.show(str(folder))
