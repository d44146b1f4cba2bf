"""The content-addressed store on a local disk.

Below the root::

    blobs/sha256/ab/<64 hex>   a whole blob, mode 0444: what caches, runtimes and
                               registries hard-link or map as it is
    packs/<64 hex>.pack .idx   small blobs together (airlift.store.packs)
    partial/<key>              files being filled, private to this user
    quarantine/<64 hex>        bytes that no longer hash to their name; never served

A blob that can be found is whole and hashes to its name: every name is given by
``airlift.store.durable``, after the bytes are durable. Several processes may use one
root at once. Whoever deletes, though, holds the registry's writer lock, under which
nobody relies on a blob that no record names yet.
"""

import contextlib
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from airlift import naming
from airlift.digest import Sha256, is_sha256
from airlift.digest import sha256 as digest_of
from airlift.errors import StoreError
from airlift.store import packer, packs, partial
from airlift.store.durable import Disk, failing, free_bytes, names
from airlift.store.holdings import FANS, Holdings, chunks
from airlift.store.packer import Packer
from airlift.store.packs import SMALL, Pack
from airlift.store.partial import Partial
from airlift.store.span import Span

__all__ = ["SMALL", "BlobStore", "Partial"]


class BlobStore:
    """Blobs by their SHA-256 below one folder; safe from several threads.

    Args:
        root: The folder; made, with its parents, if it is not there.
        readonly: Change nothing, not even a missing index; for a server that runs
            as a user who may only read. Only methods that read may be called then.
        disk: What changes the disk.

    Raises:
        StoreError: The root is not a folder, or cannot be read or written.
    """

    def __init__(
        self, root: Path, *, readonly: bool = False, disk: Disk | None = None
    ) -> None:
        self.root = root
        self._disk = disk or Disk()
        self._whole = root / "blobs" / "sha256"
        self._pack_folder = root / "packs"
        self._partial_folder = root / "partial"
        if not readonly:
            self._prepare()
        self._held = Holdings(root, None if readonly else self._disk)

    def _prepare(self) -> None:
        for folder, mode in (
            (self.root, 0o755),
            (self._whole, 0o755),
            (self._pack_folder, 0o755),
            (self._partial_folder, 0o700),
        ):
            self._disk.make_folder(folder, mode=mode)
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                problem = f"the store {naming.show(str(folder))} is not writable"
                raise StoreError(problem, hint="run as the user who owns it")
        there = set(names(self._whole))
        fresh = [fan for fan in FANS if fan not in there]
        self._disk.make_folders(self._whole, fresh, mode=0o755)
        partial.sweep(self._disk, self._partial_folder)
        partial.sweep(self._disk, self._pack_folder)

    # --- look up ----------------------------------------------------------------

    def has(self, sha256: Sha256) -> bool:
        """Say whether the blob is held.

        Raises:
            StoreError: The disk cannot be read.
        """
        return self._held.span(sha256) is not None

    def missing(self, wanted: Iterable[Sha256]) -> set[Sha256]:
        """Return those of *wanted* that are not held; 100,000 in under a second.

        Raises:
            StoreError: The disk cannot be read.
        """
        return self._held.missing(wanted)

    def span(self, sha256: Sha256) -> Span | None:
        """Return where the blob lies, or None when it is not held.

        A pack may be replaced by a collection at any time: who opens the span and
        finds no file asks again.

        Raises:
            StoreError: The disk cannot be read.
        """
        return self._held.span(sha256)

    def spans(self, wanted: Iterable[Sha256]) -> dict[Sha256, Span]:
        """Return where those of *wanted* lie that are held; none where the disk refuses."""
        return self._held.spans(wanted)

    def read(
        self, sha256: Sha256, *, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """Return bytes *start* to *stop* of a blob in chunks of at most 1 MiB.

        They are as the disk gives them; ``check`` is what hashes them.

        Raises:
            StoreError: It is not held, has no such bytes, or ends early.
        """
        return self._held.read(sha256, start, stop)

    def all(self) -> Iterator[tuple[Sha256, int]]:
        """Yield every blob held with its size in bytes, by ascending digest.

        Raises:
            StoreError: The disk cannot be read.
        """
        return self._held.all()

    # --- add --------------------------------------------------------------------

    def add(
        self,
        chunks: Iterable[bytes],
        *,
        expect: Sha256 | None = None,
        size: int | None = None,
    ) -> Sha256:
        """Keep *chunks* joined as one whole file, durable on return.

        They are hashed while they are written. Whatever goes wrong, in *chunks* too,
        leaves nothing behind.

        Args:
            chunks: Read to the end, or to the first byte too many.
            expect: What they must hash to.
            size: How many bytes they must be; set aside before the first is read.

        Raises:
            StoreError: Wrong length or digest, or the disk refused.
        """
        with partial.scratch(self._disk, self._partial_folder, size) as file:
            try:
                found = _fill(file, chunks, expect)
                self.adopt(file, found)
            except BaseException:
                self._disk.unlink(file.path)
                raise
        return found

    def add_small(self, blobs: Iterable[tuple[Sha256, bytes]]) -> None:
        """Keep *blobs* in one new pack, durable on return by one sync.

        Held ones are skipped, ones of ``SMALL`` bytes or more are kept as files.
        Each call that adds any makes a pack, so give many at once.

        Args:
            blobs: Digest and bytes; each is checked.

        Raises:
            StoreError: Bytes do not hash to their digest, or the disk refused;
                nothing of the unfinished pack is kept.
        """
        seen: set[Sha256] = set()
        with self._writing() as writer:
            for lot in packer.lots(_checked(blobs)):
                fresh = self._held.missing(lot.keys() - seen)
                seen |= fresh
                for name in filter(fresh.__contains__, lot):
                    blob = lot[name]
                    if len(blob) >= SMALL:
                        self.add([blob], expect=name, size=len(blob))
                    else:
                        writer.add(bytes.fromhex(name), blob)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Packer]:
        writer = Packer(self._disk, self._partial_folder, self._pack_folder)
        try:
            yield writer
            writer.publish()
        finally:
            writer.abandon()
        self._held.refresh()

    # --- partial files ----------------------------------------------------------

    def partial(
        self, key: str, size: int | None = None, *, scattered: bool = False
    ) -> Partial:
        """Open the unfinished file *key*, or begin it; held by this caller alone.

        Args:
            key: 1 to 200 of ``A-Z a-z 0-9 . _ -``, the first a letter or digit.
            size: Bytes it will have: set aside at once, and what is beyond is cut.
            scattered: It is filled in large pieces from anywhere (``partial.take``).

        Raises:
            StoreError: Somebody else holds it, or the disk refused.
            ValueError: The key is not one.
        """
        path = self._partial_path(key)
        return partial.take(self._disk, path, size, scattered=scattered)

    def _partial_path(self, key: str) -> Path:
        if not partial.is_key(key):
            problem = f"not a key of an unfinished file: {key!r}"
            raise ValueError(problem)
        return self._partial_folder / key

    def adopt(self, partial: Partial, sha256: Sha256) -> None:
        """Make a finished partial the blob *sha256*, durable on return; close it.

        Its bytes must hash to *sha256*: the caller has checked that. Where the blob
        is held already, the partial is deleted.

        Raises:
            StoreError: The disk refused; the blob is not there then.
        """
        if not is_sha256(sha256):
            problem = f"not a SHA-256: {sha256!r}"
            raise ValueError(problem)
        if self.has(sha256):
            self._disk.unlink(partial.path)
        else:
            target = self._held.path(sha256)
            self._disk.publish(partial.fd, partial.path, target, mode=0o444)
        partial.close()

    def partials(self) -> Iterator[str]:
        """Yield the keys of unfinished files, sorted.

        Raises:
            StoreError: The disk cannot be read.
        """
        return filter(partial.is_key, names(self._partial_folder))

    def discard(self, key: str) -> None:
        """Delete the unfinished file *key*; nothing happens where there is none.

        Raises:
            StoreError: Somebody is filling it.
        """
        if not partial.remove(self._disk, self._partial_path(key)):
            problem = f"the unfinished file {key} is being filled by another process"
            raise StoreError(problem, hint="wait for the other airlift to finish")

    # --- keep sound -------------------------------------------------------------

    def settle(self, blobs: Iterable[Sha256]) -> None:
        """Make the names of *blobs*, which can be found now, durable.

        A process killed between a rename and the sync of its folder leaves a blob that
        can be found and may vanish with the power. Called before records name blobs.
        One sync where all are packed, 257 at most (0.3 s).

        Raises:
            StoreError: The disk refused.
        """
        for fan in sorted({one[:2] for one in self._held.unpacked(blobs)}):
            self._disk.sync_folder(self._whole / fan)
        self._disk.sync_folder(self._pack_folder)

    def check(self, sha256: Sha256) -> None:
        """Read the blob and hash it.

        Raises:
            StoreError: It is not held, cannot be read, or hashes to something else.
        """
        span = self._held.need(sha256)
        hasher = hashlib.sha256()
        for chunk in chunks(span, sha256, 0, span.length):
            hasher.update(chunk)
        if (found := hasher.hexdigest()) != sha256:
            raise packs.rot(sha256, span.path, found)

    def remove(self, gone: Collection[Sha256]) -> int:
        """Forget the blobs *gone*; return the bytes freed on disk.

        Packs that hold some are written again without, durable before the old one
        goes; many small packs become one. Call it under the registry's writer lock.

        Raises:
            StoreError: The disk refused, or a blob to keep in such a pack is rotten.
        """
        self._held.refresh()
        digests = {bytes.fromhex(one) for one in gone}
        freed = sum(self._rewrite(some, digests) for some in self._groups(digests))
        folders = set()
        for name, size in self._held.whole(sorted(gone)):
            self._disk.unlink(self._held.path(name))
            folders.add(self._whole / name[:2])
            freed += size
        for folder in sorted(folders):
            self._disk.sync_folder(folder)
        self._held.refresh()
        return freed

    def _groups(self, gone: set[bytes]) -> list[list[Pack]]:
        """Return the packs to write again, those together that become one."""
        dead = [one for one in self._held.packs() if one.holds_any(gone)]
        small = [one for one in self._held.packs() if one.size < packer.MERGE_BELOW]
        if len(small) < packer.MERGE_FROM:
            return [[one] for one in dead]
        # Every import leaves a pack, and a look-up asks each: 2 ms among 200.
        return [small, *([one] for one in dead if one not in small)]

    def _rewrite(self, old: list[Pack], gone: set[bytes]) -> int:
        done = set(gone)
        with self._writing() as writer:
            for pack in old:
                packer.thinned(pack, done, writer)
        for pack in old:
            if pack.path not in writer.published:
                self._disk.unlink(pack.path)
                self._disk.unlink(pack.path.with_suffix(".idx"))
        self._disk.sync_folder(self._pack_folder)
        return sum(pack.size for pack in old) - writer.size

    def quarantine(self, sha256: Sha256) -> Path:
        """Move the bytes of a rotten blob to ``quarantine/``; return where they are.

        Where it lies in a pack, whatever else in that pack is rotten goes with it.

        Raises:
            StoreError: It is not held, or the disk refused.
        """
        span = self._held.need(sha256)
        folder = self.root / "quarantine"
        self._disk.make_folder(folder, mode=0o700)
        if span.path == self._held.path(sha256):
            self._disk.rename(span.path, folder / sha256)
            self._disk.sync_folder(folder)
            self._disk.sync_folder(span.path.parent)
            return folder / sha256
        pack = next(one for one in self._held.packs() if one.path == span.path)
        bad = packs.rotten(pack) | {bytes.fromhex(sha256)}
        for digest, offset, length in pack.entries():
            if digest in bad:
                place = Span(path=pack.path, offset=offset, length=length)
                name = Sha256(digest.hex())
                blob = b"".join(chunks(place, name, 0, length))
                self._disk.write_file(folder / name, blob, mode=0o400)
        self._rewrite([pack], bad)
        self._held.refresh()
        return folder / sha256

    def free_bytes(self) -> int:
        """Return the bytes that may still be written to the store's disk.

        Raises:
            StoreError: The disk cannot be asked.
        """
        with failing("look at", self.root):
            return free_bytes(self.root)


def _checked(
    blobs: Iterable[tuple[Sha256, bytes]],
) -> Iterator[tuple[Sha256, bytes]]:
    for name, blob in blobs:
        if (found := digest_of(blob)) != name:
            raise _wrong(name, f"bytes that hash to {found}", name)
        yield name, blob


def _fill(file: Partial, chunks: Iterable[bytes], expect: Sha256 | None) -> Sha256:
    hasher, length = hashlib.sha256(), 0
    size = file.size
    for chunk in chunks:
        if size is not None and length + len(chunk) > size:
            raise _wrong(expect, f"more than {size} bytes", f"{size} bytes")
        file.write(chunk, length)
        hasher.update(chunk)
        length += len(chunk)
    if size is not None and length != size:
        raise _wrong(expect, f"{length} bytes", f"{size} bytes")
    found = Sha256(hasher.hexdigest())
    if expect is not None and found != expect:
        raise _wrong(expect, f"bytes that hash to {found}", expect)
    return found


def _wrong(expect: Sha256 | None, found: str, wanted: str) -> StoreError:
    name = f"blob {expect}" if expect else "the blob"
    problem = f"{name} came as {found}, expected {wanted}"
    return StoreError(problem, hint="fetch or copy it again; nothing of it was kept")
