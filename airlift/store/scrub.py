"""Hashing blobs of a store again: several files at once, small ones in bunches."""

import contextlib
import hashlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from airlift import lanes
from airlift.digest import Sha256
from airlift.errors import StoreError
from airlift.lanes import Lane
from airlift.progress import Advance
from airlift.store.bulk import Buffers, BulkFile
from airlift.store.direct import PAGE
from airlift.store.durable import FLAGS, failing, let_go
from airlift.store.holdings import chunks, ends_early
from airlift.store.packs import SMALL
from airlift.store.span import Span

_PIECE: Final = 4 << 20
"""Bytes read at once. A quarter of it costs a tenth more for passing pieces between
threads."""
_BUNCH: Final = 256
"""Small blobs that one worker hashes at once."""
_FILES: Final = max(2, lanes.THREADS - 2)
"""Files that are hashed at once: SHA-256 of one is the work of one processor."""
_NONE: Final[Mapping[Sha256, Span]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at a blob found.

    Attributes:
        blob: Whose name it is.
        digest: What its bytes hash to; empty where not all of them could be read.
        size: How many were read.
        problem: Why they could not be read; empty otherwise.
        missing: Whether the store has nothing of that name.
    """

    blob: Sha256
    digest: str = ""
    size: int = 0
    problem: str = ""
    missing: bool = False


def rehash(
    blobs: Mapping[Sha256, int],
    span: Callable[[Sha256], Span | None],
    advance: Advance,
    spans: Mapping[Sha256, Span] = _NONE,
) -> list[Look]:
    """Read *blobs* whole; return what each was found to be, by digest.

    Args:
        blobs: Their digests, with their sizes: the largest are begun first.
        span: Says where a blob lies now.
        advance: Told of bytes that were hashed.
        spans: Where some of them lay a moment ago: what is in packs is read there
            without asking *span* for each, unless it is not there any more.
    """
    scrub = _Scrub(span, advance, spans)
    try:
        jobs = scrub.jobs(sorted(blobs, key=lambda one: -blobs[one]))
        # No piece more than threads: what waits for its turn leaves the caches.
        lanes.run(jobs, scrub.do, alive=lanes.THREADS)
    finally:
        scrub.close()
    return sorted(scrub.looks, key=lambda look: look.blob)


@dataclass(slots=True, eq=False)
class _File:
    blob: Sha256
    span: Span
    bulk: BulkFile
    hash_: Callable[["_File", "_Piece"], None]
    hasher: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    hashed: int = 0
    passed: int = 0
    problem: str = ""
    lane: "Lane[_Piece]" = field(init=False)

    def __post_init__(self) -> None:
        self.lane = Lane(partial(self.hash_, self))

    @property
    def pieces(self) -> int:
        """How many pieces it is read in."""
        return -(-self.span.length // _PIECE)


@dataclass(frozen=True, slots=True)
class _Piece:
    data: memoryview
    problem: str
    done: Callable[[], None]


_Place = tuple[Sha256, Span]
_Job = tuple[_File, int] | list[_Place]


class _Scrub:
    """The work of one ``rehash``."""

    def __init__(
        self,
        span: Callable[[Sha256], Span | None],
        advance: Advance,
        spans: Mapping[Sha256, Span] = _NONE,
    ) -> None:
        self._span, self._advance, self._spans = span, advance, spans
        self._buffers = Buffers(_PIECE + 2 * PAGE)
        self._small: list[_Place] = []
        self._open: dict[Sha256, BulkFile] = {}
        self.looks: list[Look] = []

    def jobs(self, blobs: Iterable[Sha256]) -> Iterator[_Job]:
        """Yield pieces of several files by turns, then small blobs."""
        files = self._files(blobs)
        turns: deque[Iterator[_Job]] = deque()
        while True:
            while len(turns) < _FILES and (file := next(files, None)):
                turns.append(iter([(file, number) for number in range(file.pieces)]))
            if not turns:
                break
            if job := next(turns[0], None):
                yield job
                turns.rotate(-1)
            else:
                turns.popleft()
        # Packs are read from front to back.
        self._small.sort(key=lambda place: (place[1].path, place[1].offset))
        for start in range(0, len(self._small), _BUNCH):
            yield self._small[start : start + _BUNCH]

    def _files(self, blobs: Iterable[Sha256]) -> Iterator[_File]:
        """Yield the large blobs, opened; put the others aside."""
        for blob in blobs:
            try:
                known = self._spans.get(blob)
                span = known if known and known.offset else self._span(blob)
                if span is None:
                    self.looks.append(Look(blob=blob, missing=True))
                elif span.length < SMALL or span.offset:
                    self._small.append((blob, span))
                else:
                    with failing("open", span.path):
                        bulk = self._open[blob] = BulkFile(span.path)
                    yield _File(blob, span, bulk, self._hash)
            except StoreError as error:
                self.looks.append(Look(blob=blob, problem=error.problem))

    def do(self, job: _Job, done: Callable[[], None]) -> None:
        """Read a piece and hash what is next; or a bunch of small blobs."""
        if isinstance(job, list):
            for path, places in itertools.groupby(job, key=lambda one: one[1].path):
                self.looks.extend(self._look_in(path, list(places)))
            done()
            return
        file, number = job
        start = number * _PIECE
        length = min(_PIECE, file.span.length - start)
        buffer, problem = self._buffers.take(), ""
        data = buffer[:0]
        try:
            with failing("read", file.span.path):
                data = file.bulk.read(buffer, start, length)
            if len(data) < length:
                problem = ends_early(file.blob, file.span, start + len(data)).problem
        except StoreError as error:
            problem = error.problem
        file.lane.put(number, _Piece(data, problem, done))

    def _hash(self, file: _File, piece: _Piece) -> None:
        file.problem = file.problem or piece.problem
        if not file.problem:
            file.hasher.update(piece.data)
            file.hashed += len(piece.data)
            self._advance(len(piece.data))
        self._buffers.give(piece.data)
        piece.done()
        file.passed += 1
        if file.passed == file.pieces:
            self._open.pop(file.blob).close()
            digest = "" if file.problem else file.hasher.hexdigest()
            look = Look(
                blob=file.blob,
                digest=digest,
                size=file.hashed,
                problem=file.problem,
            )
            self.looks.append(look)

    def _look_in(self, path: Path, places: Sequence[_Place]) -> Iterator[Look]:
        """Yield what small blobs are that lie in one file: opened once for all."""
        try:
            fd = os.open(path, os.O_RDONLY | FLAGS)
        except OSError:
            yield from (self._look(blob, span) for blob, span in places)
            return
        try:
            for blob, span in places:
                with contextlib.suppress(OSError):
                    data = os.pread(fd, span.length, span.offset)
                    if len(data) == span.length:
                        self._advance(len(data))
                        digest = hashlib.sha256(data).hexdigest()
                        yield Look(blob=blob, digest=digest, size=len(data))
                        continue
                yield self._look(blob, span)  # says what is wrong with it
        finally:
            let_go(fd)

    def _look(self, blob: Sha256, span: Span) -> Look:
        hasher, size = hashlib.sha256(), 0
        try:
            for chunk in chunks(span, blob, 0, span.length):
                hasher.update(chunk)
                size += len(chunk)
        except StoreError as error:
            # A collection may have moved it to another pack since it was looked for.
            now = self._span(blob)
            if now is None:
                return Look(blob=blob, missing=True)
            if now != span:
                return self._look(blob, now)
            return Look(blob=blob, problem=error.problem, size=size)
        self._advance(size)
        return Look(blob=blob, digest=hasher.hexdigest(), size=size)

    def close(self) -> None:
        """Let go of files that were not read to their end."""
        for bulk in self._open.values():
            bulk.close()
