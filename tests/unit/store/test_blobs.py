import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airlift.digest import Sha256, sha256
from airlift.errors import StoreError
from airlift.store.blobs import SMALL, BlobStore
from airlift.store.durable import Disk


def big(seed: int, size: int = SMALL + 5) -> bytes:
    """Return a blob too large for a pack."""
    return bytes([seed]) * size


def small(count: int, start: int = 0) -> dict[Sha256, bytes]:
    """Return blobs for a pack, by digest."""
    blobs = [b"small %d" % n for n in range(start, start + count)]
    return {sha256(blob): blob for blob in blobs}


def bytes_of(store: BlobStore, name: Sha256) -> bytes:
    """Return all bytes of a blob."""
    return b"".join(store.read(name))


def files(root: Path) -> set[str]:
    """Return the paths of all files below a folder."""
    return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}


def damage(path: Path, at: int = -1) -> None:
    """Flip one bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


def test_a_blob_comes_back_as_it_went_in(tmp_path: Path) -> None:
    """The first promise of a store, across a restart of the process."""
    pieces = [big(1), b"", big(2)]
    whole = b"".join(pieces)
    name = BlobStore(tmp_path).add(pieces, expect=sha256(whole), size=len(whole))
    again = BlobStore(tmp_path)
    assert bytes_of(again, name) == whole
    assert b"".join(again.read(name, start=7, stop=SMALL + 9)) == whole[7 : SMALL + 9]
    assert list(again.all()) == [(name, len(whole))]
    span = again.span(name)
    assert span is not None
    assert span.path == tmp_path / "blobs" / "sha256" / name[:2] / name
    assert span.path.stat().st_mode & 0o7777 == 0o444


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    """A server that runs as another user reads blobs, and nobody reads partials."""
    before = os.umask(0o777)
    try:
        store = BlobStore(tmp_path / "store")
        name = store.add([big(1)])
        store.add_small(small(1).items())
        with store.partial("key") as file:
            path = file.path
    finally:
        os.umask(before)
    root = tmp_path / "store"
    modes = {p: p.stat().st_mode & 0o7777 for p in root.rglob("*")}
    folders = {p for p in modes if p.is_dir()}
    assert {modes[p] for p in folders if p.name != "partial"} == {0o755}
    assert modes[root / "partial"] == 0o700
    assert modes[path] == 0o600
    assert {modes[p] for p in (root / "packs").iterdir()} == {0o444}
    assert modes[root / "blobs" / "sha256" / name[:2] / name] == 0o444


@pytest.mark.parametrize(
    ("size", "expect", "message"),
    [
        (4, None, "the blob came as more than 4 bytes, expected 4 bytes"),
        (6, None, "the blob came as 5 bytes, expected 6 bytes"),
        (
            5,
            "0" * 64,
            "blob {0} came as bytes that hash to {1}, expected {0}".format(
                "0" * 64, sha256(b"hello")
            ),
        ),
    ],
)
def test_wrong_bytes_are_refused_and_leave_nothing(
    tmp_path: Path, size: int, expect: Sha256 | None, message: str
) -> None:
    """A wrong byte served is a disaster; a half file in the way is the next."""
    store = BlobStore(tmp_path)
    with pytest.raises(StoreError) as caught:
        store.add([b"hel", b"lo"], expect=expect, size=size)
    assert str(caught.value) == message
    assert files(tmp_path) == set()


def test_a_stream_that_never_ends_is_read_no_further_than_its_size(
    tmp_path: Path,
) -> None:
    """Whoever sends more than was signed cannot fill the disk."""
    given_out: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            given_out.append(1)
            yield b"xx"

    with pytest.raises(StoreError):
        BlobStore(tmp_path).add(endless(), size=5)
    assert len(given_out) == 3


def test_a_source_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    """Its own error comes out, and the scratch file is gone."""

    def broken() -> Iterator[bytes]:
        yield b"some"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        BlobStore(tmp_path).add(broken())
    assert files(tmp_path) == set()


def test_small_blobs_share_one_pack(tmp_path: Path) -> None:
    """100,000 configuration files must not be 100,000 syncs."""
    store = BlobStore(tmp_path)
    blobs = small(300) | {sha256(b""): b""}
    store.add_small(blobs.items())
    assert len(files(tmp_path)) == 2
    again = BlobStore(tmp_path)
    assert {name: bytes_of(again, name) for name in blobs} == blobs
    assert dict(again.all()) == {name: len(blob) for name, blob in blobs.items()}
    assert [name for name, _ in again.all()] == sorted(blobs)


def test_held_blobs_make_no_second_pack(tmp_path: Path) -> None:
    """Importing the same delivery again costs nothing on disk."""
    store = BlobStore(tmp_path)
    blobs = small(3)
    store.add_small([*blobs.items(), *blobs.items()])
    before = files(tmp_path)
    store.add_small(blobs.items())
    BlobStore(tmp_path).add_small([])
    assert files(tmp_path) == before


def test_a_blob_too_large_for_a_pack_becomes_a_file(tmp_path: Path) -> None:
    """Packs stay cheap to write again; the border is exact."""
    store = BlobStore(tmp_path)
    least, most = bytes(SMALL), bytes(SMALL - 1)
    store.add_small([(sha256(b), b) for b in (least, most)])
    spans = [store.span(sha256(b)) for b in (least, most)]
    assert [span and span.path.parent.name for span in spans] == [
        sha256(least)[:2],
        "packs",
    ]


def test_a_small_blob_under_a_wrong_name_is_refused(tmp_path: Path) -> None:
    """One lie in a batch and no pack appears."""
    store = BlobStore(tmp_path)
    with pytest.raises(StoreError) as caught:
        store.add_small([*small(2).items(), (Sha256("1" * 64), b"lie")])
    assert str(caught.value) == (
        f"blob {'1' * 64} came as bytes that hash to {sha256(b'lie')}, "
        f"expected {'1' * 64}"
    )
    assert files(tmp_path) == set()


def test_what_is_missing_is_told_exactly(tmp_path: Path) -> None:
    """An import fetches these and no others."""
    store = BlobStore(tmp_path)
    packed, wanted = small(50), small(60)
    store.add_small(packed.items())
    whole = store.add([big(1)])
    lacking = store.missing([*wanted, whole, *wanted])
    assert lacking == wanted.keys() - packed.keys()
    assert store.missing([next(iter(packed))]) == set()


def test_a_name_that_is_no_digest_is_not_held(tmp_path: Path) -> None:
    """A client's text must never become a path."""
    store = BlobStore(tmp_path)
    for text in ("../../../../etc/passwd", "", "A" * 64, "0" * 63, "0" * 64 + "\n"):
        assert store.span(Sha256(text)) is None
        assert not store.has(Sha256(text))


def test_reading_what_is_not_held_says_so(tmp_path: Path) -> None:
    """At the call, not in the middle of an answer."""
    with pytest.raises(StoreError) as caught:
        BlobStore(tmp_path).read(Sha256("0" * 64))
    assert str(caught.value) == f"blob {'0' * 64} is not in the store {tmp_path}"


def test_another_process_sees_new_blobs_at_once(tmp_path: Path) -> None:
    """A running server finds what an import has just brought, packs included."""
    server, importer = BlobStore(tmp_path, readonly=False), BlobStore(tmp_path)
    blobs = small(2)
    importer.add_small(blobs.items())
    assert all(server.has(name) for name in blobs)
    assert server.missing(blobs) == set()
    importer.remove(list(blobs)[:1])
    assert [server.has(name) for name in blobs] == [False, True]


def test_a_finished_partial_becomes_the_blob(tmp_path: Path) -> None:
    """Large files are written once, in place, and only then get their name."""
    store = BlobStore(tmp_path)
    blob = big(7)
    name = sha256(blob)
    with store.partial(name, len(blob)) as file:
        file.write(blob[100:], 100)
        file.write(memoryview(blob)[:100], 0)
        store.adopt(file, name)
    assert bytes_of(store, name) == blob
    assert list(store.partials()) == []
    with store.partial("again") as file:
        file.write(blob, 0)
        store.adopt(file, name)
    assert list(store.partials()) == []
    assert list(store.all()) == [(name, len(blob))]


def test_rot_is_found_and_named(tmp_path: Path) -> None:
    """The operator must know which blob and which file, in a pack too."""
    store = BlobStore(tmp_path)
    blob = big(3)
    name = store.add([blob])
    (packed,) = small(1)
    store.add_small(small(1).items())
    store.check(name)
    store.check(packed)
    for one in (name, packed):
        span = store.span(one)
        assert span is not None
        damage(span.path)
        found = hashlib.sha256(bytes_of(store, one)).hexdigest()
        with pytest.raises(StoreError) as caught:
            store.check(one)
        assert str(caught.value) == f"blob {one} in {span.path}: bytes hash to {found}"


def test_a_cut_off_blob_is_an_error_not_a_short_answer(tmp_path: Path) -> None:
    """A reader must never take half a file for the whole."""
    store = BlobStore(tmp_path)
    name = store.add([big(3)])
    span = store.span(name)
    assert span is not None
    chunks = store.read(name)
    span.path.chmod(0o600)
    os.truncate(span.path, 10)
    with pytest.raises(StoreError) as caught:
        list(chunks)
    ends = f"blob {name} in {span.path} ends at byte 10 of {SMALL + 5}"
    assert str(caught.value) == ends


def test_a_rotten_blob_is_set_aside_and_can_come_again(tmp_path: Path) -> None:
    """Quarantine means: never served, kept for the curious, open for repair."""
    store = BlobStore(tmp_path)
    name = store.add([big(3)])
    blobs = small(4)
    store.add_small(blobs.items())
    victims = [name, *list(blobs)[1:3]]
    for one in victims:
        span = store.span(one)
        assert span is not None
        damage(span.path, span.offset)
    places = [store.quarantine(victims[0]), store.quarantine(victims[1])]
    assert places == [tmp_path / "quarantine" / one for one in victims[:2]]
    assert [store.has(one) for one in victims] == [False] * 3
    kept = [one for one in blobs if one not in victims]
    assert [bytes_of(store, one) for one in kept] == [blobs[one] for one in kept]
    assert {p.name for p in (tmp_path / "quarantine").iterdir()} == set(victims)
    store.add([big(3)], expect=name)
    store.add_small(blobs.items())
    for one in victims:
        store.check(one)


def test_removing_frees_what_it_says(tmp_path: Path) -> None:
    """Packs with dead blobs are written again; the living move over untouched."""
    store = BlobStore(tmp_path)
    first, second = small(10), small(5, start=100)
    store.add_small(first.items())
    store.add_small(second.items())
    whole = store.add([big(1)])

    def used() -> int:
        packs = (tmp_path / "packs").glob("*.pack")
        blobs = (tmp_path / "blobs").rglob("*")
        return sum(p.stat().st_size for p in [*packs, *blobs] if p.is_file())

    before = used()
    gone = [*list(first)[:4], *second, whole, Sha256("f" * 64)]
    freed = store.remove(gone)
    assert freed == before - used()
    left = {name: blob for name, blob in first.items() if name not in gone}
    again = BlobStore(tmp_path)
    assert {name: bytes_of(again, name) for name, _ in again.all()} == left
    assert len(files(tmp_path)) == 2


def test_many_small_packs_become_one(tmp_path: Path) -> None:
    """Every import leaves a pack; after years a look-up would ask hundreds."""
    store, blobs = BlobStore(tmp_path), dict[Sha256, bytes]()
    for n in range(40):
        some = small(3, start=2 * n)
        for name in some:
            # As two processes do that add the same blobs at once.
            (BlobStore(tmp_path) if n % 2 else store).add_small([(name, some[name])])
        blobs |= some
    before = len(list((tmp_path / "packs").glob("*.pack")))
    assert before >= 40
    store.remove([])
    assert len(list((tmp_path / "packs").glob("*.pack"))) == 1
    assert len(list((tmp_path / "packs").glob("*.idx"))) == 1
    again = BlobStore(tmp_path)
    assert {name: bytes_of(again, name) for name, _ in again.all()} == blobs
    assert store.remove([]) == 0
    assert again.missing(blobs) == set()


def test_removing_stops_at_rot_before_anything_is_lost(tmp_path: Path) -> None:
    """Writing a pack again would give rot a fresh name; it is told instead."""
    store = BlobStore(tmp_path)
    blobs = small(3)
    store.add_small(blobs.items())
    gone, rotten, _ = blobs
    span = store.span(rotten)
    assert span is not None
    damage(span.path, span.offset)
    with pytest.raises(StoreError) as caught:
        store.remove([gone])
    assert str(caught.value).startswith(f"blob {rotten} in {span.path}: bytes hash")
    assert all(store.has(name) for name in blobs)
    assert len(files(tmp_path)) == 2


def test_leftovers_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    """A scratch file has no owner after a kill; one in use is left alone."""
    store = BlobStore(tmp_path)
    (tmp_path / "partial" / ".new-dead").write_bytes(b"x")
    (tmp_path / "packs" / ".new-dead").write_bytes(b"x")
    resumable = tmp_path / "partial" / "keep"
    resumable.write_bytes(b"x")

    def slow() -> Iterator[bytes]:
        yield big(1)
        BlobStore(tmp_path)
        yield big(2)

    name = store.add(slow())
    assert bytes_of(store, name) == big(1) + big(2)
    assert [p.name for p in (tmp_path / "partial").iterdir()] == ["keep"]
    assert files(tmp_path / "packs") == set()


def test_a_root_that_cannot_serve_is_refused(tmp_path: Path) -> None:
    """At the start, with the path, not at the end of an import."""
    file = tmp_path / "file"
    file.write_text("x")
    for root in (file, file / "below"):
        with pytest.raises(StoreError) as caught:
            BlobStore(root)
        assert str(caught.value) == f"cannot make the folder {root}: not a directory"
    with pytest.raises(StoreError, match="cannot list"):
        BlobStore(tmp_path / "nothing", readonly=True)


def test_a_link_in_place_of_a_blob_is_not_held(tmp_path: Path) -> None:
    """A local user must not make the store serve another file."""
    store = BlobStore(tmp_path)
    name = store.add([big(1)])
    path = tmp_path / "blobs" / "sha256" / name[:2] / name
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert not store.has(name)


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["add", "pack", "remove", "reopen", "lose index"]),
            st.lists(st.integers(0, 11), max_size=6),
        ),
        max_size=10,
    )
)
def test_any_history_leaves_just_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, list[int]]]
) -> None:
    """The store is a map from digest to bytes, whatever happens in whatever order."""
    root = tmp_path_factory.mktemp("store")
    store, model = BlobStore(root), dict[Sha256, bytes]()
    for step, numbers in steps:
        blobs = {sha256(b): b for n in numbers for b in [bytes([n]) * (n * 7919)]}
        if step == "add":
            for name, blob in blobs.items():
                store.add([blob], expect=name, size=len(blob))
            model |= blobs
        elif step == "pack":
            store.add_small(blobs.items())
            model |= blobs
        elif step == "remove":
            store.remove(blobs.keys())
            model = {name: blob for name, blob in model.items() if name not in blobs}
        elif step == "lose index":
            for index in (root / "packs").glob("*.idx"):
                index.unlink()
        else:
            store = BlobStore(root)
    sizes = sorted((name, len(blob)) for name, blob in model.items())
    assert list(store.all()) == sizes
    assert list(BlobStore(root).all()) == sizes
    assert {name: bytes_of(store, name) for name in model} == model


WORKER = """
import sys
from pathlib import Path
from airlift.digest import sha256
from airlift.store.blobs import BlobStore
store = BlobStore(Path(sys.argv[1]))
small = [b"small %d" % n for n in range(200)]
for n in range(20):
    blob = bytes([n]) * 70_000
    store.add([blob], expect=sha256(blob), size=len(blob))
    store.add_small([(sha256(b), b) for b in small[n * 10 : n * 10 + 10]])
assert not store.missing([sha256(b) for b in small])
"""


def test_eight_processes_may_add_the_same_blobs(tmp_path: Path) -> None:
    """Two imports, or an import beside a repair, never break each other's blobs."""
    arguments = [sys.executable, "-c", WORKER, str(tmp_path)]
    workers = [subprocess.Popen(arguments) for _ in range(8)]
    assert [worker.wait(120) for worker in workers] == [0] * 8
    store = BlobStore(tmp_path)
    expected = [bytes([n]) * 70_000 for n in range(20)]
    expected += [b"small %d" % n for n in range(200)]
    assert list(store.all()) == sorted((sha256(b), len(b)) for b in expected)
    for name, _ in store.all():
        store.check(name)
    assert not list((tmp_path / "partial").iterdir())


def test_threads_share_one_store(tmp_path: Path) -> None:
    """The server looks up from many threads while packs come and go."""
    store, other = BlobStore(tmp_path), BlobStore(tmp_path)
    steady = small(50)
    other.add_small(steady.items())

    def look() -> int:
        return sum(store.has(name) for _ in range(20) for name in steady)

    with ThreadPoolExecutor(4) as pool:
        looks = [pool.submit(look) for _ in range(4)]
        for n in range(10):
            extra = small(3, start=1000 + n)
            other.add_small(extra.items())
            other.remove(extra)
    assert [one.result() for one in looks] == [1000] * 4


class Counting(Disk):
    """A disk that notes which files and folders it makes durable."""

    def __init__(self) -> None:
        self.synced: list[Path] = []

    def sync(self, fd: int, path: Path, *, mode: int | None = None) -> None:
        """Note it, and do it."""
        self.synced.append(path)
        super().sync(fd, path, mode=mode)

    def sync_folder(self, path: Path) -> None:
        """Note it, and do it."""
        self.synced.append(path)
        super().sync_folder(path)


@pytest.mark.parametrize("count", [1, 5000])
def test_small_blobs_cost_two_syncs_however_many(tmp_path: Path, count: int) -> None:
    """One each would make a delivery of 100,000 small files take minutes."""
    disk = Counting()
    store = BlobStore(tmp_path, disk=disk)
    disk.synced.clear()
    store.add_small(small(count).items())
    file, folder = disk.synced
    assert (file.parent, folder) == (tmp_path / "partial", tmp_path / "packs")


def test_settling_packed_blobs_is_one_sync(tmp_path: Path) -> None:
    """Folders of whole blobs that none of them lies in need none."""
    disk = Counting()
    store = BlobStore(tmp_path, disk=disk)
    blobs = small(1000)
    store.add_small(blobs.items())
    whole = store.add([b"x" * SMALL])
    disk.synced.clear()
    store.settle(blobs)
    assert disk.synced == [tmp_path / "packs"]
    disk.synced.clear()
    store.settle([*blobs, whole])
    fan = tmp_path / "blobs" / "sha256" / whole[:2]
    assert disk.synced == [fan, tmp_path / "packs"]


def test_one_wrong_blob_among_thousands_is_refused(tmp_path: Path) -> None:
    """They are looked for in lots, and still checked one by one."""
    store = BlobStore(tmp_path)
    names = [*small(3000)]
    blobs = [*small(3000).items()]
    blobs[2999] = (names[2999], b"other")
    with pytest.raises(StoreError, match=f"^blob {names[2999]} came as bytes that"):
        store.add_small(blobs)
    assert store.missing(names) == set(names)


@pytest.mark.parametrize("count", [3, 20_000])
def test_whole_files_are_found_among_any_number_asked_for(
    tmp_path: Path, count: int
) -> None:
    """Few are looked at each; for many the folders are listed: same answer."""
    store = BlobStore(tmp_path)
    held = {store.add([b"%d" % n]) for n in range(40)}
    odd = sha256(b"no file")
    (tmp_path / "blobs" / "sha256" / odd[:2] / odd).mkdir()
    absent = {sha256(b"absent %d" % n) for n in range(count)}
    assert store.missing(held | absent | {odd}) == absent | {odd}


@pytest.mark.parametrize("count", [3, 700])
def test_where_many_lie_is_told_as_of_each(tmp_path: Path, count: int) -> None:
    """In packs, as files, as both, or nowhere: a look at many finds the same bytes."""
    store = BlobStore(tmp_path)
    packs = [small(count), small(count, start=count)]
    for each in packs:
        store.add_small(each.items())
    both, body = next(iter(packs[0].items()))
    whole = [store.add([body]), store.add([big(1)])]
    path = tmp_path / "blobs" / "sha256" / both[:2] / both
    # As ``add`` found it held, it stays in its pack alone: put it there by hand.
    path.write_bytes(body)
    gone = sha256(b"gone")
    wanted = [gone, *whole, *packs[0], *packs[1]]
    found = BlobStore(tmp_path, readonly=True).spans(wanted)
    assert found == {one: span for one in wanted if (span := store.span(one))}
    assert gone not in found
    assert found[both].path == path


def test_where_blobs_lie_is_told_of_none_where_the_disk_refuses(tmp_path: Path) -> None:
    """Each is asked for by itself then, and its error names it."""
    store = BlobStore(tmp_path)
    names = [store.add([big(n)]) for n in range(3)]
    fan = tmp_path / "blobs" / "sha256" / names[0][:2]
    fan.rename(fan.with_name("aside"))
    fan.write_bytes(b"no folder")
    assert store.spans(names) == {}
    with pytest.raises(StoreError, match=f"^cannot look at .*/{names[0]}: not a dir"):
        store.span(names[0])


def test_a_hundred_thousand_small_blobs_are_packed_in_seconds(tmp_path: Path) -> None:
    """Measured, not asserted: the machine is shared."""
    blobs = small(100_000)
    store = BlobStore(tmp_path)
    began = time.perf_counter()
    store.add_small(blobs.items())
    packed = time.perf_counter()
    assert store.missing(blobs) == set()
    found = time.perf_counter()
    absent = {sha256(b"not %d" % n) for n in range(100_000)}
    assert store.missing(absent) == absent
    lacking = time.perf_counter()
    BlobStore(tmp_path)
    opened = time.perf_counter()
    print(
        f"100,000 blobs: pack {packed - began:.2f} s, all held {found - packed:.2f} s,"
        f" all missing {lacking - found:.2f} s, open {opened - lacking:.3f} s"
    )
