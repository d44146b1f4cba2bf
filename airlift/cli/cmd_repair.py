"""``airlift repair``: rebuild lost and damaged volumes from spare volumes."""

from collections.abc import Sequence
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, output
from airlift.errors import AirliftError, FormatError, IncompleteError
from airlift.format import selection
from airlift.format.selection import Selection
from airlift.repair import repairing
from airlift.repair.outcome import Mended, Outcome


@click.command("repair")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for rebuilt volumes, and for what is known between two media.",
)
@config.json_option
def command(paths: tuple[Path, ...], folder: Path, *, as_json: bool) -> int:
    """Rebuild lost and damaged volumes in PATHS from the spare volumes among them.

    With media read one at a time, run it for each with the same --to, beginning with
    one that holds a spare; every medium is read once. What is rebuilt gets its name
    when it is whole, and `airlift import` verifies it like any other volume. The
    media are never written.
    """
    progress = output.progress(quiet=as_json)
    mended = repairing.repair(paths, folder, progress)
    if as_json:
        output.as_json({"groups": [_as_json(one) for one in mended]})
    else:
        for outcome in (one for group in mended for one in group.outcomes):
            output.line(_line(outcome))
    if all(one.done for one in mended):
        if not as_json:
            output.line("next: `airlift import` with the media and this folder")
        return 0
    error = _lacking(mended)
    if not as_json:
        raise error
    # One document on standard output, and it says all this.
    output.note(f"error: {error.problem}")
    output.note(f"hint: {error.hint}")
    return error.exit_code


def _line(one: Outcome) -> str:
    if one.problem:
        return f"refused  {one.name}  ({naming.show(one.problem)})"
    if one.lacking:
        return f"lacking  {one.name}  {_stripes(one)}"
    if one.elsewhere:
        return f"pending  {one.name}  {one.elsewhere} stripes to copy from its medium"
    if one.path:
        return f"rebuilt  {one.name}  {one.rebuilt} of {one.stripes} stripes"
    more = f"  {one.unvouched} stripes not compared" if one.unvouched else ""
    return f"whole    {one.name}{more}"


def _stripes(one: Outcome) -> str:
    if one.lost == one.stripes:
        return f"all {one.stripes} stripes"
    ranges = ", ".join(
        f"{span.start}-{span.stop - 1}" if len(span) > 1 else str(span.start)
        for span in one.lacking
    )
    return f"stripes {ranges} of {one.stripes}"


def _lacking(mended: Sequence[Mended]) -> AirliftError:
    """Return what to tell the operator when not all is whole."""
    outcomes = [one for group in mended for one in group.outcomes if not one.done]
    refused = [one for one in outcomes if one.problem]
    if refused:
        problem = "; ".join(one.problem for one in refused)
        return FormatError(
            problem, hint="leave out the media with the spares, or bring better ones"
        )
    wanted = [
        *(one.name for one in outcomes if one.elsewhere or one.lost == one.stripes),
        *(name for group in mended for name in group.unread),
    ]
    problem = f"{len(outcomes)} volume(s) are not whole yet"
    if wanted:
        hint = f"run it again with a medium that has any of: {', '.join(wanted)}"
        return IncompleteError(problem, hint=hint)
    problem = f"{len(outcomes)} volume(s) are damaged beyond what the spares can repair"
    again = "; ".join(_again(group) for group in mended if not group.done)
    hint = f"on the connected host these are written again: {again}"
    return FormatError(problem, hint=hint)


def _again(group: Mended) -> str:
    """Return the command that writes what is not whole of a group once more."""
    label = group.label
    pairs = zip(label.volumes, group.outcomes, strict=True)
    bad = tuple(volume.ordinal for volume, one in pairs if not one.done)
    chosen = selection.encode(Selection(ordinals=bad, cutting=label.cutting))
    return f"`airlift reissue {label.site} {label.sequence} {chosen} --to FOLDER`"


def _as_json(group: Mended) -> Json:
    label = group.label
    volumes: list[Json] = [
        {
            "name": one.name,
            "done": one.done,
            "rebuilt": str(one.path) if one.path else None,
            "stripes": one.stripes,
            "rebuilt_stripes": one.rebuilt,
            "lacking": [[span.start, span.stop] for span in one.lacking],
            "to_copy": one.elsewhere,
            "problem": one.problem,
        }
        for one in group.outcomes
    ]
    return {
        "site": label.site,
        "sequence": label.sequence,
        "group": label.group,
        "groups": label.groups,
        "volumes": volumes,
        "unread_spares": list(group.unread),
    }
