"""``airlift audit changes``: what is otherwise than in an earlier report, and why."""

from pathlib import Path
from typing import Final

import click

from airlift import naming
from airlift.artifact import Json
from airlift.audit import changes, report
from airlift.audit.answer import Options
from airlift.audit.changes import Change, Told
from airlift.audit.finding import Severity
from airlift.audit.questions import QUESTIONS
from airlift.audit.site import open_site
from airlift.cli import config, output
from airlift.errors import FINDINGS, RequestError
from airlift.store.durable import read_file

SCHEMA: Final = "airlift.audit-changes/1"
_FILE = click.Path(path_type=Path, dir_okay=False)
_NEVER: Final = "none"


@click.command("changes")
@click.argument("before", type=_FILE)
@click.argument("after", type=_FILE, required=False)
@click.option(
    "--fail-on",
    type=click.Choice([_NEVER, *(one.value for one in reversed(Severity))]),
    default=Severity.HIGH.value,
    show_default="high",
    help="Least severity of a finding newly open that ends with exit code 10.",
)
@config.home_option
@config.json_option
def command(
    home: Path, before: Path, after: Path | None, *, fail_on: str, as_json: bool
) -> int:
    """Say what is otherwise in report AFTER than in BEFORE, and because of what.

    Without AFTER, this site is asked now. A finding comes or goes because of the
    inventory, the feed, the policy, a waiver, a scanner, or because time went by; what
    was not asked or not answered in one of the two is named apart.
    """
    old = _read(before)
    new = _read(after) if after else _now(home)
    found = changes.between(old, new)
    least = None if fail_on == _NEVER else Severity(fail_on)
    if as_json:
        output.as_json(_as_json(old, new, found))
    else:
        _show(old, new, found)
    bad = least and any(
        one.is_new and Severity(one.severity).reaches(least) for one in found
    )
    return FINDINGS if bad else 0


def _read(path: Path) -> Told:
    data = read_file(path, limit=changes.LIMIT, error=RequestError)
    return changes.read(data, name=f"`{naming.show(path.name)}`")


def _now(home: Path) -> Told:
    with open_site(home, now=config.now()) as site:
        options = Options(progress=output.progress())
        return changes.read(
            report.encode(report.run(site, QUESTIONS, options)), name="this report"
        )


def _show(old: Told, new: Told, found: tuple[Change, ...]) -> None:
    times = f"{old['generated_at']} to {new['generated_at']}"
    if not found:
        output.line(f"{times}: nothing is otherwise")
        return
    output.line(f"{times}: {len(found)} changes")
    rows = [
        (
            one.cause.value,
            one.before,
            one.after,
            one.severity or "-",
            one.finding or one.question,
            naming.show(one.title),
        )
        for one in found
    ]
    output.table(rows, head=("CAUSE", "BEFORE", "AFTER", "SEVERITY", "ID", "WHAT"))


def _as_json(old: Told, new: Told, found: tuple[Change, ...]) -> Json:
    return {
        "schema": SCHEMA,
        "site": new["site"],
        "before": {"run_id": old["run_id"], "generated_at": old["generated_at"]},
        "after": {"run_id": new["run_id"], "generated_at": new["generated_at"]},
        "changes": [
            {
                "finding": one.finding,
                "question": one.question,
                "severity": one.severity,
                "title": one.title,
                "before": one.before,
                "after": one.after,
                "cause": one.cause.value,
                "is_new": one.is_new,
            }
            for one in found
        ],
    }
