"""What every source promises, run against a double of what it reads from."""

import dataclasses
import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift import naming
from airlift.artifact import Kind, Pinned, PinnedFile
from airlift.errors import SourceBusyError, SourceError
from airlift.outbound import fetching
from airlift.progress import Silent
from airlift.sources import SOURCES, connect
from airlift.sources.source import Source
from airlift.store.blobs import BlobStore
from contract.upstreams import LARGE, UPSTREAMS, Upstream
from hubs.faults import Fault

CHILD = """
import json, sys
from pathlib import Path
from airlift.artifact import Kind, Wish
from airlift.fetch import Settings
from airlift.outbound import fetching
from airlift.progress import Silent
from airlift.sources import connect
from airlift.store.blobs import BlobStore

order = json.loads(sys.argv[1])
kind = Kind(order["kind"])
wish = Wish(kind=kind, name=order["name"], options=order["options"])
source = connect(kind, Settings(endpoints=order["endpoints"], token=""))
store = BlobStore(Path(order["root"]))
fetching.fetch(source.resolve(wish), source, store, progress=Silent(), workers=1)
"""


@pytest.fixture(params=sorted(UPSTREAMS))
def upstream(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Upstream]:
    """The double of each kind in turn."""
    with UPSTREAMS[Kind(request.param)](tmp_path) as upstream:
        yield upstream


@pytest.fixture
def source(upstream: Upstream) -> Source:
    """The source of that kind."""
    return connect(upstream.wish.kind, upstream.settings)


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    """An empty store."""
    return BlobStore(tmp_path / "store")


def breaking(upstream: Upstream, fault: Fault, path: str = "") -> None:
    """Let *fault* happen to a file; sources without a server cannot break so."""
    if upstream.break_file is None:
        pytest.skip("nothing stands between this source and its files")
    upstream.break_file(path or upstream.large, fault)


def taken(
    source: Source, file: PinnedFile, start: int = 0, stop: int | None = None
) -> bytes:
    """Return what a read gives in all."""
    with source.read(file, start=start, stop=stop) as chunks:
        return b"".join(chunks)


def large(upstream: Upstream, pinned: Pinned) -> PinnedFile:
    """Return the double's large file as it was pinned."""
    return next(file for file in pinned.files if file.path == upstream.large)


def fetched(pinned: Pinned, source: Source, store: BlobStore) -> dict[str, bytes]:
    """Fetch, without waiting where one would; return the content by path."""
    found = fetching.fetch(
        pinned, source, store, progress=Silent(), pause=lambda _seconds: None
    )
    return {file.path: b"".join(store.read(file.sha256)) for file in found}


def test_every_source_is_held_to_the_contract() -> None:
    """A source that nobody runs against its promises keeps none."""
    assert set(SOURCES) == set(UPSTREAMS)


def test_resolving_twice_gives_the_same(upstream: Upstream, source: Source) -> None:
    """The same lock and base must give the same bundle, byte for byte."""
    assert source.resolve(upstream.wish) == source.resolve(upstream.wish)


def test_a_pin_names_every_file_once_and_well(
    upstream: Upstream, source: Source
) -> None:
    """What cannot be carried must be found before anything is fetched."""
    pinned = source.resolve(upstream.wish)
    paths = [file.path for file in pinned.files]
    assert paths == sorted(upstream.files)
    assert [naming.path_problem(path) for path in paths] == [""] * len(paths)
    name = upstream.name or upstream.wish.name
    assert (pinned.kind, pinned.name) == (upstream.wish.kind, name)
    assert len(pinned.revision) in (40, 64)
    assert set(pinned.revision) <= set("0123456789abcdef")
    json.dumps(dict(pinned.upstream), allow_nan=False)


def test_stated_sizes_and_digests_are_those_of_the_bytes(
    upstream: Upstream, source: Source
) -> None:
    """They are all that tells a good download from a bad one."""
    for file in source.resolve(upstream.wish).files:
        content = upstream.files[file.path]
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        assert file.size in (None, len(content))
        assert file.sha256 in (None, hashlib.sha256(content).hexdigest())
        assert file.git_oid in (None, git)


def test_ranges_join_into_the_whole(upstream: Upstream, source: Source) -> None:
    """Resumed and parallel downloads are made of ranges."""
    for file in source.resolve(upstream.wish).files:
        content = upstream.files[file.path]
        middle = len(content) // 3
        assert taken(source, file) == content
        assert taken(source, file, 0, middle) == content[:middle]
        if content:
            assert taken(source, file, middle) == content[middle:]
            assert taken(source, file, middle, len(content)) == content[middle:]


def test_a_file_of_a_lock_is_read_without_resolving(
    upstream: Upstream, source: Source
) -> None:
    """A lock is fetched by another process than the one that made it."""
    file = large(upstream, source.resolve(upstream.wish))
    other = connect(upstream.wish.kind, upstream.settings)
    assert taken(other, file, 10, 20) == upstream.files[file.path][10:20]


def test_what_is_missing_is_said_to_be(upstream: Upstream, source: Source) -> None:
    """The operator must learn that it is the name that is wrong."""
    with pytest.raises(SourceError) as caught:
        source.resolve(upstream.missing)
    assert not isinstance(caught.value, SourceBusyError)
    assert upstream.missing.name in str(caught.value)


def test_a_drop_may_be_tried_again(upstream: Upstream, source: Source) -> None:
    """A broken connection is no verdict, and half a file is no file."""
    file = large(upstream, source.resolve(upstream.wish))
    breaking(upstream, Fault(drop_after=LARGE // 2))
    with pytest.raises(SourceBusyError):
        taken(source, file)


def test_everything_arrives(
    upstream: Upstream, source: Source, store: BlobStore
) -> None:
    """The point of it all."""
    pinned = source.resolve(upstream.wish)
    assert fetched(pinned, source, store) == upstream.files
    assert list(store.partials()) == []


def test_what_is_held_is_not_fetched_again(
    upstream: Upstream, source: Source, store: BlobStore
) -> None:
    """An update must cost what is new."""
    pinned = source.resolve(upstream.wish)
    fetched(pinned, source, store)
    time.sleep(0.5)  # upstream counts after its last byte has left
    before = upstream.sent(upstream.large)
    assert fetched(pinned, source, store) == upstream.files
    time.sleep(0.5)
    assert upstream.sent(upstream.large) == before


def test_drops_on_the_way_are_survived(
    upstream: Upstream, source: Source, store: BlobStore
) -> None:
    """No long download comes through in one piece; none starts from nothing."""
    pinned = source.resolve(upstream.wish)
    breaking(upstream, Fault(drop_after=LARGE // 2, times=1))
    assert fetched(pinned, source, store) == upstream.files
    assert upstream.sent(upstream.large) < len(upstream.files[upstream.large]) * 1.25


def test_wrong_bytes_never_enter_the_store(
    upstream: Upstream, source: Source, store: BlobStore
) -> None:
    """A damaged or changed file must not be signed and carried."""
    pinned = source.resolve(upstream.wish)
    file = large(upstream, pinned)
    breaking(upstream, Fault(flip=LARGE // 2))
    wrong = bytearray(upstream.files[file.path])
    wrong[LARGE // 2] ^= 1
    found = hashlib.sha256(wrong).hexdigest()
    with pytest.raises(SourceError) as caught:
        fetched(pinned, source, store)
    assert str(caught.value) == (
        f"`{file.path}` arrived as sha256 {found}, upstream states {file.sha256}"
    )
    assert file.sha256 is not None
    assert not store.has(file.sha256)
    assert not any(held == found for held, _ in store.all())
    assert f"sha256-{file.sha256}" not in store.partials()


def test_a_kill_in_the_middle_costs_only_what_was_on_its_way(
    upstream: Upstream, source: Source, store: BlobStore
) -> None:
    """A 70 GB shard must not start again because of a reboot."""
    breaking(upstream, Fault(pause_s=0.005))
    order = dataclasses.asdict(upstream.wish) | {"root": str(store.root)}
    order["endpoints"] = dict(upstream.settings.endpoints)
    child = subprocess.Popen([sys.executable, "-c", CHILD, json.dumps(order)])
    deadline = time.monotonic() + 30
    while upstream.sent(upstream.large) < LARGE // 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    breaking(upstream, Fault())
    time.sleep(0.1)  # until the server has noticed
    before = upstream.sent(upstream.large)
    pinned = source.resolve(upstream.wish)
    assert fetched(pinned, source, store) == upstream.files
    again = upstream.sent(upstream.large) - before
    assert again < LARGE * 3 // 4
