"""Slips made from what this host knows of a delivery."""

from pathlib import Path

from airlift.cli import qr
from airlift.errors import RequestError
from airlift.outbound import expectation, slip
from airlift.outbound.departure import Departure
from airlift.outbound.ledger import Ledger
from airlift.outbound.slip import Slip
from airlift.outbound.stowage import Stowages
from airlift.outbound.veil import Veils
from airlift.store.durable import Disk
from airlift.trust.publisher import Publisher


def find(
    publisher: Publisher, ledger: Ledger, named: tuple[str, int], medium: str | None
) -> Slip:
    """Return the slip of a delivery.

    Args:
        publisher: The signing side.
        ledger: What was written.
        named: The site and the sequence.
        medium: Which medium; None for the only one, or all.

    Raises:
        RequestError: There is no such delivery or medium, or it was never finished.
    """
    site, sequence = named
    entry = ledger.read(site, sequence)
    if entry is None:
        problem = f"the ledger knows no delivery {sequence} to {site}"
        raise RequestError(problem, hint="`airlift site list` tells the last one")
    made = slip.of(
        entry,
        publisher.delivered(site, sequence),
        Stowages(ledger.folder).of(site, sequence),
        medium=medium,
        code=expectation.code_after(entry.record, ledger, publisher),
    )
    # Whichever way a medium was written: one slip that tells would be enough.
    veils = Veils(ledger.folder).of(site, sequence)
    return made.under(veils[-1]) if veils else made


def page(made: Slip) -> bytes:
    """Return the HTML file of *made*."""
    return slip.render(made, square=qr.scalable(made.text))


def beside(
    done: Departure, ledger: Ledger, publisher: Publisher, folders: tuple[Path, ...]
) -> list[Path]:
    """Write the slip of each medium that is at hand beside the volumes on it.

    Raises:
        StoreError: A medium refuses.
    """
    record = done.record
    berths = [
        berth
        for one in Stowages(ledger.folder).of(record.site, record.sequence)
        for berth in one.berths
    ]
    written = []
    for folder in folders:
        # Of media that were in one drive, the last is in it now.
        here = [one.number for one in berths if Path(one.folder) == folder.absolute()]
        medium = str(max(here)) if here else None
        made = find(publisher, ledger, (record.site, record.sequence), medium)
        Disk().write_file(folder / made.name, page(made), mode=0o644)
        written.append(folder / made.name)
    return written
