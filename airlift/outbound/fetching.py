"""Fetch a pinned artifact into the store, the same way for every source.

Each content is fetched once, however many paths have it; what the store holds is not
fetched again; what was interrupted goes on where it stopped; and nothing enters the
store that is not what upstream stated.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from airlift import naming
from airlift.artifact import Pinned, PinnedFile, ReleaseFile
from airlift.crew import Stop, work
from airlift.digest import Sha256, git_blob_hasher, sha256
from airlift.errors import SourceError, StoreError
from airlift.outbound import nearby
from airlift.outbound.download import Arrived, Download, problem_of
from airlift.outbound.packing import Packer
from airlift.outbound.pulling import Tap, pull, resolve
from airlift.payload import sniff
from airlift.progress import Advance, Progress
from airlift.sources.source import NearSource, Source
from airlift.store.blobs import SMALL, BlobStore
from airlift.store.span import Span

__all__ = ["fetch", "resolve"]

_BATCH = 16 << 20
"""Bytes of small files held back to be stored together; what a kill can lose."""


def fetch(  # noqa: PLR0913 - three collaborators, three ways to run
    pinned: Pinned,
    source: Source,
    store: BlobStore,
    *,
    progress: Progress,
    packer: Packer | None = None,
    workers: int = 4,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[ReleaseFile, ...]:
    """Bring every file of *pinned* into *store*; return them as a release has them.

    Args:
        pinned: What *source* resolved, now or in another process.
        source: The source of its kind.
        store: Where blobs go.
        progress: Gets one task, in bytes.
        packer: Takes what lies at hand into the store, if given.
        workers: Requests at once.
        pause: Waits that many seconds.

    Raises:
        SourceError: A file cannot be had, or is not what upstream stated; it is not
            in the store then. The rest is kept for the next run.
        StoreError: The disk is full or fails.
    """
    _check_paths(pinned)
    contents = _contents(pinned)
    total = _total(file for file in contents.values())
    label = naming.show(f"{pinned.kind.value} {pinned.name}")
    tap = Tap(source=source, pause=pause, stop=Stop())
    with progress.task(label, total) as advance:
        arrived = _Intake(tap, store, advance, packer).take_in(contents, workers)
    places = store.spans(one.sha256 for one in arrived.values())
    return tuple(
        _release_file(file, arrived[_key(pinned, file)], store, places)
        for file in pinned.files
    )


def _check_paths(pinned: Pinned) -> None:
    paths = [file.path for file in pinned.files]
    for path in paths:
        if problem := naming.path_problem(path):
            text = f"`{naming.show(path)}` in {naming.show(pinned.name)} {problem}"
            hint = "no site would take it; leave it out with `exclude`"
            raise SourceError(text, hint=hint)
    if pair := naming.collision(paths):
        shown = " and ".join(f"`{naming.show(path)}`" for path in pair)
        problem = f"{naming.show(pinned.name)}: some file systems confuse {shown}"
        raise SourceError(problem, hint="leave one of them out with `exclude`")


def _key(pinned: Pinned, file: PinnedFile) -> str:
    """Name the content of *file*: by digest where upstream states one."""
    if file.sha256 is not None:
        return f"sha256-{file.sha256}"
    if file.git_oid is not None:
        return f"git-{file.git_oid}"
    place = f"{pinned.kind.value}\n{pinned.name}\n{pinned.revision}\n{file.path}"
    return f"place-{sha256(place.encode())}"


def _contents(pinned: Pinned) -> dict[str, PinnedFile]:
    contents: dict[str, PinnedFile] = {}
    for file in pinned.files:
        contents.setdefault(_key(pinned, file), file)
    return contents


def _total(files: Iterable[PinnedFile]) -> int | None:
    sizes = [file.size for file in files]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


class _Intake:
    """One run of ``fetch``."""

    def __init__(
        self, tap: Tap, store: BlobStore, advance: Advance, packer: Packer | None
    ) -> None:
        self._tap, self._store, self._advance = tap, store, advance
        self._packer = packer
        self._arrived: dict[str, Arrived] = {}
        self._lock = threading.Lock()
        self._small: list[tuple[Sha256, bytes]] = []
        self._small_bytes = 0

    def take_in(
        self, contents: dict[str, PinnedFile], workers: int
    ) -> dict[str, Arrived]:
        """Fetch *contents* by key; return what each turned out to be."""
        self._skip_held(contents)
        needed = {k: file for k, file in contents.items() if k not in self._arrived}
        small = {k: file for k, file in needed.items() if _is_small(file)}
        large = {k: file for k, file in needed.items() if not _is_small(file)}
        self._check_room(needed)
        large = self._take_near(large)
        downloads = [
            Download(file, key, self._tap, self._store, self._advance)
            for key, file in large.items()
        ]
        tasks = [task for download in downloads for task in download.tasks()]
        # What lies at hand is waited for by nobody: threads would only wait for each
        # other.
        near = isinstance(self._tap.source, NearSource)
        lots = [list(small.items())] if near else [[one] for one in small.items()]
        tasks += [partial(self._take_lot, lot) for lot in lots]
        try:
            work(tasks, workers=workers, stop=self._tap.stop)
        finally:
            for download in downloads:
                download.close()
            # What came whole is worth keeping, whatever else went wrong.
            with self._lock:
                self._flush()
        for download in downloads:
            assert download.arrived is not None
            self._arrived[download.key] = download.arrived
        return self._arrived

    def _take_near(self, files: dict[str, PinnedFile]) -> dict[str, PinnedFile]:
        """Take in what lies at hand; return the rest."""
        source = self._tap.source
        if self._packer is None or not nearby.is_near(source, files):
            return files
        arrived = nearby.take_in(
            files, source, self._store, self._packer, self._advance
        )
        self._arrived.update(arrived)
        return {}

    def _skip_held(self, contents: dict[str, PinnedFile]) -> None:
        stated = {file.sha256 for file in contents.values() if file.sha256}
        held = stated - self._store.missing(stated)
        places = self._store.spans(held)
        for key, file in contents.items():
            if file.sha256 is None or file.sha256 not in held:
                continue
            span = places.get(file.sha256) or self._store.span(file.sha256)
            if span is None:
                continue
            arrived = Arrived(sha256=file.sha256, size=span.length)
            if problem := problem_of(file, arrived, file.git_oid or ""):
                raise SourceError(problem, hint="upstream's listing contradicts itself")
            self._arrived[key] = arrived
            self._advance(span.length)

    def _check_room(self, needed: dict[str, PinnedFile]) -> None:
        # Before hours of copying. Room for a file that was begun is set aside already.
        begun = set(self._store.partials())
        wanted = sum(f.size or 0 for key, f in needed.items() if key not in begun)
        free = self._store.free_bytes()
        if wanted > free:
            problem = f"{wanted} bytes are to be fetched, the store has room for {free}"
            hint = "make room (`airlift gc`), or ask for less with `exclude`"
            raise StoreError(problem, hint=hint)

    def _take_lot(self, lot: Sequence[tuple[str, PinnedFile]]) -> None:
        for key, file in lot:
            self._take_small(key, file)

    def _take_small(self, key: str, file: PinnedFile) -> None:
        body = bytearray()

        def keep(chunk: bytes, at: int) -> None:
            body[at:] = chunk

        pull(self._tap, file, 0, file.size, keep)
        oid = git_blob_hasher(len(body))
        oid.update(body)
        arrived = Arrived(sha256=sha256(body), size=len(body))
        if problem := problem_of(file, arrived, oid.hexdigest()):
            raise SourceError(problem, hint="nothing was kept; run the command again")
        with self._lock:
            self._tap.stop.check()
            self._arrived[key] = arrived
            self._small.append((arrived.sha256, bytes(body)))
            self._small_bytes += len(body)
            if self._small_bytes >= _BATCH:
                self._flush()
        self._advance(len(body))

    def _flush(self) -> None:
        small, self._small, self._small_bytes = self._small, [], 0
        self._store.add_small(small)


def _is_small(file: PinnedFile) -> bool:
    return file.size is not None and file.size < SMALL


def _release_file(
    file: PinnedFile,
    arrived: Arrived,
    store: BlobStore,
    places: Mapping[Sha256, Span],
) -> ReleaseFile:
    digest, size = arrived.sha256, arrived.size

    def read(start: int, stop: int) -> bytes:
        if digest in places:
            with contextlib.suppress(StoreError):
                return places[digest].read(start, stop)
        return b"".join(store.read(digest, start=start, stop=stop))

    head = read(0, min(size, sniff.HEAD))
    tail = read(size - sniff.HEAD, size) if size > sniff.HEAD else b""
    word, content_class = sniff.sniff(file.path, head, tail)
    return ReleaseFile(
        path=file.path,
        size=size,
        sha256=digest,
        git_oid=file.git_oid,
        format=word,
        content_class=content_class,
        facts=file.facts,
    )
