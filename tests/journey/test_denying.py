"""What is denied, crossing: it is not served, not installed and does not come back."""

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from airlift.artifact import Kind, Pinned
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError, TrustError
from airlift.format import release
from airlift.inbound.landing import Landed
from airlift.registry.rebuild import rebuild
from airlift.registry.registry import Registry
from airlift.trust.denials import Denial, What
from airlift.trust.verifier import verify
from crossing import Crossing

GOOD: Mapping[str, bytes] = {"config.json": b'{"good": true}', "shared.bin": b"s" * 99}
BAD: Mapping[str, bytes] = {"config.json": b'{"bad": true}', "shared.bin": b"s" * 99}
LATER = "2026-11-24T12:00:00Z"
WHY = "weights were poisoned"


@pytest.fixture(name="both")
def _both(tmp_path: Path) -> Crossing:
    """A site that serves two releases."""
    both = Crossing(tmp_path)
    both.connected.export(both.medium, good(both), bad(both))
    both.isolated.land(both.medium)
    return both


def good(both: Crossing) -> Pinned:
    """Return what nothing is wrong with."""
    return both.connected.folder("acme/good", GOOD)


def bad(both: Crossing) -> Pinned:
    """Return what turns out to be bad."""
    return both.connected.folder("acme/bad", BAD)


def ids(both: Crossing) -> dict[str, Sha256]:
    """Return the releases that the site holds, by name."""
    return {one.release.name: one.id for one in both.isolated.registry.releases()}


def deny(both: Crossing, what: What, digest: str) -> None:
    """Deny it on the connected side."""
    entry = Denial(what=what, digest=Sha256(digest), since=LATER, why=WHY)
    both.connected.publisher.deny([entry], [both.connected.key], LATER)


def carry(both: Crossing, *pinned: Pinned, name: str = "next") -> Landed:
    """Make the next delivery and import it."""
    medium = both.folder / name
    both.connected.export(medium, *pinned, now=LATER)
    return both.isolated.land(medium, now=LATER)


def live(both: Crossing) -> list[str]:
    """Return what is served."""
    shelf = both.isolated.registry.shelf(both.isolated.store)
    return [one.release.name for one in shelf.releases(frozenset(Kind))]


def test_a_denied_release_is_out_of_service_at_the_next_request(both: Crossing) -> None:
    """A server that runs all the while gives no byte of it from the import on."""
    shelf = both.isolated.registry.shelf(both.isolated.store)
    config = sha256(BAD["config.json"])
    assert shelf.span(config) is not None
    deny(both, What.RELEASE, ids(both)["acme/bad"])
    landed = carry(both)
    assert [one.release.name for one in landed.struck] == ["acme/bad"]
    assert shelf.span(config) is None
    assert shelf.files(ids(both)["acme/bad"]) == ()
    assert shelf.file(ids(both)["acme/bad"], "config.json") is None
    assert [one.release.name for one in shelf.releases(frozenset(Kind))] == [
        "acme/good"
    ]
    assert shelf.span(sha256(GOOD["shared.bin"])) is not None


def test_a_denied_file_takes_every_release_that_has_it(both: Crossing) -> None:
    """The same bytes under another name are as bad."""
    deny(both, What.FILE, sha256(GOOD["shared.bin"]))
    landed = carry(both)
    assert sorted(one.release.name for one in landed.struck) == [
        "acme/bad",
        "acme/good",
    ]
    assert live(both) == []


def test_what_was_denied_is_in_the_log(both: Crossing) -> None:
    """Who asks a year later finds which delivery took it out of service, and why."""
    bad_id = ids(both)["acme/bad"]
    deny(both, What.RELEASE, bad_id)
    landed = carry(both)
    (line,) = both.isolated.registry.events(action="deny")
    assert (line.subject, line.actor, line.time) == ("deny list 1", "tester", LATER)
    assert line.detail == {
        "delivery": landed.arrival.delivery.id,
        "denied": [{"what": "release", "digest": bad_id, "why": WHY}],
    }


def test_what_is_denied_does_not_become_live_again(both: Crossing) -> None:
    """Neither somebody at the site nor the live set of before brings it back."""
    registry, bad_id = both.isolated.registry, ids(both)["acme/bad"]
    deny(both, What.RELEASE, bad_id)
    carry(both)
    with pytest.raises(RequestError) as caught:
        registry.activate([bad_id], now=LATER, actor="tester")
    assert caught.value.problem.endswith(f"is denied: {WHY}")
    registry.rollback(now=LATER, actor="tester")
    assert live(both) == ["acme/good"]


def test_a_denied_release_is_not_sent_again(both: Crossing) -> None:
    """Neither anew nor by writing the volumes of an earlier delivery once more."""
    deny(both, What.RELEASE, ids(both)["acme/bad"])
    with pytest.raises(RequestError) as caught:
        both.connected.export(both.folder / "no", bad(both), now=LATER)
    assert caught.value.problem.startswith("folder `acme/bad` may not leave: release ")
    with pytest.raises(RequestError) as caught:
        both.connected.export(both.folder / "no", again=1, now=LATER)
    assert caught.value.problem.startswith("folder `acme/bad` may not leave: release ")
    assert not any((both.folder / "no").glob("*.tar"))


def test_nothing_is_built_on_what_is_denied(both: Crossing) -> None:
    """The site may have collected it; a later delivery must not count on it."""
    deny(both, What.RELEASE, ids(both)["acme/bad"])
    deny(both, What.RELEASE, ids(both)["acme/good"])
    fresh = both.connected.folder("acme/new", {"shared.bin": GOOD["shared.bin"]})
    done = both.connected.export(both.folder / "next", fresh, build_on="all", now=LATER)
    assert done.record.needs == ()


def test_what_came_before_it_was_denied_is_taken_out_when_both_arrive(
    both: Crossing,
) -> None:
    """Deliveries may lie in a drawer: the later one decides about the earlier."""
    evil = both.connected.folder("acme/evil", {"config.json": b"evil"})
    first = both.folder / "first"
    done = both.connected.export(first, evil, now=LATER)
    deny(both, What.RELEASE, release.identify(release.encode(done.releases[0])))
    second = both.folder / "second"
    both.connected.export(second, now=LATER)
    both.isolated.land(first, now=LATER)
    assert "acme/evil" in live(both)
    both.isolated.land(second, now=LATER)
    assert live(both) == ["acme/bad", "acme/good"]


def test_a_delivery_that_was_taken_before_does_not_bring_it_back(
    both: Crossing,
) -> None:
    """The courier still has the old medium."""
    deny(both, What.RELEASE, ids(both)["acme/bad"])
    carry(both)
    before = both.isolated.fingerprint()
    assert both.isolated.land(both.medium, now=LATER).repeat
    assert both.isolated.fingerprint() == before
    assert live(both) == ["acme/good"]


def test_denied_bytes_are_collected_and_stay_denied(both: Crossing) -> None:
    """Deleting is allowed once nothing needs them; forgetting why is not."""
    registry, store = both.isolated.registry, both.isolated.store
    deny(both, What.RELEASE, ids(both)["acme/bad"])
    carry(both)
    carry(both, both.connected.folder("acme/more", {"a": b"1"}), name="third")
    plan = registry.doomed(store)
    assert [one.release.name for one in plan.releases] == ["acme/bad"]
    registry.collect(plan, store, now=LATER, actor="tester")
    assert store.span(sha256(BAD["config.json"])) is None
    assert store.span(sha256(BAD["shared.bin"])) is not None
    assert both.isolated.land(both.medium, now=LATER).repeat
    assert "acme/bad" not in live(both)
    assert [one.digest for one in registry.custody().denials().entries]


def test_a_database_made_again_denies_the_same(both: Crossing) -> None:
    """The list is signed: no copy of the database is needed to know it."""
    deny(both, What.RELEASE, ids(both)["acme/bad"])
    carry(both)
    before = both.isolated.registry.custody().denials()
    both.isolated.registry.close()
    rebuild(
        both.isolated.home,
        both.isolated.store,
        verify=verify,
        now=LATER,
        actor="tester",
    )
    with contextlib.closing(Registry.open(both.isolated.home)) as registry:
        assert registry.custody().denials() == before
        held = {one.release.name: one for one in registry.releases()}
        assert held["acme/bad"].denied == WHY
        assert held["acme/good"].denied == ""
        shelf = registry.shelf(both.isolated.store)
        assert shelf.span(sha256(BAD["config.json"])) is None


def test_the_list_cannot_be_turned_back_by_an_older_signing_host(
    both: Crossing,
) -> None:
    """Store and database are as before, to the byte, and the log says what was tried."""
    twin = both.connected.home.with_name("twin")
    shutil.copytree(both.connected.home / "trust", twin)
    deny(both, What.RELEASE, ids(both)["acme/bad"])
    carry(both)
    shutil.rmtree(both.connected.home / "trust")
    shutil.copytree(twin, both.connected.home / "trust")
    for attempt in range(2):
        both.connected.export(both.folder / f"old-{attempt}", now=LATER)
    before = both.isolated.fingerprint()
    with pytest.raises(TrustError) as caught:
        both.isolated.land(both.folder / "old-1", now=LATER)
    assert "the delivery brings no deny list, this site has version 1" in str(
        caught.value
    )
    assert both.isolated.fingerprint() == before


def test_a_delivery_of_revocations_is_small(both: Crossing) -> None:
    """It fits whatever is at hand, and is read in no time."""
    deny(both, What.RELEASE, ids(both)["acme/bad"])
    medium = both.folder / "small"
    both.connected.export(medium, now=LATER)
    (volume,) = medium.glob("*.tar")
    assert volume.stat().st_size < 32 << 10
