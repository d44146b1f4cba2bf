"""``airlift tls``: a certificate authority of the site's own, and what it signs."""

from pathlib import Path

import click

from airlift import naming
from airlift.cli import config, output
from airlift.cli.keyring import Passphrases
from airlift.errors import RequestError
from airlift.serve.access import authority
from airlift.trust import files

_WHAT = "the site's certificate authority"

_NAMES = click.option(
    "--name",
    "names",
    multiple=True,
    required=True,
    help="A name or address that clients call the server by; may be given again.",
)
_DAYS = click.option(
    "--days",
    default=730,
    show_default=True,
    type=click.IntRange(1, 3650),
    help="How long the certificate is good.",
)


@click.group("tls")
def command() -> None:
    """Make certificates, where the site has no authority of its own.

    Clients are given HOME/tls/ca.pem once; `airlift client-env` tells them where it is.
    """


@command.command("init")
@_NAMES
@_DAYS
@click.option(
    "--only-below",
    "below",
    multiple=True,
    metavar="DOMAIN",
    help="Let the authority sign names of this domain alone; may be given again.",
)
@config.passphrase_options
@config.home_option
def init(
    home: Path,
    names: tuple[str, ...],
    days: int,
    below: tuple[str, ...],
    *,
    passphrase_fd: int | None,
    passphrase_file: Path | None,
) -> None:
    """Make the authority and a first certificate for the server."""
    folder = home / authority.FOLDER
    if (folder / authority.CERTIFICATE).exists():
        problem = f"there is an authority in {naming.show(str(folder))} already"
        raise RequestError(problem, hint="`airlift tls server` makes certificates")
    authority.refuse_names(names, below=below)
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    phrase = phrases.ask(_WHAT, confirm=True)
    made = authority.create(folder, below=below, passphrase=phrase, now=config.now())
    _write(folder / authority.SERVER, made.server(names, now=config.now(), days=days))
    output.note(f"give clients {folder / authority.CERTIFICATE}")
    output.note(f"start with `airlift serve --tls-cert {folder / authority.SERVER}`")


@command.command("server")
@_NAMES
@_DAYS
@config.passphrase_options
@config.home_option
def server(
    home: Path,
    names: tuple[str, ...],
    days: int,
    *,
    passphrase_fd: int | None,
    passphrase_file: Path | None,
) -> None:
    """Make a new certificate for the server, in the place of the one it has."""
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    made = authority.unlock(home / authority.FOLDER, phrases.ask(_WHAT))
    path = home / authority.FOLDER / authority.SERVER
    _write(path, made.server(names, now=config.now(), days=days))


@command.command("client")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_DAYS
@config.passphrase_options
@config.home_option
def client(
    home: Path,
    name: str,
    file: Path,
    days: int,
    *,
    passphrase_fd: int | None,
    passphrase_file: Path | None,
) -> None:
    """Write certificate and key of the client NAME to FILE."""
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    made = authority.unlock(home / authority.FOLDER, phrases.ask(_WHAT))
    files.write_new(
        file, made.client(name, now=config.now(), days=days), mode=files.PRIVATE
    )
    output.line(str(file))
    output.note(
        f"allow it with `airlift token add-certificate {name} CN={name} --allow SCOPE`"
    )


def _write(path: Path, pair: bytes) -> None:
    files.write(path, pair, mode=files.PRIVATE)
    output.line(str(path))
