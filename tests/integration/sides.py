"""The two hosts of a crossing as people work on them: commands in processes."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

SITE = "plant7"
_PHRASE = "correct horse battery staple"
_SIGNING = ("export",)
_WAIT_S = 60.0

_MEASURED = (
    "import resource, subprocess, sys; "
    "code = subprocess.call(sys.argv[2:]); "
    "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss; "
    "open(sys.argv[1], 'w').write(str(peak)); sys.exit(code)"
)
"""A small parent: a child's peak memory counts that of the process it came from."""


@dataclass
class Side:
    """A host with its own home.

    Attributes:
        home: Its ``--home``.
        environment: Variables of its processes besides this process's own.
        before: Words in front of every command: ``unshare``, ``strace``...
    """

    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Sequence[str] = ()

    @classmethod
    def connected(cls, folder: Path, **environment: str) -> Self:
        """Make a connected side in *folder*, with a key and one site."""
        side = cls(folder / "connected", environment)
        side.home.mkdir(parents=True)
        side.phrase.write_text(f"{_PHRASE}\n")
        side.ok(
            *("trust", "init", "--site", SITE, "--name", "alice"),
            *("--kdf", "low-memory", "--passphrase-file", str(side.phrase)),
        )
        return side

    def copied(self, folder: Path) -> Self:
        """Return this side as it is, in another folder."""
        home = Path(shutil.copytree(self.home, folder / "connected"))
        return type(self)(home, self.environment, self.before)

    def isolated(self, folder: Path) -> Self:
        """Make the isolated side that believes this one, in *folder*."""
        side = type(self)(folder / "isolated")
        root = str(self.home / "root.json")
        side.ok("trust", "init", "--root", root, "--site", SITE, "--yes")
        return side

    @property
    def phrase(self) -> Path:
        """The file that holds the passphrase of the side's key."""
        return self.home / "phrase"

    def words(self, *arguments: str) -> list[str]:
        """Return the whole command line of ``airlift`` with *arguments*."""
        phrase: Sequence[str] = ()
        if arguments[0] in _SIGNING and "--passphrase-file" not in arguments:
            phrase = ("--passphrase-file", str(self.phrase))
        home = () if arguments[0] == "lock" else ("--home", str(self.home))
        airlift = (sys.executable, "-m", "airlift")
        return [*self.before, *airlift, *arguments, *phrase, *home]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, with nobody at the terminal."""
        return subprocess.run(
            self.words(*arguments),
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def ok(self, *arguments: str) -> str:
        """Run a command that succeeds; return what it printed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}{done.stdout}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Run a command that succeeds with ``--json``; return what it said."""
        return json.loads(self.ok(*arguments, "--json"))

    def fails(self, code: int, *arguments: str) -> list[str]:
        """Run a command that ends with *code*; return its lines for people."""
        done = self.run(*arguments)
        assert done.returncode == code, f"{arguments}: {done.stderr}{done.stdout}"
        assert "Traceback" not in done.stderr
        return done.stderr.splitlines()

    def stopped(self, number: int, seen: Path, pattern: str, *arguments: str) -> int:
        """Send the signal *number* once *pattern* is in the folder *seen*.

        Returns the exit code.
        """
        process = subprocess.Popen(
            self.words(*arguments),
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            ends = time.monotonic() + _WAIT_S
            while not any(seen.glob(pattern)):
                assert process.poll() is None, f"over too soon: {process.communicate()}"
                assert time.monotonic() < ends, f"no {pattern} in {seen}"
                time.sleep(0.001)
            process.send_signal(number)
            _, said = process.communicate()
            assert "Traceback" not in said
        return process.returncode

    def peak_rss(self, *arguments: str) -> int:
        """Run a command that succeeds; return the most bytes it had in memory."""
        note = self.home.with_name("peak")
        before = [sys.executable, "-S", "-c", _MEASURED, str(note)]
        type(self)(self.home, self.environment, before).ok(*arguments)
        return int(note.read_text()) * 1024

    @contextlib.contextmanager
    def serving(self, *options: str, log: str = os.devnull) -> Iterator[str]:
        """Serve with *options* while the context is open; give the address."""
        fixed = ("serve", "--port", "0", "--access-log", log)
        words = self.words(*fixed, *options)
        process = subprocess.Popen(
            words,
            env={**os.environ, **self.environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield _address(process)
            finally:
                process.terminate()
                process.wait(_WAIT_S)


def _address(process: "subprocess.Popen[str]") -> str:
    assert process.stderr
    ready, _, _ = select.select([process.stderr], [], [], _WAIT_S)
    line = process.stderr.readline() if ready else ""
    assert "serving at " in line, line + (process.stderr.read() if ready else "")
    return line.split("serving at ")[1].strip()
