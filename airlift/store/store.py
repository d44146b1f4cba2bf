"""The interface of a blob store, so that another engine can take the disk's place."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol

from airlift.digest import Sha256
from airlift.store.span import Span


class Store(Protocol):
    """Blobs by their SHA-256. A blob that is held is whole, durable and unchanging."""

    def missing(self, wanted: Iterable[Sha256]) -> set[Sha256]:
        """Return those of *wanted* that are not held; fast for 100,000."""
        ...

    def span(self, sha256: Sha256) -> Span | None:
        """Return where the blob lies on the local disk, or None when it does not."""
        ...

    def spans(self, wanted: Iterable[Sha256]) -> Mapping[Sha256, Span]:
        """Return where those of *wanted* lie that are held; fast for 100,000.

        None where the disk refuses: ``span`` says of each why.
        """
        ...

    def read(
        self, sha256: Sha256, *, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """Yield bytes *start* to *stop* of a blob in chunks of at most 1 MiB.

        Raises:
            StoreError: It is not held, or ends early.
        """
        ...

    def add(
        self,
        chunks: Iterable[bytes],
        *,
        expect: Sha256 | None = None,
        size: int | None = None,
    ) -> Sha256:
        """Keep *chunks* joined as one blob, durable on return; return its digest.

        Raises:
            StoreError: They are not *size* bytes or do not hash to *expect*.
        """
        ...

    def settle(self, blobs: Iterable[Sha256]) -> None:
        """Make *blobs*, which can be found now, durable, whoever put them there.

        Raises:
            StoreError: The disk refused.
        """
        ...

    def all(self) -> Iterator[tuple[Sha256, int]]:
        """Yield every blob held with its size in bytes, by ascending digest."""
        ...

    def remove(self, gone: Collection[Sha256]) -> int:
        """Forget the blobs *gone*; return the bytes freed. Unknown ones are ignored."""
        ...

    def partials(self) -> Iterator[str]:
        """Yield the keys of unfinished files."""
        ...

    def discard(self, key: str) -> None:
        """Delete an unfinished file; nothing happens where there is none.

        Raises:
            StoreError: Somebody is filling it.
        """
        ...
