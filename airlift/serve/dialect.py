"""The interface of a dialect: one serving protocol, without any I/O.

A dialect gets a ``Request`` and a ``Shelf`` to look things up in, and returns an
``Answer`` or None when the path is not its own. It opens no file and no socket;
``serve.server`` is the only place that does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from airlift.artifact import Kind, LiveRelease, ReleaseFile
from airlift.digest import Sha256
from airlift.store.span import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asked.

    Attributes:
        method: Upper case.
        path: The raw path as sent, still percent-encoded, below the prefix the
            server is mounted at; begins with ``/``.
        query: Decoded pairs in the order sent.
        headers: Lower-case names; the last value where one is repeated.
        body: At most 1 MiB; empty for GET and HEAD.
        base_url: Scheme, host and prefix the client used, from configuration or
            an allow-listed Host header; no trailing slash.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobBody:
    """A body that the server streams from the store, ranges and validators included.

    Attributes:
        sha256: What the server looks up with ``Shelf.span``.
        size: Bytes.
        etag: Without quotes; what ``If-Range`` and ``If-None-Match`` compare with.
        sized: Whether an answer to HEAD states the length; False only for clients
            that refuse a file because of it.
    """

    sha256: Sha256
    size: int
    etag: str
    sized: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to send back.

    Attributes:
        headers: In the order to send. ``Content-Length``, ``Accept-Ranges``,
            ``ETag`` and ``Content-Range`` of a ``BlobBody`` are the server's. An
            ``ETag`` beside bytes is compared with ``If-None-Match`` by the server.
        release: Id of the live release the answer is about, for the access log;
            empty where it is about none or several.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | BlobBody = b""
    release: str = ""


class Shelf(Protocol):
    """What is live, as dialects see it. Reads only; cheap; safe from any thread."""

    def generation(self) -> int:
        """Return the number of the live set; it changes when the set does."""
        ...

    def releases(
        self, kinds: frozenset[Kind], name: str | None = None
    ) -> tuple[LiveRelease, ...]:
        """Return live releases of *kinds*, of *name* if given, newest counter first.

        Names are compared exactly; order is by kind, name, then falling counter.
        """
        ...

    def names_like(self, kinds: frozenset[Kind], name: str) -> tuple[str, ...]:
        """Return live names of *kinds* equal to *name* ignoring case."""
        ...

    def files(self, release: Sha256) -> tuple[ReleaseFile, ...]:
        """Return the files of the live release *release*, sorted by path."""
        ...

    def file(self, release: Sha256, path: str) -> ReleaseFile | None:
        """Return one file of a live release, or None."""
        ...

    def span(self, sha256: Sha256) -> Span | None:
        """Return where the blob's bytes lie, or None when the store lacks them."""
        ...


class Dialect(Protocol):
    """One serving protocol."""

    def answer(self, request: Request, shelf: Shelf) -> Answer | None:
        """Answer *request*, or return None when its path is another dialect's."""
        ...
