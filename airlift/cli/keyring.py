"""The key files of this host, found and unlocked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from airlift import naming
from airlift.cli import config
from airlift.errors import RequestError
from airlift.trust import keys, token
from airlift.trust.keys import SUFFIX, LockedKey, UnlockedKey
from airlift.trust.schemes import SCHEMES
from airlift.trust.token import TokenKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Passphrases:
    """How passphrases are given; by default they are asked for at the terminal."""

    fd: int | None
    file: Path | None

    def ask(self, what: str, *, confirm: bool = False) -> str:
        """Return the passphrase for *what*."""
        return config.passphrase(self.fd, self.file, what=what, confirm=confirm)


def key_option(command: config.F) -> config.F:
    """Add ``--key`` to a command."""
    return click.option(
        "--key",
        "key_names",
        multiple=True,
        help="Name of a key in HOME/keys, or a key file; by default all in HOME/keys.",
    )(command)


def folder(home: Path) -> Path:
    """Return where the key files of *home* lie."""
    return home / "keys"


def locate(home: Path, names: Sequence[str]) -> list[Path]:
    """Return the key files *names* means; all of *home* where none is named.

    Raises:
        RequestError: There is none.
    """
    found = [path for one in names for path in _named(home, one)]
    found = found or sorted(folder(home).glob(f"*{SUFFIX}"))
    if not found:
        problem = f"there is no key in {folder(home)}"
        raise RequestError(problem, hint="`airlift trust init` makes one")
    return found


def _named(home: Path, name: str) -> list[Path]:
    """Return the key file *name* is, or those of the person it names."""
    if SUFFIX in name:
        return [Path(name)]
    stems = [name, *(f"{name}.{one.label}" for one in SCHEMES.values())]
    paths = [folder(home) / f"{stem}{SUFFIX}" for stem in stems]
    return [path for path in paths if path.exists()] or paths[:1]


def read(path: Path) -> LockedKey | TokenKey:
    """Return the key in the file *path*, or the one in a token that it names.

    Raises:
        RequestError: There is no such file.
        FormatError: It is neither.
        StoreError: It cannot be read.
    """
    data, shown = keys.read_bytes(path), naming.show(path.name)
    if token.FORMAT.encode() in data:
        return token.decode(data, name=shown)
    return keys.decode(data, name=shown)


def unlock(home: Path, names: Sequence[str], phrases: Passphrases) -> list[UnlockedKey]:
    """Return the keys *names* means, unlocked with one passphrase or one each.

    Raises:
        RequestError: There is no such key, or no way to ask for a passphrase.
        TrustError: A passphrase is wrong.
    """
    locked = [read(path) for path in locate(home, names)]
    if phrases.fd is not None or phrases.file is not None:
        phrase = phrases.ask("the keys")
        return [one.unlock(phrase) for one in locked]
    return [_ask(one, phrases) for one in locked]


def _ask(locked: LockedKey | TokenKey, phrases: Passphrases) -> UnlockedKey:
    return locked.unlock(phrases.ask(f"the key of `{locked.public.name}`"))
