"""The tables say nothing that the log does not: done again, they are the same."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import catalogues
import informed
from airlift.artifact import ContentClass, Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.errors import TrustError
from airlift.format import release
from airlift.registry import comparison, schema
from airlift.registry.held import Hold
from airlift.registry.rebuild import rebuild
from airlift.registry.recompute import Recomputed, recompute
from airlift.registry.upstream import Upstream
from airlift.store.blobs import BlobStore
from airlift.trust.verifier import verify
from authority import NOW
from policies import approved, document, made
from policies import release as subject
from sites import LATER, Site, eventful

CODE = b"import os\n"


def again(home: Path) -> Recomputed:
    """Do again what the log in *home* says."""
    return recompute(home, verify=verify)


def lived(folder: Path) -> Site:
    """Return a site in which everything happened, also under a policy."""
    site = Site(folder)
    eventful(site)
    site.side.publisher.set_policy(document(made()), site.side.signers, NOW)
    site.hold(CODE)
    one = acting(site)
    custody = site.registry.custody()
    for name in ("bob", "carol"):
        given = approved(name, subject(one))
        site.registry.log(custody.admit(given, actor="root", now=LATER))
    site.registry.activate([one], now=LATER, actor="me")
    site.registry.unpin(
        [held.id for held in site.registry.releases() if held.pinned],
        now=LATER,
        actor="me",
    )
    site.model("org/last", b"5", live=False)
    return site


def acting(site: Site) -> Sha256:
    """Bring a release that the policy keeps back; return its id."""
    file = ReleaseFile(
        path="run.py",
        size=len(CODE),
        sha256=sha256(CODE),
        content_class=ContentClass.CODE,
    )
    found = release.encode(
        Release(
            kind=Kind.MODEL,
            name="org/acting",
            revision="1" * 40,
            counter=1,
            files=(file,),
        )
    )
    one = release.identify(found)
    site.registry.record(
        site.verified(found),
        site.store,
        live=[],
        now=LATER,
        actor="importer",
        held={one: Hold(by=Hold.POLICY, why="content of class `code`")},
    )
    return one


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = lived(tmp_path_factory.mktemp("site"))
    site.registry.close()
    return site.home


def test_every_table_follows_from_the_log(home: Path) -> None:
    """Then no table can be changed by hand without being found."""
    found = again(home)
    assert found.faults == ()
    with closing(sqlite3.connect(home / "registry.db")) as raw:
        counts = [
            raw.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in comparison.RECOMPUTED
        ]
        assert (
            found.events == raw.execute("SELECT max(number) FROM event").fetchone()[0]
        )
    assert found.rows == sum(counts)


def test_every_table_is_recomputed_or_said_not_to_be() -> None:
    """A table that is new has to be thought of here."""
    known = {*comparison.RECOMPUTED} | comparison.APART
    assert known == set(schema.METADATA.tables)


CHANGES = {
    "made live": "INSERT INTO member VALUES ((SELECT number FROM release WHERE"
    " name = 'org/last'), (SELECT max(number) FROM generation), NULL)",
    "made live earlier": "UPDATE member SET since = since - 1 WHERE since > 1",
    "taken out": "UPDATE member SET until = (SELECT max(number) FROM generation)"
    " WHERE until IS NULL",
    "a generation more": "UPDATE generation SET members = members + 1",
    "another actor": "UPDATE generation SET actor = 'nobody' WHERE number = 2",
    "denial taken away": "DELETE FROM deny",
    "denial of another": "UPDATE deny SET digest = zeroblob(32)",
    "pinned": "INSERT INTO pin SELECT number, 'x', '', 'me' FROM release LIMIT 1",
    "other bytes": "UPDATE file SET sha256 = zeroblob(32) WHERE path = 'file-0.json'",
    "another class": "UPDATE file SET content_class = 'data' WHERE path = 'run.py'",
    "a file less": "DELETE FROM file WHERE path = 'file-1.json'",
    "a name less": "DELETE FROM named WHERE sha256 IN (SELECT sha256 FROM named LIMIT 1)",
    "another document": "UPDATE document SET content = content || x'20'",
    "another name": "UPDATE release SET name = 'org/famous' WHERE name = 'org/last'",
    "another ref": "UPDATE release_ref SET ref = 'prod'",
    "another revision": "UPDATE release SET revision = revision || '0'",
    "another time": "UPDATE release SET imported = '2020-01-01T00:00:00Z'",
    "another sender": "UPDATE delivery SET operator = 'mallory' WHERE sequence = 1",
    "another record": "UPDATE delivery SET record = record || x'20' WHERE sequence = 1",
    "counter put back": "UPDATE counter SET highest = highest - 1",
    "counter forgotten": "DELETE FROM counter",
    "floor put back": "UPDATE setting SET value = x'32303230' WHERE key = 'floor'",
    "no policy": "UPDATE setting SET value = x'' WHERE key = 'policy'",
    "other metadata": "UPDATE trusted SET content = content || x'20'"
    " WHERE name = 'timestamp.json'",
    "metadata forgotten": "DELETE FROM trusted WHERE name = 'targets.json'",
    "withdrawn": "INSERT INTO catalogue VALUES (1, zeroblob(32), '', '', '', '', '')",
    "an event more": "INSERT INTO event SELECT number + 1, time, actor, action, subject,"
    " outcome, detail, floor, metadata, tool FROM event ORDER BY number DESC LIMIT 1",
    "another hash": "UPDATE log_node SET hash = zeroblob(32) WHERE level = 2",
}


def tampered(home: Path, folder: Path, statement: str) -> Path:
    """Return a copy of *home* in which somebody ran *statement*."""
    target = folder / "copy"
    shutil.copytree(home, target)
    with closing(sqlite3.connect(target / "registry.db")) as raw:
        names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for (name,) in raw.execute(names).fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        assert raw.execute(statement).rowcount > 0
        raw.commit()
    return target


@pytest.mark.parametrize("what", CHANGES)
def test_a_row_changed_by_hand_is_found(home: Path, tmp_path: Path, what: str) -> None:
    """Who can write the database must not decide what a site runs."""
    found = again(tampered(home, tmp_path, CHANGES[what]))
    assert found.faults
    assert found.faults[0].startswith(("table ", "event "))


def test_what_is_wrong_is_named(home: Path, tmp_path: Path) -> None:
    """Whoever reads it must know where to look, in either direction."""
    statement = "UPDATE release_ref SET ref = 'prod' WHERE release = 2"
    (more, less) = again(tampered(home, tmp_path, statement)).faults
    with closing(sqlite3.connect(home / "registry.db")) as raw:
        name, one = raw.execute(
            "SELECT name, lower(hex(id)) FROM release WHERE number = 2"
        ).fetchone()
    assert more == (
        "table release_ref: 1 rows are there and do not follow from the log:"
        f" {name} {one} prod"
    )
    assert less == (
        "table release_ref: 1 rows follow from the log and are not there:"
        f" {name} {one} main"
    )


def test_a_line_that_the_policy_forbade_is_found(tmp_path: Path) -> None:
    """A thief of the site's key can sign a line; the policy is not his to sign."""
    site = Site(tmp_path)
    site.side.publisher.set_policy(document(made()), site.side.signers, NOW)
    site.hold(CODE)
    one = acting(site)
    with pytest.raises(TrustError):
        site.registry.activate([one], now=LATER, actor="me")
    refused = site.registry.events(newest=1)[0]
    assert (refused.action, refused.outcome) == ("activate", "refused")
    site.registry.close()
    with closing(sqlite3.connect(site.home / "registry.db")) as raw:
        raw.execute("DROP TRIGGER event_no_update")
        raw.execute("UPDATE event SET outcome = 'done' WHERE outcome = 'refused'")
        raw.commit()
    found = again(site.home)
    assert found.rows == 0
    assert found.faults[0].startswith(
        f"event {refused.number} (activate) cannot be done again: policy 1 keeps back"
    )
    assert found.faults[1] == "the tables were not compared with the log"


def test_records_that_are_gone_are_named(home: Path, tmp_path: Path) -> None:
    """What cannot be recomputed must not pass for what was."""
    target = tmp_path / "copy"
    shutil.copytree(home, target)
    shutil.rmtree(next((target / "records").glob("000002-*")))
    assert again(target).faults == (
        "event 3 (import) cannot be done again: the records of delivery 2 are missing",
        "the tables were not compared with the log",
    )


def test_a_rebuilt_registry_still_follows_from_its_log(tmp_path: Path) -> None:
    """Also where the power went before the log beside the database knew of the last."""
    site = lived(tmp_path)
    records = site.home / "records"
    kept = {one: one.read_bytes() for one in records.iterdir() if one.is_file()}
    site.model("org/unlisted", b"6")
    site.registry.close()
    for path, data in kept.items():
        path.write_bytes(data)
    (site.home / "registry.db").unlink()
    found = rebuild(site.home, site.store, verify=verify, now=LATER, actor="me")
    assert found.unlisted == (7,)
    assert again(site.home).faults == ()


@pytest.fixture(name="informed_home")
def _informed_home(tmp_path: Path) -> Path:
    home = informed.site(tmp_path)
    with closing(Upstream.open(home)) as upstream:
        one = catalogues.of(
            catalogues.item(),
            issued="2026-03-02T06:00:00Z",
            next_expected="2026-03-09T06:00:00Z",
            valid_until="2026-03-23T06:00:00Z",
        )
        informed.take(upstream, one)
        informed.take(upstream, catalogues.after(one, "2026-03-09T06:00:00Z"))
    return home


def test_catalogues_follow_from_the_log(informed_home: Path) -> None:
    """What upstream withdrew is a fact that nobody may take away."""
    found = again(informed_home)
    assert (found.faults, found.events) == ((), 4)


def test_a_catalogue_that_the_log_missed_is_told_once(informed_home: Path) -> None:
    """Two rebuilds later it is still one catalogue."""
    lines = informed_home / "records" / "events.jsonl"
    lines.write_bytes(b"\n".join(lines.read_bytes().split(b"\n")[:2]) + b"\n")
    store = BlobStore(informed_home / "store")
    for _ in range(2):
        (informed_home / "registry.db").unlink()
        rebuild(informed_home, store, verify=verify, now=LATER, actor="me")
        assert again(informed_home).faults == ()
