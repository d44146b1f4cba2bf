"""A loopback HTTP/1.1 server that breaks on demand and remembers what it sent.

Doubles of remote services build on it: a hub, an index, a registry.
"""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

STEP = 16 << 10  # bytes written at once: small, so that drops fall where they are told


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the answer to a path.

    Attributes:
        times: For how many requests; -1 for all.
        status: Answer with this instead of the body.
        headers: With that status (``Retry-After``...).
        drop_after: Close the connection after this many bytes of the body, with
            the Content-Length of all of it.
        flip: Change this byte of the file.
        cut: Serve only this many bytes of the file, as if that were all.
        pause_s: Wait before each 16 KiB.
        ignore_range: Send the whole file with 200.
        coding: Claim this Content-Encoding.
    """

    times: int = -1
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    drop_after: int | None = None
    flip: int | None = None
    cut: int | None = None
    pause_s: float = 0.0
    ignore_range: bool = False
    coding: str = ""


@dataclass(frozen=True)
class Seen:
    """One request that came in."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Asked:
    """A request as a route sees it."""

    method: str
    parts: list[str]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    base: str


@dataclass
class Answer:
    """What a route gives back; ``path`` names the file for faults and counting."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    path: str = ""


class Loopback:
    """A server on *host*; ``route`` answers, ``seen`` remembers.

    ``faults`` break files by the path that answers name; ``refusals`` answer with a
    status by the path in the URL.
    """

    def __init__(
        self,
        route: Callable[[Asked], Answer],
        *,
        host: str = "127.0.0.1",
        tls: SSLContext | None = None,
    ) -> None:
        self.route = route
        self.faults: dict[str, Fault] = {}
        self.refusals: dict[str, Fault] = {}
        self.seen: list[Seen] = []
        self.lock = threading.Lock()
        self._sent: dict[str, int] = {}
        self._open: set[socket] = set()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.loopback = self
        if tls is not None:
            listening = self._server.socket
            self._server.socket = tls.wrap_socket(listening, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://{host}:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and break every connection."""
        self._server.shutdown()
        self._thread.join()
        with self.lock:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(SHUT_RDWR)
            except OSError:
                pass
        self._server.server_close()

    def sent(self, path: str | None = None) -> int:
        """Return how many bytes of files (of *path*) were sent in all."""
        with self.lock:
            return self._sent.get(path, 0) if path else sum(self._sent.values())

    def count(self, path: str, length: int) -> None:
        """Remember that *length* bytes of *path* went out."""
        with self.lock:
            self._sent[path] = self._sent.get(path, 0) + length

    def fault(self, path: str) -> Fault:
        """Return what goes wrong with *path* now."""
        with self.lock:
            fault = self.faults.get(path, Fault(times=0))
            if fault.times == 0:
                return Fault()
            if fault.times > 0:
                self.faults[path] = replace(fault, times=fault.times - 1)
            return fault


class _Server(ThreadingHTTPServer):
    loopback: Loopback
    daemon_threads = False  # joined on close, so that no socket outlives a test

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.loopback.lock:
            self.loopback._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.loopback.lock:
            self.loopback._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are what many tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an ACK
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - inherited
        """Keep the test's output clean."""

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        loopback = self.server.loopback
        headers = {name.lower(): value for name, value in self.headers.items()}
        with loopback.lock:
            loopback.seen.append(Seen(self.command, self.path, headers))
        split = urlsplit(self.path)
        asked = Asked(
            method=self.command,
            parts=[unquote(part) for part in split.path.strip("/").split("/")],
            query=dict(parse_qsl(split.query)),
            headers=headers,
            body=self.rfile.read(int(headers.get("content-length", 0))),
            base=loopback.url,
        )
        if refused := loopback.refusals.get(split.path):
            answer = Answer(refused.status, dict(refused.headers))
        else:
            answer = loopback.route(asked)
        self._answer(answer, headers.get("range", ""))

    do_HEAD = do_POST = do_GET  # noqa: N815 - http.server finds methods by name

    def _answer(self, answer: Answer, wanted: str) -> None:
        fault = Fault()
        if answer.path and self.command == "GET":
            fault = self.server.loopback.fault(answer.path)
        if fault.status:
            self._send(Answer(fault.status, dict(fault.headers)), b"", fault)
            return
        body = _damaged(answer.body, fault)
        if fault.coding:
            answer.headers["Content-Encoding"] = fault.coding
        if answer.path:
            answer.headers.setdefault("Accept-Ranges", "bytes")
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
        if found and answer.path and answer.status == 200 and not fault.ignore_range:
            start, end = int(found[1]), int(found[2] or len(body) - 1) + 1
            if start >= len(body):
                answer.status, answer.body = 416, b""
                answer.headers["Content-Range"] = f"bytes */{len(body)}"
                body = b""
            else:
                end = min(end, len(body))
                answer.status = 206
                said = f"bytes {start}-{end - 1}/{len(body)}"
                answer.headers["Content-Range"] = said
                body = body[start:end]
        self._send(answer, body, fault)

    def _send(self, answer: Answer, body: bytes, fault: Fault) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        stop = len(body) if fault.drop_after is None else fault.drop_after
        for start in range(0, min(stop, len(body)), STEP):
            piece = body[start : min(start + STEP, stop)]
            time.sleep(fault.pause_s)
            self.wfile.write(piece)
            if answer.path:
                self.server.loopback.count(answer.path, len(piece))
        if stop < len(body):
            self.close_connection = True


def _damaged(body: bytes, fault: Fault) -> bytes:
    if fault.cut is not None:
        body = body[: fault.cut]
    if fault.flip is not None:
        changed = bytes([body[fault.flip] ^ 1])
        body = body[: fault.flip] + changed + body[fault.flip + 1 :]
    return body
