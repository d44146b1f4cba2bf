"""What lies in a store, and where: everything that only reads."""

import heapq
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from airlift import naming
from airlift.digest import Sha256, is_sha256
from airlift.errors import StoreError
from airlift.store.durable import FLAGS, Disk, failing, let_go, names, there
from airlift.store.packs import Pack, is_pack
from airlift.store.span import Span

CHUNK = 1 << 20
FANS = tuple(f"{n:02x}" for n in range(256))
"""Names of the folders that whole blobs are spread over, by their first byte.

One level of 256: at 2 KiB a file it takes 25,300 files/s, two levels 14,600.
"""


_LISTED = 16
"""Names of one fan after which listing the folder is cheaper than looking at each."""


class Holdings:
    """The blobs below a root, whole or packed; safe from several threads.

    Args:
        root: Of the store.
        disk: To write lost indexes of packs again; None to change nothing.

    Raises:
        StoreError: The disk cannot be read.
    """

    def __init__(self, root: Path, disk: Disk | None) -> None:
        self._root, self._disk = root, disk
        self._whole = root / "blobs" / "sha256"
        self._pack_folder = root / "packs"
        self._lock = threading.Lock()
        self._packs: dict[str, Pack] = {}
        self.refresh()

    def missing(self, wanted: Iterable[Sha256]) -> set[Sha256]:
        """Return those of *wanted* that are not held; fast for 100,000.

        Raises:
            StoreError: The disk cannot be read.
        """
        packless = self.unpacked(wanted)
        return packless.difference(name for name, _ in self.whole(packless))

    def unpacked(self, wanted: Iterable[Sha256]) -> set[Sha256]:
        """Return those of *wanted* that are in no pack; whole files they may be.

        Raises:
            StoreError: The disk cannot be read.
        """
        self.refresh()
        left = {bytes.fromhex(one) for one in wanted}
        for pack in self._packs.values():
            left -= pack.among(left)
        return {Sha256(one.hex()) for one in left}

    def whole(self, wanted: Iterable[Sha256]) -> Iterator[tuple[Sha256, int]]:
        """Yield those of *wanted* that are whole files, with their sizes in bytes.

        Fan after fan, and so by ascending digest where *wanted* is.

        Raises:
            StoreError: The disk cannot be read.
        """
        fans: dict[str, list[Sha256]] = {}
        for name in wanted:
            fans.setdefault(name[:2], []).append(name)
        for fan, sought in fans.items():
            found = names(self._whole / fan) if len(sought) > _LISTED else sought
            yield from self._sizes(filter(set(found).__contains__, sought))

    def _sizes(self, sought: Iterable[Sha256]) -> Iterator[tuple[Sha256, int]]:
        for name in sought:
            with failing("look at", self._whole):
                size = self._whole_size(name)
            if size is not None:
                yield name, size

    def span(self, sha256: Sha256) -> Span | None:
        """Return where the blob lies, or None when it is not held.

        A pack may be replaced by a collection at any time: who opens the span and
        finds no file asks again.

        Raises:
            StoreError: The disk cannot be read.
        """
        if not is_sha256(sha256):
            return None
        size = self.whole_size(sha256)
        if size is not None:
            return Span(path=self.path(sha256), offset=0, length=size)
        digest, known = bytes.fromhex(sha256), self._packs
        found = self.packed(digest)
        if found is None:
            self.refresh()
            # Not "did refresh find any": another thread's may have come just before.
            if self._packs is not known:
                found = self.packed(digest)
        return found

    def spans(self, wanted: Iterable[Sha256]) -> dict[Sha256, Span]:
        """Return where those of *wanted* lie that are held, as ``span`` does for one.

        None where the disk refuses: ``span`` says of each why. 100,000 small ones in 25
        packs take 0.4 s; one by one they took 7 s.
        """
        asked = set(wanted)
        try:
            found = {
                name: Span(path=self.path(name), offset=0, length=size)
                for name, size in self.whole(asked)
            }
            self.refresh()
        except StoreError:
            return {}
        left = {bytes.fromhex(one) for one in asked - found.keys()}
        for pack in self._packs.values():
            held = pack.places(left)
            left -= held.keys()
            for digest, (offset, length) in held.items():
                span = Span(path=pack.path, offset=offset, length=length)
                found[Sha256(digest.hex())] = span
        return found

    def path(self, sha256: str) -> Path:
        """Return where the blob lies if it is a whole file."""
        return self._whole / sha256[:2] / sha256

    def whole_size(self, sha256: Sha256) -> int | None:
        """Return the bytes of the whole file of that name, or None."""
        with failing("look at", f"{self._whole}/{sha256[:2]}/{sha256}"):
            return self._whole_size(sha256)

    def _whole_size(self, sha256: Sha256) -> int | None:
        # A string, not a Path: this is called 100,000 times in a row.
        try:
            found = os.lstat(f"{self._whole}/{sha256[:2]}/{sha256}")
        except FileNotFoundError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def packed(self, digest: bytes) -> Span | None:
        """Return where the blob lies in the packs known now, or None."""
        for pack in self._packs.values():
            if (place := pack.find(digest)) and there(pack.path):
                return Span(path=pack.path, offset=place[0], length=place[1])
        return None

    def refresh(self) -> None:
        """Notice packs that came or went.

        Raises:
            StoreError: The disk cannot be read.
        """
        with self._lock:
            # Again where one went between listing and opening it: what it held has
            # then moved to another, which the list did not have yet.
            while (listed := list(filter(is_pack, names(self._pack_folder)))) != list(
                self._packs
            ):
                found = {
                    name: self._packs.get(name) or self._open(name) for name in listed
                }
                self._packs = {name: pack for name, pack in found.items() if pack}

    def _open(self, name: str) -> Pack | None:
        path = self._pack_folder / name
        try:
            return Pack(path, self._disk)
        except StoreError:
            # A collection may just have replaced it, which is no loss.
            if there(path):
                raise
            return None

    def packs(self) -> tuple[Pack, ...]:
        """Return the packs as of the last look."""
        return tuple(self._packs.values())

    def read(self, sha256: Sha256, start: int, stop: int | None) -> Iterator[bytes]:
        """Return bytes *start* to *stop* of a blob in chunks of 1 MiB.

        Bytes are given as the disk gives them; ``check`` is what hashes them.

        Raises:
            StoreError: It is not held, has no such bytes, or ends early.
        """
        span = self.need(sha256)
        end = span.length if stop is None else stop
        if not 0 <= start <= end <= span.length:
            problem = f"blob {sha256} has {span.length} bytes, not {start} to {end}"
            raise StoreError(problem, hint="this is an error inside airlift: report it")
        return chunks(span, sha256, start, end)

    def need(self, sha256: Sha256) -> Span:
        """Return where the blob lies.

        Raises:
            StoreError: It is not held.
        """
        span = self.span(sha256)
        if span is None:
            problem = f"blob {naming.show(sha256)} is not in the store {self._root}"
            raise StoreError(problem, hint="import the delivery that carries it again")
        return span

    def all(self) -> Iterator[tuple[Sha256, int]]:
        """Yield every blob held with its size in bytes, by ascending digest.

        Raises:
            StoreError: The disk cannot be read.
        """
        self.refresh()
        packed = (
            ((digest.hex(), length) for digest, _, length in pack.entries())
            for pack in self._packs.values()
        )
        last = ""
        for name, size in heapq.merge(self._whole_blobs(), *packed):
            if name != last:
                yield Sha256(name), size
            last = name

    def _whole_blobs(self) -> Iterator[tuple[str, int]]:
        for fan in FANS:
            found = names(self._whole / fan)
            yield from self._sizes(
                Sha256(one) for one in found if is_sha256(one) and one[:2] == fan
            )


def chunks(span: Span, sha256: Sha256, start: int, stop: int) -> Iterator[bytes]:
    """Yield bytes *start* to *stop* of the blob that lies at *span*.

    Raises:
        StoreError: It cannot be read or ends early.
    """
    with failing("open", span.path):
        fd = os.open(span.path, os.O_RDONLY | FLAGS)
    try:
        while start < stop:
            with failing("read", span.path):
                chunk = os.pread(fd, min(CHUNK, stop - start), span.offset + start)
            if not chunk:
                raise ends_early(sha256, span, start)
            yield chunk
            start += len(chunk)
    finally:
        let_go(fd)


def ends_early(sha256: Sha256, span: Span, end: int) -> StoreError:
    """Return the error that says that the blob at *span* has only *end* bytes."""
    where = naming.show(str(span.path))
    problem = f"blob {sha256} in {where} ends at byte {end} of {span.length}"
    return StoreError(problem, hint="run `airlift verify` to set it aside")
