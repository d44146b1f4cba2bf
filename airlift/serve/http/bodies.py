"""Opening a body: the pieces of an answer over open files of the store.

Everything is opened and measured before the first byte of an answer goes out, so that
what is missing becomes an error and not a short file.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import StoreError
from airlift.serve.dialect import BlobBody, JoinedBody, Shelf
from airlift.store.span import Span

HINT = "`airlift verify` shows what the store lacks; import that delivery again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Consecutive bytes of a body that lie in one place.

    Attributes:
        start: Where in the body they begin.
        stop: Where in the body they end.
        held: The bytes, where they are in memory.
        file: The file they are in otherwise.
        offset: Where in the file they begin.
    """

    start: int
    stop: int
    held: bytes = b""
    file: io.FileIO | None = None
    offset: int = 0

    def part(self, start: int, stop: int) -> "Stretch":
        """Return the bytes of this stretch from *start* up to *stop* of the body."""
        start, stop = max(start, self.start), min(stop, self.stop)
        skipped = start - self.start
        return Stretch(
            start=start,
            stop=stop,
            held=self.held[skipped : stop - self.start],
            file=self.file,
            offset=self.offset + skipped,
        )

    def read(self) -> bytes:
        """Return the bytes.

        Raises:
            StoreError: The file cannot be read, or ended early.
        """
        if self.file is None:
            return self.held
        space = bytearray(self.stop - self.start)
        self.fill(memoryview(space))
        return bytes(space)

    def fill(self, space: memoryview) -> None:
        """Read the bytes into *space*, which is as long as they are.

        Raises:
            StoreError: The file cannot be read, or ended early.
        """
        assert self.file is not None
        try:
            found = os.preadv(self.file.fileno(), [space], self.offset)
        except OSError as error:
            problem = f"{self.name} cannot be read: {error.strerror}"
            raise StoreError(problem, hint=HINT) from error
        if found < len(space):
            raise self.ended(found)

    def fill_from_cache(self, space: memoryview) -> bool:
        """Do as ``fill`` if that waits for no disk; say whether it was done."""
        assert self.file is not None
        try:
            found = os.preadv(self.file.fileno(), [space], self.offset, os.RWF_NOWAIT)
        except OSError:  # it would wait, or this file system cannot tell
            return False
        return found == len(space)

    def ended(self, sent: int) -> StoreError:
        """Return the error for a file that ended after *sent* of these bytes."""
        problem = f"{self.name} ended early, at byte {self.offset + sent}"
        return StoreError(problem, hint=HINT)

    @property
    def name(self) -> str:
        """What to call the place in an error."""
        return naming.show(str(self.file.name)) if self.file else "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBody:
    """The stretches of a body in order; close it when it was sent."""

    stretches: tuple[Stretch, ...]
    files: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def between(self, start: int, stop: int) -> Iterator[Stretch]:
        """Yield the stretches of the bytes from *start* up to *stop*."""
        for one in self.stretches:
            if one.start < stop and start < one.stop:
                yield one.part(start, stop)

    def close(self) -> None:
        """Close the files."""
        self.files.close()


def opened(shelf: Shelf, body: BlobBody | JoinedBody) -> OpenBody:
    """Open all that *body* is made of; the caller closes it.

    Raises:
        StoreError: The store lacks a blob, or its length is not what the records say.
    """
    with contextlib.ExitStack() as files:
        if isinstance(body, BlobBody):
            stretches = [_whole(shelf, body, files)]
        else:
            stretches = [*_stretches(shelf, body, files)]
        return OpenBody(stretches=tuple(stretches), files=files.pop_all())


def _whole(shelf: Shelf, body: BlobBody, files: contextlib.ExitStack) -> Stretch:
    span, file = _open(shelf, body.sha256, files)
    if span.length != body.size:
        problem = (
            f"blob {body.sha256} has {span.length} bytes in the store, "
            f"its release says {body.size}"
        )
        raise StoreError(problem, hint=HINT)
    _measured(body.sha256, span, file)
    return Stretch(start=0, stop=body.size, file=file, offset=span.offset)


def _stretches(
    shelf: Shelf, body: JoinedBody, files: contextlib.ExitStack
) -> Iterator[Stretch]:
    known: dict[Sha256, tuple[Span, io.FileIO]] = {}
    at = 0
    for piece in body.pieces:
        if isinstance(piece, bytes):
            yield Stretch(start=at, stop=at + len(piece), held=piece)
            at += len(piece)
            continue
        if piece.sha256 not in known:
            span, file = _open(shelf, piece.sha256, files)
            _measured(piece.sha256, span, file)
            known[piece.sha256] = span, file
        span, file = known[piece.sha256]
        if not 0 <= piece.start <= piece.stop <= span.length:
            problem = (
                f"blob {piece.sha256} has {span.length} bytes in the store, "
                f"expected at least {piece.stop}"
            )
            raise StoreError(problem, hint=HINT)
        stop = at + piece.stop - piece.start
        offset = span.offset + piece.start
        yield Stretch(start=at, stop=stop, file=file, offset=offset)
        at = stop


def _open(
    shelf: Shelf, sha256: Sha256, files: contextlib.ExitStack
) -> tuple[Span, io.FileIO]:
    reason = "is missing from the store"
    # Twice: a collection may replace a pack between the two steps.
    for _ in range(2):
        span = shelf.span(sha256)
        if span is None:
            break
        try:
            return span, files.enter_context(io.FileIO(span.path))
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
    problem = f"blob {sha256} {reason}"
    raise StoreError(problem, hint=HINT)


def _measured(sha256: Sha256, span: Span, file: io.FileIO) -> None:
    held, stop = os.fstat(file.fileno()).st_size, span.offset + span.length
    if held < stop:
        shown = naming.show(str(span.path))
        problem = f"blob {sha256}: {shown} has {held} bytes, expected {stop}"
        raise StoreError(problem, hint=HINT)
