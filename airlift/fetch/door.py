"""GET: whole small answers, and ranges of large ones as streams of chunks.

A ``Door`` belongs to the endpoints it was configured for (its *homes*); ``guard``
holds every request to them. It asks once and never retries: that is done in one
place for all sources, by ``airlift.outbound``.
"""

import json
import re
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx2

import airlift
from airlift.errors import SourceBusyError, SourceError
from airlift.fetch.guard import Guard
from airlift.fetch.refusals import RangeIgnoredError, place, refusal
from airlift.fetch.settings import Settings

SMALL = 64 << 20
"""Bytes that an answer held in memory may have unless the caller says otherwise."""

_CHUNK = 256 << 10  # bytes; large enough that Python's share is small, small to lose
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer.

    Attributes:
        url: Where it came from in the end, after redirects.
        headers: Lower-case names; a repeated header's values joined by ``, ``.
        body: At most the bytes that were allowed.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Door:
    """The way out to the network; safe from several threads.

    Args:
        settings: Proxies, certificates, time-outs.
        homes: URLs of the endpoints it is configured for: the only ones that get
            credentials; where one of them is at an address inside this network,
            others may be too.
    """

    def __init__(self, settings: Settings, *, homes: tuple[str, ...]) -> None:
        self._settings = settings
        self._guard = Guard(settings, homes)
        self._client = self._make(self._guard)
        # A source has no end of its own: its connections go when it does.
        weakref.finalize(self, self._guard.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._guard.close()

    def client(self) -> httpx2.Client:
        """Return a client for a library that insists on one; the same rules hold.

        It reaches homes only, and no answer is longer than ``SMALL``. Closing it
        closes no connection of this door. An answer that is coded or says to come
        back later raises at once, before the library reads or waits.
        """
        return self._make(_Lent(self._guard), _refuse_early)

    def _make(
        self,
        transport: httpx2.BaseTransport,
        *hooks: Callable[[httpx2.Response], None],
    ) -> httpx2.Client:
        wait = self._settings.read_timeout_s
        return httpx2.Client(
            transport=transport,
            event_hooks={"response": list(hooks)},
            headers={
                "user-agent": f"airlift/{airlift.__version__}",
                # A coded answer could unpack to more than was allowed for.
                "accept-encoding": "identity",
            },
            timeout=httpx2.Timeout(wait, connect=self._settings.connect_timeout_s),
            follow_redirects=True,
            max_redirects=self._settings.redirects,
            trust_env=False,
        )

    def get(
        self,
        url: str,
        headers: Mapping[str, str] = _NO_HEADERS,
        *,
        limit: int = SMALL,
    ) -> Reply:
        """Return the answer to GET *url*.

        Args:
            url: Absolute.
            headers: Extra ones; credentials reach homes only.
            limit: Bytes the body may have.

        Raises:
            RefusedError: The status says no (401, 403, 404...), with status and
                headers.
            SourceBusyError: It may work later: a drop, a time-out, 429, 5xx.
            SourceError: It is larger than *limit*, coded, or leads astray.
        """
        with self._open(url, headers) as response:
            body = bytearray()
            for chunk in response.iter_raw(_CHUNK):
                body += chunk
                if len(body) > limit:
                    problem = f"{place(url)} sends more than {limit} bytes"
                    raise SourceError(problem)
            return Reply(
                url=str(response.url),
                headers={name.lower(): v for name, v in response.headers.items()},
                body=bytes(body),
            )

    def get_json(
        self,
        url: str,
        headers: Mapping[str, str] = _NO_HEADERS,
        *,
        limit: int = SMALL,
    ) -> Any:
        """Return the JSON that GET *url* answers, decoded.

        Raises:
            SourceError: As ``get``; or it is not JSON.
        """
        reply = self.get(url, {"accept": "application/json", **headers}, limit=limit)
        try:
            return json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            problem = f"{place(url)} did not answer with JSON"
            hint = "a proxy or login page may stand between; open the address by hand"
            raise SourceError(problem, hint=hint) from error

    @contextmanager
    def stream(
        self,
        url: str,
        start: int = 0,
        stop: int | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Iterator[Iterator[bytes]]:
        """Open GET *url* and yield its bytes from *start* to *stop* in chunks.

        Exactly the bytes asked for come out, or an error does: a body that ends
        early is never taken for a whole one.

        Args:
            url: Absolute.
            start: First byte wanted.
            stop: One past the last byte wanted; None for the end.
            headers: Extra ones; credentials reach homes only.

        Raises:
            RangeIgnoredError: *start* is above 0 and upstream sends from 0.
            SourceError: As ``get``, also while chunks are taken.
        """
        if stop is not None and stop <= start:
            yield iter(())
            return
        ranged = start > 0 or stop is not None
        last = "" if stop is None else stop - 1
        extra = {"range": f"bytes={start}-{last}"} if ranged else {}
        with self._open(url, {**headers, **extra}) as response:
            end = _end(response, start, stop)
            yield _exactly(response, end - start if end is not None else None)

    @contextmanager
    def _open(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
        try:
            with self._client.stream("GET", url, headers=dict(headers)) as response:
                if not response.is_success:
                    raise refusal(response)
                _refuse_early(response)
                yield response
        except httpx2.TooManyRedirects as error:
            problem = (
                f"{place(url)} redirects more than {self._settings.redirects} times"
            )
            raise SourceError(problem) from error
        except httpx2.InvalidURL as error:
            problem = f"upstream gave an address that is none: {error}"
            raise SourceError(problem) from error
        except httpx2.HTTPError as error:
            # Guard maps what transports raise; this is what the client adds.
            problem = f"{place(url)} broke the protocol: {error}"
            raise SourceBusyError(problem) from error


class _Lent(httpx2.BaseTransport):
    """A guard lent to a library: homes only, and no endless answers."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if not self._guard.is_home(request.url):
            problem = f"upstream leads away from its endpoint, to {place(request.url)}"
            raise SourceError(problem, hint="ask those who run the endpoint")
        response = self._guard.handle_request(request)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Capped(response.stream, place(request.url))
        return response


class _Capped(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, name: str) -> None:
        self._stream, self._name = stream, name

    def __iter__(self) -> Iterator[bytes]:
        done = 0
        for chunk in self._stream:
            done += len(chunk)
            if done > SMALL:
                problem = f"{self._name} sends more than {SMALL} bytes"
                raise SourceError(problem)
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _refuse_early(response: httpx2.Response) -> None:
    error = refusal(response) if response.is_error else None
    if isinstance(error, SourceBusyError):
        raise error
    coding = response.headers.get("content-encoding", "identity")
    if coding != "identity":
        problem = f"{place(response.url)} sends its bytes in a coding, `{coding}`"
        raise SourceError(problem)


def _end(response: httpx2.Response, start: int, stop: int | None) -> int | None:
    """Return where the bytes to take from *response* end; None where it is unsaid."""
    if response.status_code != 206:
        if start:
            problem = f"{place(response.url)} does not send parts of files"
            raise RangeIgnoredError(problem)
        length = response.headers.get("content-length", "")
        known = int(length) if length.isascii() and length.isdigit() else None
        return stop if known is None else min(known, stop or known)
    said = response.headers.get("content-range", "")
    found = _CONTENT_RANGE.fullmatch(said.strip())
    if found is None or int(found[1]) != start:
        problem = f"{place(response.url)} sent the range `{said}`, not one from {start}"
        raise SourceError(problem)
    sent, total = int(found[2]) + 1, found[3]
    if stop is None:
        return sent if total == "*" else int(total)
    # A range past the end of the file is cut there; one cut elsewhere is a drop.
    return sent if str(sent) == total else stop


def _exactly(response: httpx2.Response, length: int | None) -> Iterator[bytes]:
    done = 0
    if length != 0:
        for chunk in response.iter_raw(_CHUNK):
            piece = chunk if length is None else chunk[: length - done]
            done += len(piece)
            if piece:
                yield piece
            if done == length:
                break
    if length is not None and done < length:
        problem = f"{place(response.url)} broke off after {done} of {length} bytes"
        raise SourceBusyError(problem, hint="run the command again to go on")
