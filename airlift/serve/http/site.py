"""From an HTTP request to a reply of the desk, and from that to bytes on the wire."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import CIMultiDict

from airlift.errors import StoreError
from airlift.serve.access import tls
from airlift.serve.dialect import Answer, Request
from airlift.serve.http import accel, agents, forwarded, guard
from airlift.serve.http.access_log import AccessLog, Entry
from airlift.serve.http.connection import HEADERS, Connection, client_of
from airlift.serve.http.desk import TEXT, Desk, Reply
from airlift.serve.http.files import Prepared, Sender
from airlift.serve.http.forwarded import Origin
from airlift.serve.http.guard import Head, Refusal
from airlift.serve.http.settings import ServeSettings

_QUERY_FIELDS = 256


class Site:
    """Answers requests; knows neither sockets nor signals.

    Args:
        desk: Looks up what a request gets.
        settings: Host names, proxies and limits count here.
        log: One entry for each request.
        lookups: Threads the desk works in.
        sender: Sends bodies.
    """

    def __init__(
        self,
        desk: Desk,
        settings: ServeSettings,
        *,
        log: AccessLog,
        lookups: Executor,
        sender: Sender,
    ) -> None:
        self._desk = desk
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
        origin = forwarded.origin(entry.client, head.fields, self._settings.proxies)
        entry.client = origin.client
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
        asked, holder = self._request(head, body, origin), _holder(request)
        loop = asyncio.get_running_loop()
        reply = await loop.run_in_executor(
            self._lookups, self._desk.reply, asked, holder
        )
        _note(entry, reply)
        if reply.body is None:
            return await _send(request, reply.answer, entry)
        with contextlib.closing(reply.body):
            return await self._stream(request, reply, entry)

    def _request(self, head: Head, body: bytes, origin: Origin) -> Request:
        path, _, query = _clean(head.target).partition("?")
        pairs = parse_qsl(query, keep_blank_values=True) if query else []
        scheme = origin.scheme or ("https" if self._settings.tls else "http")
        headers = dict(guard.single(head.fields))
        if not origin.trusted:
            headers.pop(accel.ASKS, None)
        return Request(
            method=head.method,
            path=path,
            query=tuple(pairs[:_QUERY_FIELDS]),
            headers=headers,
            body=body,
            base_url=f"{scheme}://{head.all('host')[0]}{self._settings.prefix}",
            client=origin.client,
        )

    # --- on the wire ---------------------------------------------------------------

    async def _stream(
        self, request: web.BaseRequest, reply: Reply, entry: Entry
    ) -> web.StreamResponse:
        assert reply.body is not None
        headers = _headers(reply.answer, entry)
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


def _note(entry: Entry, reply: Reply) -> None:
    entry.release, entry.problem = reply.answer.release, reply.problem
    entry.caller, entry.dialect = reply.caller, reply.dialect
    entry.name, entry.handed_over = reply.name, reply.handed_over
    if reply.part.status == 206:
        entry.part = f"{reply.part.start}-{reply.part.stop - 1}"


def _headers(answer: Answer, entry: Entry) -> CIMultiDict[str]:
    # huggingface_hub shows the id to its user, and the log has it.
    return CIMultiDict([*HEADERS, *answer.headers, ("X-Request-Id", entry.id)])


def _adder(entry: Entry) -> Callable[[int], None]:
    def add(count: int) -> None:
        entry.sent += count

    return add


async def _send(
    request: web.BaseRequest, answer: Answer, entry: Entry
) -> web.StreamResponse:
    assert isinstance(answer.body, bytes)
    headers = _headers(answer, entry)
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
    return Entry(
        client=client,
        method=request.method,
        path=path,
        id=secrets.token_hex(8),
        agent=agents.family(request.headers.get("User-Agent", "")),
    )


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


def _refused(refusal: Refusal) -> Answer:
    headers = (
        TEXT,
        *refusal.headers,
        # huggingface_hub shows this to its user.
        ("X-Error-Message", refusal.problem),
        ("Connection", "close"),
    )
    body = f"{refusal.problem}\n".encode()
    return Answer(status=refusal.status, headers=headers, body=body)
