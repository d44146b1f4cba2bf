"""Sticks that misbehave: file systems of the kernel's own on an image that lies.

All of it lives in a mount namespace and a process namespace of its own. When the first
process of that ends, and it does with the tests, however they end, every server is
killed and every mount and loop device is gone.
"""

import contextlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import pytest

from faults.quick import Runner

SERVER = Path(__file__).with_name("image.py")
PATIENCE_S = 30.0


def _lacking() -> str:
    """Say what this host lacks for a stick; nothing if it has all."""
    if sys.platform != "linux" or os.geteuid():
        return "needs root on Linux, to mount"
    programs = ("unshare", "nsenter", "setpriv", "mkfs.ext4", "losetup")
    missing = [one for one in programs if not shutil.which(one)]
    missing += [
        one for one in ("/dev/fuse", "/dev/loop-control") if not Path(one).exists()
    ]
    if missing:
        return f"needs {', '.join(missing)}"
    try:
        importlib.import_module("mfusepy")
    except (ImportError, OSError):
        return "needs mfusepy and Debian's fuse3"
    tried = ["unshare", "--mount", "--pid", "--fork", "true"]
    barred = subprocess.run(tried, check=False, capture_output=True).returncode
    return "this host allows no mount namespace" if barred else ""


LACKING = _lacking()
needs_sticks = pytest.mark.skipif(bool(LACKING), reason=LACKING or "all is there")
needs_exfat = pytest.mark.skipif(
    not (shutil.which("mount.exfat-fuse") and shutil.which("mkfs.exfat")),
    reason="needs Debian's exfat-fuse and exfatprogs",
)


class Bench:
    """A place to mount things: its own mounts, its own processes."""

    def __init__(self) -> None:
        held = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid"]
        keep = ["--fork", "--kill-child=KILL", "sh", "-c", "echo; exec sleep infinity"]
        self._holder = subprocess.Popen(
            [*held, *keep], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._holder.stdout
        self._holder.stdout.readline()
        me = self._holder.pid
        children = Path(f"/proc/{me}/task/{me}/children").read_text().split()
        self._first = int(children[0])
        self._servers: list[subprocess.Popen[bytes]] = []

    @property
    def inside(self) -> list[str]:
        """Words before a command that let it see what is mounted here."""
        return ["nsenter", f"--target={self._holder.pid}", "--mount", "--"]

    @property
    def kept(self) -> list[str]:
        """The same for what is to end with this bench."""
        return ["nsenter", f"--target={self._first}", "--mount", "--pid", "--"]

    def sh(self, script: str, *arguments: Path | str) -> str:
        """Run a shell script here that succeeds; return what it printed."""
        words = [*self.kept, "sh", "-ec", script, "sh", *map(str, arguments)]
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        assert done.returncode == 0, f"{script}: {done.stderr}"
        return done.stdout

    def start(self, *words: str, log: IO[str]) -> "subprocess.Popen[bytes]":
        """Start a server that ends with this bench."""
        server = subprocess.Popen([*self.kept, *words], stderr=log)
        self._servers.append(server)
        return server

    def close(self) -> None:
        """End everything that runs here; what was mounted goes with it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._first, signal.SIGKILL)
        for server in self._servers:
            server.wait(PATIENCE_S)
        self._holder.wait(PATIENCE_S)
        assert self._holder.stdout
        self._holder.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Stick:
    """A stick in a bench, mounted or not.

    Args:
        bench: Where.
        folder: For its image and its mount point; made.
        size: Bytes that it claims to have.
        system: ``ext4`` or ``exfat``.
        copied: The bytes it begins with; without, it is formatted.
        faults: As ``lie`` takes them, from the first byte on.
    """

    def __init__(
        self,
        bench: Bench,
        folder: Path,
        size: int = 64 << 20,
        *,
        system: str = "ext4",
        copied: Path | None = None,
        **faults: Any,
    ) -> None:
        self.bench, self.folder, self.size, self.system = bench, folder, size, system
        self.point, self.backing = folder / "point", folder / "backing"
        self.image, self._config = folder / "fuse" / "img", folder / "config.json"
        self.point.mkdir(parents=True)
        self.image.parent.mkdir()
        if copied:
            shutil.copyfile(copied, self.backing)
        with self.backing.open("ab") as stream:
            stream.truncate(size)
        self.lie(**faults)
        with (folder / "server.log").open("w") as log:
            words = [sys.executable, str(SERVER), str(self.image.parent)]
            self._server = bench.start(*words, str(self._config), log=log)
        bench.sh('until [ -e "$1" ]; do sleep 0.02; done', self.image)
        if not copied:
            make = "mkfs.exfat" if system == "exfat" else "mkfs.ext4 -q -m0 -F"
            bench.sh(f'{make} "$1" >&2', self.image)

    def lie(self, **faults: Any) -> None:
        """Misbehave from now on as ``image.py`` explains, and in no other way."""
        told = {"backing": str(self.backing), "size": self.size, **faults}
        fresh = self._config.with_suffix(".new")
        fresh.write_text(json.dumps(told))
        fresh.rename(self._config)

    def mount(self, options: str = "rw") -> None:
        """Put it in."""
        script = 'mount -t ext4 -o "loop,$3" "$1" "$2"'
        if self.system == "exfat":
            # Let go of at once: it goes with the mount.
            script = (
                'loop=$(losetup --find --show "$1"); '
                'mount.exfat-fuse -o "$3" "$loop" "$2" >&2 || bad=1; '
                'losetup -d "$loop"; [ -z "$bad" ]'
            )
        self.bench.sh(script, self.image, self.point, options)

    def unmount(self) -> None:
        """Take it out as one should."""
        self.bench.sh('umount "$1"', self.point)

    @contextlib.contextmanager
    def mounted(self, options: str = "rw") -> Iterator[Path]:
        """Have it in for a while; yield where it is mounted."""
        self.mount(options)
        yield self.point
        self.unmount()

    def hold(self, files: Path) -> None:
        """Copy what lies in *files* onto it, so that it is on it."""
        with self.mounted():
            self.bench.sh('cp "$1"/* "$2"; sync', files, self.point)

    def pull(self) -> None:
        """Break the connection to it, in the middle of whatever is going on."""
        me = self._server.pid
        for child in Path(f"/proc/{me}/task/{me}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        self._server.wait(PATIENCE_S)

    def snapshot(self, folder: Path) -> "Stick":
        """Return it as it would be found if it were pulled out now."""
        system, size = self.system, self.size
        return Stick(self.bench, folder, size, system=system, copied=self.backing)

    def place(self, data: bytes) -> int:
        """Return where in the image *data* lies, at one place only."""
        found = self.backing.read_bytes()
        at = found.find(data)
        assert at >= 0
        assert found.find(data, at + 1) < 0
        return at


@dataclass(frozen=True)
class Sticks:
    """What makes sticks, and who can see them.

    Attributes:
        bench: Where they are.
        runner: Starts commands that see what is mounted there.
    """

    bench: Bench
    runner: Runner
    folder: Path
    numbers: Iterator[int]

    def make(self, system: str = "ext4", **faults: Any) -> Stick:
        """Return a fresh stick."""
        return Stick(self.bench, self.place(), system=system, **faults)

    def place(self) -> Path:
        """Return the name of a folder for one more."""
        return self.folder / str(next(self.numbers))
