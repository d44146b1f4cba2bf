"""What is worked out of a shelf once, for each caller's view of it."""

import gc
import weakref
from pathlib import Path

from airlift.artifact import Kind
from airlift.serve.access import scope
from airlift.serve.access.scoped_shelf import ScopedShelf
from airlift.serve.dialect import Shelf
from airlift.serve.kept import Kept
from served import small_world

MODELS = frozenset({Kind.MODEL})


def names(shelf: Shelf) -> list[str]:
    """Return the names of the models on *shelf*."""
    return [live.release.name for live in shelf.releases(MODELS)]


def test_it_is_made_once_for_each_shelf_and_generation(tmp_path: Path) -> None:
    """Two callers in turn must not have everything read anew at each request."""
    whole = small_world(tmp_path)
    none = ScopedShelf(whole, scope.NOTHING)
    read: list[Shelf] = []

    def make(shelf: Shelf) -> list[str]:
        read.append(shelf)
        return names(shelf)

    kept = Kept(make)
    for _ in range(3):
        assert (kept.of(whole), kept.of(none)) == (["org/tiny"], [])
    assert read == [whole, none]
    whole.drop("org/tiny")
    assert (kept.of(whole), kept.of(none)) == ([], [])
    assert len(read) == 4


def test_what_was_made_of_a_shelf_goes_with_it(tmp_path: Path) -> None:
    """Callers come and go for months."""
    whole, kept = small_world(tmp_path), Kept(names)
    narrowed = ScopedShelf(whole, scope.ALL)
    kept.of(narrowed)
    gone = weakref.ref(narrowed)
    del narrowed
    gc.collect()
    assert gone() is None
    assert len(kept._made) == 0
