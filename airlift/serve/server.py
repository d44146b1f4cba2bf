"""The only socket: listening, admitting, stopping.

aiohttp's parser (llhttp) reads requests on the plain asyncio loop, dialects run in a
few threads, and bodies go out by ``files``. Never run it on uvloop, which has no
``sendfile`` and was measured at half the speed and three times the CPU.
"""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TextIO

from aiohttp import web

from airlift.errors import AirliftError, RequestError
from airlift.serve import dialects
from airlift.serve.access_log import AccessLog
from airlift.serve.connection import Census, Connection
from airlift.serve.dialect import Dialect, Shelf
from airlift.serve.files import Sender
from airlift.serve.settings import ServeSettings
from airlift.serve.site import Site

_BACKLOG = 1024
_WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


def serve(
    shelf: Shelf,
    settings: ServeSettings,
    *,
    log: TextIO,
    clock: Callable[[], str],
    ready: Callable[[str], None],
) -> None:
    """Serve *shelf* until SIGTERM or SIGINT; call it from the main thread.

    The first signal lets transfers finish up to ``drain_s``, a second ends them.

    Args:
        shelf: What is live.
        settings: Where and how.
        log: Gets one JSON object a line for each request.
        clock: Returns the time, ``YYYY-MM-DDThh:mm:ssZ``.
        ready: Called with the base URL once connections are accepted.

    Raises:
        RequestError: The address cannot be listened on.
    """

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), _Stop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.ask)
        given = _Given(
            shelf=shelf,
            settings=settings,
            log=AccessLog(log, clock),
            table=dialects(),
        )
        await _run(given, stop, ready)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(run())


@contextlib.contextmanager
def running(
    shelf: Shelf,
    settings: ServeSettings,
    *,
    log: TextIO,
    clock: Callable[[], str],
    table: Sequence[Dialect] | None = None,
) -> Iterator[str]:
    """Serve *shelf* from a thread while the context is open; give the base URL.

    Args:
        shelf: What is live.
        settings: Where and how.
        log: Gets one JSON object a line for each request.
        clock: Returns the time, ``YYYY-MM-DDThh:mm:ssZ``.
        table: The dialects to speak; None for all.

    Raises:
        RequestError: The address cannot be listened on.
    """
    given = _Given(
        shelf=shelf,
        settings=settings,
        log=AccessLog(log, clock),
        table=dialects() if table is None else table,
    )
    thread = _Thread(given)
    thread.start()
    thread.settled.wait()
    try:
        if thread.failure is not None:
            raise thread.failure
        yield thread.url
    finally:
        thread.stop()
        thread.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What a server is made of."""

    shelf: Shelf
    settings: ServeSettings
    log: AccessLog
    table: Sequence[Dialect]


class _Stop:
    """Whether the server was asked to stop, and whether a second time."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()

    def ask(self) -> None:
        if self.asked.is_set():
            self.at_once.set()
        self.asked.set()


class _Thread(threading.Thread):
    """A server on its own event loop in its own thread."""

    def __init__(self, given: _Given) -> None:
        super().__init__(name="airlift-serve")
        self._given = given
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked: _Stop | None = None
        self.settled = threading.Event()
        self.url = ""
        self.failure: AirliftError | None = None

    def run(self) -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            try:
                runner.run(self._serve())
            except AirliftError as error:
                self.failure = error
            finally:
                self.settled.set()

    async def _serve(self) -> None:
        self._loop, self._stop_asked = asyncio.get_running_loop(), _Stop()
        await _run(self._given, self._stop_asked, self._ready)

    def _ready(self, url: str) -> None:
        self.url = url
        self.settled.set()

    def stop(self) -> None:
        if self._loop is not None and self._stop_asked is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended by itself
                self._loop.call_soon_threadsafe(self._stop_asked.ask)


async def _run(given: _Given, stop: _Stop, ready: Callable[[str], None]) -> None:
    settings, limits = given.settings, given.settings.limits
    with (
        ThreadPoolExecutor(limits.workers, "airlift-lookup") as lookups,
        ThreadPoolExecutor(limits.workers, "airlift-read") as readers,
    ):
        site = Site(
            given.shelf,
            given.table,
            settings,
            log=given.log,
            lookups=lookups,
            sender=Sender(readers=readers, stall_s=limits.stall_s),
        )
        front = web.Server(site.handle)
        census = Census(limits=limits, log=given.log)
        server = await _listen(settings, front, census)
        ready(_url(settings, server))
        await stop.asked.wait()
        server.close()
        await _drain(front, site, stop, limits.drain_s)


async def _listen(
    settings: ServeSettings, front: web.Server, census: Census
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    encrypted = settings.tls is not None
    try:
        return await loop.create_server(
            lambda: Connection(front, census, loop),
            settings.host or None,
            settings.port,
            ssl=settings.tls,
            ssl_handshake_timeout=settings.limits.head_s if encrypted else None,
            ssl_shutdown_timeout=5.0 if encrypted else None,
            backlog=_BACKLOG,
            reuse_address=True,
        )
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number).lower() if number else str(error)
        problem = f"cannot listen on {settings.host} port {settings.port}: {reason}"
        hint = "choose another address or port with --host and --port"
        raise RequestError(problem, hint=hint) from error


def _url(settings: ServeSettings, server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    if settings.host not in _WILDCARDS:
        host = settings.host
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if settings.tls else "http"
    return f"{scheme}://{shown}:{port}{settings.prefix}"


async def _drain(front: web.Server, site: Site, stop: _Stop, seconds: float) -> None:
    """Let transfers finish for *seconds*, or until asked again; then end them."""
    front.pre_shutdown()  # idle connections close, busy ones after their answer
    at_once = asyncio.ensure_future(stop.at_once.wait())
    ends = asyncio.get_running_loop().time() + seconds
    while site.active and not at_once.done():
        left = ends - asyncio.get_running_loop().time()
        if left <= 0:
            break
        waiting = asyncio.FIRST_COMPLETED
        await asyncio.wait({*site.active, at_once}, timeout=left, return_when=waiting)
    at_once.cancel()
    for transfer in site.active:
        transfer.cancel()
    await front.shutdown(timeout=1.0)
