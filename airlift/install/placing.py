"""Bring a blob's bytes to another place on disk: cloned, linked or copied.

The law of this module: **no byte arrives unhashed.** Runtimes check lengths at most,
so what the store gives is hashed on its way, even where nothing is copied.

A clone shares blocks and nothing else: who writes to it changes nobody else's file.
A hard link *is* the store's file under a second name: whoever may change its mode or
write to it, as the user who owns it or after a ``chown -R`` of the runtime's folder,
changes what airlift serves to everybody. So links are made only when asked for.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import StoreError
from airlift.install.owner import Owner
from airlift.progress import Advance
from airlift.store.durable import FLAGS, Disk, failing, let_go
from airlift.store.span import Span
from airlift.store.store import Store

FICLONE = 0x40049409
"""Make a file share all blocks of another (``ioctl_ficlonerange(2)``)."""
MODE = 0o444
"""Content is never changed in place, so nobody may by accident."""
CHUNK = 1 << 20

_NO_CLONE = frozenset(
    {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS}
)
_NO_LINK = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP}
)
_TRIES = 3


class Way(StrEnum):
    """How bytes come to another place."""

    CLONE = "clone"
    """Blocks shared, copied on write: no space, no risk. Not on every file system."""
    LINK = "link"
    """A hard link."""
    COPY = "copy"
    """A copy of its own."""


_TRIED = {
    Way.CLONE: (Way.CLONE, Way.COPY),
    Way.LINK: (Way.CLONE, Way.LINK, Way.COPY),
    Way.COPY: (Way.COPY,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """An open blob; *whole* where it is all of its file."""

    sha256: Sha256
    fd: int
    span: Span
    whole: bool

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes; fewer where the file ends early."""
        at, end = self.span.offset, self.span.offset + self.span.length
        while at < end:
            with failing("read", self.span.path):
                chunk = os.pread(self.fd, min(CHUNK, end - at), at)
            if not chunk:
                return
            yield chunk
            at += len(chunk)


class Placer:
    """Places blobs of one store in one target.

    Args:
        store: Where they come from.
        wish: The best way allowed; what cannot be done so is copied.
        owner: Whose rights are in force while ``place`` is called.
        seconds: Time of modification of what is copied or cloned, since 1970.
    """

    def __init__(self, store: Store, wish: Way, owner: Owner, seconds: int) -> None:
        self._store, self._owner, self._disk = store, owner, Disk()
        self._seconds = seconds
        self._ways = list(_TRIED[wish])

    def place(
        self, sha256: Sha256, target: Path, advance: Advance, *, mode: int = MODE
    ) -> Way:
        """Make *target* hold the blob, durable on return; return how that was done.

        Args:
            sha256: Of the blob.
            target: A private name that is not there; nothing is left of it otherwise.
            advance: Called with bytes done.
            mode: Of the file; a link keeps the store's.

        Raises:
            StoreError: The blob is not held or not what its name says, or the disk
                refused.
        """
        source = self._open(sha256)
        try:
            # Only a whole file can be shared; small blobs lie in packs.
            ways = tuple(self._ways) if source.whole else (Way.COPY,)
            way = Way.COPY  # which is always possible, and tried last
            for way in ways:
                if self._begin(way, source, target, mode, advance):
                    break
        except BaseException:
            self._disk.unlink(target)
            raise
        finally:
            let_go(source.fd)
        return way

    def shares(self, sha256: Sha256, trial: Path) -> bool:
        """Say whether the blob would take no space, by cloning it to *trial*.

        *trial* is not there afterwards. Nothing is hashed.

        Raises:
            StoreError: The blob is not held, or the disk refused.
        """
        source = self._open(sha256)
        try:
            if not source.whole or Way.CLONE not in self._ways:
                return False
            return self._clone(source, trial)
        finally:
            let_go(source.fd)
            self._disk.unlink(trial)

    def _open(self, sha256: Sha256, tries: int = _TRIES) -> _Source:
        with self._owner.aside():
            span = self._store.span(sha256)
            if span is None:
                problem = f"blob {sha256} is not in the store"
                raise StoreError(
                    problem, hint="run `airlift verify` for what is missing"
                )
            try:
                with failing("open", span.path):
                    fd = os.open(span.path, os.O_RDONLY | FLAGS)
            except StoreError:
                if tries == 1 or span.path.exists():
                    raise
            else:
                whole = span.offset == 0 and os.fstat(fd).st_size == span.length
                return _Source(sha256=sha256, fd=fd, span=span, whole=whole)
        # A collection has just moved the blob to another pack.
        return self._open(sha256, tries - 1)

    def _begin(
        self, way: Way, source: _Source, target: Path, mode: int, advance: Advance
    ) -> bool:
        if way is Way.LINK:
            done = self._link(source, target)
        elif way is Way.CLONE:
            done = self._clone(source, target)
        else:
            self._copy(source, target, mode, advance)
            return True
        if not done:
            self._ways.remove(way)  # nor will it work for the next
            return False
        _check(source, _counted(source.chunks(), advance))
        if way is Way.CLONE:
            self._finish(target, mode)
        return True

    def _clone(self, source: _Source, target: Path) -> bool:
        fd = self._disk.create(target)
        try:
            fcntl.ioctl(fd, FICLONE, source.fd)
        except OSError as error:
            if error.errno not in _NO_CLONE:
                with failing("clone to", target):
                    raise
            self._disk.unlink(target)
            return False
        finally:
            let_go(fd)
        return True

    def _link(self, source: _Source, target: Path) -> bool:
        found = os.fstat(source.fd)
        # Not as the store left it, or it would lie among another user's files: then a
        # second name lets that user at it after one `chmod` or `chown -R`.
        if found.st_mode & 0o222 or found.st_uid != os.geteuid():
            return False
        try:
            os.link(source.span.path, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINK:
                with failing("link to", target):
                    raise
            return False
        return True

    def _copy(self, source: _Source, target: Path, mode: int, advance: Advance) -> None:
        fd = self._disk.create(target)
        try:
            self._disk.reserve(fd, target, source.span.length)
            _check(source, self._written(fd, source, target, advance))
        finally:
            let_go(fd)
        self._finish(target, mode)

    def _written(
        self, fd: int, source: _Source, target: Path, advance: Advance
    ) -> Iterator[bytes]:
        at = 0
        for chunk in source.chunks():
            self._disk.write(fd, target, chunk, at)
            at += len(chunk)
            advance(len(chunk))
            yield chunk

    def _finish(self, target: Path, mode: int) -> None:
        with failing("finish", target):
            fd = os.open(target, os.O_RDONLY | FLAGS)
            try:
                os.utime(fd, (self._seconds, self._seconds))
                self._disk.sync(fd, target, mode=mode)
            finally:
                let_go(fd)


def _counted(chunks: Iterator[bytes], advance: Advance) -> Iterator[bytes]:
    for chunk in chunks:
        advance(len(chunk))
        yield chunk


def _check(source: _Source, chunks: Iterator[bytes]) -> None:
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
    if (found := hasher.hexdigest()) != source.sha256:
        where = naming.show(str(source.span.path))
        problem = f"blob {source.sha256} in {where} holds bytes that hash to {found}"
        hint = "nothing of it was installed; run `airlift verify --quarantine`"
        raise StoreError(problem, hint=hint)
