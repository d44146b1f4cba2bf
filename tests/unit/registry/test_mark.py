"""The mark on other storage: a registry that is put back whole is found out."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import RegistryError, RequestError, StoreError
from airlift.registry.home import Home
from airlift.registry.mark import Marker, encode, read
from airlift.registry.rebuild import rebuild
from airlift.registry.registry import Registry
from airlift.trust.verifier import verify
from authority import NOW
from sites import Site

BEHIND = (
    "an old copy was put back: restore a newer one; if there is none, `airlift trust"
    " mark --forget`, then import the newest delivery before anything is served"
)


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Iterator[Site]:
    """A site with a mark in ``other`` beside it, and one model."""
    site = Site(tmp_path)
    (tmp_path / "other").mkdir()
    keep(site, tmp_path / "other" / "mark.json")
    site.model("org/model", b"one")
    with closing(site.registry):
        yield site


def keep(site: Site, place: Path) -> None:
    """Keep the mark of *site* at *place*."""
    home = Home.open(site.home)
    with closing(home.database):
        home.marker.begin(place, home.reached())


def place_of(site: Site) -> Path:
    """Return where the mark lies."""
    place = Marker(site.home).place()
    assert place is not None
    return place


def test_every_change_is_noted_in_the_mark(site: Site) -> None:
    """Whatever changes afterwards, the mark knows before the command ends."""
    before = read(place_of(site))
    assert (before.site, before.sequence, before.generation) == ("plant7", 1, 1)
    ids = [one.id for one in site.registry.releases()]
    site.registry.deactivate(ids, now=NOW, actor="tester")
    after = read(place_of(site))
    assert (after.sequence, after.generation) == (1, 2)
    assert after.events == before.events + 1


def test_a_home_that_is_put_back_whole_is_refused_at_every_age(site: Site) -> None:
    """Database, records and store of an earlier day agree with each other in all.

    A server that only reads refuses too: what was denied since would be served.
    """
    copies = []
    for number in range(2, 8):
        copies.append(site.home.with_name(f"copy-{number}"))
        shutil.copytree(site.home, copies[-1])
        site.model(f"org/model-{number}", b"x" * number)
    site.registry.close()
    found = []
    for copy in copies:
        for readonly in (False, True):
            with pytest.raises(RegistryError) as caught:
                Registry.open(copy, readonly=readonly)
            assert caught.value.hint == BEHIND
            found.append(caught.value.problem)
    assert found == [
        f"this registry is at delivery {number - 1}, the mark says 7"
        for number in range(2, 8)
        for _ in range(2)
    ]


def test_the_home_of_today_opens(site: Site) -> None:
    """A mark refuses nothing that was never further."""
    site.reopen()
    with closing(Registry.open(site.home, readonly=True)) as registry:
        assert len(registry.releases()) == 1


def test_a_copy_that_lacks_one_line_of_the_log_is_refused(site: Site) -> None:
    """A refusal, too, is something that somebody may want forgotten."""
    copy = site.home.with_name("copy")
    shutil.copytree(site.home, copy)
    ids = [one.id for one in site.registry.releases()]
    site.registry.pin(ids, why="audit", now=NOW, actor="tester")
    with pytest.raises(RegistryError) as caught:
        Registry.open(copy)
    number = read(place_of(site)).events
    assert caught.value.problem == (
        f"this registry is at line of the log {number - 1}, the mark says {number}"
    )


def test_a_rebuild_from_records_that_were_put_back_is_refused(site: Site) -> None:
    """Else a rebuild would be the way around the mark, and lower it."""
    copy = site.home.with_name("copy")
    shutil.copytree(site.home, copy)
    site.model("org/other", b"two")
    before = place_of(site).read_bytes()
    with pytest.raises(RegistryError) as caught:
        rebuild(copy, site.store, verify=verify, now=NOW, actor="tester")
    assert caught.value.problem == "this registry is at delivery 1, the mark says 2"
    assert place_of(site).read_bytes() == before


def test_a_rebuild_of_today_keeps_the_mark(site: Site) -> None:
    """A lost database is no reason to distrust what lies beside it."""
    site.registry.close()
    before = read(place_of(site))
    (site.home / "registry.db").unlink()
    rebuild(site.home, site.store, verify=verify, now=NOW, actor="tester")
    assert read(place_of(site)).events == before.events + 1
    site.registry = Registry.open(site.home)


def test_whoever_writes_needs_the_mark_and_a_server_does_not(site: Site) -> None:
    """Storage that is away stops imports, where it counts, and serves on."""
    place = place_of(site)
    away = place.rename(place.with_name("away"))
    with closing(Registry.open(site.home, readonly=True)) as registry:
        assert len(registry.releases()) == 1
    with pytest.raises(RegistryError) as caught:
        Registry.open(site.home)
    assert caught.value.hint == (
        "mount where it lies, or give it up with `airlift trust mark --forget`"
    )
    away.rename(place)
    site.reopen()


def test_a_change_that_cannot_be_noted_says_that_it_was_made(site: Site) -> None:
    """The operator must know both: it is done, and the mark is behind."""
    place = place_of(site)
    shutil.rmtree(place.parent)
    with pytest.raises(StoreError) as caught:
        site.model("org/other", b"two")
    assert caught.value.problem.startswith("done and recorded, but not in the mark: ")
    assert [one.sequence for one in site.registry.deliveries()] == [2, 1]


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", b'{"format":"airlift/mark/2"}']
)
def test_a_damaged_mark_stops_everything(site: Site, content: bytes) -> None:
    """Whoever can spoil the mark must not be rid of it by that."""
    place_of(site).write_bytes(content)
    for readonly in (False, True):
        with pytest.raises(RegistryError) as caught:
            Registry.open(site.home, readonly=readonly)
        assert caught.value.problem.startswith("the mark of this registry: ")


def test_the_mark_of_another_registry_is_refused(site: Site) -> None:
    """Two sites that shared a mark would each hide that the other went back."""
    own = read(place_of(site))
    for other in (
        replace(own, anchor=sha256(b"another root")),
        replace(own, site="plant8"),
    ):
        place_of(site).write_bytes(encode(other))
        with pytest.raises(RegistryError) as caught:
            Registry.open(site.home)
        assert caught.value.problem == (
            f"the mark is of site {other.site} under root {other.anchor[:16]}, this"
            f" registry of plant7 under {own.anchor[:16]}"
        )


def test_a_mark_in_the_home_is_refused(site: Site) -> None:
    """It would go back with what it is to watch."""
    for place in (site.home / "mark.json", Path("relative.json")):
        with pytest.raises(RequestError) as caught:
            keep(site, place)
        assert caught.value.problem.endswith("is not an absolute path outside of HOME")


def test_without_a_mark_nothing_is_compared(tmp_path: Path) -> None:
    """Whoever wants none sees no difference."""
    site = Site(tmp_path)
    site.model("org/model", b"one")
    site.reopen()
    assert Marker(site.home).place() is None
    site.registry.close()
