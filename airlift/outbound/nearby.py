"""Files that lie at hand: stored, hashed and coded in one pass over their bytes.

What comes over a network is stored first and coded when all of it is there. A folder's
files can be read anywhere at any time, so that nothing needs to be read twice: where
they are pinned for an export they are taken in at once, and fetching finds them there.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from airlift.artifact import PinnedFile
from airlift.digest import Sha256, sha256
from airlift.errors import SourceError, StoreError
from airlift.format.head import Codec
from airlift.outbound import coding
from airlift.outbound.coding import Load
from airlift.outbound.download import Arrived, problem_of
from airlift.outbound.packing import Packer, Sample, layout
from airlift.outbound.pulling import opened
from airlift.outbound.recipe import Portion
from airlift.payload import sniff
from airlift.progress import Advance, Progress
from airlift.sources.source import NearSource, Source
from airlift.store import direct
from airlift.store.blobs import SMALL, BlobStore, Partial


class Taking:
    """Takes the files of a near source in while they are pinned.

    Args:
        store: Where they go.
        packer: Codes them on the way.
        progress: Gets one task, in bytes.
    """

    def __init__(self, store: BlobStore, packer: Packer, progress: Progress) -> None:
        self._store, self._packer, self._progress = store, packer, progress

    def __call__(
        self, source: NearSource, files: Sequence[PinnedFile]
    ) -> dict[str, Sha256]:
        """Return the digests, by path, of those of *files* that were taken in.

        Small ones are not, as many of them share a file in the store; nor is what the
        disk has no room for, of which some may be in the store already.

        Raises:
            SourceError: A file cannot be read, or changed meanwhile.
            StoreError: The disk fails.
        """
        chosen = self._chosen(files)
        loads = (
            _load(name, file, source, self._store, coded=self._packer.early)
            for name, file in chosen.items()
        )
        total = sum(file.size or 0 for file in chosen.values())
        with self._progress.task("taking in", total) as advance:
            found = self._packer.code(loads, advance)
        return {file.path: found[name].sha256 for name, file in chosen.items()}

    def _chosen(self, files: Sequence[PinnedFile]) -> dict[str, PinnedFile]:
        room = self._store.free_bytes()
        chosen: dict[str, PinnedFile] = {}
        for file in sorted(files, key=lambda one: -(one.size or 0)):
            size = file.size or 0
            if size < SMALL:
                break
            if room >= 2 * size:  # as it is, and coded
                room -= 2 * size
                chosen[f"place-{sha256(file.location.encode())}"] = file
        return chosen


def is_near(source: Source, files: Mapping[str, PinnedFile]) -> TypeGuard[NearSource]:
    """Say whether *files* of *source* can be taken in here: named, and at hand."""
    return isinstance(source, NearSource) and all(
        file.sha256 is not None and file.size and file.git_oid is None
        for file in files.values()
    )


def take_in(
    files: Mapping[str, PinnedFile],
    source: NearSource,
    store: BlobStore,
    packer: Packer,
    advance: Advance,
) -> dict[str, Arrived]:
    """Bring *files* of *source* into *store*, and what *packer* makes of them along.

    Args:
        files: By the key of their content; what ``is_near`` agrees to.
        source: What has them.
        store: Where they go.
        packer: Codes them on the way.
        advance: Told of bytes that were read.

    Raises:
        SourceError: A file cannot be read, or is not what was pinned; it is not in
            the store then.
        StoreError: The disk is full or fails.
    """
    order = sorted(files.items(), key=lambda one: -(one[1].size or 0))
    loads = (_load(key, file, source, store, coded=packer.early) for key, file in order)
    packer.code(loads, advance)
    return {
        key: Arrived(sha256=file.sha256, size=file.size)
        for key, file in files.items()
        if file.sha256 is not None and file.size is not None
    }


def _load(
    name: str, file: PinnedFile, source: NearSource, store: BlobStore, *, coded: bool
) -> Load:
    """Return what is to be done with *file*, of *name* while it is under way."""
    assert file.size is not None

    def sample(start: int, stop: int) -> bytes:
        with opened(source, file, start, stop) as chunks:
            return b"".join(chunks)

    codec, portions = Codec.RAW, tuple[Portion, ...]()
    if coded:
        word = _format(file.path, file.size, sample)
        codec, portions = layout(word, file.size, sample)
    kept = _Kept(name, file, store, aligned=coding.aligned(portions))
    return Load(
        name=name,
        sha256=file.sha256,
        size=file.size,
        codec=codec,
        portions=portions,
        open=lambda: source.open(file),
        keep=kept.open,
        refuse=kept.refuse,
    )


def _format(path: str, size: int, sample: Sample) -> str:
    front = sample(0, min(size, sniff.HEAD))
    back = sample(size - sniff.HEAD, size) if size > sniff.HEAD else b""
    return sniff.sniff(path, front, back)[0]


class _Kept:
    """A file on its way into the store."""

    def __init__(
        self, name: str, file: PinnedFile, store: BlobStore, *, aligned: bool
    ) -> None:
        self._name, self._file, self._store = name, file, store
        self._aligned = aligned
        self._partial: Partial | None = None

    def open(self) -> "_Kept":
        """Begin it, from its first byte whatever an earlier run left."""
        self._partial = self._store.partial(self._name, self._file.size)
        if self._aligned:
            direct.past_cache(self._partial.fd)
        return self

    def write(self, some: memoryview, at: int) -> None:
        """Write a range of it."""
        assert self._partial
        self._partial.write(some, at)

    def finish(self, sha256: Sha256) -> None:
        """Make it a blob."""
        assert self._partial
        self._store.adopt(self._partial, sha256)
        self._partial = None

    def close(self) -> None:
        """Let go of it; what is not a blob by now is worth nothing."""
        partial, self._partial = self._partial, None
        if partial:
            partial.close()
            with contextlib.suppress(StoreError):
                self._store.discard(self._name)

    def refuse(self, found: Sha256) -> SourceError:
        """Return the error that says it is not what was pinned."""
        assert self._file.size is not None
        arrived = Arrived(sha256=found, size=self._file.size)
        hint = "let nobody write to the folder, then lock again"
        return SourceError(problem_of(self._file, arrived, ""), hint=hint)
