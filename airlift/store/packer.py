"""Writing packs (``airlift.store.packs``): many blobs, one ``fsync``."""

import functools
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from airlift.digest import Sha256
from airlift.store import packs, partial
from airlift.store.durable import FLAGS, Disk, failing, let_go
from airlift.store.packs import Pack

PACK_LIMIT = 1 << 30
"""Bytes after which a new pack begins, so that forgetting a blob copies at most that."""
MERGE_BELOW = 16 << 20
"""Bytes; a pack smaller than that is merged with others when blobs are forgotten..."""
MERGE_FROM = 32
"""...once there are so many of them."""

_WRITE_AT = 1 << 20
_LOT = 8 << 20


class PackWriter:
    """A pack being written; nothing of it is visible before ``publish``.

    Args:
        disk: What writes.
        scratch: Folder of the unfinished file, on the same file system as *folder*.
        folder: Where packs lie.
    """

    def __init__(self, disk: Disk, scratch: Path, folder: Path) -> None:
        self._disk, self._folder = disk, folder
        self._file = partial.scratch(disk, scratch)
        self._hasher = hashlib.sha256()
        self._entries: list[packs.Entry] = []
        self._buffer = bytearray(packs.MAGIC)
        self.size = len(packs.MAGIC)

    def add(self, digest: bytes, blob: bytes) -> None:
        """Append *blob*, whose SHA-256 is *digest*: the caller has checked it."""
        self._buffer += packs.ENTRY.pack(digest, len(blob))
        self._entries.append((digest, self.size + packs.ENTRY.size, len(blob)))
        self._buffer += blob
        self.size += packs.ENTRY.size + len(blob)
        if len(self._buffer) >= _WRITE_AT:
            self._flush()

    def _flush(self) -> None:
        self._hasher.update(self._buffer)
        self._file.write(self._buffer, self.size - len(self._buffer))
        self._buffer = bytearray()

    def publish(self) -> Path:
        """Make the pack durable, then visible; return its path.

        Raises:
            StoreError: The disk refused; no pack is there then.
        """
        self._flush()
        path = self._folder / f"{self._hasher.hexdigest()}.pack"
        # The index goes first, so that whoever sees the pack finds it. It needs no
        # sync: one that a power cut emptied fails its checksum and is made again.
        packs.write_index(self._disk, path, self._entries, self.size)
        self._disk.publish(self._file.fd, self._file.path, path, mode=0o444)
        self._file.close()
        return path

    def abandon(self) -> None:
        """Delete what was written; nothing happens after ``publish``."""
        if self._file.fd >= 0:
            self._disk.unlink(self._file.path)
            self._file.close()


class Packer:
    """Blobs going into as many packs as ``PACK_LIMIT`` asks for; none if none come.

    Args:
        disk: What writes.
        scratch: Folder of unfinished packs.
        folder: Where packs lie.
        limit: Bytes after which a new pack begins.

    Attributes:
        published: The packs that are durable and visible.
        size: Their bytes in all.
    """

    def __init__(
        self, disk: Disk, scratch: Path, folder: Path, *, limit: int = PACK_LIMIT
    ) -> None:
        self._make = functools.partial(PackWriter, disk, scratch, folder)
        self._limit = limit
        self._writer: PackWriter | None = None
        self.published: set[Path] = set()
        self.size = 0

    def add(self, digest: bytes, blob: bytes) -> None:
        """Append *blob*, whose SHA-256 is *digest*: the caller has checked it."""
        if self._writer is None:
            self._writer = self._make()
        self._writer.add(digest, blob)
        if self._writer.size >= self._limit:
            self.publish()

    def publish(self) -> None:
        """Make what was added durable and visible, if anything was.

        Raises:
            StoreError: The disk refused; no pack is there then.
        """
        if self._writer is not None:
            self.published.add(self._writer.publish())
            self.size += self._writer.size
            self._writer = None

    def abandon(self) -> None:
        """Delete what was added since the last ``publish``."""
        if self._writer is not None:
            self._writer.abandon()


def lots(blobs: Iterable[tuple[Sha256, bytes]]) -> Iterator[dict[Sha256, bytes]]:
    """Yield *blobs* some megabytes at a time, each name once in a lot.

    Asking whether one is held costs a look at the disk and into every pack; asking
    for thousands costs little more.
    """
    lot: dict[Sha256, bytes] = {}
    size = 0
    for name, blob in blobs:
        lot[name] = blob
        size += len(blob) + len(name)
        if size >= _LOT:
            yield lot
            lot, size = {}, 0
    yield lot


def thinned(pack: Pack, done: set[bytes], writer: Packer) -> None:
    """Copy all of *pack* that is not in *done* to *writer*, checking every byte.

    What was copied is added to *done*.

    Raises:
        StoreError: A blob to keep is rotten; its name and file are told.
    """
    with failing("read", pack.path):
        fd = os.open(pack.path, os.O_RDONLY | FLAGS)
    try:
        for digest, offset, length in pack.entries():
            if digest in done:
                continue
            with failing("read", pack.path):
                blob = os.pread(fd, length, offset)
            if (found := hashlib.sha256(blob)).digest() != digest:
                raise packs.rot(Sha256(digest.hex()), pack.path, found.hexdigest())
            writer.add(digest, blob)
            done.add(digest)
    finally:
        let_go(fd)
