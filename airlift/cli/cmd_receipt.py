"""``airlift receipt``: what a site says that it holds, written there and read here."""

from pathlib import Path

import click

from airlift.cli import config, output
from airlift.errors import RequestError


@click.group("receipt")
def command() -> None:
    """Write what this site holds for the courier, or read what came back from one."""


@command.command("export")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder or mounted medium to copy it to.",
)
@config.passphrase_options
@config.home_option
@config.json_option
def export(
    *,
    home: Path,
    folder: Path | None,
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Isolated side: sign what this site holds now, for the courier to take back.

    Every import leaves one in HOME/receipts; this copies the newest, or makes one if
    something has changed since. It holds digests and numbers: no name of a file, a host
    or a person.
    """
    from airlift.cli import receipts  # noqa: PLC0415 - loads a database

    def phrase() -> str:
        return config.passphrase(passphrase_fd, passphrase_file, what="the site key")

    written = receipts.write(home, phrase)
    target = written.copy(folder) if folder else written.path
    if as_json:
        output.as_json({**receipts.as_table(written), "file": str(target)})
        return
    output.line(f"receipt {written.receipt.number}: {target}")
    output.line(f"state code {written.code}")


@command.command("read")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--code", help="The state code that the site read out, instead of FILE.")
@click.option("--site", help="Whose code it is, or whose receipt it must be.")
@config.home_option
@config.json_option
def read(
    *,
    home: Path,
    file: Path | None,
    code: str | None,
    site: str | None,
    as_json: bool,
) -> int:
    """Connected side: take in the receipt FILE of a site, or the code it read out.

    Either confirms that the site holds what was sent, or contradicts it, and then says
    what differs where that can be known. Exit code 8: it lacks something that the next
    delivery can carry. Exit code 5: it holds something that nothing explains.
    """
    if (file is None) == (code is None):
        problem = "say what to read: the FILE of a receipt, or --code with --site"
        raise RequestError(problem, hint="`airlift receipt read FILE`")
    # Loaded here: `export` is of the isolated side, which has no way out.
    from airlift.cli import receipt_reading  # noqa: PLC0415

    if file:
        found = receipt_reading.read_file(home, file, site)
    else:
        found = receipt_reading.read_code(home, code or "", site)
    receipt_reading.show(found, as_json=as_json)
    return receipt_reading.EXIT_CODES[found.outcome]
