"""The index of pieces: a memory of where to look, which may be lost at any time."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from airlift.digest import sha256
from airlift.registry.pieces import FILE, PieceIndex
from airlift.registry.places import PLACES, Place

A, B, C = (sha256(one) for one in (b"a", b"b", b"c"))
ONE, TWO = b"1" * 16, b"2" * 16


@pytest.fixture(name="index")
def _index(tmp_path: Path) -> Iterator[PieceIndex]:
    with closing(PieceIndex.open(tmp_path / "pieces")) as index:
        yield index


def test_pieces_are_found_in_the_blobs_that_may_be_used(index: PieceIndex) -> None:
    """In the order of the blobs given: the best base first, whatever came first."""
    index.add(A, [(ONE, 0, 9), (ONE, 100, 9), (TWO, 50, 7)])
    index.add(B, [(ONE, 4, 9)])
    index.add(C, [(ONE, 0, 1)])
    assert index.find([ONE, TWO, b"3" * 16], [B, A]) == {
        ONE: (Place(B, 4, 9), Place(A, 0, 9), Place(A, 100, 9)),
        TWO: (Place(A, 50, 7),),
    }
    assert index.find([ONE], []) == {}
    assert index.find([], [A]) == {}


def test_a_blob_is_taken_in_once(index: PieceIndex) -> None:
    """Its bytes never change, so neither do its pieces."""
    index.add(A, [(ONE, 0, 9)])
    index.add(A, [(TWO, 0, 9)])
    index.add(B, [])
    assert index.known([A, B, C]) == {A, B}
    assert index.find([ONE, TWO], [A]) == {ONE: (Place(A, 0, 9),)}


def test_it_is_there_the_next_time(tmp_path: Path) -> None:
    """Filling it means reading every base."""
    with closing(PieceIndex.open(tmp_path)) as index:
        index.add(A, [(ONE, 0, 9)])
    with closing(PieceIndex.open(tmp_path)) as index:
        assert index.find([ONE], [A]) == {ONE: (Place(A, 0, 9),)}


@pytest.mark.parametrize("content", [b"", b"not a database" * 1000])
def test_a_damaged_one_begins_anew(tmp_path: Path, content: bytes) -> None:
    """It proves nothing and costs only time: no reason to stop an export."""
    (tmp_path / FILE).write_bytes(content)
    with closing(PieceIndex.open(tmp_path)) as index:
        index.add(A, [(ONE, 0, 9)])
        assert index.known([A]) == {A}


def test_bytes_that_are_everywhere_give_few_places(index: PieceIndex) -> None:
    """A header that every file begins with must not have a thousand bases compared."""
    index.add(A, [(ONE, start, 9) for start in range(100)])
    found = index.find([ONE], [A])
    assert found == {ONE: tuple(Place(A, start, 9) for start in range(PLACES))}


def test_a_terabyte_is_asked_in_few_statements(index: PieceIndex) -> None:
    """Look-ups go by the batch and by the index of marks, never row by row."""
    marks = [number.to_bytes(16, "big") for number in range(20_000)]
    index.add(A, [(mark, at << 22, 4 << 20) for at, mark in enumerate(marks)])
    said: list[str] = []

    def listen(*arguments: object) -> None:
        said.append(str(arguments[2]))

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        assert len(index.find(marks, [A])) == 20_000
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
    assert len([one for one in said if one.startswith("SELECT")]) == 1 + 20_000 // 500
