"""Scan reports that were attached: lines of the log, and the reports beside it.

No table: a scan is a fact about a day, and the log is where facts are. So a rebuild has
them, and nothing can change one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from airlift.digest import Sha256, sha256
from airlift.errors import AirliftError, RequestError
from airlift.format import scan as scans
from airlift.format.scan import Scan
from airlift.registry.held import Event, Held
from airlift.store.durable import Disk

ACTION = "scan"
REPORT_LIMIT = 64 << 20
"""Bytes of a report that is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A scan as it was attached here.

    Attributes:
        scan: What it says.
        carried: Whether it came on a medium, unsigned, instead of from here.
        actor: Who attached it.
        time: When.
    """

    scan: Scan
    carried: bool
    actor: str
    time: str

    @property
    def words(self) -> str:
        """What a person should read of it."""
        told = scans.words(self.scan)
        return f"{told}; carried, not signed" if self.carried else told


def told_by(events: Iterable[Event]) -> tuple[Attached, ...]:
    """Return the scans among *events*."""
    found = []
    for event in events:
        if event.action != ACTION:
            continue
        try:
            scan = scans.from_table(event.detail.get("scan"))
        except AirliftError:
            continue  # of a later airlift
        carried = event.detail.get("carried") is True
        found.append(
            Attached(scan=scan, carried=carried, actor=event.actor, time=event.time)
        )
    return tuple(found)


def of(
    known: Iterable[Attached], held: Held, dispatches: Mapping[int, Sha256]
) -> tuple[Attached, ...]:
    """Return the scans of a release, or of the delivery that brought it.

    Args:
        known: All scans.
        held: The release.
        dispatches: Digest of the dispatch record of each delivery.
    """
    brought = dispatches.get(held.sequence)
    return tuple(
        one
        for one in known
        if held.id in one.scan.releases
        or (brought is not None and one.scan.dispatch == brought)
    )


def keep(home: Path, report: bytes) -> Path:
    """Keep a report in the registry of *home*, durable on return; return where.

    Raises:
        RequestError: It is larger than a report may be.
        StoreError: The disk refused.
    """
    if len(report) > REPORT_LIMIT:
        problem = f"the report has {len(report)} bytes, the limit is {REPORT_LIMIT}"
        raise RequestError(problem, hint="let the scanner list only what it found")
    path = home / "records" / "scans" / f"{sha256(report)}.txt"
    disk = Disk()
    disk.make_folder(path.parent, mode=0o700)
    disk.write_file(path, report)
    return path


def event(scan: Scan, *, carried: bool, actor: str, now: str) -> Event:
    """Return the line of the log for *scan*; its report is to be kept before."""
    return Event(
        time=now,
        actor=actor,
        action=ACTION,
        subject=scan.by,
        outcome=scan.result.value,
        detail={"scan": scans.table(scan), "carried": carried},
    )
