"""Digests of what is derived from blobs, computed by one thread in the background.

A layer of an image is named by a digest of bytes that are nowhere stored, so someone
has to read them once. One thread does, at the lowest priority, in small steps: what a
client waits for goes before what is only likely to be asked, and a model of any size
holds up no small one.

Every blob is checked against its own digest on the way. Without that, a blob that
rotted on the disk would be given a digest under which clients accept it.
"""

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Final, Self

from airlift.digest import Sha256
from airlift.errors import AirliftError, StoreError
from airlift.serve.dialect import JoinedBody, Piece, Shelf
from airlift.serve.distribution.kept_digests import KeptDigests
from airlift.serve.http.bodies import HINT

POLL_S: Final = 5.0
"""Seconds until a new live set is noticed; one query of a few microseconds."""

_CHUNK_BYTES: Final = 4 << 20
_TURN: Final = 16  # chunks, about a twentieth of a second; then others are looked at
_LOWEST: Final = 19


def recipe(pieces: Iterable[Piece]) -> str:
    """Return a name for what *pieces* make: equal for the same pieces and no others."""
    hasher = hashlib.sha256()
    for piece in pieces:
        if isinstance(piece, bytes):
            hasher.update(b"bytes %d\n" % len(piece) + piece)
        else:
            told = f"blob {piece.sha256} {piece.start} {piece.stop}\n"
            hasher.update(told.encode())
    return hasher.hexdigest()


@dataclass(slots=True, kw_only=True)
class _Job:
    """One body to be read.

    Attributes:
        work: Gives how many bytes of the body each step read; returns the digest.
        asked: Whether somebody waits for it.
        done: Bytes of the body read.
    """

    work: Generator[int, None, Sha256]
    asked: bool = False
    done: int = 0


class Derived:
    """Computes and remembers; a context manager that runs the thread.

    Args:
        shelf: Everything that is live, whoever asks.
        kept: What is known already; opened and closed by the caller.
        wanted: What to compute without being asked, whenever the live set changes.
        say: Told of what failed, one line each.
        poll_s: Seconds between looks at the live set.
    """

    def __init__(
        self,
        shelf: Shelf,
        kept: KeptDigests,
        *,
        wanted: Callable[[Shelf], Iterable[JoinedBody]],
        say: Callable[[str], None],
        poll_s: float = POLL_S,
    ) -> None:
        self._shelf, self._kept = shelf, kept
        self._wanted, self._say, self._poll_s = wanted, say, poll_s
        self._generation = -1
        self._jobs: dict[str, _Job] = {}
        self._failed: dict[str, AirliftError] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="airlift-derived")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def sha256(self, body: JoinedBody) -> Sha256 | None:
        """Return the digest of *body*'s bytes; None while it is being computed.

        Raises:
            StoreError: It could not be; asking again tries again.
        """
        key = recipe(body.pieces)
        with self._changed:
            if found := self._kept.get(key):
                return found
            if error := self._failed.pop(key, None):
                raise error
            if key not in self._jobs:
                self._jobs[key] = _Job(work=_digest(self._shelf, body))
            self._jobs[key].asked = True
            self._changed.notify()
        return None

    def done(self, body: JoinedBody) -> int:
        """Return how many bytes of *body* were read so far."""
        key = recipe(body.pieces)
        with self._changed:
            if self._kept.get(key):
                return body.size
            return self._jobs[key].done if key in self._jobs else 0

    # --- in the thread ------------------------------------------------------------

    def _run(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            # On Linux a thread has a priority of its own, for disk and processor.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)
        while not self._stopping:
            self._look()
            if (turn := self._next()) is not None:
                self._advance(*turn)

    def _look(self) -> None:
        """Note what a new live set wants."""
        try:
            generation = self._shelf.generation()
            if generation == self._generation:
                return
            bodies = {recipe(body.pieces): body for body in self._wanted(self._shelf)}
        except AirliftError as error:
            # A database that is busy now is asked again at the next look.
            self._say(f"cannot see what is live: {error}")
            with self._changed:
                self._changed.wait(0 if self._stopping else self._poll_s)
            return
        with self._changed:
            self._generation = generation
            self._failed.clear()
            before = self._jobs
            self._jobs = {key: job for key, job in before.items() if job.asked}
            for key, body in bodies.items():
                if self._kept.get(key) is None and key not in self._jobs:
                    fresh = _Job(work=_digest(self._shelf, body))
                    self._jobs[key] = before.get(key, fresh)

    def _next(self) -> tuple[str, _Job] | None:
        """Return what to work on; wait a while where there is nothing."""
        with self._changed:
            if not self._jobs and not self._stopping:
                self._changed.wait(self._poll_s)
            if self._stopping or not self._jobs:
                return None
            asked = (one for one in self._jobs.items() if one[1].asked)
            return next(asked, None) or next(iter(self._jobs.items()))

    def _advance(self, key: str, job: _Job) -> None:
        try:
            for _ in range(_TURN):
                if self._stopping:
                    return
                job.done += next(job.work)
        except StopIteration as end:
            # Kept before the job goes, so that nobody has it computed twice, and
            # without the lock, because the disk may take its time.
            self._kept.put(key, end.value)
            with self._changed:
                self._jobs.pop(key, None)
        except AirliftError as error:
            self._say(str(error))
            with self._changed:
                self._failed[key] = error
                self._jobs.pop(key, None)


def _digest(shelf: Shelf, body: JoinedBody) -> Generator[int, None, Sha256]:
    """Read *body* in chunks, giving their sizes; return its digest.

    Raises:
        StoreError: A blob is missing, or is not what its digest says.
    """
    hasher = hashlib.sha256()
    checked: set[Sha256] = set()
    for piece in body.pieces:
        if isinstance(piece, bytes):
            hasher.update(piece)
            yield len(piece)
            continue
        name, start, stop = piece.sha256, piece.start, piece.stop
        if (start, stop) == (0, _size(shelf, name)):
            own = hashlib.sha256()
            for chunk in _chunks(shelf, name, 0, stop):
                hasher.update(chunk)
                own.update(chunk)
                yield len(chunk)
            _compare(name, own.hexdigest())
            continue
        if name not in checked:
            yield from _check(shelf, name)
            checked.add(name)
        for chunk in _chunks(shelf, name, start, stop):
            hasher.update(chunk)
            yield len(chunk)
    return Sha256(hasher.hexdigest())


def _check(shelf: Shelf, name: Sha256) -> Generator[int, None, None]:
    own = hashlib.sha256()
    for chunk in _chunks(shelf, name, 0, _size(shelf, name)):
        own.update(chunk)
        yield 0
    _compare(name, own.hexdigest())


def _compare(name: Sha256, found: str) -> None:
    if found != name:
        problem = f"blob {name} reads as sha256 {found}: it is damaged"
        raise StoreError(problem, hint=HINT)


def _size(shelf: Shelf, name: Sha256) -> int:
    span = shelf.span(name)
    if span is None:
        raise _missing(name)
    return span.length


def _chunks(
    shelf: Shelf, name: Sha256, start: int, stop: int
) -> Generator[bytes, None, None]:
    while start < stop:
        chunk = shelf.read(name, start, min(stop, start + _CHUNK_BYTES))
        if not chunk:
            raise _missing(name)
        yield chunk
        start += len(chunk)


def _missing(name: Sha256) -> StoreError:
    problem = f"blob {name} is missing from the store, or shorter than its release says"
    return StoreError(problem, hint=HINT)
