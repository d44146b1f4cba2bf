"""Bodies joined from bytes and parts of blobs, over a real socket."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from airlift.artifact import Kind
from airlift.digest import Sha256, sha256
from airlift.serve.dialect import Answer, JoinedBody, Piece, Request, Shelf, Slice
from airlift.serve.http.settings import ServeSettings
from served import World, serving
from shelves import MemoryShelf, cargo
from wire import ask

LARGE = random.Random(11).randbytes(3_000_001)
SMALL = b"a small blob, kept in a pack"
PIECES: tuple[Piece, ...] = (
    b"head",
    Slice(sha256=sha256(LARGE), start=5, stop=2_500_000),
    b"",
    b"between",
    Slice(sha256=sha256(SMALL), start=2, stop=9),
    Slice(sha256=sha256(LARGE), start=2_999_000, stop=len(LARGE)),
    b"tail",
)
WHOLE = (
    b"head" + LARGE[5:2_500_000] + b"between" + SMALL[2:9] + LARGE[2_999_000:] + b"tail"
)


@dataclass(frozen=True)
class Joined:
    """A dialect with one path, answered by one joined body."""

    pieces: tuple[Piece, ...]

    def answer(self, request: Request, shelf: Shelf) -> Answer | None:
        """Answer with the pieces."""
        return Answer(status=200, body=JoinedBody(pieces=self.pieces, etag="one"))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> MemoryShelf:
    """Return a shelf with a large blob and a packed one."""
    folder = tmp_path_factory.mktemp("shelf")
    model = cargo(Kind.MODEL, "org/m", {"large": LARGE, "small": SMALL})
    return MemoryShelf(folder, [model])


@pytest.fixture(scope="module")
def world(shelf: MemoryShelf) -> Iterator[World]:
    """Serve the shelf through the dialect of joined pieces."""
    with serving(shelf, ServeSettings(port=0), [Joined(PIECES)]) as world:
        yield world


def test_pieces_are_sent_as_one_file(world: World) -> None:
    """A layer of an image is never stored: it must still be one exact file."""
    got = ask(world.url, "/x")
    assert (got.status, got.headers["etag"]) == (200, '"one"')
    assert got.headers["content-length"] == str(len(WHOLE))
    assert got.body == WHOLE


@pytest.mark.parametrize("seed", range(20))
def test_any_range_of_joined_pieces_is_exact(world: World, seed: int) -> None:
    """Clients resume anywhere, also inside a header or across two blobs."""
    drawn = random.Random(seed)
    edges = [0, 4, 2_499_999, 2_500_006, 2_500_013, len(WHOLE) - 5]
    start = max(0, drawn.choice(edges) + drawn.randint(-3, 3))
    stop = min(len(WHOLE), start + drawn.choice([1, 9, 2_000, 1_500_000]))
    got = ask(world.url, "/x", f"Range: bytes={start}-{stop - 1}")
    assert (got.status, got.body) == (206, WHOLE[start:stop])
    assert got.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(WHOLE)}"


def test_a_joined_body_has_a_head_and_validators(world: World) -> None:
    """HEAD, If-None-Match and ranges past the end hold as for plain files."""
    head = ask(world.url, "/x", method="HEAD")
    assert (head.body, head.headers["content-length"]) == (b"", str(len(WHOLE)))
    assert ask(world.url, "/x", 'If-None-Match: "one"').status == 304
    assert ask(world.url, "/x", f"Range: bytes={len(WHOLE)}-").status == 416


@pytest.mark.parametrize(
    ("lost", "problem"),
    [
        (Slice(sha256=Sha256("0" * 64), start=0, stop=1), "is missing from the store"),
        (
            Slice(sha256=sha256(SMALL), start=0, stop=len(SMALL) + 1),
            f"has {len(SMALL)} bytes in the store, expected at least {len(SMALL) + 1}",
        ),
    ],
)
def test_a_piece_that_is_not_there_is_an_error_before_any_byte(
    shelf: MemoryShelf, lost: Slice, problem: str
) -> None:
    """Half an image must not look like a whole one."""
    table = [Joined((b"head", lost))]
    with serving(shelf, ServeSettings(port=0), table) as world:
        assert ask(world.url, "/x").status == 500
        (entry,) = world.entries(1)
    assert entry["problem"] == f"blob {lost.sha256} {problem}"
