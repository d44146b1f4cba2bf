"""Folders for temporary files: one that a killed process left goes with the next's.

Whoever works in a folder holds a lock on it, which ends with the process however that
ends. A process id in the name would not do: containers that share the folder of
temporary files do not share process ids, and a live folder would be deleted.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

_HELD: Final = "held-"
"""In the names of folders that are locked while somebody works in them. Earlier versions
of airlift locked none: theirs are left alone, since they may be at work."""
_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """Yield a fresh folder, private to this user, that goes away with the block.

    Args:
        prefix: What its name begins with. Folders of this user that begin so, and that
            nobody works in any more, are deleted, once in the life of a process.

    Raises:
        OSError: It cannot be made or deleted.
    """
    parent = tempfile.gettempdir()
    sweep(parent, prefix)
    made, held = _made(parent, prefix)
    try:
        yield made
    finally:
        try:
            shutil.rmtree(made)
        finally:
            os.close(held)


@cache
def sweep(parent: str, prefix: str) -> None:
    """Delete what killed processes left in *parent* under names with *prefix*."""
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith(prefix + _HELD):
                # Another may be at the same one, or it is not ours to delete.
                with contextlib.suppress(OSError):
                    _sweep_one(Path(entry.path))


def _sweep_one(path: Path) -> None:
    fd = os.open(path, _FLAGS)
    try:
        # In a folder that all may write to, the name alone makes nothing ours.
        if os.fstat(fd).st_uid == os.geteuid():
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path)
    finally:
        os.close(fd)


def _made(parent: str, prefix: str) -> tuple[Path, int]:
    """Return a new folder, and what holds its lock."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=prefix + _HELD, dir=parent))
        try:
            fd = os.open(made, _FLAGS)
        except FileNotFoundError:
            continue  # taken for one that was left, before it was locked
        # Where folders cannot be locked, nobody can sweep them either.
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        if made.exists():
            return made, fd
        os.close(fd)
