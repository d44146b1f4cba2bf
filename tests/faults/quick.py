"""Sides whose commands meet faults, and start in a tenth of the time."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from integration.sides import Side

PREFORK = Path(__file__).with_name("prefork.py")
TESTS = PREFORK.parent.parent


class Runner:
    """Starts commands, one at a time.

    Args:
        library: The shim, or nothing where no compiler is.
        before: Words in front of the process that starts them.
    """

    def __init__(self, library: Path | None, before: Sequence[str] = ()) -> None:
        environment = {**os.environ, "PYTHONPATH": str(TESTS)}
        if library:
            environment["LD_PRELOAD"] = str(library)
        self._folder = tempfile.TemporaryDirectory()
        self._server = subprocess.Popen(
            [*before, sys.executable, str(PREFORK)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = 0

    def begin(self, argv: Sequence[str], rules: Sequence[str], err: str = "") -> int:
        """Start a command; return the number of its process.

        Args:
            argv: Without the program's name.
            rules: What the shim does to it.
            err: Where it prints for people, such as a terminal; kept by default.
        """
        out = self._path("out")
        told = {
            "argv": argv,
            "rules": "\n".join(rules),
            "out": out,
            "err": err or self._path("err"),
        }
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(told) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def _path(self, name: str) -> str:
        path = Path(self._folder.name, name)
        path.unlink(missing_ok=True)
        return str(path)

    def end(self) -> "subprocess.CompletedProcess[str]":
        """Wait for the command; return what it did."""
        assert self._server.stdout
        code = int(self._server.stdout.readline())
        out, err = (Path(self._folder.name, name) for name in ("out", "err"))
        said = err.read_text() if err.exists() else ""
        return subprocess.CompletedProcess([], code, out.read_text(), said)

    def close(self) -> None:
        """End the process that forks."""
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()
        self._folder.cleanup()


@dataclass
class Quick(Side):
    """A side whose commands a runner starts.

    Attributes:
        runner: The runner.
        rules: What the shim does to them.
    """

    runner: Runner | None = None
    rules: Sequence[str] = ()

    def under(self, *rules: str) -> Self:
        """Return this side as it is where *rules* hold."""
        return replace(self, rules=rules)

    def argv(self, *arguments: str) -> list[str]:
        """Return the words of a command behind the program's name."""
        words = self.words(*arguments)
        return words[words.index("airlift") + 1 :]

    def begin(self, *arguments: str, err: str = "") -> int:
        """Start a command; return the number of its process."""
        assert self.runner
        return self.runner.begin(self.argv(*arguments), self.rules, err)

    def end(self) -> "subprocess.CompletedProcess[str]":
        """Wait for what was begun."""
        assert self.runner
        return self.runner.end()

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        self.begin(*arguments)
        return self.end()
