"""How old knowledge is, and what is late (Q4b)."""

from dataclasses import replace
from pathlib import Path

import pytest

import catalogues
from airlift.audit.finding import Verdict
from airlift.format.catalogue import Catalogue, Feed
from airlift.registry import hashed
from airlift.registry.hashed import State
from airlift.registry.held import Event
from audited import NOW, TODAY, World, model, rows, told

ISSUED = "2026-03-02T06:00:00Z"
FEED = Feed(as_of="2026-03-02T05:00:00Z", problem="", records=3)


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def made(**changes: object) -> Catalogue:
    """Return a catalogue of ``ISSUED`` that knows one model and the feed."""
    found = catalogues.of(
        catalogues.item(as_of=ISSUED),
        feed=FEED,
        issued=ISSUED,
        next_expected="2026-03-09T06:00:00Z",
        valid_until="2026-05-01T06:00:00Z",
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def test_no_catalogue_is_unknown(world: World) -> None:
    """A site that was told nothing knows nothing; it is not up to date."""
    found = world.ask("freshness")
    assert (found.verdict, found.as_of, found.findings) == (Verdict.UNKNOWN, "", ())
    assert found.why == "no catalogue was ever imported: nothing is known of upstream"


def test_a_fresh_site_passes(world: World) -> None:
    """The usual week, with every age in the table."""
    world.hear(made())
    found = world.ask("freshness")
    assert (found.verdict, found.as_of) == (Verdict.PASS, ISSUED)
    assert rows(found, "source", "as_of", "age_days", "state", "bound_days") == [
        ("catalogue", ISSUED, 3, "fresh", 30),
        ("https://hub.example", ISSUED, 3, "fresh", 30),
        ("advisories", FEED.as_of, 3, "fresh", 30),
        ("deliveries", NOW, 3, "fresh", 60),
        ("rehash", "", None, "never", 90),
        ("virus scans", "", None, "never", 90),
    ]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-03-12T06:00:00Z", [("catalogue-overdue", "medium")]),
        (
            "2026-03-13T06:00:00Z",
            [("catalogue-overdue", "medium"), ("ageing", "low")],
        ),
        (
            "2026-05-02T06:00:00Z",
            [
                ("catalogue-expired", "high"),
                ("stale", "high"),
                ("no-delivery", "low"),
            ],
        ),
    ],
)
def test_knowledge_that_grows_old_is_a_finding(
    world: World, now: str, expected: list[tuple[str, str]]
) -> None:
    """Silence is seen without any contact; one old catalogue is said once."""
    world.hear(made())
    found = world.ask("freshness", now=now)
    assert [(rule, severity) for rule, severity, _ in told(found)] == expected
    assert found.verdict is Verdict.FINDING


def test_a_source_that_fell_silent_is_told_apart(world: World) -> None:
    """Its entries keep their old date, so the catalogue as a whole looks younger."""
    old = catalogues.item(as_of="2026-01-05T06:00:00Z", problem="HTTP 503")
    world.hear(made(items=(old,)))
    found = world.ask("freshness")
    assert told(found) == [
        ("stale", "high", "https://hub.example: 59 days old, stale"),
        ("silent", "low", "https://hub.example: not answered for 1 of 1: HTTP 503"),
    ]


def test_advisories_that_were_never_given_are_unknown(world: World) -> None:
    """An empty list of vulnerabilities is the most dangerous green there is."""
    world.hear(made(feed=Feed()))
    found = world.ask("freshness")
    assert found.verdict is Verdict.UNKNOWN
    assert found.unknown == (
        "advisories: never answered for: no advisories were given",
    )


def test_a_clock_that_was_set_back_is_a_finding(world: World) -> None:
    """A year back: the ages are those of before."""
    world.hear(made())
    with world.registry() as registry:
        registry.log(Event(time=TODAY, actor="bob", action="list"))
    found = world.ask("freshness", now="2025-03-05T06:00:00Z")
    ((rule, severity, title),) = told(found)
    assert (rule, severity) == ("clock-behind", "high")
    assert title == (
        f"this host's clock says 2025-03-05T06:00:00Z, 365 days before {TODAY},"
        " which has been already: set the clock; ages are counted to the later time"
    )
    assert rows(found, "age_days")[0] == (3,)


def note(world: World, state: State, time: str) -> None:
    """Note what a look at everything that is held found."""
    looks = [(one.blob, state) for one in hashed.known(world.home)]
    hashed.record(world.home, looks, time=time)


def test_a_site_that_nothing_comes_to_and_nobody_hashes_is_late(world: World) -> None:
    """Disks rot, and keys run out, where nobody looks."""
    world.bring(model())
    world.hear(made())
    titles = [
        title
        for _, _, title in told(world.ask("freshness", now="2026-06-01T12:00:00Z"))
    ]
    assert titles[-2:] == [
        "no delivery came for 92 days",
        "some of what is live was not hashed for 92 days",
    ]
    note(world, State.IDENTICAL, "2026-05-20T00:00:00Z")
    later = world.ask("freshness", now="2026-06-01T12:00:00Z")
    assert [rule for rule, _, _ in told(later)][-1] == "no-delivery"


def test_a_verification_that_failed_is_no_hash(world: World) -> None:
    """It found rotten bytes: what is live was not seen to be whole."""
    world.bring(model())
    note(world, State.CHANGED, TODAY)
    found = world.ask("freshness")
    assert rows(found, "source", "state")[-2:] == [
        ("rehash", "never"),
        ("virus scans", "never"),
    ]
