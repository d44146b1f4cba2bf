"""Figures of a running server, read with Prometheus' own parser."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from airlift.artifact import Kind, ReleaseFile
from airlift.digest import Sha256
from airlift.registry.held import Delivered, Event, Generation, Held, State
from airlift.registry.overview import Knowledge, Stored
from airlift.registry.scans import Attached
from airlift.serve.dialect import Caller, Request
from airlift.serve.http.access_log import Entry
from airlift.serve.http.metrics import Metrics
from airlift.trust.attestation import Judged
from served import BIG, BIG_PATH, SMALL_PATH, World, small_world
from shelves import MemoryShelf, cargo
from wire import ask

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def figures(text: str) -> Figures:
    """Return every sample of *text* but those of the process, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.startswith("airlift_process_")
    }


def scraped(world: World) -> Figures:
    """Return what a monitoring system on this host sees."""
    return figures(ask(world.url, "/metrics").body.decode())


def test_what_was_served_is_counted_by_dialect_and_status(world: World) -> None:
    """An operator sees errors and volume without reading the log."""
    ask(world.url, BIG_PATH)
    ask(world.url, SMALL_PATH, "Range: bytes=0-3")
    ask(world.url, "/org/tiny/resolve/main/none")
    ask(world.url, "/x", "Host: elsewhere.example")
    (absence,) = (one for one in world.entries(4) if one["status"] == 404)
    found = scraped(world)
    requests = {
        labels: value
        for (name, labels), value in found.items()
        if name == "airlift_requests_total"
    }
    assert requests == {
        (("dialect", "HuggingFace"), ("status", "200")): 1,
        (("dialect", "HuggingFace"), ("status", "206")): 1,
        (("dialect", "HuggingFace"), ("status", "404")): 1,
        (("dialect", "none"), ("status", "421")): 1,
    }
    hub = (("dialect", "HuggingFace"),)
    sent = found["airlift_sent_bytes_total", hub]
    assert isinstance(absence["bytes"], int)
    assert sent == len(BIG) + 4 + absence["bytes"]
    assert found["airlift_request_seconds_count", hub] == 3
    assert found["airlift_request_seconds_bucket", (*hub, ("le", "+Inf"))] == 3


def test_what_is_live_and_open_is_told_as_it_is_now(world: World) -> None:
    """A change of the live set shows with the next scrape."""
    before = scraped(world)
    world.shelf.add(cargo(Kind.WHEELS, "w", {"a-1-py3-none-any.whl": b"wheel"}))
    after = scraped(world)
    kinds = [
        (now["airlift_live_generation", ()], now["airlift_releases_live", (kind,)])
        for now in (before, after)
        for kind in (("kind", "model"), ("kind", "wheels"))
    ]
    assert kinds == [(1, 1), (1, 0), (2, 1), (2, 1)]
    assert after["airlift_connections_open", ()] >= 1
    assert after["airlift_requests_active", ()] == 1  # this one
    assert after["airlift_connections_refused_total", ()] == 0
    assert after["airlift_bugs_total", ()] == 0


def test_a_bug_is_counted(world: World) -> None:
    """Nobody reads a log that nothing points to."""
    (live,) = world.shelf._live
    world.shelf._files[live]["config.json"] = None  # type: ignore[assignment] # what no shelf may hold
    ask(world.url, "/api/models/org/tiny")
    assert scraped(world)["airlift_bugs_total", ()] == 1


def test_nobody_can_fill_a_monitoring_system_with_series(world: World) -> None:
    """Labels are ours alone: 60 strange requests make no series more than three."""
    ask(world.url, "/a")
    ask(world.url, "/metrics")
    world.entries(2)
    before = scraped(world)
    for number in range(20):
        ask(world.url, f"/{number}/{number}", f"User-Agent: made-up-{number}/1")
        ask(world.url, "/", f"Host: h{number}.example")
        ask(world.url, "/", method=f"X{number}")
    world.entries(63)
    new = {name for name in scraped(world) if name not in before}
    assert {labels for name, labels in new if name == "airlift_requests_total"} == {
        (("dialect", "none"), ("status", "421")),
        (("dialect", "none"), ("status", "400")),
    }
    assert not any("made-up" in str(labels) for _, labels in new)


def test_figures_are_not_for_everyone_behind_a_proxy(world: World) -> None:
    """A proxy on the host itself connects from loopback for the whole network."""
    got = ask(world.url, "/metrics", "X-Forwarded-For: 10.0.0.7")
    assert got.status == 403
    assert got.body == (
        b"read this from the host itself, or with a token that has the scope"
        b" `metrics`\n"
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """Who asks from where, and what they get."""

    caller: Caller
    client: str
    status: int


NAMED = Caller(name="prometheus", powers=frozenset({"metrics"}))
CASES = [
    Case(caller=Caller(powers=frozenset({"metrics"})), client="::1", status=200),
    Case(caller=Caller(powers=frozenset({"metrics"})), client="10.0.0.7", status=403),
    Case(caller=Caller(powers=frozenset({"metrics"})), client="-", status=403),
    Case(caller=NAMED, client="10.0.0.7", status=200),
    Case(caller=replace(NAMED, powers=frozenset()), client="127.0.0.1", status=403),
    Case(caller=Caller(may_sign_in=True), client="127.0.0.1", status=401),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_figures_are_for_this_host_and_for_tokens_made_for_them(
    tmp_path: Path, case: Case
) -> None:
    """They say how much a site holds and how old its knowledge is."""
    shelf = small_world(tmp_path)
    request = Request(
        method="GET", path="/metrics", client=case.client, caller=case.caller
    )
    answer = Metrics(shelf).answer(request, shelf)
    assert answer is not None
    assert answer.status == case.status
    assert ("airlift_live_generation" in str(answer.body)) is (case.status == 200)


def test_other_paths_are_for_dialects(tmp_path: Path) -> None:
    """A repository may be called metrics."""
    shelf = small_world(tmp_path)
    request = Request(method="GET", path="/metrics/resolve/main/a", client="::1")
    assert Metrics(shelf).answer(request, shelf) is None


class Books:
    """What is held, as ``Records`` tells it; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.now = (1, 1)

    def mark(self) -> tuple[int, int]:
        return self.now

    def stored(self) -> tuple[Stored, ...]:
        self.asked += 1
        return (
            Stored(kind=Kind.MODEL, state=State.LIVE, blobs=2, size=300),
            Stored(kind=Kind.MODEL, state=State.QUARANTINE, blobs=1, size=7),
        )

    def knowledge(self) -> Knowledge:
        return Knowledge(
            floor="2026-03-01T00:00:00Z",
            expires={"root": "2027-03-01T00:00:00Z"},
        )

    def site(self) -> str:
        return "plant-7"

    def releases(self) -> tuple[Held, ...]:
        return ()

    def files(self, release: Sha256) -> tuple[ReleaseFile, ...]:
        return ()

    def deliveries(self) -> tuple[Delivered, ...]:
        return ()

    def generations(self, newest: int) -> tuple[Generation, ...]:
        return ()

    def events(self, newest: int) -> tuple[Event, ...]:
        return ()

    def waiting(self, found: Iterable[Held]) -> Mapping[Sha256, str]:
        return {}

    def attestations(self, release: Sha256) -> tuple[Judged, ...]:
        return ()

    def scans(self) -> tuple[Attached, ...]:
        return ()


def test_what_is_held_is_summed_once_for_each_change(tmp_path: Path) -> None:
    """A scrape every 15 seconds must not sum up a million blobs each time."""
    books = Books()
    metrics = Metrics(MemoryShelf(tmp_path), books)
    found = figures(metrics.text().decode())
    assert found == figures(metrics.text().decode())
    assert books.asked == 1
    books.now = (1, 2)
    metrics.text()
    assert books.asked == 2
    model = ("kind", "model")
    assert (
        found["airlift_store_bytes", (model, ("state", State.LIVE))],
        found["airlift_store_bytes", (model, ("state", State.QUARANTINE))],
        found["airlift_knowledge_timestamp_seconds", ()],
        found["airlift_metadata_expiry_timestamp_seconds", (("role", "root"),)],
    ) == (300, 7, 1772323200, 1803859200)


def test_an_answer_that_broke_off_is_counted(tmp_path: Path) -> None:
    """Downloads that fail look like traffic otherwise."""
    metrics = Metrics(MemoryShelf(tmp_path))
    entry = Entry(client="-", method="GET", path="/", status=200, sent=5)
    metrics.request(entry, 0.5)
    found = figures(metrics.text().decode())
    nobody = (("dialect", "none"),)
    assert found["airlift_aborted_total", nobody] == 1
    assert found["airlift_sent_bytes_total", nobody] == 5
    assert found["airlift_request_seconds_sum", nobody] == 0.5
