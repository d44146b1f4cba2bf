"""The world that questions read: two clocks, knowledge with ages, the past."""

from dataclasses import replace
from pathlib import Path

import pytest

import catalogues
from airlift.audit.clock import Knowledge
from airlift.errors import RequestError
from airlift.format.catalogue import Catalogue, Feed
from airlift.format.catalogue_entries import Standing
from airlift.inbound.ages import Age
from airlift.registry.held import Event, State
from audited import TODAY, World, model, wheels

WEEKS = ("2026-03-02T06:00:00Z", "2026-03-09T06:00:00Z", "2026-03-16T06:00:00Z")


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def first(**changes: object) -> Catalogue:
    """Return the catalogue of the first week."""
    made = catalogues.of(
        catalogues.item(as_of=WEEKS[0]),
        packages=(
            catalogues.package("demo", as_of=WEEKS[0], advised="2026-03-01T00:00:00Z"),
            catalogues.package(
                "other",
                as_of="",
                problem="HTTP 503",
                advised="",
                standing=Standing.UNKNOWN,
                newest="",
                versions=(),
            ),
        ),
        feed=Feed(as_of="2026-03-01T00:00:00Z", problem="", records=3),
        issued=WEEKS[0],
        next_expected=WEEKS[1],
        valid_until="2026-05-01T06:00:00Z",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_every_source_has_an_age_of_its_own(world: World) -> None:
    """One dead feed must not look fresh because another is."""
    world.hear(first())
    with world.site("2026-03-13T06:00:00Z") as site:
        assert site.knowledge == (
            Knowledge(
                source="catalogue",
                as_of=WEEKS[0],
                days=11,
                age=Age.AGEING,
                entries=3,
                imported=WEEKS[0],
            ),
            Knowledge(
                source="https://hub.example",
                as_of=WEEKS[0],
                days=11,
                age=Age.AGEING,
                entries=1,
                imported=WEEKS[0],
            ),
            Knowledge(
                source="https://index.example/simple",
                as_of="",
                days=None,
                age=Age.NEVER,
                entries=2,
                silent=1,
                imported=WEEKS[0],
                problem="HTTP 503",
            ),
            Knowledge(
                source="advisories",
                as_of="2026-03-01T00:00:00Z",
                days=12,
                age=Age.AGEING,
                entries=1,
                silent=1,
                imported=WEEKS[0],
            ),
        )


@pytest.mark.parametrize(
    ("now", "ignorance"),
    [
        ("2026-03-05T06:00:00Z", ""),
        ("2026-04-01T06:00:00Z", ""),
        ("2026-04-02T06:00:00Z", "catalogue 1 is 31 days old, more than 30"),
    ],
)
def test_stale_knowledge_says_nothing(world: World, now: str, ignorance: str) -> None:
    """Every question about upstream takes its ``unknown`` from here."""
    world.hear(first())
    with world.site(now) as site:
        assert site.ignorance == ignorance


def test_a_site_without_catalogues_knows_nothing(world: World) -> None:
    """Not "nothing is wrong"."""
    with world.site() as site:
        assert site.knowledge == ()
        assert site.ignorance == (
            "no catalogue was ever imported: nothing is known of upstream"
        )
        assert not site.is_blocked


def test_a_clock_that_was_set_back_makes_nothing_young(world: World) -> None:
    """Ages are those of before, and the clock is a finding."""
    world.hear(first())
    with world.registry() as registry:
        registry.log(Event(time="2026-04-20T00:00:00Z", actor="bob", action="list"))
    with world.site("2025-04-20T00:00:00Z") as site:
        assert site.clock.system == "2025-04-20T00:00:00Z"
        assert site.clock.trusted == "2026-04-20T00:00:00Z"
        assert site.clock.problem.startswith("this host's clock says 2025-04-20")
        assert site.knowledge[0].days == 48


# --- the past ---------------------------------------------------------------------


def test_the_past_is_what_was_held_and_known_then(world: World) -> None:
    """An auditor asks what could have been known on the day of an incident."""
    world.bring(model(), now="2026-03-01T12:00:00Z")
    world.hear(first())
    world.bring(
        model(revision="b" * 40, counter=2),
        wheels("demo-1.0-py3-none-any.whl"),
        now="2026-03-08T12:00:00Z",
    )
    world.hear(catalogues.after(first(), WEEKS[1]))
    with world.site("2026-04-05T06:00:00Z", as_of=TODAY) as site:
        assert site.made == first()
        assert [(one.release.revision, one.state) for one in site.releases] == [
            ("a" * 40, State.LIVE)
        ]
        assert [one.sequence for one in site.deliveries] == [2, 1]
        assert (site.wheels, site.clock.trusted) == ((), TODAY)
        assert site.knowledge[0].days == 3
    with world.site("2026-04-05T06:00:00Z") as site:
        assert len(site.releases) == 3
        assert [one.version for one in site.wheels] == ["1.0"]
        assert site.made == catalogues.after(first(), WEEKS[1])


def test_in_the_past_a_release_had_the_state_of_then(world: World) -> None:
    """What was taken out of service since was in service then."""
    world.bring(model())
    with world.registry() as registry:
        (held,) = registry.releases()
        registry.deactivate([held.id], now="2026-03-10T00:00:00Z", actor="bob")
    with world.site("2026-03-20T00:00:00Z") as site:
        assert [one.state for one in site.releases] == [State.RETIRED]
    with world.site("2026-03-20T00:00:00Z", as_of=TODAY) as site:
        assert [one.state for one in site.releases] == [State.LIVE]
    with world.site("2026-03-20T00:00:00Z", as_of="2026-03-11T00:00:00Z") as site:
        assert [one.state for one in site.releases] == [State.RETIRED]


def test_what_was_withdrawn_then_is_told_without_what_came_later(world: World) -> None:
    """A yank that was taken back since was one then."""
    package = catalogues.package("demo", as_of=WEEKS[0])
    yanked = replace(
        package,
        versions=(catalogues.version("demo", "1.1", yanked="broken"),),
    )
    bad = first(packages=(yanked,))
    good = replace(package, as_of=WEEKS[1])
    world.hear(bad)
    world.hear(catalogues.after(bad, WEEKS[1], packages=(good,)))
    with world.site("2026-03-20T00:00:00Z", as_of=TODAY) as site:
        assert [(one.what, one.reason) for one in site.standing] == [
            ("yanked", "broken")
        ]
    with world.site("2026-03-20T00:00:00Z") as site:
        assert site.standing == ()


def test_what_was_collected_since_is_named(world: World) -> None:
    """It was held then, and cannot be listed now: a list without it would lie."""
    world.bring(model())
    with world.registry() as registry:
        (held,) = registry.releases()
        for live in (model("org/b"), model("org/c")):
            registry.deactivate([held.id], now="2026-03-08T00:00:00Z", actor="bob")
            world.bring(live, now="2026-03-09T00:00:00Z")
        plan = registry.doomed(world.store)
        registry.collect(plan, world.store, now="2026-03-10T00:00:00Z", actor="bob")
        assert held.id not in [one.id for one in registry.releases()]
    with world.site("2026-03-20T00:00:00Z", as_of=TODAY) as site:
        assert (site.collected, site.releases) == ((held.id,), ())
    with world.site("2026-03-20T00:00:00Z") as site:
        assert site.collected == ()


def test_the_future_cannot_be_asked_about(world: World) -> None:
    """It would be answered with today's knowledge, and look like more."""
    with (
        pytest.raises(RequestError) as refused,
        world.site(TODAY, as_of="2026-03-06T00:00:00Z"),
    ):
        pass
    assert refused.value.problem == (
        f"`2026-03-06T00:00:00Z` lies in the future: this host's clock says {TODAY}"
    )
