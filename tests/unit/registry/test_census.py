"""What all releases name beside what a store holds, in a number of questions that stays."""

from pathlib import Path

import pytest

from airlift.digest import Sha256, sha256
from airlift.registry.census import Lack
from airlift.registry.held import State
from airlift.registry.overview import Overview
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from registry_statements import statements
from sites import DAY, Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with two releases that share a blob."""
    found = Site(tmp_path)
    found.model("org/a", b"one", b"three")
    found.model("org/b", b"three", b"22", live=False)
    return found


def ids(site: Site) -> dict[str, Sha256]:
    """Return the id of each release by its name."""
    return {one.release.name: one.id for one in site.registry.releases()}


def test_every_named_blob_is_told_once_in_order(site: Site) -> None:
    """Who reads along the store needs the same order and no repeats."""
    census = site.registry.census()
    every = {sha256(b"one"): 3, sha256(b"three"): 5, sha256(b"22"): 2}
    assert list(census.blobs()) == sorted(every.items())
    assert dict(census.blobs([ids(site)["org/b"]])) == {
        sha256(b"three"): 5,
        sha256(b"22"): 2,
    }
    assert list(census.blobs([])) == []
    assert list(census.blobs([sha256(b"no release")])) == []


def test_what_a_store_lacks_is_told_by_release(site: Site, tmp_path: Path) -> None:
    """Doctor says which releases are hit, and how badly."""
    census = site.registry.census()
    assert census.lacking(site.store) == ()
    a, b = site.registry.releases()
    empty = BlobStore(tmp_path / "empty")
    assert census.lacking(empty) == (Lack(held=a, blobs=2), Lack(held=b, blobs=2))
    site.store.remove([sha256(b"22")])
    assert census.lacking(site.store) == (Lack(held=b, blobs=1),)


def asked(site: Site) -> list[int]:
    """Return how many statements each question that people ask takes."""
    counts = []
    registry: Registry = site.registry
    for question in (
        lambda: registry.census().lacking(site.store),
        lambda: list(registry.census().blobs()),
        registry.releases,
        lambda: registry.releases(state=State.LIVE),
        registry.generations,
        lambda: registry.generations(newest=1),
        lambda: registry.doomed(site.store),
        lambda: registry.find("org/a"),
        lambda: registry.files(sha256(b"x")),
        lambda: registry.using(sha256(b"one")),
        lambda: registry.shelf(site.store).generation(),
    ):
        with statements(registry) as found:
            question()
        counts.append(len(found))
    return counts


def test_more_releases_are_no_more_questions(site: Site) -> None:
    """A question for each release is what makes a site slower every month."""
    before = asked(site)
    for n in range(12):
        site.model(f"org/more-{n}", b"%d" % n, b"one")
    assert asked(site) == before


def test_the_state_asked_for_is_the_state_told(site: Site) -> None:
    """The database sorts releases by state; it may not sort them otherwise than we do."""
    site.registry.deactivate([ids(site)["org/a"]], now=DAY.format(9), actor="x")
    site.model("org/c", b"c")
    every = site.registry.releases()
    assert {one.state for one in every} == set(State)
    for state in State:
        expected = tuple(one for one in every if one.state is state)
        assert site.registry.releases(state=state) == expected


def test_one_live_set_is_told_as_among_all(site: Site) -> None:
    """Every move of the live set asks for the newest, and must not read them all."""
    a, b = ids(site)["org/a"], ids(site)["org/b"]
    registry = site.registry
    registry.activate([b], now=DAY.format(9), actor="x")
    registry.deactivate([a], now=DAY.format(10), actor="x")
    registry.activate([a], now=DAY.format(11), actor="x")
    every = registry.generations()
    assert [one.releases for one in every] == [
        *(tuple(sorted((a, b))), (b,), tuple(sorted((a, b))), (a,)),
    ]
    assert registry.generations(newest=1) == every[:1]
    assert registry.generations(newest=3) == every[:3]
    for one in every:
        assert registry.generations(only=one.number) == (one,)
    assert registry.generations(only=99) == ()


def test_the_log_is_asked_by_action(site: Site) -> None:
    """Doctor wants the last verification, not ten years of imports."""
    told = [one for one in site.registry.events() if one.action == "import"]
    assert site.registry.events(action="import") == tuple(told)
    assert site.registry.events(action="import", newest=1) == (told[-1],)
    assert site.registry.events(action="verify") == ()


def test_sums_are_added_up_again_when_something_changed(site: Site) -> None:
    """A page is asked for every few seconds, and the sums take a second."""
    shown = Overview.open(site.home)
    first = shown.stored()
    with statements(shown) as found:
        assert shown.stored() == first
    assert len([one for one in found if "named" in one]) == 0
    site.registry.deactivate([ids(site)["org/a"]], now=DAY.format(9), actor="x")
    assert shown.stored() != first
    assert shown.stored() == Overview.open(site.home).stored()
