import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from airlift import __version__
from airlift.artifact import Kind
from airlift.digest import Sha256, sha256
from airlift.errors import RegistryError, RequestError, StoreError
from airlift.format import release
from airlift.format.dispatch import Earlier
from airlift.registry.held import Event, State
from airlift.registry.registry import Registry
from authority import NOW, SITE, land
from sites import DAY, Site, document

LATER = "2026-04-01T00:00:00Z"


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def states(site: Site) -> dict[str, State]:
    """Return the state of every release held, by `name counter`."""
    return {
        f"{one.release.name} {one.release.counter}": one.state
        for one in site.registry.releases()
    }


def test_a_delivery_is_recorded_with_everything_it_brings(site: Site) -> None:
    """What later commands say comes from here; nothing may be lost or changed."""
    site.hold(b"config", b"weights")
    first = document("org/m", {"b.bin": b"weights", "a.json": b"config"})
    delivery = site.bring(first)
    registry = site.reopen()
    (held,) = registry.releases()
    expected = release.decode(first)
    assert held.release == replace(expected, files=())
    assert registry.files(held.id) == expected.files
    assert (held.id, held.state, held.size, held.files) == (
        sha256(first),
        State.LIVE,
        len(b"configweights"),
        2,
    )
    assert (held.imported, held.sequence, held.pinned, held.denied) == (
        DAY.format(2),
        1,
        "",
        "",
    )
    assert registry.document(held.id) == first
    assert registry.using(sha256(b"weights")) == (held,)
    (delivered,) = registry.deliveries()
    assert (delivered.id, delivered.sequence) == (delivery.id, 1)
    assert (delivered.issued, delivered.imported) == (NOW, DAY.format(2))
    assert (delivered.operator, delivered.actor) == ("alice", "importer")
    assert delivered.version == __version__
    assert delivered.signed_by == delivery.signed_by
    (generation,) = registry.generations()
    assert (generation.number, generation.reason) == (1, "import")
    assert (generation.note, generation.releases) == ("delivery 1", (held.id,))


def test_what_the_site_believes_survives_exactly(site: Site) -> None:
    """A lost counter or metadata file would let an old delivery in again."""
    site.hold(b"x")
    for counter in (1, 2, 3):
        delivery = site.bring(document("org/m", {"x": b"x"}, counter=counter))
        assert site.reopen().trust_state() == delivery.state
    assert site.registry.trust_state().counters == {(Kind.MODEL, "org/m"): 3}


def test_a_delivery_without_its_blobs_is_not_recorded(site: Site) -> None:
    """A row that names a missing blob would be served as an error for ever."""
    site.hold(b"here")
    before = site.registry.trust_state()
    delivery = site.verified(document("org/m", {"a": b"here", "b": b"not here"}))
    with pytest.raises(StoreError) as caught:
        site.registry.record(delivery, site.store, live=(), now=LATER, actor="me")
    assert str(caught.value) == (
        f"1 of 2 blobs of delivery 1 are not in the store, first {sha256(b'not here')}"
    )
    assert site.registry.trust_state() == before
    assert site.registry.releases() == ()
    assert site.registry.generations() == ()
    assert not list((site.home / "records").glob("0*"))


def test_the_same_delivery_again_changes_nothing(site: Site) -> None:
    """Whoever is not sure imports again; that must be safe."""
    site.hold(b"x")
    one = document("org/m", {"x": b"x"})
    delivery = site.bring(one)
    before = site.registry.events()
    again = land(delivery.records, site.registry.trust_state())
    assert again.repeat
    number = site.registry.record(
        again, site.store, live=[sha256(one)], now=LATER, actor="me"
    )
    assert number == 1
    assert site.registry.events() == before


def test_a_delivery_verified_against_another_state_is_refused(site: Site) -> None:
    """Two imports that verified at once must not overwrite each other's state."""
    site.hold(b"x")
    state = site.registry.trust_state()
    first = site.side.deliver(document("org/a", {"x": b"x"}))
    second = site.side.deliver(document("org/b", {"x": b"x"}))
    late = land(second, state)
    site.registry.record(land(first, state), site.store, live=(), now=LATER, actor="me")
    with pytest.raises(RegistryError) as caught:
        site.registry.record(late, site.store, live=(), now=LATER, actor="me")
    assert str(caught.value) == "delivery 2 was verified against another state"
    site.registry.record(
        land(second, site.registry.trust_state()),
        site.store,
        live=(),
        now=LATER,
        actor="me",
    )
    newest = site.registry.trust_state().deliveries[0]
    assert newest == Earlier(sequence=2, sha256=late.id)


def test_no_counter_and_no_time_ever_falls(site: Site) -> None:
    """Even an error in the verifier must not open the way for old releases."""
    site.model("org/m", b"x", counter=5)
    site.hold(b"y")
    good = site.verified(document("org/m", {"y": b"y"}, counter=6))
    falls = {
        "the counter of model org/m would fall: 5 to 4": replace(
            good.state, counters={(Kind.MODEL, "org/m"): 4}
        ),
        f"the verified time would fall from {NOW} to 2020-01-01T00:00:00Z": replace(
            good.state, floor="2020-01-01T00:00:00Z"
        ),
        f"the registry is of site {SITE}, not of other": replace(
            good.state, site="other"
        ),
    }
    for message, state in falls.items():
        with pytest.raises(RegistryError) as caught:
            site.registry.record(
                replace(good, state=state),
                site.store,
                live=(),
                now=LATER,
                actor="me",
            )
        assert str(caught.value) == message
    assert len(site.registry.deliveries()) == 1
    site.registry.record(good, site.store, live=(), now=LATER, actor="me")


def test_a_release_is_live_retired_or_in_quarantine(site: Site) -> None:
    """The three words of every listing, and how a release moves between them."""
    one = site.model("org/one", b"1")
    two = site.model("org/two", b"2", live=False)
    assert states(site) == {
        "org/one 1": State.LIVE,
        "org/two 1": State.QUARANTINE,
    }
    assert site.registry.activate([two], now=LATER, actor="me") == 2
    assert site.registry.deactivate([one], now=LATER, actor="me") == 3
    assert states(site) == {"org/one 1": State.RETIRED, "org/two 1": State.LIVE}
    assert [one.id for one in site.registry.releases(state=State.LIVE)] == [two]
    assert site.registry.activate([two], now=LATER, actor="me") == 3


def test_an_update_leaves_older_revisions_live(site: Site) -> None:
    """Clients that pinned a commit must go on working after an update."""
    site.model("org/m", b"1", counter=1)
    site.model("org/m", b"2", counter=2)
    assert states(site) == {"org/m 1": State.LIVE, "org/m 2": State.LIVE}


def test_rolling_back_brings_the_earlier_set_back(site: Site) -> None:
    """One command undoes a bad update, and itself can be undone."""
    one = site.model("org/one", b"1")
    two = site.model("org/two", b"2")
    rolled = site.registry.rollback(now=LATER, actor="me")
    assert rolled == 3
    assert states(site) == {"org/one 1": State.LIVE, "org/two 1": State.RETIRED}
    assert site.registry.rollback(to=2, now=LATER, actor="me") == 4
    assert [one.releases for one in site.registry.generations()] == [
        tuple(sorted([one, two])),
        (one,),
        tuple(sorted([one, two])),
        (one,),
    ]
    for to, message in {
        9: "there is no generation 9; there are 1 to 4",
        0: "there is no generation 0; there are 1 to 4",
    }.items():
        with pytest.raises(RequestError) as caught:
            site.registry.rollback(to=to, now=LATER, actor="me")
        assert str(caught.value) == message


def test_there_must_be_something_to_roll_back_to(site: Site) -> None:
    """An empty live set by accident would look like a broken server."""
    site.model("org/one", b"1")
    with pytest.raises(RequestError) as caught:
        site.registry.rollback(now=LATER, actor="me")
    assert str(caught.value) == "there is no generation to go back to"


def test_what_is_denied_leaves_and_never_comes_back(site: Site) -> None:
    """A model found bad must not return by activation, rollback or import."""
    bad = site.model("org/bad", b"pickle", b"readme")
    good = site.model("org/good", b"fine", b"readme")
    site.registry.deny([sha256(b"pickle")], why="CVE-1", now=LATER, actor="officer")
    assert states(site)["org/bad 1"] is State.RETIRED
    assert site.registry.find("org/bad").denied == "one of its files is denied"
    with pytest.raises(RequestError) as caught:
        site.registry.activate([bad], now=LATER, actor="me")
    label = f"model:org/bad@{site.registry.find('org/bad').release.revision[:12]}"
    assert str(caught.value) == f"{label} is denied: one of its files is denied"
    site.registry.rollback(to=2, now=LATER, actor="me")
    assert states(site)["org/bad 1"] is State.RETIRED
    again = site.model("org/again", b"pickle")
    assert site.registry.find(again).state is State.QUARANTINE
    site.registry.deny([good], why="licence", now=LATER, actor="officer")
    assert site.registry.find(good).denied == "licence"
    assert site.registry.releases(state=State.LIVE) == ()


def test_a_release_is_found_by_any_name_a_person_would_use(site: Site) -> None:
    """And by none that could mean another one."""
    site.hold(b"1", b"2")
    old = document("org/m", {"1": b"1"}, counter=1)
    new = document("org/m", {"2": b"2"}, counter=2)
    data = document("org/m", {"1": b"1"}, kind=Kind.DATASET, refs=())
    tagged = document("llama3", {"1": b"1"}, kind=Kind.OLLAMA, refs=("8b",))
    for one in (old, new, data, tagged):
        site.bring(one)
    revision = release.decode(old).revision
    meant = {
        f"org/m@{revision}": old,
        f"org/m@{revision[:9]}": old,
        f"model:org/m@{revision[:9]}": old,
        "model:org/m@main": new,
        "dataset:org/m": data,
        "llama3": tagged,
        "llama3:8b": tagged,
        "ollama:llama3:8b": tagged,
        "ollama:llama3@8b": tagged,
        sha256(old): old,
        sha256(old)[:8]: old,
    }
    for reference, one in meant.items():
        assert site.registry.find(reference).id == sha256(one), reference
    for reference in (
        "org",
        "org/m@zzz",
        "dataset:org/m@main",
        "",
        "@",
        ":",
        "%",
        "llama3:",
    ):
        with pytest.raises(RequestError) as caught:
            site.registry.find(reference)
        assert str(caught.value) == f"no release here is called `{reference}`"


def test_a_name_that_may_mean_several_lists_them(site: Site) -> None:
    """The operator picks; airlift does not guess."""
    site.hold(b"1", b"2")
    old = document("org/m", {"1": b"1"}, counter=1)
    new = document("org/m", {"2": b"2"}, counter=2)
    site.bring(old)
    site.bring(new, live=False)
    shown = [f"model:org/m@{release.decode(one).revision[:12]}" for one in (new, old)]
    with pytest.raises(RequestError) as caught:
        site.registry.find("org/m")
    assert str(caught.value) == (
        f"`org/m` may mean {shown[0]} (quarantine), {shown[1]} (live)"
    )


def test_the_log_tells_everything_in_order_and_only_grows(site: Site) -> None:
    """An auditor reads it; a mistake of ours must not rewrite it."""
    one = site.model("org/one", b"1")
    site.registry.pin([one], why="in production", now=LATER, actor="me")
    refusal = Event(
        time=LATER,
        actor="me",
        action="import",
        outcome="refused",
        detail={"problem": "nobody vouches"},
    )
    site.registry.log(refusal)
    told = [(one.action, one.subject, one.outcome) for one in site.registry.events()]
    assert told == [
        ("create", "", "done"),
        ("import", "delivery 1", "done"),
        ("pin", "in production", "done"),
        ("import", "", "refused"),
    ]
    (last,) = site.registry.events(newest=1)
    stated = replace(last, number=0, floor="", metadata={}, tool="")
    assert (last.number, stated) == (4, refusal)
    raw = sqlite3.connect(site.home / "registry.db")
    for statement in ("DELETE FROM event", "UPDATE event SET actor = 'nobody'"):
        with pytest.raises(sqlite3.IntegrityError, match="the log only grows"):
            raw.execute(statement)
    raw.close()


def test_a_second_registry_in_the_same_place_is_refused(site: Site) -> None:
    """Beginning again would forget every counter."""
    with pytest.raises(RegistryError) as caught:
        Registry.create(site.home, state=site.side.state(), now=NOW, actor="x")
    assert str(caught.value) == f"{site.home} has a registry already"
    assert site.reopen().events()[0].actor == "root"


def test_no_registry_says_how_to_begin(tmp_path: Path) -> None:
    """The first thing a new user meets."""
    with pytest.raises(RegistryError) as caught:
        Registry.open(tmp_path)
    assert str(caught.value) == f"there is no registry in {tmp_path}"
    hint = "run `airlift trust init`, or choose another folder (`--home`)"
    assert caught.value.hint == hint
    assert list(tmp_path.iterdir()) == []


def test_the_registry_is_private(site: Site) -> None:
    """Names of models and people are nobody else's business."""
    modes = {
        path.name: path.stat().st_mode & 0o777
        for path in [site.home, *site.home.iterdir()]
    }
    assert modes == {
        "home": 0o700,
        "registry.db": 0o600,
        "registry.lock": 0o600,
        "records": 0o700,
    }


HOLDER = """
import sys
from pathlib import Path
from airlift.registry.registry import Registry
with Registry.open(Path(sys.argv[1])).exclusive("import"):
    print("begun", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_told_who_the_first_is(site: Site) -> None:
    """Two imports at once: one goes on, the other says why it does not."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, site.home],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    try:
        assert holder.stdout.readline() == "begun\n"
        with pytest.raises(RegistryError) as caught:
            site.registry.activate([], now=LATER, actor="me")
        assert str(caught.value) == (
            f"the registry is busy: process {holder.pid}, `import` is writing"
        )
        readers = Registry.open(site.home)
        assert readers.releases() == ()
        site.registry.log(Event(time=LATER, actor="me", action="note"))
        assert len(readers.events()) == 2
    finally:
        holder.communicate()
    site.registry.activate([], now=LATER, actor="me")


def test_unknown_releases_are_refused_by_every_move(site: Site) -> None:
    """A misspelt id must not pass for done."""
    nobody = Sha256("0" * 64)
    for move in (site.registry.activate, site.registry.deactivate, site.registry.unpin):
        with pytest.raises(RequestError) as caught:
            move([nobody], now=LATER, actor="me")
        assert str(caught.value) == f"no release here is called `{nobody}`"
    told = [(one.action, one.outcome) for one in site.registry.events()]
    refused = [(one, "refused") for one in ("activate", "remove", "unpin")]
    assert told == [("create", "done"), *refused]
