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
import hashlib
import mmap
import os
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from pathlib import Path

from airlift import naming
from airlift.digest import Sha256, is_sha256
from airlift.errors import StoreError
from airlift.store import partial
from airlift.store.durable import FLAGS, Disk, failing, let_go

SMALL = 64 << 10
"""Bytes; shorter blobs share a pack. 1e6 of them: 5 s in packs, 280 s as files."""

MAGIC = b"AIRPACK1"
_INDEX_MAGIC = b"AIRPIDX1"
ENTRY = struct.Struct(">32sI")
"""Of a pack: digest of the blob that follows, and its length."""
_PLACE = struct.Struct(">QI")
_COUNTS = struct.Struct(">8sQQ")
_DIGEST = 32
_ONE = struct.Struct(f"{_DIGEST}s")
_KEY = 8
_ONE_BY_ONE = 512
"""Look-ups that bisection in Python does sooner than numpy is imported."""

Entry = tuple[bytes, int, int]
"""Digest, offset of the blob's bytes in the pack, length."""


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


def write_index(disk: Disk, pack: Path, entries: list[Entry], size: int) -> None:
    """Put the index of *pack*, of *size* bytes, beside it; it is not synced.

    Raises:
        StoreError: The disk refused.
    """
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
                write_index(disk, self.path, entries, self.size)
        return index_bytes(entries, self.size)

    def find(self, digest: bytes) -> tuple[int, int] | None:
        """Return offset and length of the blob *digest*, or None."""
        at = self._at(digest)
        return None if at is None else self._place(at)

    def _at(self, digest: bytes) -> int | None:
        key, keys = int.from_bytes(digest[:_KEY]), self._keys
        at = bisect_left(keys, key)
        if at == self.count or keys[at] != key:
            return None
        if self._digest(at) != digest:
            # Digests share 8 bytes by malice, never by chance.
            at = bisect_left(range(self.count), digest, key=self._digest)
        return at if at < self.count and self._digest(at) == digest else None

    @cached_property
    def _keys(self) -> "array[int]":
        """The first bytes of every digest as numbers, ascending: 8 MB for a million.

        To bisect numbers takes 1 us, to bisect slices of the index 8; and whoever looks
        one blob up asks every pack.
        """
        with self._digests().cast("Q") as numbers:
            found = array("Q", numbers[:: _DIGEST // _KEY].tobytes())
        if sys.byteorder == "little":
            found.byteswap()
        return found

    def places(self, wanted: Collection[bytes]) -> dict[bytes, tuple[int, int]]:
        """Return offset and length of those of *wanted* that it holds; all in one go.

        100,000 in a pack of a million take 0.1 s; one by one they took 1.5 s.
        """
        return {digest: self._place(at) for digest, at in self._found(wanted)}

    def among(self, wanted: Collection[bytes]) -> set[bytes]:
        """Return those of *wanted* that it holds; as ``places``."""
        return {digest for digest, _ in self._found(wanted)}

    def _found(self, wanted: Collection[bytes]) -> list[tuple[bytes, int]]:
        """Return those of *wanted* that it holds, and where in the index they stand."""
        if len(wanted) <= _ONE_BY_ONE:
            ones = ((digest, self._at(digest)) for digest in wanted)
            return [(digest, at) for digest, at in ones if at is not None]
        if self.count <= len(wanted):
            # One of many packs, most of what is asked for being in others.
            asked_for = wanted if isinstance(wanted, set) else frozenset(wanted)
            listed = enumerate(_ONE.iter_unpack(self._digests()))
            return [(one, at) for at, (one,) in listed if one in asked_for]
        # 100 ms to import, and only who asks for many pays them.
        import numpy as np  # noqa: PLC0415 - see above

        asked = list(wanted)
        theirs = np.frombuffer(b"".join(asked), ">u8").reshape(-1, 4)
        ours = np.frombuffer(self._index, ">u8", self.count * 4, _COUNTS.size)
        ours = ours.reshape(-1, 4)
        keys = np.frombuffer(self._keys, np.uint64)
        first = theirs[:, 0].astype(np.uint64)
        at = np.searchsorted(keys, first)
        held, left = np.zeros(len(asked), bool), np.arange(len(asked))
        # More than one step where digests share 8 bytes: by malice, never by chance.
        while len(left := left[at[left] < self.count]):
            left = left[keys[at[left]] == first[left]]
            same = (ours[at[left]] == theirs[left]).all(axis=1)
            held[left[same]] = True
            left = left[~same]
            at[left] += 1
        return [(asked[one], int(at[one])) for one in np.flatnonzero(held)]

    def _digests(self) -> memoryview:
        return memoryview(self._index)[_COUNTS.size : self._places]

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
        offset = len(MAGIC)
        if _read(stream.read, path, offset) != MAGIC:
            return
        while len(header := _read(stream.read, path, ENTRY.size)) == ENTRY.size:
            digest, length = ENTRY.unpack(header)
            offset += ENTRY.size
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


def rot(expected: Sha256, path: Path, found: str) -> StoreError:
    """Return the error that says the bytes of *expected* in *path* hash to *found*."""
    return StoreError(
        f"blob {expected} in {naming.show(str(path))}: bytes hash to {found}",
        hint="run `airlift verify` to set it aside and see which releases it hits",
    )
