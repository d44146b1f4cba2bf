"""``airlift resend``: lost volumes once more over a one-way link, under fresh names."""

from pathlib import Path

import click

from airlift.cli import chosen_site, cmd_reissue, config, output, sending
from airlift.outbound import dropping, remaking, resending
from airlift.outbound.dropping import Link
from airlift.outbound.ledger import Ledger
from airlift.outbound.remaking import Archive
from airlift.store.blobs import BlobStore
from airlift.store.durable import Disk
from airlift.trust.publisher import Publisher


@click.command("resend")
@click.argument("site")
@click.argument("sequence", type=click.IntRange(min=1))
@click.argument("volumes", nargs=-1, required=True)
@sending.options
@click.option(
    "--anew", is_flag=True, help="Begin anew where an earlier run did not end."
)
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    site: str,
    sequence: int,
    volumes: tuple[str, ...],
    link: Link,
    anew: bool,
    as_json: bool,
) -> None:
    """Make VOLUMES of delivery SEQUENCE to SITE again and hand them to a one-way link.

    VOLUMES are what `airlift watch` waits for, such as `7,12-14@1a2b3c4d`. They are
    made from the store, byte for byte, without a key, and get names that the far side
    has not seen.
    """
    progress = output.progress(quiet=as_json)
    publisher, ledger = Publisher.open(home / "trust"), Ledger(home / "ledger")
    archive = Archive(
        publisher=publisher,
        ledger=ledger,
        store=BlobStore(home / "store"),
        spool=home / "respool",
    )
    name = chosen_site.choose(publisher, site)
    chosen = cmd_reissue.chosen(volumes)
    known = remaking.find(name, sequence, chosen, archive.stowages)
    outbox = home / "outbox" / f"{name}-{sequence:06d}-{known.cutting}"
    wanted = set(resending.remake(known, chosen, archive, outbox, progress))
    dropper = sending.of(home, (name, sequence), link)
    if anew:
        dropper.forget()
    ((_, paths),) = dropping.deliveries(outbox).items()
    # What an earlier run made and nobody asks for now stays where it is.
    paths = [one for one in paths if one in wanted or one.suffix != ".tar"]
    done = dropper.send(dropping.parcels(paths), repeat=1, progress=progress)
    Disk().remove_tree(outbox)
    sending.show([done], as_json=as_json)
