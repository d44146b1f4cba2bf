"""Commands of airlift, run in this process or as their own."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airlift.cli import main


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed as JSON: one document and nothing else."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """The lines of data it printed."""
        return self.out.splitlines()


class Shell:
    """Runs commands in this process, all with one home.

    Args:
        home: Given as ``--home``.
        capture: Holds what is printed.
    """

    def __init__(self, home: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capture = capture

    def __call__(self, *arguments: str | Path) -> Done:
        """Run one command."""
        self._capture.readouterr()
        code = main.run([*map(str, arguments), "--home", str(self.home)])
        said = self._capture.readouterr()
        return Done(code, said.out, said.err)

    def bare(self, *arguments: str | Path) -> Done:
        """Run one command that has no home."""
        self._capture.readouterr()
        code = main.run([*map(str, arguments)])
        said = self._capture.readouterr()
        return Done(code, said.out, said.err)

    def good(self, *arguments: str | Path) -> Done:
        """Run one command, which must succeed."""
        done = self(*arguments)
        assert done.code == 0, done
        return done


def line(*arguments: str | Path) -> list[str]:
    """Return the command line of airlift with *arguments*, in a fresh interpreter."""
    return [sys.executable, "-m", "airlift", *map(str, arguments)]


def process(*arguments: str | Path, stdin: int = subprocess.DEVNULL) -> Done:
    """Run a command as its own process."""
    done = subprocess.run(
        line(*arguments),
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def answering(answer: str, *arguments: str | Path) -> Done:
    """Run a command at a terminal where somebody types *answer*."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer.encode())
        return process(*arguments, stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)


def terminal(*arguments: str, columns: int = 80, lines: int = 24) -> list[str]:
    """Return what a terminal of that size shows of a command."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))
    # The size of the terminal, not of the one the tests run at.
    kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    with subprocess.Popen(line(*arguments), stdout=theirs, env=kept) as running:
        os.close(theirs)
        said = b""
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # the other end was closed
                break
            if not piece:
                break
            said += piece
        running.wait(timeout=60)
    os.close(ours)
    return said.decode().replace("\r\n", "\n").splitlines()
