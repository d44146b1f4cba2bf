"""One client's connection: admitted or not, and how long it may dawdle.

aiohttp reads and writes HTTP; this adds what it leaves to others: a cap on
connections, a deadline for a request's head (slow-loris), and answers to malformed
requests that say nothing about the software.
"""

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass, field

from aiohttp import web

from airlift.serve.http.access_log import AccessLog, Entry
from airlift.serve.http.settings import Limits

HEADERS = (("Server", "airlift"), ("X-Content-Type-Options", "nosniff"))
"""On every answer. Types are fixed; a browser must not guess others from bytes."""

FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nServer: airlift\r\nRetry-After: 1\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)
"""What a connection that is one too many gets."""


@dataclass(slots=True, kw_only=True)
class Census:
    """How many connections are open, by address and by event loop.

    Counted from the moment they are accepted: who never finishes a TLS handshake
    holds a descriptor too.

    Attributes:
        open: Connections of each address.
        lanes: Connections of each loop.
        refused: Connections that were one too many, so far.
    """

    limits: Limits
    log: AccessLog
    open: Counter[str] = field(default_factory=Counter)
    lanes: list[int] = field(init=False)
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.lanes = [0] * self.limits.lanes

    def admit(self, client: str) -> "Seat | None":
        """Count a new connection of *client*, or return None when it is too many."""
        with self._lock:
            own, everyone = self.open[client], sum(self.lanes)
            if (
                own >= self.limits.connections_per_client
                or everyone >= self.limits.connections
            ):
                self.refused += 1
                return None
            lane = self.lanes.index(min(self.lanes))
            self.lanes[lane] += 1
            self.open[client] += 1
            return Seat(census=self, client=client, lane=lane)

    def release(self, client: str, lane: int) -> None:
        """Count one connection of *client* less."""
        with self._lock:
            self.lanes[lane] -= 1
            self.open[client] -= 1
            if not self.open[client]:
                del self.open[client]


@dataclass(slots=True, kw_only=True)
class Seat:
    """One connection's place among those that are open.

    Attributes:
        client: The address it comes from, without port.
        lane: Number of the event loop that serves it, the least busy.
    """

    census: Census
    client: str
    lane: int
    taken: bool = True

    def leave(self) -> None:
        """Give the place back; nothing happens the second time."""
        if self.taken:
            self.taken = False
            self.census.release(self.client, self.lane)


class Connection(web.RequestHandler):
    """aiohttp's connection with deadlines."""

    def __init__(
        self, server: web.Server, seat: Seat, loop: asyncio.AbstractEventLoop
    ) -> None:
        limits = seat.census.limits
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=limits.idle_s,
            access_log=None,  # type: ignore[arg-type] # None is how it is turned off
            lingering_time=2.0,
            auto_decompress=False,
        )
        self._limits, self._log = limits, seat.census.log
        self._seat = seat
        self._busy = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Expect the first request's head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._forget_deadline()
        self._seat.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse *data*; the first bytes of a head start its deadline."""
        if not self._busy and self._deadline is None:
            self._expect_head()
        super().data_received(data)

    def head_complete(self) -> None:
        """Stop the deadline: a request is being answered."""
        self._busy = True
        self._forget_deadline()

    def answered(self) -> None:
        """Wait for the next request again; aiohttp's idle time limit holds."""
        self._busy = False

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that could not be parsed, or that met a bug of ours."""
        self._forget_deadline()
        if isinstance(exc, ConnectionError):
            # The client left, or an answer was broken off on purpose. Either way
            # the log has its line and the connection is of no more use.
            raise exc
        if status == 500:
            self._log.bug(exc)
        else:
            entry = Entry(client=self._seat.client, method="-", path="-", status=status)
            entry.problem = "request is malformed"
            entry.whole = True
            self._log.request(entry, seconds=0.0)
        if request.writer.output_size > 0:
            problem = "part of another answer was sent"
            raise ConnectionError(problem)
        text = "request is malformed\n" if status < 500 else "error inside airlift\n"
        response = web.Response(status=status, text=text, headers=dict(HEADERS))
        response.force_close()
        return response

    def log_exception(self, *args: object, **kw: object) -> None:
        """Write to the log of this server instead of the library's."""
        error = kw.get("exc_info")
        self._log.bug(error if isinstance(error, BaseException) else None)

    def _expect_head(self) -> None:
        self._deadline = self._loop.call_later(self._limits.head_s, self._give_up)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self.force_close()


def client_of(transport: asyncio.BaseTransport) -> str:
    """Return the address of the other end, without port; ``-`` where unknown."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) and peer else "-"
