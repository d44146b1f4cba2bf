"""``airlift reissue``: write lost or damaged volumes of a delivery once more."""

from pathlib import Path

import click

from airlift.cli import chosen_site, config, drives_desk, output, pipe
from airlift.errors import FormatError, RequestError
from airlift.format import selection
from airlift.format.selection import Selection
from airlift.outbound import allotment, remaking
from airlift.outbound.ledger import Ledger
from airlift.outbound.remaking import Archive
from airlift.store.blobs import BlobStore
from airlift.trust.publisher import Publisher


@click.command("reissue")
@click.argument("site")
@click.argument("sequence", type=click.IntRange(min=1))
@click.argument("volumes", nargs=-1)
@drives_desk.options
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    site: str,
    sequence: int,
    volumes: tuple[str, ...],
    folders: tuple[Path, ...],
    wait: bool,
    most: int | None,
    as_json: bool,
) -> None:
    """Write VOLUMES of delivery SEQUENCE to SITE once more, byte for byte.

    Of an import that lacks volumes, give the line that it prints: SITE, SEQUENCE and
    VOLUMES such as `7,12-14@1a2b3c4d`. Without VOLUMES, those are written that no
    medium has: of a medium that was noted as lost, or of a run that was ended. Spares
    that no medium has are written with them.

    Nothing is signed, and no key is needed. The store must still hold what the
    volumes are made of; what comes out is compared with what was written before.
    """
    if pipe.STANDARD in folders:
        problem = "volumes are written again to a folder"
        raise RequestError(problem, hint="`airlift export --again N --to -` pipes all")
    media = drives_desk.media(folders, wait=wait, most=most, quiet=as_json)
    publisher = Publisher.open(home / "trust")
    ledger = Ledger(home / "ledger")
    archive = Archive(
        publisher=publisher,
        ledger=ledger,
        store=BlobStore(home / "store"),
        # Not that of exports: one that was ended goes on from there.
        spool=home / "respool",
    )
    selected = chosen(volumes)
    name = chosen_site.choose(publisher, site)
    known = remaking.find(name, sequence, selected, archive.stowages)
    done = remaking.reissue(
        known, selected, archive, media, output.progress(quiet=as_json)
    )
    if as_json:
        output.as_json(
            {
                "site": name,
                "sequence": sequence,
                "cutting": known.cutting,
                "volumes": [str(one) for one in done.ordinals],
                "spares": [str(one) for one in done.spares],
            }
        )
        return
    output.line(
        f"{allotment.told(done.ordinals, done.spares)} of delivery {sequence} to "
        f"{name} are written again, as they were"
    )
    drives_desk.show_berths(done.berths, folders)


def chosen(volumes: tuple[str, ...]) -> Selection:
    """Return the volumes that words on the command line mean.

    Raises:
        RequestError: They mean none.
    """
    if not volumes:
        return Selection(ordinals=())
    try:
        return selection.decode("".join(f",{one}" for one in volumes)[1:])
    except FormatError as error:
        raise RequestError(error.problem, hint=error.hint) from error
