"""When each blob was hashed last is known, by blob, and never guessed."""

from pathlib import Path

import pytest

from airlift.digest import Sha256, sha256
from airlift.registry import hashed, rebuild
from airlift.registry.hashed import Known, State
from airlift.store.blobs import BlobStore
from airlift.store.scrub import Look
from airlift.trust.verifier import verify
from sites import Site

FIRST, SECOND = "2026-03-02T12:00:00Z", "2026-03-03T12:00:00Z"
LATER = "2026-04-01T12:00:00Z"
A, B, C = (sha256(one) for one in (b"a", b"b", b"c"))


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    """Two models: ``one`` of a and b, live, and ``two`` of b and c, not live."""
    site = Site(tmp_path)
    site.model("org/one", b"a", b"b")
    site.model("org/two", b"b", b"c", live=False)
    return site


def known(site: Site) -> dict[Sha256, Known]:
    """Return what is known of each blob."""
    return {one.blob: one for one in hashed.known(site.home)}


def test_what_was_never_looked_at_counts_from_its_first_import(site: Site) -> None:
    """An import hashes what it takes in; a second one that has it already does not."""
    assert known(site) == {
        A: Known(blob=A, size=1, since=FIRST, state=None, live=True),
        B: Known(blob=B, size=1, since=FIRST, state=None, live=True),
        C: Known(blob=C, size=1, since=SECOND, state=None, live=False),
    }


def test_the_newest_look_is_kept(site: Site) -> None:
    """Of any number of looks, the last one says what the blob is now."""
    hashed.record(site.home, [(A, State.CHANGED), (B, State.IDENTICAL)], time=FIRST)
    hashed.record(site.home, [(A, State.IDENTICAL)], time=LATER)
    found = known(site)
    assert (found[A].since, found[A].state) == (LATER, State.IDENTICAL)
    assert (found[B].since, found[B].state) == (FIRST, State.IDENTICAL)
    assert [one.is_bad for one in found.values()] == [False, False, False]


def test_a_look_before_an_import_does_not_make_it_older(site: Site) -> None:
    """What was collected and came again was hashed again when it came."""
    hashed.record(site.home, [(C, State.IDENTICAL)], time=FIRST)
    assert known(site)[C].since == SECOND


def test_what_no_release_names_is_forgotten(site: Site) -> None:
    """A blob that comes back starts anew."""
    orphan = sha256(b"orphan")
    hashed.record(site.home, [(orphan, State.CHANGED), (A, State.CHANGED)], time=LATER)
    hashed.prune(site.home)
    site.model("org/three", b"orphan")
    assert known(site)[orphan].state is None
    assert known(site)[A].is_bad


def test_a_rebuild_counts_from_the_imports_again(site: Site) -> None:
    """Nothing signed vouches for a look, so none is carried over."""
    hashed.record(site.home, [(A, State.IDENTICAL)], time=LATER)
    site.registry.close()
    store = BlobStore(site.store.root)
    rebuild.rebuild(site.home, store, verify=verify, now=LATER, actor="me")
    assert known(site)[A] == Known(blob=A, size=1, since=FIRST, state=None, live=True)


@pytest.mark.parametrize(
    ("look", "judged"),
    [
        (Look(blob=A, digest=A, size=1), (State.IDENTICAL, "")),
        (Look(blob=A, digest=B, size=9), (State.CHANGED, f"its 9 bytes hash to {B}")),
        (Look(blob=A, missing=True), (State.MISSING, "it is not in the store")),
        (Look(blob=A, problem="torn"), (State.UNREADABLE, "torn")),
    ],
)
def test_a_look_has_one_meaning(look: Look, judged: tuple[State, str]) -> None:
    """The same words wherever bytes are hashed again."""
    assert hashed.judge(look) == judged


def test_a_hundred_thousand_looks_fit_one_transaction(site: Site) -> None:
    """Statements have a limit of values; a store has none of blobs."""
    some = [(sha256(b"%d" % number), State.IDENTICAL) for number in range(25_000)]
    hashed.record(site.home, some, time=LATER)
    assert known(site)[A].state is None
    hashed.prune(site.home)
