"""The overview of a registry: figures that add up, and a mark that always changes."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from airlift.artifact import Kind
from airlift.format import release
from airlift.registry.held import Event, State
from airlift.registry.overview import Overview
from sites import DAY, Site, document

NOW = DAY.format(20)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with nothing yet."""
    return Site(tmp_path)


def test_what_is_stored_is_counted_once(site: Site) -> None:
    """Sums that count shared bytes again make an operator buy a disk."""
    rng = random.Random(9)
    pool = [rng.randbytes(rng.randrange(1, 500)) for _ in range(90)]
    site.hold(*pool)
    kinds = (Kind.MODEL, Kind.GGUF, Kind.WHEELS)
    for number in range(6):
        made = []
        for name in ("org/a", "org/b", f"org/c{number}", f"org/d{number}"):
            files = {f"f{n}": data for n, data in enumerate(rng.sample(pool, 5))}
            counter, chosen = number + 1, rng.choice(kinds)
            made.append(document(name, files, counter=counter, kind=chosen))
        live = number % 3 > 0
        site.bring(*made, live=live)
        if live:
            gone = [release.identify(one) for one in made[:2]]
            site.registry.deactivate(gone, now=NOW, actor="a")

    keeps = [State.LIVE, State.QUARANTINE, State.RETIRED]
    best: dict[str, tuple[int, str, int]] = {}
    for held in site.registry.releases():
        for file in site.registry.files(held.id):
            place = (keeps.index(held.state), held.release.kind.value, file.size)
            best[file.sha256] = min(place, best.get(file.sha256, place))
    told = Overview.open(site.home).stored()

    wanted: dict[tuple[str, State], list[int]] = {}
    for rank, kind, size in best.values():
        wanted.setdefault((kind, keeps[rank]), []).append(size)
    assert len({one.state for one in told}) == 3
    assert {(one.kind, one.state): (one.blobs, one.size) for one in told} == {
        key: (len(sizes), sum(sizes)) for key, sizes in wanted.items()
    }


def test_the_mark_changes_with_everything_that_can_be_shown(site: Site) -> None:
    """A page is kept while it stays the same; one change missed is shown nowhere."""
    registry, shown = site.registry, Overview.open(site.home)
    one = site.model("org/one", b"1")
    two = site.model("org/two", b"2", live=False)
    told = Event(time=NOW, actor="a", action="verify")
    changes: list[Callable[[], object]] = [
        lambda: site.model("org/three", b"3"),
        lambda: registry.activate([two], now=NOW, actor="a"),
        lambda: registry.deactivate([two], now=NOW, actor="a"),
        lambda: registry.rollback(now=NOW, actor="a"),
        lambda: registry.pin([one], why="x", now=NOW, actor="a"),
        lambda: registry.unpin([one], now=NOW, actor="a"),
        lambda: registry.deny([one], why="x", now=NOW, actor="a"),
        site.bring,
        lambda: registry.log(told),
        lambda: registry.collect(
            registry.doomed(site.store), site.store, now=NOW, actor="a"
        ),
    ]
    marks = [shown.mark()]
    for change in changes:
        change()
        marks.append(shown.mark())
    assert len(set(marks)) == len(changes) + 1


def test_the_overview_says_what_the_catalogue_says(site: Site) -> None:
    """Two answers to one question would be one too many."""
    one = site.model("org/one", b"1", b"22")
    site.model("org/two", b"2", live=False)
    registry, shown = site.registry, Overview.open(site.home)
    assert shown.releases() == registry.releases()
    assert shown.deliveries() == registry.deliveries()
    assert shown.files(one) == registry.files(one)
    assert shown.events(2) == registry.events()[-2:]
    assert [(g.number, g.members) for g in shown.generations(9)] == [
        (g.number, g.members) for g in registry.generations()
    ]


def test_the_overview_says_how_long_what_is_believed_lasts(site: Site) -> None:
    """What expires next is what somebody must renew."""
    before = Overview.open(site.home).knowledge()
    assert before.expires == {"root": "2029-02-28T12:00:00Z"}
    assert Overview.open(site.home).site() == "plant7"
    site.bring()
    after = Overview.open(site.home).knowledge()
    assert (after.floor, dict(after.expires)) == (
        "2026-03-01T12:00:00Z",
        {
            "root": "2029-02-28T12:00:00Z",
            "timestamp": "2026-04-15T12:00:00Z",
            "snapshot": "2026-05-30T12:00:00Z",
            "targets": "2027-03-01T12:00:00Z",
            "site-plant7": "2026-08-30T12:00:00Z",
        },
    )
