"""Collection: what may go goes, and nothing else, whatever happened before."""

import random
from pathlib import Path

import pytest

from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.registry.held import State
from sites import Site

LATER = "2026-04-01T00:00:00Z"


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def collect(site: Site) -> int:
    """Collect everything that may go."""
    plan = site.registry.doomed(site.store)
    return site.registry.collect(plan, site.store, now=LATER, actor="me")


def held(site: Site) -> set[bytes]:
    """Return the contents that are in the store."""
    return {site.blobs[name] for name, _ in site.store.all()}


def test_what_two_generations_do_not_need_goes(site: Site) -> None:
    """The live set and the one before stay; shared blobs stay with their users."""
    old = site.model("org/m", b"1", b"shared")
    site.registry.deactivate([old], now=LATER, actor="me")
    assert site.registry.doomed(site.store).releases == ()
    site.model("org/m", b"2", b"shared", counter=2)
    plan = site.registry.doomed(site.store)
    assert [one.id for one in plan.releases] == [old]
    assert plan.blobs == ((sha256(b"1"), 1),)
    assert plan.size == 1
    assert collect(site) > 0
    assert held(site) == {b"2", b"shared"}
    assert [one.release.counter for one in site.registry.releases()] == [2]
    assert site.registry.doomed(site.store).blobs == ()


def test_a_pin_keeps_a_release_until_it_is_taken_out(site: Site) -> None:
    """Someone depends on it, and said so."""
    old = site.model("org/m", b"1")
    site.registry.pin([old], why="audit 2026", now=LATER, actor="me")
    assert site.registry.find(old).pinned == "audit 2026"
    site.registry.deactivate([old], now=LATER, actor="me")
    site.model("org/m", b"2", counter=2)
    collect(site)
    assert held(site) == {b"1", b"2"}
    site.registry.unpin([old], now=LATER, actor="me")
    collect(site)
    assert held(site) == {b"2"}


def test_what_waits_in_quarantine_stays_unless_it_is_denied(site: Site) -> None:
    """It has not been looked at; once it is denied nobody wants it."""
    waiting = site.model("org/m", b"1", live=False)
    collect(site)
    assert held(site) == {b"1"}
    site.registry.deny([waiting], why="bad", now=LATER, actor="me")
    collect(site)
    assert held(site) == set()
    assert site.registry.releases() == ()


def test_leftovers_of_a_broken_off_import_go(site: Site) -> None:
    """Blobs that no record names, and unfinished files that nobody fills."""
    site.model("org/m", b"1")
    site.hold(b"orphan")
    site.store.partial("stale").close()
    with site.store.partial("filling"):
        plan = site.registry.doomed(site.store)
        assert plan.partials == ("filling", "stale")
        site.registry.collect(plan, site.store, now=LATER, actor="me")
        assert list(site.store.partials()) == ["filling"]
    assert held(site) == {b"1"}


def test_what_became_needed_since_the_plan_stays(site: Site) -> None:
    """Between the question and the answer somebody may have acted."""
    old = site.model("org/m", b"1")
    site.registry.deactivate([old], now=LATER, actor="me")
    site.model("org/m", b"2", counter=2)
    site.hold(b"orphan")
    plan = site.registry.doomed(site.store)
    site.registry.activate([old], now=LATER, actor="me")
    site.model("org/other", b"orphan")
    assert site.registry.collect(plan, site.store, now=LATER, actor="me") == 0
    assert held(site) == {b"1", b"2", b"orphan"}
    assert site.registry.find(old).state is State.LIVE


def test_a_generation_that_was_collected_cannot_be_gone_back_to(site: Site) -> None:
    """Half a live set is worse than an error."""
    old = site.model("org/m", b"1")
    site.registry.deactivate([old], now=LATER, actor="me")
    site.model("org/m", b"2", counter=2)
    collect(site)
    with pytest.raises(RequestError) as caught:
        site.registry.rollback(to=1, now=LATER, actor="me")
    problem = "generation 1 had 1 releases, 1 of them collected"
    assert str(caught.value) == problem
    (first,) = site.registry.generations()[-1:]
    assert (first.members, first.releases) == (1, ())


def test_what_was_collected_may_come_again(site: Site) -> None:
    """A later delivery brings it back to life, under its old id."""
    old = site.model("org/m", b"1")
    site.model("org/n", b"2")
    site.registry.deactivate([old], now=LATER, actor="me")
    site.registry.activate([], now=LATER, actor="me")
    site.model("org/n", b"3", counter=2)
    collect(site)
    assert old not in {one.id for one in site.registry.releases()}
    assert site.model("org/m", b"1") == old
    found = site.registry.find(old)
    assert (found.state, found.sequence) == (State.LIVE, 4)


class Story:
    """A site, and beside it in plain sets what it should hold.

    Args:
        site: What things are done to.
        seed: Of the chance that picks them.
    """

    def __init__(self, site: Site, seed: int) -> None:
        self.site, self.chance = site, random.Random(seed)
        self.contents: dict[Sha256, set[bytes]] = {}
        self.history: list[set[Sha256]] = [set()]
        self.pinned: set[Sha256] = set()
        self.ever: set[Sha256] = set()
        self.number = 0

    @property
    def live(self) -> set[Sha256]:
        """The live set."""
        return self.history[-1]

    def some(self) -> list[Sha256]:
        """Return up to two of the releases held."""
        known = sorted(self.contents)
        return self.chance.sample(known, min(len(known), self.chance.randint(0, 2)))

    def step(self) -> None:
        """Do one thing, to the site and to the sets."""
        self.number += 1
        steps = (
            *(self.bring, self.activate, self.remove, self.rollback),
            *(self.pin, self.unpin, self.orphan, self.reopen),
        )
        self.chance.choice(steps)()

    def bring(self) -> None:
        """Import a release, live or not, some of whose blobs others may have."""
        shared = b"%d" % self.chance.randint(0, 9)
        contents = {shared, b"%d!" % self.number}
        live = self.chance.random() < 0.6
        name = f"org/m{self.number}"
        one = self.site.model(name, *sorted(contents), live=live)
        self.contents[one] = contents
        if live:
            self.move(self.live | {one})

    def activate(self) -> None:
        """Make some live."""
        some = self.some()
        self.site.registry.activate(some, now=LATER, actor="me")
        self.move(self.live | set(some))

    def remove(self) -> None:
        """Take some out of the live set."""
        some = self.some()
        self.site.registry.deactivate(some, now=LATER, actor="me")
        self.move(self.live - set(some))

    def rollback(self) -> None:
        """Go back by one."""
        if len(self.history) > 2:
            self.site.registry.rollback(now=LATER, actor="me")
            self.move(self.history[-2])

    def pin(self) -> None:
        """Pin some."""
        some = self.some()
        self.site.registry.pin(some, why="x", now=LATER, actor="me")
        self.pinned |= set(some)

    def unpin(self) -> None:
        """Unpin some."""
        some = self.some()
        self.site.registry.unpin(some, now=LATER, actor="me")
        self.pinned -= set(some)

    def orphan(self) -> None:
        """Leave a blob that no release names."""
        self.site.hold(b"orphan %d" % self.number)

    def reopen(self) -> None:
        """Begin another process."""
        self.site.reopen()

    def move(self, live: set[Sha256]) -> None:
        """Make *live* the live set."""
        if live != self.live:
            self.history.append(live)
            self.ever |= live

    def collected(self) -> None:
        """Forget what a collection may take; what it must keep is left."""
        before = self.history[-2] if len(self.history) > 1 else set[Sha256]()
        waiting = self.contents.keys() - self.ever
        needed = self.live | before | self.pinned | waiting
        self.contents = {one: self.contents[one] for one in needed}


@pytest.mark.parametrize("seed", range(6))
def test_nothing_needed_is_ever_collected(site: Site, seed: int) -> None:
    """Live, last-good, pinned and waiting releases survive any history at all."""
    story = Story(site, seed)
    for _ in range(20):
        story.step()
        if story.chance.random() < 0.3:
            collect(site)
            story.collected()
            assert held(site) == set[bytes]().union(*story.contents.values())
            found = {one.id: one.state for one in site.registry.releases()}
            assert found.keys() == story.contents.keys()
            live = {one for one, state in found.items() if state is State.LIVE}
            assert live == story.live
