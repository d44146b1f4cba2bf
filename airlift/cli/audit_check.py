"""``airlift audit check``: whether an evidence pack is what a site signed."""

from pathlib import Path
from typing import Final

import click

from airlift import naming
from airlift.artifact import Json
from airlift.audit.pack import checking
from airlift.cli import config, output
from airlift.errors import FormatError
from airlift.store.durable import read_file
from airlift.trust import site_key

SCHEMA: Final = "airlift.audit-check/1"
_LIMIT: Final = 64 << 10


@click.command("check")
@click.argument("source", metavar="PACK", type=click.Path(path_type=Path))
@click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The site's public key, that came another way: `airlift trust site-key FILE`.",
)
@config.json_option
def command(source: Path, key_file: Path, *, as_json: bool) -> int:
    """Say whether PACK, a tar or the folder it was unpacked to, is what a site signed.

    On any host: no registry is needed. Every file is compared with the signed list, the
    report with its id, and the events of the log with the root that was signed. Exit
    code 4: something is not as it was; it is named.
    """
    key = site_key.decode_public(
        read_file(key_file, limit=_LIMIT), name=naming.show(key_file.name)
    )
    found = checking.check(checking.read(source), key)
    sound = all(one.is_sound for one in found)
    if as_json:
        rows: list[Json] = [
            {"name": one.name, "state": one.state, "why": one.why} for one in found
        ]
        output.as_json(
            {"schema": SCHEMA, "site": key.name, "sound": sound, "parts": rows}
        )
    else:
        output.table(
            [(naming.show(one.name), one.state, naming.show(one.why)) for one in found],
            head=("PART", "STATE", "WHY"),
        )
        told = "is" if sound else "is NOT"
        output.line(f"the pack {told} what site `{key.name}` signed ({key.key_id})")
    return 0 if sound else FormatError.exit_code
