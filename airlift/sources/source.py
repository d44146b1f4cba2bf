"""The interface of a source: where artifacts come from.

A source turns a wish into an exact revision and reads the bytes of a file of it.
It never hashes, writes or retries across failures: fetching into the store, with
resume, checks of size, SHA-256 and git id, is done once for all sources by
``airlift.outbound``, which also keeps the promise that only ``SourceError`` comes
out of a source, whatever a library underneath raises.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from airlift.artifact import Pinned, PinnedFile, Wish
from airlift.digest import Sha256


class Source(Protocol):
    """Where artifacts of one or more kinds come from."""

    def resolve(self, wish: Wish) -> Pinned:
        """Pin *wish* to an exact revision and list its files, sorted by path.

        May be called twice and then gives the same answer unless upstream moved.

        Raises:
            RequestError: The wish itself cannot be meant (unknown quantisation...).
            SourceError: Upstream is missing, gated, unreachable or inconsistent.
        """
        ...

    def read(
        self, file: PinnedFile, *, start: int = 0, stop: int | None = None
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Open *file* of something this source pinned, from byte *start* to *stop*.

        Works on a ``PinnedFile`` from a lock file of another process. Chunks are of
        any size above zero; several calls may run at once from several threads.

        Args:
            file: As ``resolve`` gave it.
            start: First byte wanted.
            stop: One past the last byte wanted; None for the end.

        Raises:
            SourceError: It cannot be opened or breaks off; the message names the
                file. What may work on another try is a ``SourceBusyError``.
        """
        ...


class NearFile(Protocol):
    """A file that can be read anywhere, by several threads at once."""

    def into(self, view: memoryview, offset: int, length: int) -> None:
        """Read *length* bytes at byte *offset* to the front of *view*.

        What lies behind *length* in *view* may be written over.

        Raises:
            SourceError: They cannot be read, or are not there.
        """
        ...

    def close(self) -> None:
        """Let go of the file. May be called twice.

        Raises:
            SourceError: It changed since it was opened.
        """
        ...


@runtime_checkable
class NearSource(Source, Protocol):
    """A source whose files lie at hand, on a disk of this machine.

    Attributes:
        taking: Called with the files that ``resolve`` pins, their digests still
            unknown; returns the digests of those it has read, by path. So an export
            reads a file once. None where they are only to be pinned.
    """

    taking: "Taking | None"

    def open(self, file: PinnedFile) -> NearFile:
        """Open *file*, as ``read`` does.

        Raises:
            SourceError: It is gone, or no longer what was pinned.
        """
        ...


Taking = Callable[[NearSource, Sequence[PinnedFile]], Mapping[str, Sha256]]
