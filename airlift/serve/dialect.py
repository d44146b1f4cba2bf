"""The interface of a dialect: one serving protocol, without any I/O.

A dialect gets a ``Request`` and a ``Shelf`` to look things up in, and returns an
``Answer`` or None when the path is not its own. It opens no file and no socket;
``serve.server`` is the only place that does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeAlias

from airlift.artifact import Kind, LiveRelease, ReleaseFile
from airlift.digest import Sha256
from airlift.store.span import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, as far as it was shown.

    Attributes:
        name: What the operator called the credential; empty for anyone.
        may_sign_in: Whether showing a credential could give more than was given.
            What is not found is then answered with the dialect's challenge (401)
            instead of its 404.
        powers: ``metrics`` for whoever may read the server's figures, ``*`` for
            whoever may have everything, also what no release is: its history say.
    """

    name: str = ""
    may_sign_in: bool = False
    powers: frozenset[str] = frozenset()


ANYONE = Caller(powers=frozenset({"*", "metrics"}))
"""Every caller of a server without access control."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A credential the server made, which for a while stands for the caller's own.

    Attributes:
        bearer: What to send as ``Authorization: Bearer``; no secret of the caller's
            is in it.
        expires: Seconds since 1970.
    """

    bearer: str = field(repr=False)
    expires: int


def _unsigned(path: str) -> str:
    return path


def _no_pass() -> None:
    return None


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
        client: The address it comes from, without port; ``-`` where there is none.
        caller: Who asks. The shelf shows only what this caller may have.
        sign: Makes of a path below ``base_url`` one that for a while is answered
            as this request was, without its credential; the same path where there
            is no access control.
        issue: Makes a pass for this caller; None where there is no access control.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    # Neither is ever shown: tokens are in them.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    base_url: str = ""
    client: str = "-"
    caller: Caller = ANYONE
    sign: Callable[[str], str] = _unsigned
    issue: Callable[[], Pass | None] = _no_pass


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
class Slice:
    """Bytes of a blob from *start* up to *stop*."""

    sha256: Sha256
    start: int
    stop: int


Piece: TypeAlias = bytes | Slice


@dataclass(frozen=True, kw_only=True)
class JoinedBody:
    """A body made of bytes and of parts of blobs, streamed like a ``BlobBody``.

    What is derived from blobs (a layer of an image, a merged file) is never stored.

    Attributes:
        pieces: In order; bytes of a few KiB each at most.
        etag: Without quotes; must differ wherever the pieces do.
    """

    pieces: tuple[Piece, ...]
    etag: str

    @cached_property
    def size(self) -> int:
        """The length of all pieces in bytes."""
        return sum(
            len(one) if isinstance(one, bytes) else one.stop - one.start
            for one in self.pieces
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to send back.

    Attributes:
        headers: In the order to send. ``Content-Length``, ``Accept-Ranges``,
            ``ETag`` and ``Content-Range`` of a streamed body are the server's. An
            ``ETag`` beside bytes is compared with ``If-None-Match`` by the server.
        release: Id of the live release the answer is about, for the access log;
            empty where it is about none or several.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | BlobBody | JoinedBody = b""
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

    def holders(self, sha256: Sha256) -> frozenset[Sha256]:
        """Return the ids of the live releases that have a file with these bytes."""
        ...

    def span(self, sha256: Sha256) -> Span | None:
        """Return where the blob's bytes lie, or None when the store lacks them."""
        ...

    def read(self, sha256: Sha256, start: int, stop: int) -> bytes | None:
        """Return at most 16 MiB of a blob: *start* up to *stop* or its end.

        For headers and small texts that an answer is made from; None like ``span``.
        """
        ...

    def withheld(self, kinds: frozenset[Kind], name: str) -> bool:
        """Say whether *name* is live but not for this caller, ignoring case."""
        ...


class Digests(Protocol):
    """Digests of what is derived from blobs; computed in the background, kept."""

    def sha256(self, body: JoinedBody) -> Sha256 | None:
        """Return the digest of *body*'s bytes; None while it is not known yet.

        Asking for an unknown one has it computed, so that asking again later helps.
        """
        ...


class Dialect(Protocol):
    """One serving protocol."""

    def answer(self, request: Request, shelf: Shelf) -> Answer | None:
        """Answer *request*, or return None when its path is another dialect's."""
        ...
