"""Both sides of an air gap in one folder, and the commands that cross it."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from runs import Cost, measure

PASSPHRASE = "bench only"


class Gap:
    """A connected side, an isolated side and a medium.

    Attributes:
        folder: Everything is in it.
        medium: Where exports write, and imports read.
        store: The isolated side's home.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.medium = folder / "medium"
        self.store = folder / "isolated"
        self._phrase = folder / "phrase"
        self._manifest = folder / "bench.toml"

    def begin(self) -> None:
        """Begin both sides anew, with keys and trust; nothing was carried yet."""
        self.end()
        for name in ("connected", "isolated", "medium"):
            (self.folder / name).mkdir(parents=True)
        self._phrase.write_text(PASSPHRASE)
        init = ("trust", "init", "--site", "bench")
        root = str(self.folder / "connected" / "root.json")
        self.run(self._airlift("connected", *init, "--kdf", "low-memory", *self._key()))
        self.run(self._airlift("isolated", *init, "--root", root, "--yes"))

    def end(self) -> None:
        """Remove everything that `begin` and crossings left."""
        for name in ("connected", "isolated", "medium"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def export(self, source: Path, *options: str) -> list[str]:
        """Return the command that carries the model files in *source* to the medium."""
        self._manifest.write_text(
            f'manifest = 1\n[[folder]]\nname = "bench/model"\npath = "{source}"\n'
        )
        to = ("--to", str(self.medium), *self._key(), *options)
        return self._airlift("connected", "export", str(self._manifest), *to)

    def check(self) -> list[str]:
        """Return the command that reads the medium again, on the connected side."""
        return self._airlift("connected", "check", str(self.medium))

    def take_in(self) -> list[str]:
        """Return the command that imports what is on the medium."""
        return self._airlift("isolated", "import", str(self.medium), "--yes")

    def verify(self) -> list[str]:
        """Return the command that hashes the isolated side's store again."""
        return self._airlift("isolated", "verify")

    def carried(self) -> int:
        """Return the bytes on the medium, every file of it."""
        return sum(path.stat().st_size for path in files_in(self.medium))

    def run(self, *commands: Sequence[str]) -> Cost:
        """Run *commands*; return their cost."""
        return measure(*commands, cwd=self.folder)

    def _airlift(self, side: str, *arguments: str) -> list[str]:
        home = ("--home", str(self.folder / side))
        return [sys.executable, "-m", "airlift", *arguments, *home]

    def _key(self) -> tuple[str, str]:
        return ("--passphrase-file", str(self._phrase))


def files_in(folder: Path) -> list[Path]:
    """Return the files in *folder* and below, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
