"""A server from its start to its end: listening, reloading, stopping.

aiohttp's parser (llhttp) reads requests on plain asyncio loops, dialects run in a few
threads, and bodies go out by ``files``. Never run it on uvloop, which has no
``sendfile`` and was measured at half the speed and three times the CPU.
"""

import asyncio
import contextlib
import signal
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TextIO

from prometheus_client.core import Metric

from airlift.errors import AirliftError
from airlift.serve import dialects
from airlift.serve.dialect import Dialect, Shelf
from airlift.serve.http import listening
from airlift.serve.http.access_log import AccessLog
from airlift.serve.http.connection import Census
from airlift.serve.http.desk import Desk
from airlift.serve.http.lanes import Given, Lane
from airlift.serve.http.listening import Door
from airlift.serve.http.metrics import Metrics, count, gauge
from airlift.serve.http.settings import ServeSettings
from airlift.serve.records import Records


def _nobody() -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """What was read again when the server was asked to: from now on this counts.

    Attributes:
        done: Called when nothing from before is used any more.
    """

    log: TextIO
    tls: ssl.SSLContext | None
    done: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the process around a server gives it, and wants to be told.

    Attributes:
        log: Gets one JSON object a line for each request.
        clock: Returns the time, ``YYYY-MM-DDThh:mm:ssZ``.
        records: Everything held, for the figures.
        ready: Called with the base URL once connections are accepted.
        stopping: Called when no more are accepted.
        refresh: Called at SIGHUP; an ``AirliftError`` leaves all as it was.
    """

    log: TextIO
    clock: Callable[[], str]
    records: Records | None = None
    ready: Callable[[str], None]
    stopping: Callable[[], None] = _nobody
    refresh: Callable[[], Fresh] | None = None


def serve(
    shelf: Shelf,
    settings: ServeSettings,
    host: Host,
    table: Sequence[Dialect] | None = None,
) -> None:
    """Serve *shelf* until SIGTERM or SIGINT; call it from the main thread.

    The first signal lets transfers finish up to ``drain_s``, a second ends them.

    Args:
        shelf: What is live.
        settings: Where and how.
        host: What is around the server.
        table: The dialects to speak; None for all.

    Raises:
        RequestError: The address cannot be listened on.
    """
    metrics = Metrics(shelf, host.records)
    log = AccessLog(host.log, host.clock, metrics.request)
    world = _World(
        settings=settings,
        log=log,
        metrics=metrics,
        shelf=shelf,
        table=dialects() if table is None else table,
    )

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), _Stop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.ask)

        def ready(door: Door) -> None:
            refresh = host.refresh
            if refresh is not None:
                loop.add_signal_handler(signal.SIGHUP, _refresh, refresh, log, door)
            host.ready(door.url)

        await _run(world, stop, ready, host.stopping)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(run())


def _refresh(refresh: Callable[[], Fresh], log: AccessLog, door: Door) -> None:
    """Go on with what was read again; connections that are open notice nothing."""
    try:
        fresh = refresh()
    except AirliftError as error:
        log.note(f"nothing was reloaded: {error}")
        return
    log.switch(fresh.log)
    door.tls = fresh.tls
    fresh.done()


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
    metrics = Metrics(shelf)
    world = _World(
        settings=settings,
        log=AccessLog(log, clock, metrics.request),
        metrics=metrics,
        shelf=shelf,
        table=dialects() if table is None else table,
    )
    thread = _Thread(world)
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
class _World:
    """What a server is made of."""

    settings: ServeSettings
    log: AccessLog
    metrics: Metrics
    shelf: Shelf
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

    def __init__(self, world: _World) -> None:
        super().__init__(name="airlift-serve")
        self._world = world
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
        await _run(self._world, self._stop_asked, self._ready, _nobody)

    def _ready(self, door: Door) -> None:
        self.url = door.url
        self.settled.set()

    def stop(self) -> None:
        if self._loop is not None and self._stop_asked is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended by itself
                self._loop.call_soon_threadsafe(self._stop_asked.ask)


async def _run(
    world: _World,
    stop: _Stop,
    ready: Callable[[Door], None],
    stopping: Callable[[], None],
) -> None:
    settings, limits = world.settings, world.settings.limits
    sockets = await listening.opened(settings)
    with (
        ThreadPoolExecutor(limits.workers, "airlift-lookup") as lookups,
        ThreadPoolExecutor(limits.workers, "airlift-read") as readers,
        ThreadPoolExecutor(limits.lanes, "airlift-lane") as threads,
    ):
        given = Given(
            desk=Desk(world.shelf, (world.metrics, *world.table), settings),
            settings=settings,
            log=world.log,
            lookups=lookups,
            readers=readers,
        )
        lanes = [Lane(given) for _ in range(limits.lanes)]
        running = [asyncio.wrap_future(threads.submit(lane.run)) for lane in lanes]
        for lane in lanes:
            lane.started.wait()
        census = Census(limits=limits, log=world.log)
        world.metrics.watch(partial(_figures, census, lanes, world.log))
        door = Door(sockets, lanes, census, settings)
        door.open()
        ready(door)
        await stop.asked.wait()
        door.close()
        stopping()
        await _drain(lanes, stop, limits.drain_s)
        await asyncio.gather(*running)


def _figures(census: Census, lanes: Sequence[Lane], log: AccessLog) -> Iterator[Metric]:
    yield gauge(
        "airlift_requests_active",
        "Requests that are being answered.",
        sum(lane.active for lane in lanes),
    )
    yield gauge(
        "airlift_connections_open", "Connections that are open.", sum(census.lanes)
    )
    yield count(
        "airlift_connections_refused",
        "Connections that were one too many.",
        census.refused,
    )
    yield count("airlift_bugs", "Errors that nothing in airlift foresaw.", log.bugs)


async def _drain(lanes: Sequence[Lane], stop: _Stop, seconds: float) -> None:
    """Let transfers finish for *seconds*, or until asked again; then end them."""
    finished = asyncio.gather(*(asyncio.wrap_future(lane.finish()) for lane in lanes))
    finished.add_done_callback(lambda _: stop.at_once.set())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.at_once.wait(), seconds)
    for lane in lanes:
        lane.end()
