"""Scans of deliveries made before, as far as they are of what leaves now.

A scanner sees what lies open in a volume. Weights may be coded, and what an earlier
delivery brought is not there at all: of these a clean report says nothing, so it is
counted how many files it can be about.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from airlift.artifact import Json, Release, ReleaseFile
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.format import packing, release, scannable
from airlift.format import scan as scans
from airlift.format.scan import Scan
from airlift.format.scannable import Sight
from airlift.trust import records
from airlift.trust.publisher import Publisher

_OPEN = (Sight.OPEN, Sight.ARCHIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """A scan of a delivery made here.

    Attributes:
        scan: What it says.
        seen: The files that the scanner could open.
    """

    scan: Scan
    seen: frozenset[Sha256]

    def of(self, one: Release) -> dict[str, Json] | None:
        """Return what a statement says of it; None where it is of no file of *one*."""
        opened = sum(file.sha256 in self.seen for file in one.files)
        if not opened:
            return None
        table = scans.table(self.scan)
        return {"record": table, "opened": opened, "files": len(one.files)}


def find(publisher: Publisher, scan: Scan) -> Scanned:
    """Return what a scan is about.

    Raises:
        RequestError: It is of no delivery made here, or of one long ago.
        StoreError: The folder of signed records is damaged.
    """
    made = publisher.deliveries(scan.site)
    known = {one.sha256: one.sequence for one in made}
    if scan.dispatch is None or scan.dispatch not in known:
        problem = f"the scan is of none of the last deliveries to {scan.site}"
        raise RequestError(problem, hint="attach scans with `airlift scan attach`")
    offered = publisher.delivered(scan.site, known[scan.dispatch])
    listing = packing.decode(offered[records.PACKING])
    sights = scannable.sights(listing, _files(offered))
    seen = (digest for digest, sight in sights.items() if sight in _OPEN)
    return Scanned(scan=scan, seen=frozenset(seen))


def _files(offered: Mapping[str, bytes]) -> dict[Sha256, ReleaseFile]:
    return {
        file.sha256: file
        for name, data in offered.items()
        if name.startswith("records/releases/")
        for file in release.decode(data, name=name).files
    }
