"""A scan of a delivery that leaves: found in the ledger, its record put beside it."""

from dataclasses import dataclass
from pathlib import Path

from airlift.cli import chosen_site
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.format import dispatch, scannable
from airlift.format import scan as scans
from airlift.format.scan import Scan
from airlift.outbound import sidecars
from airlift.outbound.ledger import Ledger
from airlift.outbound.veil import Veils
from airlift.store.durable import Disk
from airlift.trust.publisher import Publisher


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A delivery that was made here.

    Attributes:
        site: Whom it is for.
        dispatch: SHA-256 of its dispatch record.
        name: What the names of its files begin with.
        unseen: How many of its volumes are too large for a common scanner.
        folder: Where its scans are kept here.
        encrypted: Whether its volumes were written so that only the site can read them.
    """

    site: str
    dispatch: Sha256
    name: str
    unseen: int
    folder: Path
    encrypted: bool = False


def find(home: Path, site: str | None, sequence: int | None) -> Sent:
    """Return a delivery to *site*; the newest where no number is given.

    Raises:
        RequestError: There is no such site or delivery.
    """
    ledger = Ledger(home / "ledger")
    chosen = chosen_site.choose(Publisher.open(home / "trust"), site)
    entry = ledger.read(chosen, sequence) if sequence else ledger.newest(chosen)
    if entry is None:
        problem = f"the ledger knows no such delivery to {chosen}"
        raise RequestError(problem, hint="`airlift site list` tells the last one")
    large = [note for note in entry.volumes if note.size >= scannable.CEILING]
    return Sent(
        site=chosen,
        dispatch=sha256(dispatch.encode(entry.record)),
        name=sidecars.front(entry.record),
        unseen=len(large),
        folder=home / "scans",
        encrypted=bool(Veils(ledger.folder).of(chosen, entry.sequence)),
    )


def keep(sent: Sent, scan: Scan, report: bytes, folder: Path | None) -> Path:
    """Write record and report here, and into *folder* too; return where the record is.

    Raises:
        RequestError: The medium is not to tell what it holds, and the report does.
        StoreError: A disk refuses.
    """
    if folder and sent.encrypted:
        problem = "the delivery is encrypted, and the report tells what it holds"
        hint = "leave --to out, and carry the report by another way"
        raise RequestError(problem, hint=hint)
    disk, name = Disk(), f"{sent.name}.scan-{scan.report[:8]}"
    disk.make_folder(sent.folder, mode=0o700)
    for target in (sent.folder, folder or sent.folder):
        disk.write_file(target / f"{name}.txt", report, mode=0o644)
        disk.write_file(target / f"{name}.json", scans.encode(scan), mode=0o644)
    return (folder or sent.folder) / f"{name}.json"
