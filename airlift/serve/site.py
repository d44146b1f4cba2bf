"""From an HTTP request to a dialect's answer, and from that to bytes on the wire."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import CIMultiDict

from airlift.errors import AirliftError, RegistryError, StoreError
from airlift.serve import bodies, guard, ranges, tls
from airlift.serve.access import Admitted, Settled
from airlift.serve.access_log import AccessLog, Entry
from airlift.serve.bodies import OpenBody
from airlift.serve.connection import HEADERS, Connection, client_of
from airlift.serve.dialect import Answer, BlobBody, Dialect, JoinedBody, Request, Shelf
from airlift.serve.files import Prepared, Sender
from airlift.serve.guard import Head, Refusal
from airlift.serve.ranges import Cut
from airlift.serve.settings import ServeSettings

HEALTH = "/healthz"
_QUERY_FIELDS = 256
_TEXT = ("Content-Type", "text/plain; charset=utf-8")
_WHOLE = Cut(status=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """What to send: an answer, which part of it, and the open body it comes from.

    Attributes:
        answer: The dialect's answer, its status replaced where a condition decided.
        part: Which bytes of *body*; meaningless without one.
        body: Closed by whoever sends the reply.
        caller: Who asked, for the log.
        problem: What failed, for the log alone.
    """

    answer: Answer
    part: Cut = _WHOLE
    body: OpenBody | None = None
    caller: str = ""
    problem: str = ""


class Site:
    """Answers requests; knows neither sockets nor signals.

    Args:
        shelf: What is live.
        dialects: Asked in this order.
        settings: Prefix, host names and limits count here.
        log: One entry for each request.
        lookups: Threads dialects run in.
        sender: Sends blobs.
    """

    def __init__(  # noqa: PLR0913 - the collaborators of the one object that joins them
        self,
        shelf: Shelf,
        dialects: Sequence[Dialect],
        settings: ServeSettings,
        *,
        log: AccessLog,
        lookups: Executor,
        sender: Sender,
    ) -> None:
        self._shelf = shelf
        self._dialects = dialects
        self._settings = settings
        self._log = log
        self._lookups = lookups
        self._sender = sender
        self.active: set[asyncio.Task[object]] = set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request and log it; the body is sent when this returns.

        Raises:
            ConnectionError: The answer could not be finished. The connection is
                broken then: a client must never take a short file for a whole one.
        """
        connection, task = request.protocol, asyncio.current_task()
        assert isinstance(connection, Connection)
        assert task is not None
        connection.head_complete()
        self.active.add(task)
        loop = asyncio.get_running_loop()
        started, entry = loop.time(), _entry(request)
        try:
            response = await self._respond(request, entry)
            entry.whole = True
        except (StoreError, TimeoutError) as error:
            slow = isinstance(error, TimeoutError)
            entry.problem = "client stalled" if slow else str(error)
            if request.transport is not None:
                request.transport.abort()
            problem = "answer was broken off"
            raise ConnectionResetError(problem) from error
        finally:
            self.active.discard(task)
            connection.answered()
            self._log.request(entry, seconds=loop.time() - started)
        return response

    async def _respond(
        self, request: web.BaseRequest, entry: Entry
    ) -> web.StreamResponse:
        limits = self._settings.limits
        head = _head(request)
        refusal = guard.refuse(
            head,
            host_names=self._settings.host_names,
            body_limit=limits.body_bytes,
        )
        if refusal is None and head.method == "POST":
            refusal, body = await _body(request, limits.body_bytes, limits.head_s)
        else:
            body = b""
        if refusal is not None:
            entry.problem = refusal.problem
            return await _send(request, _refused(refusal), entry)
        asked, holder = self._request(head, body), _holder(request)
        loop = asyncio.get_running_loop()
        reply = await loop.run_in_executor(self._lookups, self._look_up, asked, holder)
        entry.release, entry.problem = reply.answer.release, reply.problem
        entry.caller = reply.caller
        if reply.body is None:
            return await _send(request, reply.answer, entry)
        with contextlib.closing(reply.body):
            return await self._stream(request, reply, entry)

    def _request(self, head: Head, body: bytes) -> Request:
        path, _, query = _clean(head.target).partition("?")
        pairs = parse_qsl(query, keep_blank_values=True) if query else []
        scheme = "https" if self._settings.tls else "http"
        return Request(
            method=head.method,
            path=path,
            query=tuple(pairs[:_QUERY_FIELDS]),
            headers=guard.single(head.fields),
            body=body,
            base_url=f"{scheme}://{head.all('host')[0]}{self._settings.prefix}",
        )

    # --- in a thread ------------------------------------------------------------

    def _look_up(self, asked: Request, holder: tuple[str, ...]) -> _Reply:
        try:
            if answer := self._own(asked):
                return _Reply(answer=answer)
            below = asked.path.removeprefix(self._settings.prefix)
            found = self._admit(replace(asked, path=below), holder)
            if isinstance(found, Settled):
                return _Reply(
                    answer=found.answer, caller=found.caller, problem=found.problem
                )
            reply = self._reply(found, self._answer(found))
            return replace(reply, caller=found.request.caller.name)
        except AirliftError as error:
            # Never a 404: clients remember that something does not exist, and
            # retry after 5xx.
            status = 503 if isinstance(error, RegistryError) else 500
            return _Reply(answer=_failed(status), problem=str(error))

    def _own(self, asked: Request) -> Answer | None:
        """Return the answer that no credential is needed for and no dialect gives."""
        prefix = self._settings.prefix
        if asked.path in (HEALTH, prefix + HEALTH):
            return _health(self._shelf)
        if prefix and not asked.path.startswith(f"{prefix}/"):
            return _nothing()
        return None

    def _admit(self, asked: Request, holder: tuple[str, ...]) -> Admitted | Settled:
        if self._settings.access is None:
            return Admitted(request=asked, shelf=self._shelf, shared=True)
        return self._settings.access.admit(asked, self._shelf, holder)

    def _answer(self, admitted: Admitted) -> Answer:
        for dialect in self._dialects:
            if answer := dialect.answer(admitted.request, admitted.shelf):
                return answer if admitted.shared else _unshared(answer)
        return _nothing()

    def _reply(self, admitted: Admitted, answer: Answer) -> _Reply:
        asked, body = admitted.request, answer.body
        if not isinstance(body, BlobBody | JoinedBody):
            return _Reply(answer=_conditional(asked, answer))
        part = ranges.cut(asked.method, asked.headers, etag=body.etag, size=body.size)
        headers = [*answer.headers, ("ETag", f'"{body.etag}"')]
        headers.append(("Accept-Ranges", "bytes"))
        if part.status == 416:
            headers.append(("Content-Range", f"bytes */{body.size}"))
        elif part.status == 206:
            span = f"bytes {part.start}-{part.stop - 1}/{body.size}"
            headers.append(("Content-Range", span))
        sends = part.status in (200, 206)
        sized = not isinstance(body, BlobBody) or body.sized
        if sends and (asked.method != "HEAD" or sized):
            headers.append(("Content-Length", str(part.stop - part.start)))
        shown = replace(answer, status=part.status, headers=tuple(headers), body=b"")
        if not sends:
            return _Reply(answer=shown)
        opened = bodies.opened(admitted.shelf, body)
        return _Reply(answer=shown, part=part, body=opened)

    # --- on the wire ---------------------------------------------------------------

    async def _stream(
        self, request: web.BaseRequest, reply: _Reply, entry: Entry
    ) -> web.StreamResponse:
        assert reply.body is not None
        headers = CIMultiDict([*HEADERS, *reply.answer.headers])
        response = web.StreamResponse(status=reply.answer.status, headers=headers)
        entry.status = reply.answer.status
        await response.prepare(request)
        if request.method != "HEAD":
            transport = request.transport
            if transport is None:
                problem = "client went away"
                raise ConnectionResetError(problem)
            prepared = Prepared(stream=response, transport=transport)
            await self._sender.send(prepared, reply.body, reply.part, _adder(entry))
        await response.write_eof()
        return response


def _adder(entry: Entry) -> Callable[[int], None]:
    def add(count: int) -> None:
        entry.sent += count

    return add


async def _send(
    request: web.BaseRequest, answer: Answer, entry: Entry
) -> web.StreamResponse:
    assert isinstance(answer.body, bytes)
    headers = CIMultiDict([*HEADERS, *answer.headers])
    response = web.Response(status=answer.status, headers=headers, body=answer.body)
    if headers.get("Connection") == "close":
        response.force_close()
    entry.status = answer.status
    await response.prepare(request)
    await response.write_eof()
    entry.sent = 0 if request.method == "HEAD" else len(answer.body)
    return response


def _entry(request: web.BaseRequest) -> Entry:
    transport = request.transport
    client = client_of(transport) if transport is not None else "-"
    path = _clean(request.raw_path).partition("?")[0]
    return Entry(client=client, method=request.method, path=path)


def _head(request: web.BaseRequest) -> Head:
    local = ""
    if request.transport is not None:
        name = request.transport.get_extra_info("sockname")
        local = str(name[0]) if isinstance(name, tuple) and name else ""
    fields = [(key.lower(), value) for key, value in request.headers.items()]
    return Head(
        method=request.method, target=request.raw_path, fields=fields, local=local
    )


def _holder(request: web.BaseRequest) -> tuple[str, ...]:
    """Return whom the client's certificate names; nobody without one."""
    if request.transport is None:
        return ()
    return tls.identities(request.transport.get_extra_info("peercert"))


def _clean(text: str) -> str:
    """Return *text* without the lone surrogates that bytes beyond UTF-8 became."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def _body(
    request: web.BaseRequest, limit: int, seconds: float
) -> tuple[Refusal | None, bytes]:
    """Return the request's body, or why it is refused."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while piece := await request.content.readany():
                body += piece
                if len(body) > limit:
                    problem = f"body is above {limit} bytes"
                    return Refusal(status=413, problem=problem), b""
    except web.RequestPayloadError:
        return Refusal(status=400, problem="body is malformed"), b""
    except TimeoutError:
        return Refusal(status=408, problem="body did not arrive in time"), b""
    return None, bytes(body)


# --- answers of the server itself ----------------------------------------------------


def _conditional(asked: Request, answer: Answer) -> Answer:
    etag = dict(answer.headers).get("ETag", "")
    reading = asked.method in ("GET", "HEAD") and answer.status == 200
    if not (reading and etag and ranges.unchanged(asked.headers, etag.strip('"'))):
        return answer
    return replace(answer, status=304, body=b"")


def _unshared(answer: Answer) -> Answer:
    """Return *answer* as one that no cache on the way may give to somebody else."""
    headers = tuple(
        (name, value.replace("public", "private") if name == "Cache-Control" else value)
        for name, value in answer.headers
    )
    return replace(answer, headers=headers)


def _refused(refusal: Refusal) -> Answer:
    headers = (
        _TEXT,
        *refusal.headers,
        # huggingface_hub shows this to its user.
        ("X-Error-Message", refusal.problem),
        ("Connection", "close"),
    )
    body = f"{refusal.problem}\n".encode()
    return Answer(status=refusal.status, headers=headers, body=body)


def _failed(status: int) -> Answer:
    text = "airlift cannot answer this now; its log says why"
    headers = (_TEXT, ("X-Error-Message", text), ("Retry-After", "5"))
    return Answer(status=status, headers=headers, body=f"{text}\n".encode())


def _nothing() -> Answer:
    return Answer(status=404, headers=(_TEXT,), body=b"nothing is served here\n")


def _health(shelf: Shelf) -> Answer:
    shape = {"ok": True, "generation": shelf.generation()}
    headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
    return Answer(status=200, headers=headers, body=json.dumps(shape).encode() + b"\n")
