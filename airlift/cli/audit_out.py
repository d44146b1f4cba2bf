"""The forms of an audit's answers for programs: JSON, CSV, ids, and files of them."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import click

from airlift import naming
from airlift.artifact import Json
from airlift.audit import report
from airlift.audit.answer import Answer
from airlift.audit.finding import Severity, Verdict
from airlift.audit.plain import plain
from airlift.audit.report import Report
from airlift.cli import output
from airlift.store.durable import Disk

FINDING_COLUMNS: Final = (
    *("id", "severity", "verdict", "kind", "rule", "subject", "version", "title"),
    *("fix", "delta_bytes", "arrived_in", "waived_until", "purl"),
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet run a cell: names and titles come from outside.

Source: OWASP, "CSV Injection"."""


def as_json(found: Report, fail_on: Severity | None) -> None:
    """Print the report: canonical, and on a terminal indented and in ASCII.

    Names come from outside, and a terminal obeys some characters.
    """
    encoded = report.encode(found, fail_on)
    if sys.stdout.isatty():
        output.as_json(json.loads(encoded))
    else:
        click.echo(encoded.decode(), nl=False)


def as_csv(found: Report) -> None:
    """Print the table of the one question, or the findings of several."""
    answers = [one for _, one in found.answers]
    told = table(answers[0]) if len(answers) == 1 else findings(found)
    if sys.stdout.isatty():
        told = "".join(f"{naming.show(line)}\n" for line in told.splitlines())
    click.echo(told, nl=False)


def ids(found: Report) -> None:
    """Print the ids of open findings, one on a line."""
    for one in found.findings:
        if one.verdict is Verdict.FINDING:
            click.echo(one.id)


def write(found: Report, folder: Path, fail_on: Severity | None) -> None:
    """Write ``report.json``, ``findings.csv`` and a table of each question; durable.

    Raises:
        StoreError: The disk refused.
    """
    disk = Disk()
    disk.make_folder(folder)
    for question, one in found.answers:
        disk.write_file(
            folder / f"{question.name}.csv", table(one).encode(), mode=0o644
        )
    disk.write_file(folder / "findings.csv", findings(found).encode(), mode=0o644)
    # Last: whoever waits for it finds the tables there.
    encoded = report.encode(found, fail_on)
    disk.write_file(folder / "report.json", encoded, mode=0o644)


def table(answer: Answer) -> str:
    """Return the table of an answer as CSV (RFC 4180)."""
    return _csv(answer.columns, answer.rows)


def findings(found: Report) -> str:
    """Return all findings as CSV, the open and worst first."""
    return _csv(
        FINDING_COLUMNS,
        (
            {
                "id": one.id,
                "severity": one.severity.value,
                "verdict": one.verdict.value,
                "kind": one.kind,
                "rule": one.rule,
                "subject": one.subject.name,
                "version": one.subject.version,
                "title": one.title,
                "fix": one.fix.to if one.fix else "",
                "delta_bytes": one.fix.delta_bytes if one.fix else None,
                "arrived_in": one.arrived_in,
                "waived_until": one.waiver.until if one.waiver else "",
                "purl": one.subject.purl,
            }
            for one in found.findings
        ),
    )


def _csv(columns: tuple[str, ...], rows: Iterable[Mapping[str, Json]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_safe(plain(row.get(key))) for key in columns])
    return stream.getvalue()


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
