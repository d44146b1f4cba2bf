"""``airlift slip``: the paper that goes with a medium."""

from pathlib import Path

import click

from airlift.cli import chosen_site, config, output, slips
from airlift.outbound.ledger import Ledger
from airlift.store.durable import Disk
from airlift.trust.publisher import Publisher


@click.command("slip")
@click.argument("site")
@click.argument("sequence", type=click.IntRange(min=1))
@click.option(
    "--medium", help="Number, label, serial or UUID of one; needed to name it."
)
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The HTML file to write.",
)
@config.home_option
@config.json_option
def command(
    home: Path,
    site: str,
    sequence: int,
    *,
    medium: str | None,
    target: Path,
    as_json: bool,
) -> None:
    """Write the packing slip of delivery SEQUENCE to SITE, to be printed.

    One HTML file, nothing outside itself: A4 gives a slip with room to sign, paper of
    62 mm a label. It names volumes with their digests, the medium, who made it, until
    when it must be imported, and the state code the site should print afterwards.
    """
    publisher = Publisher.open(home / "trust")
    chosen = chosen_site.choose(publisher, site)
    made = slips.find(publisher, Ledger(home / "ledger"), (chosen, sequence), medium)
    Disk().write_file(target, slips.page(made), mode=0o644)
    if as_json:
        output.as_json(
            {
                "slip": str(target),
                "site": chosen,
                "sequence": sequence,
                "dispatch": made.dispatch,
                "text": made.text,
                "state_code": made.code,
                "expires": made.expires,
                "volumes": [note.name for note in made.volumes],
            }
        )
        return
    output.line(f"wrote {target}: {len(made.volumes)} file(s) of delivery {sequence}")
