"""Putting a file on a medium: whole and durable under its name, or not at all.

It is written under a ``.part`` name, synced, renamed, and its folder synced: a name
without ``.part`` is a whole file, whatever interrupts the writing.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from airlift.digest import Sha256
from airlift.errors import MediumError, StoreError
from airlift.store.durable import Disk


def create(path: Path, fill: Callable[[int], Sha256]) -> Sha256:
    """Write a file that has the name *path* once it is whole and durable.

    Args:
        path: On a medium; nothing has that name.
        fill: Writes all bytes to an open file; returns their digest.

    Raises:
        MediumError: The medium is full, read-only or failing; what was begun is
            deleted.
    """
    unfinished = path.with_name(path.name + ".part")
    try:
        with refusing(unfinished):
            with unfinished.open("wb", buffering=0) as out:
                found = fill(out.fileno())
                os.fsync(out.fileno())
            unfinished.rename(path)
        _sync(path.parent)
    except MediumError:
        # Its room may be what a smaller volume needs.
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    return found


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Say of what goes wrong in the block that the medium refuses *path*."""
    try:
        yield
    except OSError as error:
        raise medium_error(error, path) from error


def medium_error(error: OSError, path: Path) -> MediumError:
    """Return what to tell the operator when the medium refuses a write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        problem = f"{path.parent} is full: {path.name} could not be finished"
        hint = "make room or choose another folder, then run the same command again"
    elif error.errno == errno.EFBIG:
        problem = f"{path.name} is larger than the file system of {path.parent} allows"
        hint = "choose a smaller --volume-size, for example fat32"
    else:
        problem = f"cannot write {path}: {error.strerror}"
        hint = "check the medium, then run the same command again"
    return MediumError(problem, hint=hint)


def _sync(folder: Path) -> None:
    try:
        Disk().sync_folder(folder)
    except StoreError as error:
        raise MediumError(error.problem, hint=error.hint) from error
