"""``airlift send``: hand a written delivery to a one-way link, file by file."""

from pathlib import Path

import click

from airlift.cli import config, output, sending
from airlift.outbound import dropping
from airlift.outbound.dropping import Link


@click.command("send")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@sending.options
@click.option(
    "--repeat",
    type=click.IntRange(min=1, max=99),
    default=1,
    show_default=True,
    help="Send everything so many times, under fresh names.",
)
@click.option(
    "--anew", is_flag=True, help="Begin anew where an earlier run did not end."
)
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    folder: Path,
    link: Link,
    repeat: int,
    anew: bool,
    as_json: bool,
) -> None:
    """Hand the deliveries that `export` wrote to FOLDER to a one-way link.

    Each file appears in the folder of --to whole, under its name, small letters only:
    volumes first, then spares, sums, signatures. Killed, the same command goes on at
    the next file. Sent again, everything gets fresh names (`.r2`), because receivers
    may refuse names that they have seen; `airlift watch` on the far side knows volumes
    by their content. The hook is run without a shell.
    """
    progress = output.progress(quiet=as_json)
    done = []
    for key, paths in dropping.deliveries(folder).items():
        dropper = sending.of(home, key, link)
        if anew:
            dropper.forget()
        files = dropping.parcels(paths)
        done.append(dropper.send(files, repeat=repeat, progress=progress))
    sending.show(done, as_json=as_json)
