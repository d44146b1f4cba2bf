"""Figures of a running server, for Prometheus.

Every label has few values and none comes from a client, so that nobody can fill a
monitoring system with made-up series. They tell what is used, not by whom: that is in
the access log.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_address

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from airlift.serve.dialect import Answer, Request, Shelf
from airlift.serve.http import forwarded
from airlift.serve.http.access_log import Entry
from airlift.serve.http.live import LiveSet
from airlift.serve.records import Records

PATH = "/metrics"
POWER = "metrics"
_SECONDS = (0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 1800)
"""From a page out of memory to a large model over a slow link."""


class Metrics:
    """Counts what a server does; safe from any thread.

    A dialect as well: it answers ``/metrics``, to callers who may read it.

    Args:
        shelf: All that is live.
        records: Everything held; None leaves out what only it tells.
    """

    def __init__(self, shelf: Shelf, records: Records | None = None) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(namespace="airlift", registry=self._registry)
        self._registry.register(_State(shelf, records))
        self._requests = Counter(
            "airlift_requests",
            "Requests answered, by who answered and the status sent.",
            ("dialect", "status"),
            registry=self._registry,
        )
        self._bytes = Counter(
            "airlift_sent_bytes",
            "Bytes of bodies that connections took.",
            ("dialect",),
            registry=self._registry,
        )
        self._aborted = Counter(
            "airlift_aborted",
            "Answers that did not go out whole.",
            ("dialect",),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "airlift_request_seconds",
            "Seconds from a request's head to the last byte of its answer.",
            ("dialect",),
            buckets=_SECONDS,
            registry=self._registry,
        )

    def request(self, entry: Entry, seconds: float) -> None:
        """Count one request that was answered, or not to its end."""
        dialect = entry.dialect or "none"
        self._requests.labels(dialect, str(entry.status or "none")).inc()
        self._bytes.labels(dialect).inc(entry.sent)
        self._seconds.labels(dialect).observe(seconds)
        if not entry.whole:
            self._aborted.labels(dialect).inc()

    def watch(self, figures: Callable[[], Iterator[Metric]]) -> None:
        """Ask *figures* for what they are now, each time somebody wants to know."""
        self._registry.register(_Asked(figures))

    def text(self) -> bytes:
        """Return everything in Prometheus' text format, version 0.0.4.

        Raises:
            RegistryError: The registry cannot answer.
        """
        return generate_latest(self._registry)

    def answer(self, request: Request, shelf: Shelf) -> Answer | None:
        """Answer ``/metrics``; everything else is another's."""
        if request.path != PATH:
            return None
        plain = ("Content-Type", "text/plain; charset=utf-8")
        if request.caller.may_sign_in and POWER not in request.caller.powers:
            challenge = ("WWW-Authenticate", 'Bearer realm="airlift"')
            text = b"a token with the scope `metrics` is needed\n"
            return Answer(
                status=HTTPStatus.UNAUTHORIZED, headers=(challenge, plain), body=text
            )
        if not _may_read(request):
            text = (
                b"read this from the host itself, or with a token"
                b" that has the scope `metrics`\n"
            )
            return Answer(status=HTTPStatus.FORBIDDEN, headers=(plain,), body=text)
        headers = (
            ("Content-Type", CONTENT_TYPE_PLAIN_0_0_4),
            ("Cache-Control", "no-store"),
        )
        return Answer(status=HTTPStatus.OK, headers=headers, body=self.text())


def _may_read(request: Request) -> bool:
    if POWER not in request.caller.powers:
        return False
    if request.caller.name:
        return True
    # Without a credential only from this host, and not through a proxy on it.
    passed_on = any(name in request.headers for name in forwarded.FIELDS)
    try:
        return ip_address(request.client).is_loopback and not passed_on
    except ValueError:
        return False


class _Asked(Collector):
    def __init__(self, figures: Callable[[], Iterator[Metric]]) -> None:
        self._figures = figures

    def describe(self) -> tuple[Metric, ...]:
        return ()  # registering must not ask for them

    def collect(self) -> Iterator[Metric]:
        yield from self._figures()


class _State(Collector):
    """What is live and held, as the registry says now."""

    def __init__(self, shelf: Shelf, records: Records | None) -> None:
        self._live = LiveSet(shelf)
        self._records = records
        self._mark: tuple[int, int] | None = None
        self._held: tuple[Metric, ...] = ()

    def describe(self) -> tuple[Metric, ...]:
        return ()

    def collect(self) -> Iterator[Metric]:
        yield gauge(
            "airlift_live_generation",
            "Number of the live set; it grows with every change.",
            self._live.generation(),
        )
        releases = GaugeMetricFamily(
            "airlift_releases_live", "Releases that are live.", labels=("kind",)
        )
        for kind, count in self._live.kinds().items():
            releases.add_metric((kind,), count)
        yield releases
        if self._records is not None:
            mark = self._records.mark()
            if mark != self._mark:
                self._held, self._mark = tuple(_held(self._records)), mark
            yield from self._held


def _held(records: Records) -> Iterator[Metric]:
    stored = GaugeMetricFamily(
        "airlift_store_bytes",
        "Bytes of blobs in the store, each blob counted once.",
        labels=("kind", "state"),
    )
    for one in records.stored():
        stored.add_metric((one.kind, one.state), one.size)
    yield stored
    knowledge = records.knowledge()
    yield gauge(
        "airlift_knowledge_timestamp_seconds",
        "The largest verified time: nothing newer is known here. Seconds since 1970.",
        _seconds(knowledge.floor),
    )
    expires = GaugeMetricFamily(
        "airlift_metadata_expiry_timestamp_seconds",
        "When the trusted document of each role expires. Seconds since 1970.",
        labels=("role",),
    )
    for role, when in sorted(knowledge.expires.items()):
        expires.add_metric((role,), _seconds(when))
    yield expires


def _seconds(when: str) -> float:
    return datetime.fromisoformat(when).timestamp()


def gauge(name: str, about: str, value: float) -> Metric:
    """Return one figure that goes up and down."""
    return GaugeMetricFamily(name, about, value=value)


def count(name: str, about: str, value: float) -> Metric:
    """Return one figure that only grows; ``_total`` is added to its name."""
    return CounterMetricFamily(name, about, value=value)
