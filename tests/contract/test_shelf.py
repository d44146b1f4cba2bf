"""What every shelf promises to dialects; each implementation runs through it.

To add a shelf, add a function to ``SHELVES`` that makes one in a folder with some
cargoes live.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from airlift.artifact import Kind, LiveRelease
from airlift.digest import Sha256, sha256
from airlift.format import release as documents
from airlift.serve.access.scope import parse_all
from airlift.serve.access.scoped_shelf import ScopedShelf
from airlift.serve.dialect import Shelf
from shelves import Cargo, MemoryShelf, cargo
from sites import Site

Make = Callable[[Path, Sequence[Cargo]], Shelf]


def registry(folder: Path, cargoes: Sequence[Cargo]) -> Shelf:
    """Return the shelf of a registry that imported each cargo as a signed delivery."""
    site = Site(folder)
    for one in sorted(cargoes, key=lambda one: one.release.counter):
        site.hold(*one.contents.values())
        site.bring(documents.encode(one.release))
    return site.registry.shelf(site.store)


def scoped(folder: Path, cargoes: Sequence[Cargo]) -> Shelf:
    """Return a shelf narrowed to all that *cargoes* are, beside what it hides."""
    hidden = cargo(Kind.MODEL, "hidden/m", {"h": b"hidden"}, revision="d" * 40)
    scopes = parse_all(["models:*rg/m", "datasets:*", "wheels:set"])
    return ScopedShelf(MemoryShelf(folder, [*cargoes, hidden]), scopes)


SHELVES: dict[str, Make] = {
    "memory": MemoryShelf,
    "registry": registry,
    "scoped": scoped,
}

A, B, C = "a" * 40, "b" * 40, "c" * 40
BIG = bytes(range(256)) * 64
EVERY = frozenset(Kind)
CARGOES = (
    cargo(Kind.MODEL, "org/m", {"b.txt": b"1", "a/z.bin": BIG}, revision=A, counter=1),
    cargo(Kind.MODEL, "org/m", {"b.txt": b"2"}, revision=B, counter=2, refs=["main"]),
    cargo(Kind.MODEL, "Org/M", {"x": b"x"}, revision=A),
    cargo(Kind.GGUF, "org/m", {"q.gguf": b"q"}, revision=C),
    cargo(Kind.DATASET, "org/m", {"d": b""}, revision=A),
    cargo(Kind.WHEELS, "set", {"a-1-py3-none-any.whl": b"w"}, revision=A),
)


@pytest.fixture(params=SHELVES, scope="module")
def make(request: pytest.FixtureRequest) -> Make:
    """One implementation after another."""
    return SHELVES[request.param]


@pytest.fixture(scope="module")
def shelf(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A shelf with all of ``CARGOES`` live; no test here changes it."""
    return make(tmp_path_factory.mktemp("shelf"), CARGOES)


def told(found: Sequence[LiveRelease]) -> list[tuple[Kind, str, int]]:
    """Return what orders releases."""
    return [(one.release.kind, one.release.name, one.release.counter) for one in found]


def newest(shelf: Shelf) -> Sha256:
    """Return the id of the first model release of `org/m`."""
    return shelf.releases(frozenset([Kind.MODEL]), "org/m")[0].id


def test_releases_are_by_kind_name_and_falling_counter(shelf: Shelf) -> None:
    """Dialects take the first as the newest."""
    assert told(shelf.releases(EVERY)) == [
        (Kind.DATASET, "org/m", 1),
        (Kind.GGUF, "org/m", 1),
        (Kind.MODEL, "Org/M", 1),
        (Kind.MODEL, "org/m", 2),
        (Kind.MODEL, "org/m", 1),
        (Kind.WHEELS, "set", 1),
    ]


def test_kinds_and_names_select_exactly(shelf: Shelf) -> None:
    """A model is not a data set, and names are not patterns."""
    models = frozenset([Kind.MODEL])
    assert told(shelf.releases(models, "Org/M")) == [(Kind.MODEL, "Org/M", 1)]
    for name in ("org", "org/m/", "ORG/M", "org/%", "org/_", "", "org/m\x00"):
        assert shelf.releases(EVERY, name) == ()
    assert shelf.releases(frozenset()) == ()


def test_a_live_release_tells_all_but_its_files(shelf: Shelf) -> None:
    """What a release says is signed; it must come back as it went in."""
    (live, _) = shelf.releases(frozenset([Kind.MODEL]), "org/m")
    release = live.release
    assert (release.files, release.revision, release.refs) == ((), B, ("main",))
    assert re.fullmatch(r"2026-03-[0-9]{2}T12:00:00Z", live.imported)


def test_names_are_found_ignoring_case(shelf: Shelf) -> None:
    """People type `org/M`; two that differ in case alone are both told."""
    models = frozenset([Kind.MODEL])
    assert sorted(shelf.names_like(models, "ORG/m")) == ["Org/M", "org/m"]
    assert shelf.names_like(frozenset([Kind.WHEELS]), "SET") == ("set",)
    assert shelf.names_like(frozenset([Kind.WHEELS]), "org/m") == ()
    for pattern in ("org/%", "org/_", "%", "se"):
        assert shelf.names_like(EVERY, pattern) == ()


def test_files_are_sorted_and_belong_to_their_release(shelf: Shelf) -> None:
    """Two releases may have one path with different bytes."""
    new, old = shelf.releases(frozenset([Kind.MODEL]), "org/m")
    assert [file.path for file in shelf.files(old.id)] == ["a/z.bin", "b.txt"]
    assert [file.sha256 for file in shelf.files(new.id)] == [sha256(b"2")]
    assert shelf.files(old.id) == CARGOES[0].release.files


@pytest.mark.parametrize(
    "path", ["nope", "B.txt", "b", "b.txt/", "/b.txt", "../b.txt", "", "%", "\ufffd"]
)
def test_a_path_is_found_exactly_or_not_at_all(shelf: Shelf, path: str) -> None:
    """Paths come from strangers."""
    assert shelf.file(newest(shelf), path) is None


def test_one_file_is_as_in_the_listing(shelf: Shelf) -> None:
    """Both ways to a file give the same record."""
    release = newest(shelf)
    (file,) = shelf.files(release)
    assert shelf.file(release, "b.txt") == file


def test_an_unknown_release_has_no_files(shelf: Shelf) -> None:
    """One may be withdrawn between two calls."""
    nobody = Sha256("0" * 64)
    assert shelf.files(nobody) == ()
    assert shelf.file(nobody, "b.txt") is None


def test_a_span_holds_exactly_the_blob(shelf: Shelf) -> None:
    """The server sends these bytes without looking at them again."""
    for live in shelf.releases(EVERY):
        for file in shelf.files(live.id):
            span = shelf.span(file.sha256)
            assert span is not None
            with span.path.open("rb") as stream:
                stream.seek(span.offset)
                content = stream.read(span.length)
            assert (len(content), sha256(content)) == (file.size, file.sha256)


def test_a_blob_that_is_not_held_has_no_span(shelf: Shelf) -> None:
    """The server must be able to tell that the store is damaged."""
    assert shelf.span(Sha256("0" * 64)) is None


def test_the_holders_of_a_blob_are_all_that_have_it(shelf: Shelf) -> None:
    """Who may have one of them may have the blob, and nobody else."""
    found: dict[Sha256, set[Sha256]] = {}
    for live in shelf.releases(EVERY):
        for file in shelf.files(live.id):
            found.setdefault(file.sha256, set()).add(live.id)
    assert found
    for digest, holders in found.items():
        assert shelf.holders(digest) == holders
    for text in ("0" * 64, "", "%", "../x"):
        assert shelf.holders(Sha256(text)) == frozenset()


def test_the_generation_stands_while_the_set_does(make: Make, tmp_path: Path) -> None:
    """Dialects keep what they worked out for as long as it stands."""
    shelf = make(tmp_path, CARGOES[:1])
    before = shelf.generation()
    shelf.releases(EVERY)
    assert shelf.generation() == before


def test_part_of_a_blob_can_be_read(shelf: Shelf) -> None:
    """Answers are made from the heads of files, also of those inside a pack."""
    for live in shelf.releases(frozenset(Kind)):
        for file in shelf.files(live.id):
            span = shelf.span(file.sha256)
            assert span is not None
            content = span.path.read_bytes()[span.offset :][: span.length]
            assert shelf.read(file.sha256, 0, file.size) == content
            assert shelf.read(file.sha256, 1, 5) == content[1:5]
            assert shelf.read(file.sha256, file.size - 1, 1 << 60) == content[-1:]


def test_a_blob_that_is_not_held_cannot_be_read(shelf: Shelf) -> None:
    """A digest a client made up reaches nothing."""
    assert shelf.read(Sha256("0" * 64), 0, 1) is None


def test_a_whole_shelf_withholds_nothing(shelf: Shelf) -> None:
    """Only a shelf narrowed to one caller does; what is not live is just absent."""
    assert not shelf.withheld(frozenset(Kind), "org/model")
