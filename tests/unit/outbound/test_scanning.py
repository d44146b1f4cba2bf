"""A scan of an earlier delivery is stated of what the scanner could open, and no more."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.format import predicates
from airlift.format import scan as scans
from airlift.format import statement as statements
from airlift.format.predicates import words
from airlift.format.scan import Result, Scan
from airlift.outbound import scanning
from attestations import AT, model
from crossing import Connected, weights

FILES: Mapping[str, bytes] = {
    "config.json": b"{}",
    "model.safetensors": weights(5_000_000),
}


def scan(dispatch: Sha256 | None, *releases: Sha256) -> Scan:
    """Return a clean scan of a delivery, or of releases."""
    return Scan(
        site="plant7",
        dispatch=dispatch,
        releases=releases,
        report=sha256(b"r"),
        report_size=1,
        by="carol",
        scanner="ClamAV",
        version="1.4",
        result=Result.CLEAN,
        scanned=9,
        found=0,
        skipped=0,
        at=AT,
    )


@pytest.fixture(scope="module", name="side")
def _side(tmp_path_factory: pytest.TempPathFactory) -> Connected:
    return Connected(tmp_path_factory.mktemp("side"))


def test_coded_weights_are_not_called_clean(side: Connected, tmp_path: Path) -> None:
    """A scanner sees nothing of them: of two files, the report is about one."""
    done = side.export(tmp_path, side.folder("acme/m", FILES))
    found = scanning.find(side.publisher, scan(done.id))
    assert found.seen == {sha256(FILES["config.json"])}
    said = found.of(done.releases[0])
    assert said
    said_of = predicates.scans([said])
    made = predicates.about(done.releases[0], predicates.SCANS, said_of)
    told = statements.decode(statements.encode(made), name="s")
    assert words(told) == (
        f"clean (ClamAV 1.4, 9 opened, {AT}, by carol); it could open 1 of 2 files",
    )
    assert said["record"] == scans.table(scan(done.id))


def test_a_scan_says_nothing_of_what_it_did_not_see(
    side: Connected, tmp_path: Path
) -> None:
    """No statement is made of other releases."""
    done = side.export(tmp_path, side.folder("acme/n", FILES))
    assert scanning.find(side.publisher, scan(done.id)).of(model()) is None


def test_a_scan_of_no_delivery_made_here_is_refused(side: Connected) -> None:
    """It could be of anything."""
    for one in (scan(sha256(b"x")), scan(None, sha256(b"y"))):
        with pytest.raises(RequestError) as caught:
            scanning.find(side.publisher, one)
        assert str(caught.value) == (
            "the scan is of none of the last deliveries to plant7"
        )
