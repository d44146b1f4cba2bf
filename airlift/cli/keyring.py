"""The key files of this host, found and unlocked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from airlift.cli import config
from airlift.errors import RequestError
from airlift.trust import keys
from airlift.trust.keys import SUFFIX, LockedKey, UnlockedKey


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
    found = [
        Path(one) if SUFFIX in one else folder(home) / f"{one}{SUFFIX}" for one in names
    ]
    found = found or sorted(folder(home).glob(f"*{SUFFIX}"))
    if not found:
        problem = f"there is no key in {folder(home)}"
        raise RequestError(problem, hint="`airlift trust init` makes one")
    return found


def unlock(home: Path, names: Sequence[str], phrases: Passphrases) -> list[UnlockedKey]:
    """Return the keys *names* means, unlocked with one passphrase or one each.

    Raises:
        RequestError: There is no such key, or no way to ask for a passphrase.
        TrustError: A passphrase is wrong.
    """
    locked = [keys.read(path) for path in locate(home, names)]
    if phrases.fd is not None or phrases.file is not None:
        phrase = phrases.ask("the keys")
        return [one.unlock(phrase) for one in locked]
    return [_ask(one, phrases) for one in locked]


def _ask(locked: LockedKey, phrases: Passphrases) -> UnlockedKey:
    return locked.unlock(phrases.ask(f"the key of `{locked.public.name}`"))
