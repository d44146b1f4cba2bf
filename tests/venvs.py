"""Real clients in environments of their own, made once and kept.

Packages come from the indexes this machine is configured for. With ``AIRLIFT_CLIENTS``
set to a folder, environments stay there between runs and are shared by processes.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEEP = "AIRLIFT_CLIENTS"


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    assert found, "the client tests need uv on the path"
    return found


@contextmanager
def _making(home: Path) -> Iterator[bool]:
    """Say whether *home* is still to be made; whoever makes it holds a lock."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = home / "complete"
        if not (there := done.exists()):
            shutil.rmtree(home, ignore_errors=True)
        yield not there
        done.touch()


def make(folder: Path, *requirements: str) -> Path:
    """Return the ``bin`` folder of an environment with *requirements* in *folder*."""
    name = "-".join(r.replace("==", "-").replace("_", "-") for r in requirements)
    home = folder / (name or "empty")
    bins = home / "bin"
    with _making(home) as wanted:
        if wanted:
            run = [_uv(), "venv", "--quiet", "--python", sys.executable, str(home)]
            subprocess.run(run, check=True)
        if wanted and requirements:
            python = str(bins / "python")
            run = [_uv(), "pip", "install", "--quiet", "--python", python]
            # uv reads none of pip's settings; a folder of wheels, where torch lies
            # without its parts for graphics cards say, is one that counts.
            for link in os.environ.get("PIP_FIND_LINKS", "").split():
                run += ["--find-links", link]
            subprocess.run([*run, *requirements], check=True)
    return bins


def run(
    program: Path, *arguments: str | Path, home: Path
) -> "subprocess.CompletedProcess[str]":
    """Run *program*, which finds nothing of whoever runs the tests: *home* is its home."""
    return subprocess.run(
        [program, *map(str, arguments)],
        env={"PATH": os.defpath, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def unpacked(folder: Path, requirement: str) -> Path:
    """Return a folder with the files of one package, which is not installed."""
    home = folder / f"files-{requirement.replace('==', '-')}"
    with _making(home) as wanted:
        if wanted:
            run = [_uv(), "pip", "install", "--quiet", "--no-deps"]
            run += ["--python", sys.executable, "--target", str(home)]
            subprocess.run([*run, requirement], check=True)
    return home


def node(folder: Path, *packages: str) -> Path:
    """Return a folder in which Node.js finds *packages* (``name@version``).

    Their install scripts are not run: some fetch programs from elsewhere.
    """
    name = "-".join(re.sub(r"[^a-z0-9.]+", "-", one).strip("-") for one in packages)
    home = folder / f"node-{name}"
    with _making(home) as wanted:
        if wanted:
            home.mkdir()
            (home / "package.json").write_text("{}\n")
            npm = shutil.which("npm")
            assert npm, "the client tests need Node.js and npm on the path"
            run = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run([*run, "--silent", *packages], cwd=home, check=True)
    return home


def kept() -> Path | None:
    """Return the folder environments are kept in between runs, or None."""
    stated = os.environ.get(KEEP)
    return Path(stated) if stated else None
