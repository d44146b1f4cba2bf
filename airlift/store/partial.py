"""Files that are being filled, which survive the death of who fills them."""

import errno
import fcntl
import os
import re
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from airlift import naming
from airlift.errors import StoreError
from airlift.store import direct
from airlift.store.durable import FLAGS, Buffer, Disk, failing, let_go, names

SCRATCH = ".new-"
"""Begins the names of files that nobody can resume; swept when nobody holds them."""

_KEY = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,199}", re.ASCII)
_TRIES = 64


def is_key(text: str) -> bool:
    """Say whether *text* may name a partial: 1 to 200 of ``A-Z a-z 0-9 . _ -``."""
    return _KEY.fullmatch(text) is not None


class Partial:
    """A file being filled, held by this process alone until it is closed.

    Ranges that do not overlap may be written from several threads at once. Leaving
    the context closes it and keeps the file, to be resumed under the same key.

    Attributes:
        path: Where it lies.
        fd: Open for reading and writing; closed by ``close``.
        size: Bytes it will have; None where that is not known.
    """

    def __init__(
        self, disk: Disk, path: Path, fd: int, size: int | None, *, rests: int = -1
    ) -> None:
        self.path, self.fd, self.size = path, fd, size
        # The same file through the page cache, where *fd* goes past it.
        self._disk, self._rests = disk, rests

    def write(self, data: Buffer, offset: int) -> None:
        """Write all of *data* at byte *offset*.

        Raises:
            StoreError: It would end past ``size``, or the disk refused.
        """
        end = offset + len(data)
        if self.size is not None and end > self.size:
            problem = f"{self.path.name}: bytes up to {end} for a file of {self.size}"
            raise StoreError(problem, hint="this is an error inside airlift: report it")
        if self._rests < 0:
            self._disk.write(self.fd, self.path, data, offset)
        else:
            self._write_pages(memoryview(data).cast("B"), offset)

    def _write_pages(self, view: memoryview, offset: int) -> None:
        """Write whole pages past the page cache, what is left through it.

        Only pages that begin at one in memory too can go past it. No page goes both
        ways: runs that meet inside one both go through the cache.
        """
        first, end = -offset % direct.PAGE, len(view)
        last = first + (end - first) // direct.PAGE * direct.PAGE
        if last <= first or direct.lead(view) != offset % direct.PAGE:
            first = last = end
        for fd, start, stop in (
            (self._rests, 0, first),
            (self.fd, first, last),
            (self._rests, last, end),
        ):
            if start < stop:
                self._disk.write(fd, self.path, view[start:stop], offset + start)

    def length(self) -> int:
        """Return the end of what was written so far, in bytes.

        Space set aside for ``size`` does not count, so whoever writes from front to
        back resumes here; of a scattered one it says nothing. After a power cut the
        last bytes may be zeros unless ``sync`` was called: the caller checks the
        digest of the whole.
        """
        with failing("look at", self.path):
            return os.fstat(self.fd).st_size

    def sync(self) -> None:
        """Make what was written durable.

        Raises:
            StoreError: The disk refused. The file is deleted, because a second
                attempt would succeed without the lost pages having been written.
        """
        try:
            self._disk.sync(self.fd, self.path)
        except StoreError:
            self._disk.unlink(self.path)
            raise

    def close(self) -> None:
        """Let go of the file, which stays. May be called twice."""
        open_, self.fd, self._rests = (self.fd, self._rests), -1, -1
        with failing("close", self.path):
            for fd in open_:
                if fd >= 0:
                    os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def take(
    disk: Disk, path: Path, size: int | None = None, *, scattered: bool = False
) -> Partial:
    """Open or create the partial at *path*, locked against every other taker.

    Args:
        disk: What changes the disk.
        path: Where it lies.
        size: Bytes it will have, if known.
        scattered: It will be written in large pieces from anywhere: it is made *size*
            long at once, and they go past the page cache where that can be.

    Raises:
        StoreError: Somebody else holds it, or the disk refused.
    """
    for _ in range(_TRIES):
        fd = disk.create(path, fresh=False)
        try:
            locked = _lock(fd, path)
            usable = locked and _is_named(fd, path) and _settle(disk, fd, path, size)
        except BaseException:
            let_go(fd)
            raise
        if usable:
            rests = -1
            if scattered and size is not None:
                rests = _scatter(disk, fd, path, size)
            return Partial(disk, path, fd, size, rests=rests)
        let_go(fd)
        if not locked:
            problem = f"{naming.show(path.name)} is being filled by another process"
            hint = "wait for the other airlift to finish, then run the command again"
            raise StoreError(problem, hint=hint)
    raise _restless(path)


def scratch(disk: Disk, folder: Path, size: int | None = None) -> Partial:
    """Create a partial in *folder* that nobody will resume.

    Raises:
        StoreError: The disk refused.
    """
    for _ in range(_TRIES):
        path = folder / f"{SCRATCH}{secrets.token_hex(8)}"
        fd = disk.create(path)
        try:
            # A sweep may have come between: it holds or has deleted the file then.
            usable = _lock(fd, path) and _is_named(fd, path)
            if usable and size is not None:
                disk.reserve(fd, path, size)
        except BaseException:
            let_go(fd)
            disk.unlink(path)
            raise
        if usable:
            return Partial(disk, path, fd, size)
        let_go(fd)
    raise _restless(folder)


def _restless(path: Path) -> StoreError:
    problem = f"{naming.show(path.name)} keeps being replaced by another process"
    return StoreError(problem, hint="wait for the other airlift to finish, then retry")


def _lock(fd: int, path: Path) -> bool:
    with failing("lock", path):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _is_named(fd: int, path: Path) -> bool:
    # Between open and lock its last holder may have renamed or deleted it.
    with failing("look at", path):
        held = os.fstat(fd)
        try:
            named = path.lstat()
        except FileNotFoundError:
            return False
    return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)


def _settle(disk: Disk, fd: int, path: Path, size: int | None) -> bool:
    with failing("look at", path):
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    if found.st_nlink != 1:
        # A rename torn by a power cut can leave a finished blob under this name too;
        # writing here would then change the blob.
        disk.unlink(path)
        return False
    if size is not None:
        if found.st_size > size:
            disk.truncate(fd, path, size)
        disk.reserve(fd, path, size)
    return True


def _scatter(disk: Disk, fd: int, path: Path, size: int) -> int:
    """Let *fd* go past the page cache; return another that goes through it."""
    try:
        # Writes that move the end of a file wait for each other in the kernel.
        disk.truncate(fd, path, size)
        with failing("open", path):
            rests = os.open(path, os.O_RDWR | FLAGS)
        direct.past_cache(fd)
    except BaseException:
        let_go(fd)
        raise
    return rests


def remove(disk: Disk, path: Path) -> bool:
    """Delete the partial at *path* unless somebody holds it; say whether it is gone."""
    with failing("look at", path):
        try:
            fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | FLAGS)
        except FileNotFoundError:
            return True
    try:
        if free := _lock(fd, path):
            disk.unlink(path)
        return free
    finally:
        let_go(fd)


def sweep(disk: Disk, folder: Path) -> None:
    """Delete the scratch files in *folder* whose makers are dead."""
    for name in names(folder):
        if name.startswith(SCRATCH):
            remove(disk, folder / name)
