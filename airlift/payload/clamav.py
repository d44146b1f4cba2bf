"""What ``clamscan`` and ``clamdscan`` print, read strictly.

    /media/stick/VOLUME.tar: OK
    /media/stick/big.tar: Heuristics.Limits.Exceeded.MaxFileSize FOUND
    ----------- SCAN SUMMARY -----------
    Infected files: 0
    ...

A line that is none of the known ones is refused: what could not be read may say what
matters. A limit that was exceeded is no finding and no clean file: it was skipped.

Source: ClamAV 1.4, clamscan(1) and ``clamscan/manager.c``.
"""

import re
from dataclasses import dataclass

from airlift import naming
from airlift.errors import FormatError

LIMIT = 64 << 20
"""Bytes of a report."""
MARK = "----------- SCAN SUMMARY -----------"

_SUMMARY = re.compile(r"([A-Z][A-Za-z ]{2,30}): (.{0,200})")
_NUMBERS = ("Scanned files", "Infected files", "Total errors")
_KNOWN = frozenset(
    [
        *("Known viruses", "Engine version", "Scanned directories", "Data scanned"),
        *("Data read", "Time", "Start Date", "End Date", *_NUMBERS),
    ]
)
_SKIPPED = (
    "Excluded",
    "Symbolic link",
    "Not supported file type",
    "Access denied",
    "Can't open file",
)
_WARNING = re.compile(r"(LibClamAV )?(Warning|Error|WARNING|ERROR)[: ]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a report says.

    Attributes:
        version: Of the engine; empty where it does not say.
        scanned: How many files it opened.
        found: In how many it found something.
        skipped: How many it did not open, or not to the end.
    """

    version: str
    scanned: int
    found: int
    skipped: int


def is_report(data: bytes) -> bool:
    """Say whether *data* claims to be such a report."""
    return MARK.encode() in data


def read(data: bytes, *, name: str = "report") -> Report:
    """Return what the report *data* says.

    Raises:
        FormatError: A line of it is not known, or its summary contradicts its lines.
    """
    try:
        lines = data[: LIMIT + 1].decode().splitlines()
    except UnicodeDecodeError as error:
        problem = f"{name} is not UTF-8 text"
        raise FormatError(problem, hint=_HINT) from error
    if len(data) > LIMIT or lines.count(MARK) != 1:
        problem = f"{name} has {lines.count(MARK)} summaries, expected one"
        raise FormatError(problem, hint=_HINT)
    at = lines.index(MARK)
    facts = _summary(lines[at + 1 :], name)
    found = skipped = 0
    for line in lines[:at]:
        kind = _line(line, name)
        found += kind == "found"
        skipped += kind == "skipped"
    return _told(facts, found, skipped, name)


_HINT = "attach it as the scanner wrote it, or state --result and --skipped by hand"


def _told(facts: dict[str, str], found: int, skipped: int, name: str) -> Report:
    counts = {}
    for key in _NUMBERS:
        text = facts.get(key, "0" if key == "Total errors" else "")
        if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
            problem = f"{name}: `{key}` is `{naming.show(text)}`, expected a number"
            raise FormatError(problem, hint=_HINT)
        counts[key] = int(text)
    infected, errors = counts["Infected files"], counts["Total errors"]
    # With -i only what was found is listed, and limits count as infected files there.
    if infected < found or (found + skipped and infected > found + skipped):
        problem = (
            f"{name}: its summary says {infected} infected files, its lines say"
            f" {found} and {skipped} skipped"
        )
        raise FormatError(problem, hint=_HINT)
    real = infected if not found + skipped else found
    return Report(
        version=facts.get("Engine version", ""),
        scanned=counts["Scanned files"],
        found=real,
        skipped=max(skipped, errors),
    )


def _summary(lines: list[str], name: str) -> dict[str, str]:
    facts: dict[str, str] = {}
    for line in filter(str.strip, lines):
        match = _SUMMARY.fullmatch(line.strip())
        if not match or match[1] not in _KNOWN or match[1] in facts:
            raise _unknown(line, name)
        facts[match[1]] = match[2].strip()
    return facts


def _line(line: str, name: str) -> str:
    """Return what a line above the summary says: found, skipped, or nothing."""
    if not line.strip() or line.startswith(("Loading:", "Compiling:")):
        return ""
    if _WARNING.match(line):
        return "skipped"
    _, colon, verdict = line.rpartition(": ")
    if colon and verdict in ("OK", "Empty file"):
        return ""
    if colon and verdict.endswith(" FOUND"):
        limit = verdict.startswith("Heuristics.Limits.Exceeded")
        return "skipped" if limit else "found"
    if colon and (verdict.startswith(_SKIPPED) or verdict.endswith(" ERROR")):
        return "skipped"
    raise _unknown(line, name)


def _unknown(line: str, name: str) -> FormatError:
    problem = f"{name} has a line that is not known: `{naming.show(line[:120])}`"
    return FormatError(problem, hint=_HINT)
