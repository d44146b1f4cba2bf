"""Small blobs together in one file, so that 100,000 of them are one ``fsync``.

A **pack** is named ``<sha256 of its bytes>.pack`` and describes itself::

    8 bytes  "AIRPACK1"
    then for each blob, in any order:
      32 bytes  SHA-256 of the blob
       4 bytes  its length, unsigned, big-endian
       n bytes  the blob

Beside it lies ``<same name>.idx``, which can always be made again from the pack::

    8 bytes  "AIRPIDX1"
    8 bytes  length of the pack, unsigned, big-endian
    8 bytes  how many blobs, n
    n * 32   their SHA-256s, ascending, each once
    n * 12   for each: offset of its bytes in the pack (8), their length (4)
   32 bytes  SHA-256 of all of the above

An index is mapped into memory and searched by bisection; none of it becomes Python
objects. A pack is never changed; to forget a blob the rest is written to a new one.
"""

import contextlib
import functools
import hashlib
import mmap
import os
import struct
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from airlift import naming
from airlift.digest import Sha256, is_sha256
from airlift.errors import StoreError
from airlift.store import partial
from airlift.store.durable import FLAGS, Disk, failing, let_go

SMALL = 64 << 10
"""Bytes; shorter blobs share a pack. 1e6 of them: 5 s in packs, 280 s as files."""
PACK_LIMIT = 1 << 30
"""Bytes after which a new pack begins, so that forgetting a blob copies at most that."""
MERGE_BELOW = 16 << 20
"""Bytes; a pack smaller than that is merged with others when blobs are forgotten..."""
MERGE_FROM = 32
"""...once there are so many of them."""

_MAGIC = b"AIRPACK1"
_INDEX_MAGIC = b"AIRPIDX1"
_ENTRY = struct.Struct(">32sI")
_PLACE = struct.Struct(">QI")
_COUNTS = struct.Struct(">8sQQ")
_DIGEST = 32
_WRITE_AT = 1 << 20
_LOT = 8 << 20
_ONE_BY_ONE = 512
"""Look-ups that bisection in Python does sooner than numpy is imported."""

Entry = tuple[bytes, int, int]
"""Digest, offset of the blob's bytes in the pack, length."""


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
        self._entries: list[Entry] = []
        self._buffer = bytearray(_MAGIC)
        self.size = len(_MAGIC)

    def add(self, digest: bytes, blob: bytes) -> None:
        """Append *blob*, whose SHA-256 is *digest*: the caller has checked it."""
        self._buffer += _ENTRY.pack(digest, len(blob))
        self._entries.append((digest, self.size + _ENTRY.size, len(blob)))
        self._buffer += blob
        self.size += _ENTRY.size + len(blob)
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
        _write_index(self._disk, path, self._entries, self.size)
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


def index_bytes(entries: list[Entry], size: int) -> bytes:
    """Return the index of a pack of *size* bytes that holds *entries*."""
    unique = sorted({entry[0]: entry for entry in entries}.values())
    body = b"".join(
        [
            _COUNTS.pack(_INDEX_MAGIC, size, len(unique)),
            *(digest for digest, _, _ in unique),
            *(_PLACE.pack(offset, length) for _, offset, length in unique),
        ]
    )
    return body + hashlib.sha256(body).digest()


def _write_index(disk: Disk, pack: Path, entries: list[Entry], size: int) -> None:
    with partial.scratch(disk, pack.parent) as file:
        try:
            file.write(index_bytes(entries, size), 0)
            with failing("set the mode of", file.path):
                os.fchmod(file.fd, 0o444)
            disk.rename(file.path, pack.with_suffix(".idx"))
        except BaseException:
            disk.unlink(file.path)
            raise


class Pack:
    """One pack, opened for look-ups.

    Args:
        path: Of the pack.
        disk: To write a lost or damaged index again; None to keep it in memory.

    Raises:
        StoreError: The pack cannot be read.
    """

    def __init__(self, path: Path, disk: Disk | None) -> None:
        self.path = path
        with failing("look at", path):
            self.size = path.stat().st_size
        self._index = _mapped(path.with_suffix(".idx"), self.size) or self._again(disk)
        self.count = _COUNTS.unpack_from(self._index)[2]
        self._places = _COUNTS.size + self.count * _DIGEST

    def _again(self, disk: Disk | None) -> bytes | mmap.mmap:
        entries = list(scan(self.path))
        if disk is not None:
            # Best effort: a disk that cannot take it still lets the pack be read.
            with contextlib.suppress(StoreError):
                _write_index(disk, self.path, entries, self.size)
        return index_bytes(entries, self.size)

    def find(self, digest: bytes) -> tuple[int, int] | None:
        """Return offset and length of the blob *digest*, or None."""
        at = bisect_left(range(self.count), digest, key=self._digest)
        if at == self.count or self._digest(at) != digest:
            return None
        return self._place(at)

    def among(self, wanted: Collection[bytes]) -> set[bytes]:
        """Return those of *wanted* that it holds; all in one go.

        100,000 in a pack of a million take 0.03 s; one by one they took 1.5 s.
        """
        if len(wanted) <= _ONE_BY_ONE:
            return {digest for digest in wanted if self.find(digest)}
        # 100 ms to import, and only who asks for many pays them.
        import numpy as np  # noqa: PLC0415 - see above

        asked = list(wanted)
        theirs = np.frombuffer(b"".join(asked), ">u8").reshape(-1, 4)
        ours = np.frombuffer(self._index, ">u8", self.count * 4, _COUNTS.size)
        ours = ours.reshape(-1, 4)
        keys, first = (one[:, 0].astype(np.uint64) for one in (ours, theirs))
        at = np.searchsorted(keys, first)
        held, left = np.zeros(len(asked), bool), np.arange(len(asked))
        # More than one step where digests share 8 bytes: by malice, never by chance.
        while len(left := left[at[left] < self.count]):
            left = left[keys[at[left]] == first[left]]
            same = (ours[at[left]] == theirs[left]).all(axis=1)
            held[left[same]] = True
            left = left[~same]
            at[left] += 1
        return {asked[one] for one in np.flatnonzero(held)}

    def holds_any(self, digests: Collection[bytes]) -> bool:
        """Say whether any of *digests* is in it."""
        return bool(self.among(digests))

    def digests(self) -> Iterator[bytes]:
        """Yield the digests it holds, ascending."""
        return map(self._digest, range(self.count))

    def entries(self) -> Iterator[Entry]:
        """Yield every blob's digest, offset and length, by ascending digest."""
        end = self._places + self.count * _PLACE.size
        places = _PLACE.iter_unpack(memoryview(self._index)[self._places : end])
        for digest, place in zip(self.digests(), places, strict=True):
            yield digest, *place

    def _digest(self, at: int) -> bytes:
        start = _COUNTS.size + at * _DIGEST
        return self._index[start : start + _DIGEST]

    def _place(self, at: int) -> tuple[int, int]:
        offset, length = _PLACE.unpack_from(
            self._index, self._places + at * _PLACE.size
        )
        return offset, length


def _mapped(path: Path, pack_size: int) -> mmap.mmap | None:
    """Return a sound index of a pack of *pack_size* bytes, or None."""
    with failing("read", path):
        try:
            fd = os.open(path, os.O_RDONLY | FLAGS)
        except FileNotFoundError:
            return None
        try:
            size = os.fstat(fd).st_size
            if size < _COUNTS.size + _DIGEST:
                return None
            view = mmap.mmap(fd, size, access=mmap.ACCESS_READ)
        finally:
            let_go(fd)
    magic, stated, count = _COUNTS.unpack_from(view)
    expected = _COUNTS.size + count * (_DIGEST + _PLACE.size) + _DIGEST
    with memoryview(view) as whole:
        sound = (magic, stated, size) == (
            _INDEX_MAGIC,
            pack_size,
            expected,
        ) and hashlib.sha256(whole[:-_DIGEST]).digest() == whole[-_DIGEST:]
    if not sound:
        view.close()
        return None
    return view


def is_pack(name: str) -> bool:
    """Say whether a file named *name* is a pack."""
    return name.endswith(".pack") and is_sha256(name.removesuffix(".pack"))


def scan(path: Path) -> Iterator[Entry]:
    """Yield what the pack at *path* holds, read from the pack alone.

    Blobs that no longer hash to their name are left out, and so is everything after
    a length that leads past the end: what is damaged is not held.

    Raises:
        StoreError: It cannot be read.
    """
    with failing("read", path):
        fd = os.open(path, os.O_RDONLY | FLAGS)
    try:
        with failing("read", path):
            stream = os.fdopen(fd, "rb", closefd=False)
        offset = len(_MAGIC)
        if _read(stream.read, path, offset) != _MAGIC:
            return
        while len(header := _read(stream.read, path, _ENTRY.size)) == _ENTRY.size:
            digest, length = _ENTRY.unpack(header)
            offset += _ENTRY.size
            if length >= SMALL:
                return
            blob = _read(stream.read, path, length)
            if hashlib.sha256(blob).digest() == digest:
                yield digest, offset, length
            offset += length
    finally:
        let_go(fd)


def _read(read: Callable[[int], bytes], path: Path, size: int) -> bytes:
    with failing("read", path):
        return read(size)


def rotten(pack: Pack) -> set[bytes]:
    """Return the digests of *pack* whose bytes no longer hash to them.

    Raises:
        StoreError: It cannot be read.
    """
    return set(pack.digests()) - {digest for digest, _, _ in scan(pack.path)}


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
                raise rot(Sha256(digest.hex()), pack.path, found.hexdigest())
            writer.add(digest, blob)
            done.add(digest)
    finally:
        let_go(fd)


def rot(expected: Sha256, path: Path, found: str) -> StoreError:
    """Return the error that says the bytes of *expected* in *path* hash to *found*."""
    return StoreError(
        f"blob {expected} in {naming.show(str(path))}: bytes hash to {found}",
        hint="run `airlift verify` to set it aside and see which releases it hits",
    )
