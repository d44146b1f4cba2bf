"""Digests in the background: right, kept, and never of damaged bytes."""

import hashlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from airlift.artifact import Kind
from airlift.digest import Sha256, sha256
from airlift.errors import StoreError
from airlift.serve.dialect import JoinedBody, Piece, Shelf, Slice
from airlift.serve.distribution.derived import Derived, recipe
from airlift.serve.distribution.kept_digests import KeptDigests
from airlift.store.span import Span
from shelves import MemoryShelf, cargo

BIG = random.Random(7).randbytes(9_000_001)
OTHER = random.Random(8).randbytes(70_000)


def joined(*pieces: Piece) -> JoinedBody:
    """Return a body of *pieces*."""
    return JoinedBody(pieces=pieces, etag=recipe(pieces))


def whole(content: bytes) -> Slice:
    """Return all of a blob."""
    return Slice(sha256=sha256(content), start=0, stop=len(content))


ALL = whole(BIG)
LAYER = joined(b"head", ALL, b"tail")
DIGEST = sha256(b"head" + BIG + b"tail")


def nothing(_: Shelf) -> Sequence[JoinedBody]:
    """Want nothing unasked."""
    return ()


@pytest.fixture
def shelf(tmp_path: Path) -> MemoryShelf:
    """Two files of a model."""
    (tmp_path / "shelf").mkdir()
    release = cargo(Kind.MODEL, "o/m", {"a": BIG, "b": OTHER})
    return MemoryShelf(tmp_path / "shelf", [release])


@contextmanager
def deriving(
    shelf: Shelf,
    folder: Path | None = None,
    *,
    wanted: Callable[[Shelf], Iterable[JoinedBody]] = nothing,
    said: list[str] | None = None,
) -> Iterator[Derived]:
    """Run the background thread while the context is open."""
    say = (said if said is not None else []).append
    with ExitStack() as stack:
        kept = stack.enter_context(KeptDigests(folder))
        derived = Derived(shelf, kept, wanted=wanted, say=say, poll_s=0.01)
        yield stack.enter_context(derived)


def until(look: Callable[[], object]) -> None:
    """Wait until *look* gives something true."""
    ends = time.monotonic() + 20
    while not look():
        assert time.monotonic() < ends, "it never came true"
        time.sleep(0.002)


def settled(derived: Derived, body: JoinedBody) -> Sha256:
    """Ask for *body* until its digest is known."""
    until(lambda: derived.sha256(body))
    found = derived.sha256(body)
    assert found is not None
    return found


def test_a_digest_is_of_all_pieces_in_order(shelf: MemoryShelf) -> None:
    """It names what clients are given; another would make every pull fail."""
    parts = joined(
        Slice(sha256=sha256(BIG), start=5, stop=8_000_000),
        b"-",
        whole(OTHER),
        Slice(sha256=sha256(BIG), start=0, stop=5),
    )
    with deriving(shelf) as derived:
        assert derived.sha256(LAYER) is None
        assert settled(derived, LAYER) == DIGEST
        expected = sha256(BIG[5:8_000_000] + b"-" + OTHER + BIG[:5])
        assert settled(derived, parts) == expected
        assert settled(derived, joined()) == sha256(b"")


def test_how_far_it_is_can_be_asked(shelf: MemoryShelf) -> None:
    """Who waits for 100 GB wants to know for how long."""
    with deriving(shelf) as derived:
        assert derived.done(LAYER) == 0
        settled(derived, LAYER)
        assert derived.done(LAYER) == LAYER.size == len(BIG) + 8


@pytest.mark.parametrize("start", [0, 1], ids=["whole", "part"])
def test_a_rotten_blob_gets_no_digest(shelf: MemoryShelf, start: int) -> None:
    """It would be served under a digest that clients find right."""
    rotten = shelf.folder / "rotten"
    wrong = bytearray(BIG)
    wrong[-1] ^= 1
    rotten.write_bytes(wrong)
    good = shelf.span(sha256(BIG))
    bad = Span(path=rotten, offset=0, length=len(BIG))
    shelf.replace_span(sha256(BIG), bad)
    said: list[str] = []
    body = joined(Slice(sha256=sha256(BIG), start=start, stop=len(BIG)))
    with deriving(shelf, said=said) as derived:
        with pytest.raises(StoreError) as caught:
            until(lambda: derived.sha256(body))
        found = hashlib.sha256(wrong).hexdigest()
        problem = f"blob {sha256(BIG)} reads as sha256 {found}: it is damaged"
        assert str(caught.value) == problem
        assert said == [problem]
        # Once it is mended, asking again is enough.
        shelf.replace_span(sha256(BIG), good)
        assert settled(derived, body) == sha256(BIG[start:])


def test_a_lost_blob_is_said_to_be(shelf: MemoryShelf) -> None:
    """Waiting for it would be waiting for ever."""
    shelf.replace_span(sha256(BIG), None)
    with deriving(shelf) as derived, pytest.raises(StoreError) as caught:
        until(lambda: derived.sha256(LAYER))
    assert str(caught.value) == (
        f"blob {sha256(BIG)} is missing from the store, "
        "or shorter than its release says"
    )


def test_what_is_live_is_computed_unasked(shelf: MemoryShelf, tmp_path: Path) -> None:
    """Images are ready soon after an import, also one while the server runs."""
    later = joined(b"later", whole(b"new"))

    def wanted(on: Shelf) -> Iterator[JoinedBody]:
        yield LAYER
        if on.releases(frozenset({Kind.MODEL}), "o/later"):
            yield later

    with deriving(shelf, tmp_path / "derived", wanted=wanted) as derived:
        until(lambda: derived.done(LAYER) == LAYER.size)
        assert derived.sha256(LAYER) == DIGEST
        assert derived.done(later) == 0
        shelf.add(cargo(Kind.MODEL, "o/later", {"f": b"new"}))
        until(lambda: derived.done(later))
        assert derived.sha256(later) == sha256(b"laternew")


def test_a_known_digest_is_not_computed_again(
    shelf: MemoryShelf, tmp_path: Path
) -> None:
    """Terabytes are read once, not at each restart."""
    with deriving(shelf, tmp_path / "derived") as derived:
        settled(derived, LAYER)
    shelf.replace_span(sha256(BIG), None)  # nothing can be read any more
    with deriving(shelf, tmp_path / "derived") as derived:
        assert derived.sha256(LAYER) == DIGEST


def test_what_is_asked_goes_first(shelf: MemoryShelf) -> None:
    """A client must not wait for a model that nobody asked for."""
    small = joined(b"small", whole(OTHER))
    names = [n.to_bytes(4, "big") for n in range(200)]
    queue = [joined(name, ALL) for name in names]
    with deriving(shelf, wanted=lambda _: queue) as derived:
        until(lambda: derived.done(queue[0]) == queue[0].size)
        assert settled(derived, small) == sha256(b"small" + OTHER)
        assert derived.done(queue[-1]) == 0


def test_stopping_does_not_wait_for_the_end(shelf: MemoryShelf) -> None:
    """A server that hashes a terabyte still stops at once."""
    names = [n.to_bytes(4, "big") for n in range(2000)]
    queue = [joined(name, ALL) for name in names]
    with deriving(shelf, wanted=lambda _: queue) as derived:
        until(lambda: derived.done(queue[0]))
        started = time.monotonic()
    assert time.monotonic() - started < 2
    assert "airlift-derived" not in {one.name for one in threading.enumerate()}


# --- keeping --------------------------------------------------------------------------

ONE, TWO = Sha256("1" * 64), Sha256("2" * 64)


def kept(folder: Path, **more: int) -> dict[str, Sha256 | None]:
    """Return what another process would know of ``a`` and ``b``."""
    with KeptDigests(folder, **more) as known:
        return {name: known.get(name * 64) for name in ("a", "b")}


def test_digests_survive_the_process(tmp_path: Path) -> None:
    """Also several, and one that was put again."""
    with KeptDigests(tmp_path / "deep" / "derived") as known:
        known.put("a" * 64, TWO)
        known.put("b" * 64, TWO)
        known.put("a" * 64, ONE)
        assert known.problem == ""
    assert kept(tmp_path / "deep" / "derived") == {"a": ONE, "b": TWO}


@pytest.mark.parametrize("at", [0, 70, 140, 146, 147, 200])
def test_a_damaged_line_is_forgotten_and_no_other(tmp_path: Path, at: int) -> None:
    """A wrong digest would make an image impossible to pull until someone notices."""
    with KeptDigests(tmp_path) as known:
        known.put("a" * 64, ONE)
        known.put("b" * 64, TWO)
    path = tmp_path / "digests"
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    found = kept(tmp_path)
    hit = "a" if at < 147 else "b"
    # A damaged line end takes the line behind it along.
    lost = {"a", "b"} if at == 146 else {hit}
    assert found == {
        name: None if name in lost else digest
        for name, digest in (("a", ONE), ("b", TWO))
    }


def test_a_torn_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    """The power goes while a line is written; the next one begins a line."""
    with KeptDigests(tmp_path) as known:
        known.put("a" * 64, ONE)
    path = tmp_path / "digests"
    path.write_bytes(path.read_bytes()[:-20])
    with KeptDigests(tmp_path) as known:
        known.put("b" * 64, TWO)
    assert kept(tmp_path) == {"a": None, "b": TWO}


def test_it_stays_small(tmp_path: Path) -> None:
    """What is kept is bounded; the oldest goes."""
    with KeptDigests(tmp_path, limit=10) as known:
        for n in range(11):
            known.put(f"{n:064x}", ONE)
        assert [n for n in range(11) if known.get(f"{n:064x}")] == [6, 7, 8, 9, 10]
    assert len((tmp_path / "digests").read_bytes()) == 5 * 147


def test_a_second_server_keeps_to_itself(tmp_path: Path) -> None:
    """Two writers of one file would write over each other."""
    with KeptDigests(tmp_path) as first, KeptDigests(tmp_path) as second:
        first.put("a" * 64, ONE)
        second.put("b" * 64, TWO)
        assert second.get("b" * 64) == TWO
        assert second.problem == (
            f"the registry is busy: process {os.getpid()}, `serve` is writing"
        )
    assert kept(tmp_path) == {"a": ONE, "b": None}


def test_where_nothing_may_be_written_memory_is_used(tmp_path: Path) -> None:
    """A server that may only read still serves images."""
    (tmp_path / "file").write_bytes(b"in the way")
    for folder in (tmp_path / "file", None):
        with KeptDigests(folder) as known:
            known.put("a" * 64, ONE)
            assert known.get("a" * 64) == ONE
            assert known.problem
    assert (tmp_path / "file").read_bytes() == b"in the way"
