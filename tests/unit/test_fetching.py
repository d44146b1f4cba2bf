"""Fetching into the store: resumed, retried, checked, and stopped at once."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airlift.artifact import ContentClass, Kind, Pinned, PinnedFile, Wish
from airlift.crew import Stop, work
from airlift.digest import Sha256, sha256
from airlift.errors import (
    RequestError,
    SourceBusyError,
    SourceError,
    StoreError,
)
from airlift.fetch import RangeIgnoredError
from airlift.outbound import fetching
from airlift.outbound.download import Download
from airlift.outbound.pulling import Tap
from airlift.progress import Advance, Silent
from airlift.sources.source import Source
from airlift.store.blobs import BlobStore
from hubs.faults import Fault
from hubs.hub import Hub
from hubs.repository import Repo

BODY = bytes(range(256)) * 1000
DIGEST = sha256(BODY)
RIGHT = sha256(b"right")
RIGHT_OID = hashlib.sha1(b"blob 5\0right").hexdigest()
CHILD = """
import sys
from pathlib import Path
from airlift.artifact import Kind, Wish
from airlift.fetch import Settings
from airlift.outbound import fetching
from airlift.progress import Silent
from airlift.sources import connect
from airlift.store.blobs import BlobStore

endpoint, root = sys.argv[1:]
source = connect(Kind.MODEL, Settings(endpoints={"huggingface": endpoint}, token=""))
pinned = source.resolve(Wish(kind=Kind.MODEL, name="org/thing"))
fetching.fetch(pinned, source, BlobStore(Path(root)), progress=Silent())
"""


class Shelf(Source):
    """A source of files in memory that fails as it is told.

    Args:
        files: Content by path.
        failures: Taken one a read: an error to raise after so many bytes.
        whole_only: Refuse to start anywhere but at 0.
        chunk: Bytes given at once.
    """

    def __init__(
        self,
        files: dict[str, bytes],
        *failures: tuple[int, Exception],
        whole_only: bool = False,
        chunk: int = 10_000,
    ) -> None:
        self.files, self.failures = files, list(failures)
        self.whole_only, self.chunk = whole_only, chunk
        self.reads: list[tuple[str, int, int | None]] = []
        self.given = 0

    def resolve(self, wish: Wish) -> Pinned:
        """Fail as told, or pin everything there is."""
        if self.failures:
            raise self.failures.pop(0)[1]
        return pin(*(stated(path, body) for path, body in self.files.items()))

    @contextmanager
    def read(
        self, file: PinnedFile, *, start: int = 0, stop: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        """Give the bytes in chunks, and fail as told."""
        self.reads.append((file.path, start, stop))
        if start and self.whole_only:
            problem = "whole files only"
            raise RangeIgnoredError(problem)
        after, error = self.failures.pop(0) if self.failures else (-1, Exception())
        yield self._chunks(self.files[file.path][start:stop], after, error)

    def _chunks(self, body: bytes, after: int, error: Exception) -> Iterator[bytes]:
        if after >= 0:
            body = body[:after]
        for at in range(0, len(body), self.chunk):
            piece = body[at : at + self.chunk]
            self.given += len(piece)
            yield piece
        if after >= 0:
            raise error


class Counting:
    """Progress that adds up."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int | None]] = []
        self.done = 0

    @contextmanager
    def task(
        self, label: str, total: int | None, *, unit: str = "B"
    ) -> Iterator[Advance]:
        """Note the task, add up what is done."""
        self.tasks.append((label, total))
        yield self._add

    def _add(self, done: int) -> None:
        self.done += done


def stated(path: str, body: bytes) -> PinnedFile:
    """Return the file as a source that knows everything states it."""
    return PinnedFile(path=path, size=len(body), sha256=sha256(body))


def pin(*files: PinnedFile) -> Pinned:
    """Return *files* as an artifact."""
    ordered = tuple(sorted(files, key=lambda file: file.path))
    return Pinned(kind=Kind.MODEL, name="org/thing", revision="0" * 40, files=ordered)


def unhurried(_seconds: float) -> None:
    """Wait for nothing."""


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    """An empty store."""
    return BlobStore(tmp_path / "store")


def fetched(
    shelf: Source,
    store: BlobStore,
    *files: PinnedFile,
    pause: Callable[[float], None] = unhurried,
) -> list[bytes]:
    """Fetch *files*; return what the store then holds for each."""
    found = fetching.fetch(pin(*files), shelf, store, progress=Silent(), pause=pause)
    return [b"".join(store.read(file.sha256)) for file in found]


def busy(after_s: float | None = None) -> SourceBusyError:
    """Return a failure that may pass."""
    problem = "it broke off"
    return SourceBusyError(problem, retry_after_s=after_s)


def download(
    shelf: Shelf, store: BlobStore, file: PinnedFile, *, segment: int
) -> Download:
    """Return *file* on its way in several segments."""
    tap = Tap(source=shelf, pause=unhurried, stop=Stop())
    return Download(
        file,
        "thing",
        tap,
        store,
        Counting().task("", None).__enter__(),
        segment=segment,
    )


def run(moving: Download, *, workers: int = 3) -> None:
    """Do all there is to do for *moving*."""
    try:
        work(moving.tasks(), workers=workers, stop=Stop())
    finally:
        moving.close()


# --- content ------------------------------------------------------------------------


def test_a_release_file_says_what_its_content_is(store: BlobStore) -> None:
    """Later gates decide by format and class, not by name."""
    config = b'{"model_type": "llama"}'
    oid = hashlib.sha1(b"blob %d\0" % len(config) + config).hexdigest()
    file = PinnedFile(
        path="config.json", size=len(config), git_oid=oid, facts={"security": "safe"}
    )
    shelf = Shelf({"config.json": config})
    (found,) = fetching.fetch(pin(file), shelf, store, progress=Silent())
    assert (found.path, found.size, found.sha256) == (
        "config.json",
        len(config),
        sha256(config),
    )
    assert (found.git_oid, found.format) == (oid, "json")
    assert (found.content_class, found.facts) == (
        ContentClass.DATA,
        {"security": "safe"},
    )


def test_content_of_two_names_is_fetched_once(store: BlobStore) -> None:
    """Repositories hold the same weights under several names."""
    shelf = Shelf({"a.bin": BODY, "b.bin": BODY})
    files = [stated("a.bin", BODY), stated("b.bin", BODY)]
    assert fetched(shelf, store, *files) == [BODY, BODY]
    assert shelf.given == len(BODY)
    assert [digest for digest, _ in store.all()] == [DIGEST]


@pytest.mark.parametrize("length", [0, 10, 65_535, 65_536, 65_537, 256_000])
def test_files_of_every_size_arrive(store: BlobStore, length: int) -> None:
    """Small ones go to packs, large ones to files of their own, and some are empty."""
    body = BODY[:length]
    assert fetched(Shelf({"x": body}), store, stated("x", body)) == [body]


def test_a_size_that_upstream_does_not_state_is_learnt(store: BlobStore) -> None:
    """Plain indexes list names only."""
    shelf = Shelf({"x.whl": BODY}, (30_000, busy()))
    (found,) = fetching.fetch(
        pin(PinnedFile(path="x.whl", size=None)),
        shelf,
        store,
        progress=Silent(),
        pause=unhurried,
    )
    assert (found.size, found.sha256) == (len(BODY), DIGEST)
    assert shelf.reads == [("x.whl", 0, None), ("x.whl", 30_000, None)]


def test_what_an_earlier_run_left_of_an_unnamed_file_is_not_trusted(
    store: BlobStore,
) -> None:
    """Without a digest nothing tells whether upstream changed in between."""
    file = PinnedFile(path="x", size=None)
    with pytest.raises(SourceError):
        fetched(Shelf({"x": BODY}, (200_000, SourceError("gone"))), store, file)
    changed = BODY[::-1][:100_000]
    assert fetched(Shelf({"x": changed}), store, file) == [changed]


def test_progress_adds_up(store: BlobStore) -> None:
    """A bar that stops at 97% or runs to 140% is not believed again."""
    shelf = Shelf({"big": BODY, "small": b"abc", "twin": BODY}, (50_000, busy()))
    files = [stated(path, body) for path, body in shelf.files.items()]
    for _ in range(2):
        counting = Counting()
        fetching.fetch(pin(*files), shelf, store, progress=counting, pause=unhurried)
        assert counting.tasks == [("model org/thing", len(BODY) + 3)]
        assert counting.done == len(BODY) + 3


# --- refusals -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (
            PinnedFile(path="x", size=5, sha256=sha256(b"other")),
            f"`x` arrived as sha256 {RIGHT}, upstream states {sha256(b'other')}",
        ),
        (
            PinnedFile(path="x", size=5, git_oid="0" * 40),
            f"`x` arrived as git id {RIGHT_OID}, upstream states {'0' * 40}",
        ),
        (PinnedFile(path="x", size=4), "`x`: upstream sends more than 4 bytes"),
    ],
)
def test_content_that_is_not_as_stated_is_refused(
    store: BlobStore, file: PinnedFile, problem: str
) -> None:
    """Digest, git id and size each catch what the others may not be there for."""

    class Generous(Shelf):
        @contextmanager
        def read(
            self, file: PinnedFile, *, start: int = 0, stop: int | None = None
        ) -> Iterator[Iterator[bytes]]:
            yield iter([b"right"])

    with pytest.raises(SourceError) as caught:
        fetched(Generous({}), store, file)
    assert str(caught.value) == problem
    assert list(store.all()) == []


def test_a_file_that_stays_too_short_is_refused(store: BlobStore) -> None:
    """Some mirrors hold half of a file, and say that this is all."""
    file = PinnedFile(path="x", size=len(BODY) + 1, sha256=DIGEST)
    with pytest.raises(SourceBusyError) as caught:
        fetched(Shelf({"x": BODY}), store, file)
    assert str(caught.value) == "`x` ends at byte 256000, expected 256001"


def test_whatever_a_library_raises_becomes_a_source_error(store: BlobStore) -> None:
    """An operator must never see a traceback of somebody else's code."""
    for error in (ValueError("bad\x1b chunk"), RuntimeError("bad\x1b chunk")):
        shelf = Shelf({"x": BODY}, (20_000, error))
        with pytest.raises(SourceError) as caught:
            fetched(shelf, store, stated("x", BODY))
        assert str(caught.value) == (
            f"reading `x` failed inside a library: {type(error).__name__}: bad\\x1b chunk"
        )


@pytest.mark.parametrize(
    ("paths", "problem"),
    [
        (["../x"], "`../x` in org/thing has an empty, `.` or `..` part"),
        (
            ["Config.json", "config.json"],
            "org/thing: some file systems confuse `Config.json` and `config.json`",
        ),
    ],
)
def test_what_no_site_would_take_is_refused_before_it_is_fetched(
    store: BlobStore, paths: list[str], problem: str
) -> None:
    """Better on the connected host in the morning than across the gap in the evening."""
    shelf = Shelf(dict.fromkeys(paths, b""))
    with pytest.raises(SourceError) as caught:
        fetched(shelf, store, *(stated(path, b"") for path in paths))
    assert str(caught.value) == problem
    assert shelf.reads == []


def test_a_disk_that_is_too_small_is_found_first(store: BlobStore) -> None:
    """Not after hours of copying."""
    file = PinnedFile(path="x", size=1 << 60, sha256=DIGEST)
    shelf = Shelf({"x": BODY})
    with pytest.raises(StoreError) as caught:
        fetched(shelf, store, file)
    assert str(caught.value).startswith(
        f"{1 << 60} bytes are to be fetched, the store has room for "
    )
    assert shelf.reads == []


def test_a_held_blob_of_another_size_than_stated_is_refused(store: BlobStore) -> None:
    """Then upstream's listing contradicts itself."""
    store.add([BODY])
    file = PinnedFile(path="x", size=7, sha256=DIGEST)
    with pytest.raises(SourceError) as caught:
        fetched(Shelf({"x": BODY}), store, file)
    assert str(caught.value) == "`x` arrived as bytes 256000, upstream states 7"


# --- patience -----------------------------------------------------------------------


def test_pauses_grow_and_end(store: BlobStore) -> None:
    """A server in trouble is left alone, and a dead one is given up."""
    waits: list[float] = []
    shelf = Shelf({"x": BODY}, *((0, busy()) for _ in range(9)))
    with pytest.raises(SourceBusyError):
        fetched(shelf, store, stated("x", BODY), pause=waits.append)
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_progress_renews_patience(store: BlobStore) -> None:
    """A long download on a bad line is not given up while it moves."""
    waits: list[float] = []
    shelf = Shelf({"x": BODY}, *((10_000, busy()) for _ in range(9)))
    assert fetched(shelf, store, stated("x", BODY), pause=waits.append) == [BODY]
    assert waits == [1.0] * 9
    assert shelf.given == len(BODY)


def test_upstream_is_given_the_time_it_asks_for(store: BlobStore) -> None:
    """Who asks too early is limited for longer."""
    waits: list[float] = []
    shelf = Shelf({"x": BODY}, (0, busy(42.0)), (0, busy(0.0)))
    assert fetched(shelf, store, stated("x", BODY), pause=waits.append) == [BODY]
    assert waits == [42.0, 2.0]


def test_an_hours_wait_is_left_to_a_person(store: BlobStore) -> None:
    """A command that sleeps for an hour looks hung."""
    shelf = Shelf({"x": BODY}, (0, busy(3600.0)))
    with pytest.raises(SourceBusyError):
        fetched(shelf, store, stated("x", BODY))
    assert len(shelf.reads) == 1


def test_resolving_is_patient_too() -> None:
    """A single 503 must not end an export of fifty models."""
    waits: list[float] = []
    wish = Wish(kind=Kind.MODEL, name="org/thing")
    shelf = Shelf({"x": BODY}, (0, busy()), (0, busy(9.0)))
    pinned = fetching.resolve(wish, shelf, pause=waits.append)
    assert (pinned, waits) == (pin(stated("x", BODY)), [1.0, 9.0])
    refusing = Shelf({}, (0, RequestError("no such variant")))
    with pytest.raises(RequestError):
        fetching.resolve(wish, refusing, pause=waits.append)
    with pytest.raises(SourceError) as caught:
        fetching.resolve(wish, Shelf({}, (0, KeyError("sha"))), pause=waits.append)
    assert str(caught.value) == (
        "reading model `org/thing` failed inside a library: KeyError: 'sha'"
    )


# --- resuming -----------------------------------------------------------------------


def test_a_later_run_goes_on_where_the_first_one_stopped(store: BlobStore) -> None:
    """What came over a slow line once is not paid for twice."""
    file = stated("x", BODY)
    with pytest.raises(SourceError):
        fetched(Shelf({"x": BODY}, (200_000, SourceError("gone"))), store, file)
    later = Shelf({"x": BODY})
    assert fetched(later, store, file) == [BODY]
    assert later.reads == [("x", 200_000, len(BODY))]


def test_segments_are_fetched_side_by_side_and_joined(store: BlobStore) -> None:
    """One connection rarely fills a line."""
    shelf = Shelf({"x": BODY})
    moving = download(shelf, store, stated("x", BODY), segment=50_000)
    run(moving)
    assert moving.arrived is not None
    assert moving.arrived.sha256 == DIGEST
    assert sorted(shelf.reads) == [
        ("x", start, min(start + 50_000, len(BODY)))
        for start in range(0, len(BODY), 50_000)
    ]
    assert b"".join(store.read(DIGEST)) == BODY
    assert list(store.partials()) == []


def test_segments_go_on_where_each_stopped(store: BlobStore) -> None:
    """A kill in the middle of twenty segments must not cost twenty segments."""
    file = stated("x", BODY)
    gone = (20_000, SourceError("gone"))
    first = Shelf({"x": BODY}, gone, gone, gone)
    with pytest.raises(SourceError):
        run(download(first, store, file, segment=100_000))
    assert list(store.partials()) == ["thing", "thing.ranges"]
    later = Shelf({"x": BODY})
    run(download(later, store, file, segment=100_000))
    assert first.given > 0
    assert first.given + later.given == len(BODY)
    assert b"".join(store.read(DIGEST)) == BODY
    assert list(store.partials()) == []


@pytest.mark.parametrize("segment", [50_000, 1 << 20])
def test_bytes_that_a_power_cut_lost_are_fetched_again(
    store: BlobStore, segment: int
) -> None:
    """The notes may have reached the disk, and the bytes they speak of not."""
    file = stated("x", BODY)
    gone = (30_000, SourceError("gone"))
    with pytest.raises(SourceError):
        run(download(Shelf({"x": BODY}, gone), store, file, segment=segment), workers=1)
    with store.partial("thing") as partial:
        partial.write(bytes(1000), 5000)
    later = Shelf({"x": BODY})
    run(download(later, store, file, segment=segment))
    assert b"".join(store.read(DIGEST)) == BODY
    assert later.given == 2 * len(BODY) - 30_000


@pytest.mark.parametrize("segment", [50_000, 1 << 20])
def test_a_server_without_ranges_is_read_from_the_start(
    store: BlobStore, segment: int
) -> None:
    """Plain file servers of a site often know none."""
    shelf = Shelf({"x": BODY}, (30_000, busy()), whole_only=True)
    moving = download(shelf, store, stated("x", BODY), segment=segment)
    run(moving)
    assert b"".join(store.read(DIGEST)) == BODY


def test_upstream_is_blamed_once_its_own_bytes_are_wrong(store: BlobStore) -> None:
    """Fetching a damaged file for ever helps nobody."""
    shelf = Shelf({"x": BODY[::-1]})
    with pytest.raises(SourceError) as caught:
        run(download(shelf, store, stated("x", BODY), segment=50_000))
    assert str(caught.value) == (
        f"`x` arrived as sha256 {sha256(BODY[::-1])}, upstream states {DIGEST}"
    )
    assert shelf.given == len(BODY)
    assert list(store.partials()) == []


def test_what_else_came_whole_is_kept_when_one_file_fails(store: BlobStore) -> None:
    """The next run should have less to do."""
    files = {f"f{n}": bytes([n]) * 100 for n in range(20)}
    shelf = Shelf(files | {"f9": b"o" * 100})
    with pytest.raises(SourceError):
        fetched(shelf, store, *(stated(path, body) for path, body in files.items()))
    kept = {Sha256(digest) for digest, _ in store.all()}
    assert kept
    assert kept <= {sha256(body) for body in files.values()}


# --- stopping -----------------------------------------------------------------------


@pytest.mark.parametrize("pause_s", [0.01, 60.0], ids=["flowing", "hanging"])
def test_an_interrupt_ends_it_at_once_and_leaves_what_came(
    tmp_path: Path, pause_s: float
) -> None:
    """Ctrl-C must not wait for a time-out, nor cost what was fetched."""
    body = BODY * 20
    repo = Repo("org/thing")
    repo.commit({"model.safetensors": body, "other.safetensors": body[::-1]})
    root = tmp_path / "store"
    with Hub(repo) as hub:
        for path in ("model.safetensors", "other.safetensors"):
            hub.break_file(path, Fault(pause_s=min(pause_s, 2.0)))
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, hub.url, str(root)], stderr=subprocess.PIPE
        )
        wanted = 1_000_000 if pause_s < 1 else 0
        deadline = time.monotonic() + 30
        while (
            hub.sent() < wanted or "lfs" not in json.dumps([s.path for s in hub.seen()])
        ) and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        told = time.monotonic()
        _, said = child.communicate(timeout=20)
        took = time.monotonic() - told
    assert took < 1.9
    assert said.decode().rstrip().endswith("KeyboardInterrupt")
    store = BlobStore(root)
    if wanted:
        assert store.partial(f"sha256-{sha256(body)}").length() > 100_000
