"""The folder that is installed into: what is there, and a private place beside it."""

import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from airlift.digest import Sha256
from airlift.progress import Advance
from airlift.store.durable import FLAGS, Disk, failing, let_go, names, read_file

STAGE = ".airlift-new-"
"""Begins the names of folders that hold what is not finished."""
SMALL = 16 << 20
"""Most bytes of a file that is read whole: listings and manifests."""
_CHUNK = 1 << 20


class Tree:
    """One folder; satisfies ``layout.View``.

    Args:
        root: The folder, there or not.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes | None:
        """Return a small file's bytes; None where there is none.

        Raises:
            StoreError: It cannot be read or is no small file.
        """
        place = self.root / path
        with failing("look at", place):
            if not place.exists():
                return None
            place = place.resolve()
        return read_file(place, limit=SMALL)

    def there(self, path: str) -> bool:
        """Say whether anything is called *path*, a link that leads nowhere included.

        Raises:
            StoreError: The disk does not tell.
        """
        with failing("look at", self.root / path):
            return os.path.lexists(self.root / path)

    def size(self, path: str) -> int | None:
        """Return the bytes of the regular file that *path* leads to, or None.

        Raises:
            StoreError: The disk does not tell.
        """
        with failing("look at", self.root / path):
            try:
                found = (self.root / path).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def digest(self, path: str, advance: Advance) -> Sha256:
        """Return the SHA-256 of the regular file that *path* leads to.

        Raises:
            StoreError: It cannot be read.
        """
        hasher = hashlib.sha256()
        for chunk in chunks(self.root / path):
            hasher.update(chunk)
            advance(len(chunk))
        return Sha256(hasher.hexdigest())


def chunks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of the file that *path* leads to, 1 MiB at a time.

    Raises:
        StoreError: It cannot be read.
    """
    with failing("read", path), path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def make_folder(disk: Disk, path: Path) -> None:
    """Make the folder *path* and those above it, durable on return.

    A new folder gets the mode of the one it is in, so that a group that shares a
    cache goes on sharing it.

    Raises:
        StoreError: It cannot be made, or something else stands there.
    """
    with failing("look at", path):
        if path.is_dir():
            return
    make_folder(disk, path.parent)
    disk.make_folder(path, mode=folder_mode(path.parent))


def folder_mode(parent: Path) -> int:
    """Return the mode of a new folder in *parent*.

    Raises:
        StoreError: The disk does not tell.
    """
    with failing("look at", parent):
        mode = parent.stat().st_mode
    # What lies in a place for everybody, like /tmp, is not for everybody.
    return 0o755 if mode & stat.S_ISVTX else mode & 0o2777


@contextmanager
def stage(disk: Disk, parent: Path) -> Iterator[Path]:
    """Make a private folder in *parent* for the block; nothing of it stays.

    What a killed process left there is deleted first.

    Raises:
        StoreError: The disk refused.
    """
    _sweep(disk, parent)
    path = parent / f"{STAGE}{secrets.token_hex(4)}"
    disk.make_folder(path, mode=0o700)
    with failing("lock", path):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | FLAGS)
    try:
        with failing("lock", path):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield path
    finally:
        disk.remove_tree(path)
        let_go(fd)


def _sweep(disk: Disk, parent: Path) -> None:
    for name in names(parent):
        if not name.startswith(STAGE):
            continue
        with suppress(OSError):
            fd = os.open(parent / name, os.O_RDONLY | os.O_DIRECTORY | FLAGS)
            try:
                # Refused while another installation is at work in it.
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                disk.remove_tree(parent / name)
            finally:
                let_go(fd)
