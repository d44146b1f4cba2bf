"""Every byte of a store is hashed again, whatever lies where, several files at once."""

import os
import random
from pathlib import Path

import pytest

from airlift import lanes
from airlift.digest import Sha256, sha256
from airlift.store import scrub
from airlift.store.blobs import SMALL, BlobStore
from airlift.store.scrub import Look
from airlift.store.span import Span

PIECE = scrub._PIECE
RNG = random.Random(12)
BIG = [
    RNG.randbytes(size) for size in (SMALL, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 9)
]
SMALLS = [b"", *(RNG.randbytes(size) for size in (1, 100, SMALL - 1))]


def path_of(store: BlobStore, blob: Sha256) -> Path:
    """Return the file that *blob* lies in, writable now."""
    span = store.span(blob)
    assert span
    span.path.chmod(0o600)
    return span.path


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path)
    for body in (*BIG, SMALLS[1]):
        store.add([body])
    store.add_small((sha256(body), body) for body in SMALLS)
    return store


def looked(store: BlobStore, *blobs: Sha256) -> tuple[list[Look], int]:
    """Return what a look at *blobs*, or at all, found, and the bytes it told of."""
    told: list[int] = []
    sizes = dict.fromkeys(blobs, 1) or dict(store.all())
    looks = scrub.rehash(sizes, store.span, told.append, store.spans(sizes))
    return looks, sum(told)


def test_a_sound_store_is_read_whole(store: BlobStore) -> None:
    """Large and small, packed and not, of whole pieces and not."""
    bodies = {sha256(body): body for body in (*BIG, *SMALLS)}
    looks, told = looked(store)
    assert looks == [
        Look(blob=blob, digest=blob, size=len(bodies[blob])) for blob in sorted(bodies)
    ]
    assert told == sum(map(len, bodies.values()))


def test_what_is_wrong_is_told_of_each_blob_and_the_rest_is_read(
    store: BlobStore,
) -> None:
    """Rotten, short, missing, no file at all: one must not hide another."""
    rotten, short, link, sound = (sha256(BIG[n]) for n in (4, 3, 2, 1))
    gone = sha256(b"gone")
    changed = bytearray(BIG[4])
    changed[PIECE + 5] ^= 1
    path_of(store, rotten).write_bytes(changed)
    place = path_of(store, short)
    span = store.span(link)
    assert span
    moved = span.path.with_name("elsewhere")
    span.path.rename(moved)
    spans = {short: store.span(short), link: span}
    place.write_bytes(BIG[3][:PIECE])
    span.path.symlink_to(moved)
    told: list[int] = []
    wanted = dict.fromkeys((rotten, short, link, sound, gone), 1)
    looks = scrub.rehash(
        wanted, lambda one: spans.get(one) or store.span(one), told.append
    )
    problem = f"blob {short} in {place} ends at byte {PIECE} of {PIECE + 1}"
    open_problem = f"cannot open {span.path}: too many levels of symbolic links"
    expected = [
        Look(blob=rotten, digest=sha256(changed), size=len(changed)),
        Look(blob=short, size=PIECE, problem=problem),
        Look(blob=link, problem=open_problem),
        Look(blob=sound, digest=sound, size=PIECE - 1),
        Look(blob=gone, missing=True),
    ]
    assert looks == sorted(expected, key=lambda look: look.blob)


def test_a_rotten_small_blob_is_found(store: BlobStore) -> None:
    """It lies in a pack among sound ones."""
    blob = sha256(SMALLS[2])
    span = store.span(blob)
    assert span
    assert span.path.suffix == ".pack"
    span.path.chmod(0o600)
    with span.path.open("r+b") as file:
        file.seek(span.offset)
        file.write(bytes([SMALLS[2][0] ^ 1]))
    found = sha256(bytes([SMALLS[2][0] ^ 1]) + SMALLS[2][1:])
    assert looked(store, blob, sha256(SMALLS[3]))[0] == sorted(
        [
            Look(blob=blob, digest=found, size=100),
            Look(blob=sha256(SMALLS[3]), digest=sha256(SMALLS[3]), size=SMALL - 1),
        ],
        key=lambda look: look.blob,
    )


def test_a_blob_that_was_moved_meanwhile_is_looked_for_again(store: BlobStore) -> None:
    """A collection may write packs again while clients, and this, read them."""
    blob = sha256(SMALLS[2])
    true = store.span(blob)
    assert true
    stale = Span(path=true.path.with_name("gone.pack"), offset=0, length=100)
    answers = iter([stale, true])
    looks = scrub.rehash({blob: 100}, lambda _one: next(answers), lambda _done: None)
    assert looks == [Look(blob=blob, digest=blob, size=100)]
    gone = iter([stale, None])
    looks = scrub.rehash({blob: 100}, lambda _one: next(gone), lambda _done: None)
    assert looks == [Look(blob=blob, missing=True)]
    looks = scrub.rehash({blob: 100}, lambda _one: stale, lambda _done: None)
    problem = f"cannot open {stale.path}: no such file or directory"
    assert looks == [Look(blob=blob, problem=problem)]
    looks = scrub.rehash({blob: 100}, store.span, lambda _done: None, {blob: stale})
    assert looks == [Look(blob=blob, digest=blob, size=100)]


def test_a_pack_that_was_cut_off_hides_nothing_before_the_cut(store: BlobStore) -> None:
    """Each small blob is told apart, though all are read from one file."""
    blobs = [sha256(body) for body in SMALLS if body]
    spans = store.spans(blobs)
    packed = sorted((one for one in blobs), key=lambda one: spans[one].offset)
    last, path = packed[-1], spans[packed[-1]].path
    size = spans[last].offset + 1
    path.chmod(0o600)
    os.truncate(path, size)
    looks = {look.blob: look for look in looked(store, *blobs)[0]}
    problem = f"blob {last} in {path} ends at byte 1 of {spans[last].length}"
    assert looks.pop(last) == Look(blob=last, size=1, problem=problem)
    assert {one: look.digest for one, look in looks.items()} == {
        one: one for one in packed[:-1]
    }


def test_several_files_are_read_by_turns(tmp_path: Path) -> None:
    """SHA-256 of one file keeps one processor busy; the others have files of their own."""
    store = BlobStore(tmp_path)
    bodies = [RNG.randbytes(2 * PIECE + n) for n in range(1, 4)]
    names = [store.add([body]) for body in bodies]
    work = scrub._Scrub(store.span, lambda _done: None)
    drawn = [job[0].blob for job in work.jobs(names) if isinstance(job, tuple)]
    work.close()
    at_once = max(2, lanes.THREADS - 2)
    assert len(set(drawn[:at_once])) == min(at_once, 3)
    assert sorted(drawn) == sorted(name for name in names for _ in range(3))
