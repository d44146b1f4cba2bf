"""``airlift list``: the releases held here."""

import json
import os
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json, Kind
from airlift.cli import config, output, scanned
from airlift.errors import RequestError
from airlift.registry.engine import FILE
from airlift.registry.held import Event, Generation, Held, State
from airlift.registry.registry import Registry


@click.command("list")
@click.option(
    "--state", type=click.Choice([one.value for one in State]), help="Only these."
)
@click.option(
    "--kind", type=click.Choice([one.value for one in Kind]), help="Only these."
)
@click.option(
    "--generations", is_flag=True, help="List the live sets instead, newest first."
)
@click.option("--history", is_flag=True, help="Print the log instead, oldest first.")
@config.home_option
@config.json_option
def command(
    home: Path,
    state: str | None,
    kind: str | None,
    *,
    generations: bool,
    history: bool,
    as_json: bool,
) -> None:
    """List the releases held here, the newest of each name first.

    With --generations, the sets of live releases that `rollback --to` can return to;
    with --history, everything that was done to this registry, and by whom.
    """
    # Whoever may write brings the tables of an older airlift up to date by this.
    may_write = os.access(home / FILE, os.W_OK)
    registry = Registry.open(home, readonly=not may_write)
    if generations or history:
        if generations and history:
            problem = "--generations and --history are two lists"
            raise RequestError(problem, hint="ask for one of them")
        if history:
            _show_history(registry.events(), as_json=as_json)
        else:
            _show_generations(registry.generations(), as_json=as_json)
        return
    found = registry.releases(
        state=State(state) if state else None, kind=Kind(kind) if kind else None
    )
    waiting = registry.custody().waiting(found)
    if as_json:
        releases: list[Json] = [as_table(one) for one in found]
        reasons: dict[str, Json] = {str(one): why for one, why in waiting.items()}
        output.as_json(
            {
                "releases": releases,
                "waiting": reasons,
                "scans": scanned.by_release(registry, found),
            }
        )
        return
    head = ("STATE", "KIND", "NAME", "REVISION", "FILES", "SIZE", "IMPORTED")
    output.table([_cells(one) for one in found], head=head)
    for one in found:
        if why := waiting.get(one.id):
            output.line(f"{naming.show(one.release.name)} waits: {naming.show(why)}")


def as_table(held: Held) -> dict[str, Json]:
    """Return *held* as every command's JSON shows it."""
    release = held.release
    return {
        "id": held.id,
        "state": held.state.value,
        "kind": release.kind.value,
        "name": release.name,
        "revision": release.revision,
        "counter": release.counter,
        "refs": release.refs,
        "files": held.files,
        "bytes": held.size,
        "imported": held.imported,
        "sequence": held.sequence,
        "pinned": held.pinned,
        "denied": held.denied,
    }


def _show_generations(found: tuple[Generation, ...], *, as_json: bool) -> None:
    if as_json:
        listed: list[Json] = [
            {
                "number": one.number,
                "created": one.created,
                "reason": one.reason,
                "actor": one.actor,
                "note": one.note,
                "members": one.members,
                "releases": one.releases,
            }
            for one in found
        ]
        output.as_json({"generations": listed})
        return
    cells = [
        (
            str(one.number),
            one.created,
            one.reason,
            naming.show(one.note) or "-",
            str(one.members),
            str(one.members - len(one.releases)),
            naming.show(one.actor),
        )
        for one in found
    ]
    head = ("LIVE SET", "MADE", "BY", "NOTE", "RELEASES", "COLLECTED", "WHO")
    output.table(cells, head=head)


def event_table(told: Event) -> dict[str, Json]:
    """Return *told* as every command's JSON shows it."""
    return {
        "number": told.number,
        "time": told.time,
        "actor": told.actor,
        "action": told.action,
        "subject": told.subject,
        "outcome": told.outcome,
        "detail": told.detail,
    }


def _show_history(found: tuple[Event, ...], *, as_json: bool) -> None:
    if as_json:
        output.as_json({"events": [event_table(one) for one in found]})
    else:
        show_history(found)


def show_history(found: tuple[Event, ...]) -> None:
    """Print events, one a line."""
    for one in found:
        words = (one.time, one.actor, one.action, one.subject, one.outcome)
        shown = "  ".join(naming.show(word) for word in words if word)
        detail = json.dumps(one.detail, default=dict, ensure_ascii=True)
        output.line(shown if detail == "{}" else f"{shown}  {detail}")


def _cells(held: Held) -> tuple[str, ...]:
    release = held.release
    marks = "".join(
        f" ({word})"
        for word, on in (("pinned", held.pinned), ("denied", held.denied))
        if on
    )
    return (
        held.state.value + marks,
        release.kind.value,
        naming.show(release.name),
        naming.show(release.revision[:12]),
        str(held.files),
        output.size(held.size),
        held.imported,
    )
