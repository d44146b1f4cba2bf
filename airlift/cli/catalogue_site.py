"""The isolated half of ``airlift catalogue``: taking one in, and what it means here."""

from pathlib import Path
from typing import Final

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import catalogue_view, config, knowledge, output
from airlift.errors import IncompleteError, RequestError
from airlift.format import catalogue_file, rule
from airlift.format.catalogue import Catalogue
from airlift.inbound import changes, hearing
from airlift.inbound.changes import Change
from airlift.registry.upstream import Taken
from airlift.store.durable import read_file

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("import")
@click.argument("file", type=_FILE)
@config.home_option
@config.json_option
def import_command(home: Path, file: Path, *, as_json: bool) -> None:
    """Verify the catalogue in FILE and keep it.

    Only forward: an older one, or another of the same number, is refused and noted in
    the log. It says what upstream has; nothing is served or trusted because of it.
    """
    data = read_file(file, limit=catalogue_file.LIMIT, error=RequestError)
    now = config.now()
    with knowledge.upstream(home) as upstream:
        found = hearing.take_in(
            data,
            upstream,
            name=f"`{naming.show(file.name)}`",
            now=now,
            actor=config.actor(),
        )
    lines = hearing.warnings(found, now=now)
    made = found.catalogue
    ruled = len(rule.stated(made))
    advised = len(made.advisories) - ruled
    if as_json:
        output.as_json(
            {
                "sequence": made.sequence,
                "id": found.id,
                "issued": made.issued,
                "repeat": found.repeat,
                "missed": found.missed,
                "items": len(made.items),
                "packages": len(made.packages),
                "advisories": advised,
                "rules": ruled,
                "warnings": lines,
            }
        )
        return
    known = "is held already" if found.repeat else "taken in"
    output.line(
        f"catalogue {made.sequence} {known}: {len(made.items)} artifacts,"
        f" {len(made.packages)} packages, {advised} advisories, {ruled} rules,"
        f" as of {made.issued}"
    )
    for line in lines:
        output.note(f"warning: {line}")
    output.line("next: `airlift catalogue show`")


@click.command("show")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Also what is as it should be.")
@config.home_option
@config.json_option
def show_command(
    home: Path, name: str | None, *, everything: bool, as_json: bool
) -> None:
    """Say what is newer upstream than held here, withdrawn or advised against.

    And how old that knowledge is: each source's own, counted to the latest time that
    anything proves, so that a clock set back makes nothing young. With NAME, all that
    is known of one artifact or package.
    """
    view = knowledge.read(home, now=config.now())
    if view is None:
        problem = "this site holds no catalogue: nothing is known of upstream"
        raise IncompleteError(problem, hint="`airlift catalogue import FILE` takes one")
    if name is not None:
        shown = catalogue_view.only(view, name)
        if not shown.findings:
            problem = f"catalogue {view.taken.sequence} knows no `{naming.show(name)}`"
            raise RequestError(problem, hint="see `airlift catalogue show --all`")
        view, everything = shown, True
    if as_json:
        output.as_json(catalogue_view.as_json(view))
        return
    catalogue_view.show(view, everything=everything)
    if name is not None:
        catalogue_view.show_details(view)


@click.command("diff")
@click.argument("older", required=False, type=int)
@click.argument("newer", required=False, type=int)
@config.home_option
@config.json_option
def diff_command(
    home: Path, older: int | None, newer: int | None, *, as_json: bool
) -> None:
    """Say what catalogue NEWER says otherwise than OLDER; by default, the last two."""
    with knowledge.upstream(home, readonly=True) as upstream:
        first, second = _pair(upstream.taken(), older, newer)
        old, new = upstream.read(first), upstream.read(second)
    found = changes.between(old, new)
    if as_json:
        listed: list[Json] = [
            {
                "kind": one.kind,
                "name": one.name,
                "what": one.what,
                "before": one.before,
                "after": one.after,
            }
            for one in found
        ]
        output.as_json(
            {"older": old.sequence, "newer": new.sequence, "changes": listed}
        )
        return
    _show_changes(old, new, found)


def _show_changes(old: Catalogue, new: Catalogue, found: tuple[Change, ...]) -> None:
    if not found:
        output.line(f"catalogue {new.sequence} says the same as {old.sequence}")
        return
    rows = [
        (
            one.kind,
            naming.show(one.name),
            one.what,
            _short(one.before) or "-",
            _short(one.after) or "-",
        )
        for one in found
    ]
    head = ("KIND", "NAME", "WHAT", f"IN {old.sequence}", f"IN {new.sequence}")
    output.table(rows, head=head)


def _short(text: str) -> str:
    return naming.show(catalogue_view.short(text))


def _pair(
    taken: tuple[Taken, ...], older: int | None, newer: int | None
) -> tuple[Taken, Taken]:
    by_number = {one.sequence: one for one in taken}
    numbers = sorted(by_number)
    if newer is None:
        newer = numbers[-1] if numbers else 0
    if older is None:
        older = max((one for one in numbers if one < newer), default=0)
    for number in (older, newer):
        if number not in by_number:
            listed = ", ".join(map(str, numbers)) or "none"
            problem = f"catalogue {number} is not held; held are {listed}"
            if number == 0:
                problem = f"there are no two catalogues to compare; held are {listed}"
            raise RequestError(problem, hint="see `airlift list --history`")
    return by_number[older], by_number[newer]


COMMANDS: Final[dict[str, click.Command]] = {
    "import": import_command,
    "show": show_command,
    "diff": diff_command,
}
