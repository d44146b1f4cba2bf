"""Bytes out of a source: the error promise, retries, and nothing else.

``opened`` is the one wrapper that covers both the call of ``Source.read`` and the
iteration after it, so that whatever a library underneath raises comes out as a
``SourceError``. ``pull`` asks again where that may help.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from airlift import naming
from airlift.artifact import Pinned, PinnedFile, Wish
from airlift.crew import Stop, StoppedError
from airlift.errors import AirliftError, SourceBusyError, SourceError
from airlift.sources.source import Source

TRIES = 5
"""Attempts in a row without a single byte before giving up."""
LONGEST_S = 300.0
"""The longest pause upstream may ask for; an hour's wait is for a person to decide."""

Keep = Callable[[bytes, int], None]
"""Called with a chunk and where in the file it belongs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """A source, and how patiently to draw from it."""

    source: Source
    pause: Callable[[float], None]
    stop: Stop


def resolve(
    wish: Wish, source: Source, *, pause: Callable[[float], None], most: int = TRIES
) -> Pinned:
    """Return what *source* pins *wish* to, asking again where that may help.

    Args:
        wish: What is wanted.
        source: The source of its kind.
        pause: Waits that many seconds.
        most: How often it is asked.

    Raises:
        RequestError: The wish cannot be meant.
        SourceError: Upstream does not answer, or what a library raised about it.
    """
    tries = 0
    while True:
        try:
            with _wrapped(f"{wish.kind.value} `{naming.show(wish.name)}`"):
                return source.resolve(wish)
        except SourceBusyError as error:
            tries += 1
            if tries >= most:
                raise
            _wait(error, tries, pause)


@contextmanager
def opened(
    source: Source, file: PinnedFile, start: int, stop: int | None
) -> Iterator[Iterator[bytes]]:
    """Open *file* of *source*; only airlift's errors come out, now or later."""
    with (
        _wrapped(f"`{naming.show(file.path)}`"),
        source.read(file, start=start, stop=stop) as chunks,
    ):
        yield chunks


def pull(tap: Tap, file: PinnedFile, at: int, stop: int | None, keep: Keep) -> int:
    """Give *keep* the bytes of *file* from *at* to *stop*; return where they end.

    Args:
        tap: Where from.
        file: Which.
        at: First byte wanted.
        stop: One past the last; None for whatever the end is.
        keep: Gets chunks in order.

    Raises:
        RangeIgnoredError: Upstream can only send the file from its start.
        SourceError: Upstream refuses, gives too much, or stays silent through
            ``TRIES`` attempts.
    """
    tries = 0
    while stop is None or at < stop:
        begun = at
        try:
            with opened(tap.source, file, at, stop) as chunks:
                for chunk in chunks:
                    tap.stop.check()
                    _refuse_more(file, at + len(chunk), stop)
                    keep(chunk, at)
                    at += len(chunk)
            if stop is None:
                return at
            _refuse_less(file, at, stop)
        except SourceBusyError as error:
            tries = 1 if at > begun else tries + 1
            _wait(error, tries, tap.pause)
    return at


def _refuse_more(file: PinnedFile, end: int, stop: int | None) -> None:
    if stop is not None and end > stop:
        problem = f"`{naming.show(file.path)}`: upstream sends more than {stop} bytes"
        raise SourceError(problem, hint="its listing and its content disagree")


def _refuse_less(file: PinnedFile, at: int, stop: int) -> None:
    if at < stop:
        problem = f"`{naming.show(file.path)}` ends at byte {at}, expected {stop}"
        raise SourceBusyError(problem, hint="run the command again to go on")


def _wait(error: SourceBusyError, tries: int, pause: Callable[[float], None]) -> None:
    asked = error.retry_after_s or 0.0
    if tries >= TRIES or asked > LONGEST_S:
        raise error
    pause(max(asked, float(2 ** (tries - 1))))


@contextmanager
def _wrapped(what: str) -> Iterator[None]:
    try:
        yield
    except (AirliftError, StoppedError):
        raise
    except Exception as error:
        said = naming.show(f"{type(error).__name__}: {error}")
        problem = f"reading {what} failed inside a library: {said}"
        raise SourceError(problem, hint="if it happens again, report it") from error
