"""What a server may hand out, and how fast it finds it."""

import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airlift.artifact import Kind
from airlift.digest import Sha256, sha256
from airlift.format import release
from airlift.registry.registry import Registry
from airlift.registry.shelf import Shelf
from airlift.serve import dialect
from airlift.store.blobs import BlobStore
from sites import Site, document

LATER = "2026-04-01T00:00:00Z"
ALL = frozenset(Kind)


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def served(site: Site) -> Shelf:
    """Return the shelf of a server, a process of its own that may only read."""
    store = BlobStore(site.store.root, readonly=True)
    return Registry.open(site.home, readonly=True).shelf(store)


def test_a_shelf_is_what_dialects_ask_for(site: Site) -> None:
    """The interface is stated in `serve`; mypy compares the two here."""
    shelf: dialect.Shelf = served(site)
    assert shelf.generation() == 0
    assert shelf.releases(ALL) == ()


def test_live_releases_come_by_kind_name_and_falling_counter(site: Site) -> None:
    """The first of a name is what `main` means to a client."""
    site.hold(b"1")
    documents = [
        document("org/b", {"1": b"1"}),
        document("org/a", {"1": b"1"}, counter=1),
        document("org/a", {"1": b"1"}, counter=2),
        document("org/a", {"1": b"1"}, kind=Kind.DATASET),
    ]
    for one in documents:
        site.bring(one)
    site.bring(document("org/hidden", {"1": b"1"}), live=False)
    shelf = served(site)
    told = [
        (one.release.kind, one.release.name, one.release.counter)
        for one in shelf.releases(ALL)
    ]
    assert told == [
        (Kind.DATASET, "org/a", 1),
        (Kind.MODEL, "org/a", 2),
        (Kind.MODEL, "org/a", 1),
        (Kind.MODEL, "org/b", 1),
    ]
    (only,) = shelf.releases(frozenset([Kind.DATASET]), "org/a")
    expected = release.decode(documents[3])
    assert only.id == sha256(documents[3])
    assert (only.release.refs, only.release.upstream) == (
        expected.refs,
        expected.upstream,
    )
    assert shelf.releases(ALL, "ORG/A") == ()
    assert shelf.names_like(ALL, "ORG/A") == ("org/a",)
    assert shelf.names_like(frozenset([Kind.GGUF]), "org/a") == ()


def test_only_live_files_are_found(site: Site) -> None:
    """A digest or path that a client made up reaches nothing else."""
    live = site.model("org/live", b"1", b"shared")
    waiting = site.model("org/waiting", b"2", b"shared", live=False)
    shelf = served(site)
    paths = [one.path for one in shelf.files(live)]
    assert paths == ["file-0.json", "file-1.json"]
    found = shelf.file(live, "file-1.json")
    assert found == shelf.files(live)[1]
    assert found is not None
    assert found.sha256 == sha256(b"shared")
    assert shelf.file(live, "file-9.json") is None
    assert shelf.files(waiting) == ()
    assert shelf.file(waiting, "file-0.json") is None
    for blob, there in ((b"1", True), (b"shared", True), (b"2", False), (b"?", False)):
        assert (shelf.span(sha256(blob)) is not None) is there
    assert shelf.span(Sha256("../../etc/passwd")) is None


def test_a_running_server_follows_every_move(site: Site) -> None:
    """What is denied or removed stops at once, without a restart."""
    shelf = served(site)
    one = site.model("org/one", b"1")
    two = site.model("org/two", b"2")
    assert [each.id for each in shelf.releases(ALL)] == [one, two]
    assert shelf.generation() == 2
    site.registry.deactivate([one], now=LATER, actor="me")
    assert [each.id for each in shelf.releases(ALL)] == [two]
    assert shelf.span(sha256(b"1")) is None
    site.registry.deny([sha256(b"2")], why="bad", now=LATER, actor="me")
    assert shelf.releases(ALL) == ()
    assert shelf.span(sha256(b"2")) is None
    site.registry.rollback(to=1, now=LATER, actor="me")
    assert [each.id for each in shelf.releases(ALL)] == [one]
    assert shelf.generation() == 5


def test_denying_what_is_not_live_yet_is_seen_too(site: Site) -> None:
    """The number of the live set changes, so that caches keyed by it are dropped."""
    site.model("org/one", b"1", b"shared")
    shelf = served(site)
    assert shelf.generation() == 1
    site.registry.deny([sha256(b"elsewhere")], why="bad", now=LATER, actor="me")
    assert shelf.generation() == 2


def test_readers_go_on_while_an_import_writes(site: Site) -> None:
    """A commit of seconds must not be an outage of minutes."""
    one = site.model("org/one", b"1")
    shelf = served(site)
    database = site.registry._database
    writing, done = threading.Event(), threading.Event()

    def write() -> None:
        with database.write() as connection:
            # More than SQLite's cache holds, which would spill and lock readers out.
            connection.exec_driver_sql(
                "INSERT INTO trusted WITH RECURSIVE n(i) AS "
                "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) "
                "SELECT 'x' || i, randomblob(500) FROM n"
            )
            writing.set()
            done.wait(60)

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        assert writing.wait(60)
        began = time.perf_counter()
        assert shelf.file(one, "file-0.json") is not None
        assert shelf.generation() == 1
        took = time.perf_counter() - began
        done.set()
        writer.result()
    assert took < 10  # SQLite would wait for 30 s and then refuse


def test_threads_share_a_shelf(site: Site) -> None:
    """The server asks from as many threads as it has clients."""
    one = site.model("org/one", b"1")
    shelf = served(site)

    def ask() -> bool:
        return all(
            shelf.file(one, "file-0.json") and shelf.span(sha256(b"1"))
            for _ in range(20)
        )

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask) for _ in range(16)]
        for counter in range(2, 5):
            site.model("org/one", b"%d" % counter, counter=counter)
    assert [each.result() for each in asked] == [True] * 16


def test_look_ups_are_fast_among_many_files(site: Site) -> None:
    """Measured, not asserted: the machine is shared."""
    contents = {f"data/part-{n:06d}.json": b"%d" % n for n in range(5_000)}
    site.hold(*contents.values())
    began = time.perf_counter()
    delivery = site.verified(document("org/set", contents, kind=Kind.DATASET))
    verified = time.perf_counter()
    (one,) = (each.id for each in delivery.releases)
    site.registry.record(delivery, site.store, live=[one], now=LATER, actor="me")
    recorded = time.perf_counter()
    shelf = served(site)
    assert len(shelf.files(one)) == 5_000
    listed = time.perf_counter()

    def timed(look: Callable[[int], object]) -> float:
        took = []
        for n in range(0, 5_000, 50):
            start = time.perf_counter()
            assert look(n)
            took.append(time.perf_counter() - start)
        return statistics.median(took) * 1e6

    file = timed(lambda n: shelf.file(one, f"data/part-{n:06d}.json"))
    span = timed(lambda n: shelf.span(sha256(b"%d" % n)))
    print(
        f"5,000 files: deliver and verify {verified - began:.2f} s, record"
        f" {recorded - verified:.2f} s, list {listed - recorded:.2f} s,"
        f" file {file:.0f} us, span {span:.0f} us"
    )
