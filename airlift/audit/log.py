"""Q12: whether the log is what it was, and the tables what follows from it.

The log is a Merkle tree whose checkpoints are signed (docs/log.md). It is computed again
from its events and compared with every checkpoint that can be found; with *deep*, all that
it tells is done again beside the tables and compared row by row.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from airlift.artifact import Json
from airlift.audit.answer import Answer, Options
from airlift.audit.finding import About, Finding, Severity, Subject
from airlift.audit.site import Site
from airlift.format import merkle
from airlift.inbound import log_check
from airlift.inbound.log_check import Checked
from airlift.registry import log

QUESTION: Final = "Q12"
KIND: Final = "log"
"""The family of its findings."""
ROWS: Final = 100
"""Most events that are shown, the newest; ``airlift log show`` has all."""
_COLUMNS: Final = ("seq", "time", "actor", "action", "object", "outcome", "hash")


def ask(site: Site, options: Options) -> Answer:
    """Return whether the log is what was signed, and its newest events."""
    return assess(site)


def assess(site: Site, against: Sequence[Path] = (), *, deep: bool = False) -> Answer:
    """Return the same, beside what was kept elsewhere and, if *deep*, every table.

    Args:
        site: Open.
        against: Files of checkpoints or receipts that were kept elsewhere.
        deep: Also do again what the log says, and compare every row.

    Raises:
        RegistryError: The database cannot answer.
        StoreError: A file cannot be read.
        FormatError: A file of *against* is neither.
    """
    found = log_check.check(site.home, against, deep=deep)
    told = found.audited
    counts = {
        "events": told.size,
        "signed": told.signed,
        "checkpoints": told.checkpoints,
        "elsewhere": found.elsewhere,
    }
    if found.rows is not None:
        counts["rows"] = found.rows
    events = site.events()
    return Answer(
        question=QUESTION,
        as_of=events[-1].time if events else "",
        columns=_COLUMNS,
        rows=tuple(_rows(site)),
        findings=tuple(findings(found)),
        unknown=tuple(_unsigned(found)),
        counts=counts,
        broken=bool(found.faults),
    )


def findings(found: Checked) -> Iterator[Finding]:
    """Yield a finding for each thing that is not as it was."""
    for fault in found.faults:
        yield Finding(
            kind=KIND,
            rule="changed",
            severity=Severity.CRITICAL,
            subject=Subject(kind=About.LOG, name=fault),
            title=f"not as it was: {fault}",
            evidence={"events": found.audited.size, "root": found.audited.root},
            controls=("AU-9", "AU-10"),
        )


def _unsigned(found: Checked) -> Iterator[str]:
    told = found.audited
    if not told.checkpoints:
        yield (
            "no checkpoint of the log was ever signed, so nothing vouches for it:"
            " `airlift receipt export` signs one"
        )
    elif told.signed < told.size:
        yield (
            f"the last {told.size - told.signed} events are not covered by a checkpoint:"
            " `airlift receipt export` signs one"
        )


def _rows(site: Site) -> Iterator[Mapping[str, Json]]:
    for event in site.events()[-ROWS:]:
        yield {
            "seq": event.number,
            "time": event.time,
            "actor": event.actor,
            "action": event.action,
            "object": event.subject,
            "outcome": event.outcome,
            "hash": merkle.leaf_hash(log.entry(event)).hex(),
        }
