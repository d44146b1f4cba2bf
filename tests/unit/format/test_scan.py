"""Scan records: what they bind, and that skipped is never clean."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.artifact import ContentClass, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError
from airlift.format import packing, scan, scannable
from airlift.format.packing import Head, PackedBlob, PackingList, Part
from airlift.format.scan import Result, Scan
from airlift.format.scannable import Sight

TOLD = Scan(
    site="plant7",
    dispatch=sha256(b"dispatch"),
    releases=(),
    report=sha256(b"report"),
    report_size=6,
    by="bob",
    scanner="ClamAV",
    version="1.4.1",
    result=Result.CLEAN,
    scanned=3,
    found=0,
    skipped=0,
    at="2026-11-23T12:00:00Z",
)


def test_a_record_reads_back_as_it_was_written() -> None:
    """What is shown on one side is what was stated on the other."""
    assert scan.decode(scan.encode(TOLD)) == TOLD


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"skipped": 1},
            "`result` is `clean`, and the counts say 0 found, 1 skipped",
        ),
        ({"found": 1}, "`result` is `clean`, and the counts say 1 found, 0 skipped"),
        (
            {"result": Result.SKIPPED},
            "`result` is `skipped`, and the counts say 0 found, 0 skipped",
        ),
        (
            {"dispatch": None},
            "`releases` and `dispatch`: a scan is of one or the other",
        ),
        (
            {"releases": (sha256(b"r"),)},
            "`releases` and `dispatch`: a scan is of one or the other",
        ),
        ({"by": "bob\n"}, "`by` is longer than 200 characters or not one line"),
        ({"at": "now"}, "`at` is not `YYYY-MM-DDThh:mm:ssZ`"),
        ({"site": "../x"}, "`site` is not a site name: `../x`"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(
    change: dict[str, object], problem: str
) -> None:
    """Nobody may write clean where a file was not opened."""
    wrong = replace(TOLD, **change)  # type: ignore[arg-type]
    with pytest.raises(FormatError) as caught:
        scan.decode(scan.encode(wrong))
    assert caught.value.problem == f"scan record: {problem}"


@given(st.integers(0, 5), st.integers(0, 5))
def test_what_was_skipped_is_never_called_clean(found: int, skipped: int) -> None:
    """The word of a scanner covers what it opened."""
    result = scan.verdict(found=found, skipped=skipped)
    told = replace(TOLD, found=found, skipped=skipped, result=result)
    said = scan.words(told)
    assert ("clean" in said) is (found == skipped == 0)
    assert ("FOUND" in said) is (found > 0)
    assert ("skipped" in said) is (skipped > 0)


def _part(raw: int, size: int, name: bytes, *, head: bool = False) -> Part:
    table = Head(sha256=sha256(b"head"), size=100) if head else None
    return Part(sha256=sha256(name), size=size, raw=raw, head=table)


def test_a_scanner_sees_what_lies_open() -> None:
    """Coded weights, pieces and what is not here are told apart from what is open."""
    blobs = {
        b"small": (_part(5, 5, b"small"),),
        b"wheel": (_part(5, 5, b"wheel"),),
        b"large": (_part(9, 9, b"l1", head=True), _part(9, 9, b"l2", head=True)),
        b"coded": (_part(9, 6, b"c1", head=True),),
        b"level": (_part(9, 9, b"c2", head=True),),
        b"empty": (),
    }
    listing = PackingList(
        blobs=tuple(
            PackedBlob(
                sha256=sha256(name), size=sum(one.raw for one in parts), parts=parts
            )
            for name, parts in blobs.items()
        )
    )
    assert packing.encode(listing)
    files: dict[Sha256, ReleaseFile] = {
        sha256(name): ReleaseFile(
            path=name.decode(),
            size=1,
            sha256=sha256(name),
            format="wheel" if name == b"wheel" else "other",
            content_class=ContentClass.DATA,
        )
        for name in (*blobs, b"away")
    }
    seen = scannable.sights(listing, files)
    assert {files[one].path: seen[one] for one in seen} == {
        "small": Sight.OPEN,
        "wheel": Sight.ARCHIVE,
        "large": Sight.PIECES,
        "coded": Sight.CODED,
        "level": Sight.CODED,
        "empty": Sight.OPEN,
        "away": Sight.ABSENT,
    }
