"""ClamAV's own words, and that nothing in them is read as cleaner than it is."""

import pytest

from airlift.errors import FormatError
from airlift.payload.clamav import Report, is_report, read

SUMMARY = """
----------- SCAN SUMMARY -----------
Known viruses: 8708688
Engine version: 1.4.1
Scanned directories: 1
Scanned files: {scanned}
Infected files: {infected}
Data scanned: 12.34 MB
Data read: 2048.00 MB (ratio 0.01:1)
Time: 12.345 sec (0 m 12 s)
Start Date: 2026:11:23 12:00:00
End Date:   2026:11:23 12:00:12
"""


def _report(*lines: str, scanned: int = 2, infected: int = 0) -> bytes:
    summary = SUMMARY.format(scanned=scanned, infected=infected)
    return ("\n".join(lines) + "\n" + summary).encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            _report("/m/a.tar: OK", "/m/b.txt: Empty file"),
            Report(version="1.4.1", scanned=2, found=0, skipped=0),
        ),
        (
            _report("/m/a: b.tar: Win.Test.EICAR_HDB-1 FOUND", infected=1),
            Report(version="1.4.1", scanned=2, found=1, skipped=0),
        ),
        (
            _report(
                "/m/a.tar: Heuristics.Limits.Exceeded.MaxFileSize FOUND",
                "/m/b.tar: OK",
                infected=1,
            ),
            Report(version="1.4.1", scanned=2, found=0, skipped=1),
        ),
        (
            _report("LibClamAV Warning: a file was cut", "/m/a.tar: OK"),
            Report(version="1.4.1", scanned=2, found=0, skipped=1),
        ),
        (
            _report("/m/a.tar: Can't open file or directory ERROR"),
            Report(version="1.4.1", scanned=2, found=0, skipped=1),
        ),
        (
            _report(infected=3),
            Report(version="1.4.1", scanned=2, found=3, skipped=0),
        ),
        (
            _report("/m/a.tar: OK") + b"Total errors: 2\n",
            Report(version="1.4.1", scanned=2, found=0, skipped=2),
        ),
    ],
)
def test_each_line_counts_as_what_it_says(data: bytes, expected: Report) -> None:
    """A limit, an error and a warning are files that were not seen, and not clean ones."""
    assert is_report(data)
    assert read(data) == expected


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"clean\n", "report has 0 summaries, expected one"),
        (_report() + _report(), "report has 2 summaries, expected one"),
        (
            _report("/m/a.tar: perhaps"),
            "report has a line that is not known: `/m/a.tar: perhaps`",
        ),
        (
            _report() + b"Verdict: fine\n",
            "report has a line that is not known: `Verdict: fine`",
        ),
        (
            _report() + b"Infected files: 0\n",
            "report has a line that is not known: `Infected files: 0`",
        ),
        (
            _report("/m/a.tar: X FOUND"),
            "report: its summary says 0 infected files, its lines say 1 and 0 skipped",
        ),
        (
            _report("/m/a.tar: X FOUND", infected=2),
            "report: its summary says 2 infected files, its lines say 1 and 0 skipped",
        ),
        (
            _report().replace(b"Scanned files: 2", b"Scanned files: two"),
            "report: `Scanned files` is `two`, expected a number",
        ),
        (b"\xff" + _report(), "report is not UTF-8 text"),
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes, problem: str) -> None:
    """A line passed over could be the one that mattered."""
    with pytest.raises(FormatError) as caught:
        read(data)
    assert caught.value.problem == problem
