"""What a virus scanner said of a delivery or of releases, bound to its report by digest.

Not signed: a scan station has no keys of airlift's. Whoever attaches it says whose word it
is; what came on a medium is shown as carried and not signed. ``skipped`` is a result of
its own: a file that was not opened was not found clean.

Source: docs/format.md, "Scan records".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.format import canonical
from airlift.format.dispatch import is_time
from airlift.format.fields import Fields

FORMAT = "airlift/scan/1"
LIMIT = 1 << 20
WORDS = 200
"""Most characters of a name, a version or a note."""


class Result(StrEnum):
    """What came of a scan."""

    CLEAN = "clean"
    """Every file was opened, and nothing was found."""
    FOUND = "found"
    """Something was found."""
    SKIPPED = "skipped"
    """Nothing was found in what was opened, and not all was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One scan.

    Attributes:
        site: Of the delivery, or where the releases are.
        dispatch: Digest of the dispatch record of the delivery that was scanned; None
            where releases were.
        releases: Ids of the releases that were scanned, sorted; empty for a delivery.
        report: SHA-256 of the report's bytes.
        report_size: Its length in bytes.
        by: Who scanned.
        scanner: Its name.
        version: Its version, and that of its rules, as it states them.
        result: What came of it.
        scanned: How many files it opened.
        found: In how many it found something.
        skipped: How many it did not open, or not to the end.
        at: When, ``YYYY-MM-DDThh:mm:ssZ``.
        note: What they say.
    """

    site: str
    dispatch: Sha256 | None
    releases: tuple[Sha256, ...]
    report: Sha256
    report_size: int
    by: str
    scanner: str
    version: str
    result: Result
    scanned: int
    found: int
    skipped: int
    at: str
    note: str = ""


def table(scan: Scan) -> Mapping[str, Json]:
    """Return *scan* as a record holds it."""
    return {
        "format": FORMAT,
        "site": scan.site,
        "dispatch": scan.dispatch,
        "releases": scan.releases,
        "report": {"sha256": scan.report, "size": scan.report_size},
        "by": scan.by,
        "scanner": scan.scanner,
        "version": scan.version,
        "result": scan.result.value,
        "scanned": scan.scanned,
        "found": scan.found,
        "skipped": scan.skipped,
        "at": scan.at,
        "note": scan.note,
    }


def encode(scan: Scan) -> bytes:
    """Return the canonical bytes of *scan*."""
    return canonical.encode(table(scan))


def decode(data: bytes, *, name: str = "scan record") -> Scan:
    """Return the scan that canonical *data*, from outside, states.

    Raises:
        FormatError: It is not one this version understands, or contradicts itself.
    """
    return from_table(canonical.decode(data, name=name, limit=LIMIT), name=name)


def from_table(value: Json, *, name: str = "scan record") -> Scan:
    """Return the scan that a decoded record states; as ``decode``."""
    top = Fields(value, record=name)
    top.exactly(
        *("format", "site", "dispatch", "releases", "report", "result", "at"),
        *("by", "scanner", "version", "note", "scanned", "found", "skipped"),
    )
    top.expect("format", FORMAT)
    report = top.table("report")
    report.exactly("sha256", "size")
    scan = Scan(
        site=top.text("site"),
        dispatch=top.sha256("dispatch") if top.has("dispatch") else None,
        releases=top.sha256s("releases"),
        report=report.sha256("sha256"),
        report_size=report.number("size"),
        result=top.choice("result", Result),
        at=top.text("at"),
        by=_text(top, "by"),
        scanner=_text(top, "scanner"),
        version=_text(top, "version"),
        note=_text(top, "note"),
        scanned=top.number("scanned"),
        found=top.number("found"),
        skipped=top.number("skipped"),
    )
    _check(top, scan)
    return scan


def _text(top: Fields, key: str) -> str:
    text = top.text(key)
    if len(text) > WORDS or text != naming.show(text):
        top.refuse(key, f"is longer than {WORDS} characters or not one line")
    return text


def _check(top: Fields, scan: Scan) -> None:
    if not naming.is_site(scan.site):
        top.refuse("site", f"is not a site name: `{naming.show(scan.site)}`")
    if not is_time(scan.at):
        top.refuse("at", "is not `YYYY-MM-DDThh:mm:ssZ`")
    if (scan.dispatch is None) is not bool(scan.releases):
        top.refuse("releases", "and `dispatch`: a scan is of one or the other")
    if scan.result is not verdict(found=scan.found, skipped=scan.skipped):
        counts = f"{scan.found} found, {scan.skipped} skipped"
        top.refuse("result", f"is `{scan.result}`, and the counts say {counts}")


def verdict(*, found: int, skipped: int) -> Result:
    """Return what counts of files say: never clean where one was not opened."""
    if found:
        return Result.FOUND
    return Result.SKIPPED if skipped else Result.CLEAN


def words(scan: Scan) -> str:
    """Return what a person should read of *scan*; never clean where it was skipped."""
    told = {
        Result.CLEAN: "clean",
        Result.FOUND: f"FOUND in {scan.found} file(s)",
        Result.SKIPPED: f"skipped {scan.skipped} file(s), nothing found in the rest",
    }[scan.result]
    if scan.result is Result.FOUND and scan.skipped:
        told += f", skipped {scan.skipped}"
    return f"{told} ({scan.scanner} {scan.version}, {scan.scanned} opened, {scan.at}, by {scan.by})"
