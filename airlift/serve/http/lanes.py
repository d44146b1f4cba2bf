"""Event loops in threads of their own, among which connections are shared out.

``sendfile`` and the encryption of TLS let other threads run, so that two loops keep
two cores busy. A connection stays with its loop; loops share nothing but the log, the
counters, and the threads that look things up and read.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from aiohttp import web

from airlift.serve.http.access_log import AccessLog
from airlift.serve.http.connection import Connection, Seat
from airlift.serve.http.desk import Desk
from airlift.serve.http.files import Sender
from airlift.serve.http.settings import ServeSettings
from airlift.serve.http.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What every loop of a server works with; all of it is safe from any thread.

    Attributes:
        lookups: Threads the desk works in.
        readers: Threads that read from the store.
    """

    desk: Desk
    settings: ServeSettings
    log: AccessLog
    lookups: Executor
    readers: Executor


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A connection that was admitted, and what to encrypt it with, if anything."""

    sock: socket.socket
    seat: Seat
    tls: ssl.SSLContext | None


class Lane:
    """One event loop with its connections: ``run`` it in a thread, ask it from any."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._arriving: set[asyncio.Task[None]] = set()
        self.started = threading.Event()

    def run(self) -> None:
        """Serve until ``end`` is called."""
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._live())

    @property
    def active(self) -> int:
        """How many requests are being answered."""
        return len(self._site.active)

    def give(self, accepted: Accepted) -> None:
        """Serve one more connection."""
        self._loop.call_soon_threadsafe(self._take, accepted)

    def finish(self) -> Future[None]:
        """Close connections after their answer; the future ends with the last one."""
        return asyncio.run_coroutine_threadsafe(self._finish(), self._loop)

    def end(self) -> None:
        """Break off what is still being sent, and let ``run`` return."""
        with contextlib.suppress(RuntimeError):  # the loop ended by itself
            self._loop.call_soon_threadsafe(self._ended.set)

    # --- in the loop's thread -----------------------------------------------------

    async def _live(self) -> None:
        given, settings = self._given, self._given.settings
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self._site = Site(
            given.desk,
            settings,
            log=given.log,
            lookups=given.lookups,
            sender=Sender(readers=given.readers, stall_s=settings.limits.stall_s),
        )
        self._front = web.Server(self._site.handle)
        self.started.set()
        await self._ended.wait()
        for task in (*self._site.active, *self._arriving):
            task.cancel()
        await self._front.shutdown(timeout=1.0)

    def _take(self, accepted: Accepted) -> None:
        task = self._loop.create_task(self._connect(accepted))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _connect(self, accepted: Accepted) -> None:
        connection = Connection(self._front, accepted.seat, self._loop)
        encrypted = accepted.tls is not None
        head_s = self._given.settings.limits.head_s
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                accepted.sock,
                ssl=accepted.tls,
                ssl_handshake_timeout=head_s if encrypted else None,
                ssl_shutdown_timeout=5.0 if encrypted else None,
            )
        except OSError:
            # No handshake came about: a port scan, a client without our authority.
            accepted.seat.leave()
        except asyncio.CancelledError:
            accepted.seat.leave()
            raise

    async def _finish(self) -> None:
        # Idle connections close at once, busy ones after their answer.
        self._front.pre_shutdown()
        while self._site.active:
            await asyncio.wait(self._site.active)
