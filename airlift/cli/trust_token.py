"""``airlift trust token``: a key that lies in a token."""

from pathlib import Path

import click

from airlift.cli import config, keyring, output
from airlift.cli.keyring import Passphrases
from airlift.trust import public, token


@click.command("token")
@click.argument("name")
@click.option("--label", required=True, help="Label of the token.")
@click.option(
    "--object",
    "item",
    type=int,
    default=2,
    show_default=True,
    help="CKA_ID of the key, as a number; 2 is the signature slot of PIV cards.",
)
@click.option(
    "--module",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The PKCS#11 library of the token.",
)
@config.passphrase_options
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    name: str,
    label: str,
    item: int,
    module: Path,
    passphrase_fd: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Let the person NAME sign with a key in a token (PKCS#11).

    The key is made with the token's own program, ECDSA P-256 or P-384, and stays there;
    HOME/keys/NAME.key says where it is. Its PIN is asked for as a passphrase is.
    """
    phrases = Passphrases(fd=passphrase_fd, file=passphrase_file)
    place = token.Place(module=str(module), token=label, item=item)
    key = token.enrol(name, place, phrases.ask(f"the token `{label}` (its PIN)"))
    path = token.save(keyring.folder(home), key)
    if as_json:
        output.as_json({"key": str(path), "key_id": key.public.key_id})
        return
    output.line(f"key {key.public.key_id[:16]} of {name} in token {label}: {path}")
    output.line(f"public half to give away: {path.with_suffix(public.SUFFIX)}")
