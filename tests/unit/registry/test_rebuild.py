"""What is beside the database: enough to make it again, and to know an old one."""

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airlift.digest import sha256
from airlift.errors import AirliftError, FormatError, RegistryError, TrustError
from airlift.registry.held import Event
from airlift.registry.rebuild import Rebuilt, rebuild
from airlift.registry.records import Records
from airlift.registry.registry import Registry
from airlift.trust.verifier import verify
from authority import resign
from sites import LATER, Site, document, eventful


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def dump(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table, releases by their ids."""
    raw = sqlite3.connect(home / "registry.db")
    raw.execute("PRAGMA foreign_keys=ON")
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    names = dict(raw.execute("SELECT number, hex(id) FROM release").fetchall())
    found = {}
    for (table,) in raw.execute(tables).fetchall():
        cursor = raw.execute(f"SELECT * FROM {table}")
        columns = [one[0] for one in cursor.description]
        at = [n for n, one in enumerate(columns) if one == "release"]
        if table == "release":
            at = [columns.index("number")]
        rows = [
            tuple(names[v] if n in at else v for n, v in enumerate(row))
            for row in cursor
        ]
        found[table] = sorted(rows, key=repr)
    found.pop("sqlite_sequence", None)
    raw.close()
    return found


def again(site: Site) -> Rebuilt:
    """Rebuild the registry of *site*."""
    site.registry.close()
    return rebuild(site.home, site.store, verify=verify, now=LATER, actor="rescuer")


@pytest.mark.parametrize("loss", ["deleted", "garbage", "sound", "torn"])
def test_a_rebuilt_database_equals_the_lost_one(site: Site, loss: str) -> None:
    """A disk fault in one file must not cost a site its history."""
    eventful(site)
    before = dump(site.home)
    path = site.home / "registry.db"
    if loss == "deleted":
        path.unlink()
    elif loss == "garbage":
        path.write_bytes(b"garbage" * 1000)
    elif loss == "torn":
        (site.home / "registry.db-journal").write_bytes(b"\xd9\xd5\x05\xf9" * 300)
    found = again(site)
    after = dump(site.home)
    last = max(after["event"])
    assert last[2:5] == ("rescuer", "rebuild", "")
    after["event"].remove(last)
    # The rebuild is an event itself, and the tree over all of them has grown by it.
    assert set(before.pop("log_node")) < set(after.pop("log_node"))
    assert after == before
    aside = None if loss == "deleted" else site.home / "registry.db.old-1"
    assert found == Rebuilt(
        deliveries=4, releases=3, missing=(), unlisted=(), aside=aside
    )
    assert sorted(p.name for p in site.home.iterdir() if "journal" in p.name) == (
        ["registry.db.old-1-journal"] if loss == "torn" else []
    )
    site.model("org/next", b"n")
    assert site.reopen().find("org/next").sequence == 5


def test_a_lost_database_says_that_it_can_be_made_again(site: Site) -> None:
    """`trust init` would be the wrong advice: it forgets every counter."""
    site.model("org/one", b"1")
    site.registry.close()
    (site.home / "registry.db").unlink()
    with pytest.raises(RegistryError) as caught:
        Registry.open(site.home)
    assert caught.value.hint == "run `airlift rebuild`: its records are here"


def test_blobs_that_are_gone_are_named(site: Site) -> None:
    """After a lost disk the operator must know what to fetch again."""
    site.model("org/one", b"1")
    site.store.remove([sha256(b"1")])
    assert again(site).missing == (sha256(b"1"),)


def test_records_that_are_not_believed_are_not_rebuilt_from(site: Site) -> None:
    """Whoever can write the records must not gain what signatures withhold."""
    site.model("org/one", b"1")
    folder = next((site.home / "records").glob("000001-*"))
    path = folder / "airlift" / "metadata" / "timestamp.json"
    path.chmod(0o600)
    before = (site.home / "registry.db").read_bytes()
    signed = path.read_bytes()
    changed = signed.replace(b'"expires":"20', b'"expires":"21')
    assert changed != signed
    path.write_bytes(changed)
    with pytest.raises(AirliftError) as caught:
        again(site)
    assert isinstance(caught.value, TrustError | FormatError)
    assert (site.home / "registry.db").read_bytes() == before
    path.unlink()
    with pytest.raises(FormatError):
        again(site)


def test_a_delivery_whose_records_are_gone_is_named(site: Site) -> None:
    """Rebuilding without it would take its counters back."""
    site.model("org/one", b"1")
    site.model("org/two", b"2")
    for kept, message in (
        ("000001-*", "the records of delivery 1 are missing"),
        ("000002-*", "the records of delivery 1 are missing"),
    ):
        shutil.rmtree(next((site.home / "records").glob(kept)))
        with pytest.raises(RegistryError) as caught:
            again(site)
        assert str(caught.value) == message


def test_another_root_than_was_accepted_is_refused(site: Site) -> None:
    """The anchor is where all belief begins."""
    site.model("org/one", b"1")
    (site.home / "records" / "anchor.json").write_bytes(b"{}")
    with pytest.raises(RegistryError) as caught:
        again(site)
    problem = "records/anchor.json is not the root that was accepted here"
    assert str(caught.value) == problem


def test_a_delivery_cut_off_while_it_was_recorded_waits_in_quarantine(
    site: Site,
) -> None:
    """Its records are durable and nobody can say whether it was committed."""
    site.model("org/one", b"1")
    site.hold(b"2")
    records = site.home / "records"
    summary = (records / "state.json").read_bytes()
    site.bring(document("org/two", {"2": b"2"}))
    (records / "state.json").write_bytes(summary)
    (site.home / "registry.db").unlink()
    found = again(site)
    assert found.unlisted == (2,)
    site.registry = Registry.open(site.home)
    assert site.registry.find("org/two").state == "quarantine"
    assert site.registry.trust_state().deliveries[0].sequence == 2


def test_records_of_a_delivery_that_was_never_recorded_go(site: Site) -> None:
    """A process killed before its commit leaves a folder that means nothing."""
    site.model("org/one", b"1")
    site.hold(b"2")
    delivery = site.verified(document("org/two", {"2": b"2"}))
    other = replace(delivery, id=sha256(b"another"))
    kept = Records(site.home)
    told = replace(site.registry.deliveries()[0], sequence=2)
    kept.keep(other, replace(told, id=other.id))
    assert len(kept.deliveries()) == 2
    site.registry.record(delivery, site.store, live=(), now=LATER, actor="me")
    assert [one.prefix for one in kept.deliveries()][1:] == [delivery.id[:12]]


def snapshots(site: Site) -> list[bytes]:
    """Bring five deliveries; return the database after each."""
    found = []
    for n in range(5):
        site.model(f"org/m{n}", b"%d" % n)
        site.registry.close()
        found.append((site.home / "registry.db").read_bytes())
    return found


def test_a_database_put_back_from_a_copy_is_refused(site: Site) -> None:
    """An old copy forgets counters: every age of it must be found out."""
    copies = snapshots(site)
    path = site.home / "registry.db"
    for age, copy in enumerate(copies[:-1], start=1):
        path.write_bytes(copy)
        for readonly in (True, False):
            with pytest.raises(RegistryError) as caught:
                Registry.open(site.home, readonly=readonly)
            assert str(caught.value) == (
                f"the registry ends at delivery {age}, its records say 5"
            )
    path.write_bytes(copies[-1])
    assert len(Registry.open(site.home).deliveries()) == 5


def test_a_copy_that_lacks_only_a_move_of_the_live_set_is_refused(
    site: Site,
) -> None:
    """Putting back yesterday's copy would serve again what was denied today."""
    one = site.model("org/one", b"1")
    site.registry.close()
    path = site.home / "registry.db"
    copy = path.read_bytes()
    site.registry.deny([one], why="bad", now=LATER, actor="me")
    site.registry.close()
    path.write_bytes(copy)
    with pytest.raises(RegistryError) as caught:
        Registry.open(site.home)
    assert str(caught.value) == ("the registry ends at generation 1, its records say 2")
    again(site)
    assert Registry.open(site.home).find("org/one").denied == "bad"


def test_a_copy_that_lacks_only_a_line_of_the_log_is_refused(site: Site) -> None:
    """A refusal that vanished from the log is what an attacker wants."""
    path = site.home / "registry.db"
    site.registry.close()
    copy = path.read_bytes()
    site.registry.log(Event(time=LATER, actor="me", action="import"))
    site.registry.close()
    path.write_bytes(copy)
    with pytest.raises(RegistryError) as caught:
        Registry.open(site.home)
    assert str(caught.value) == "the registry has 1 events, its records say 2"


def test_the_database_of_another_site_is_refused(site: Site, tmp_path: Path) -> None:
    """Files of two homes must not be mixed up by a restore."""
    other = Site(tmp_path / "other")
    records = site.home / "records" / "state.json"
    told = json.loads(records.read_bytes())
    told["site"] = "elsewhere"
    content = json.dumps(told, separators=(",", ":"), sort_keys=True).encode()
    records.write_bytes(content)
    other.registry.close()
    with pytest.raises(RegistryError) as caught:
        Registry.open(site.home)
    problem = "the registry is of site plant7, its records of elsewhere"
    assert str(caught.value) == problem


@pytest.mark.parametrize("lost", ["state.json", "events.jsonl", "both"])
def test_what_a_killed_process_did_not_write_down_is_caught_up(
    site: Site, lost: str
) -> None:
    """The summary lags by one at worst, and not for longer than the next command."""
    site.model("org/one", b"1")
    records = site.home / "records"
    before = {p.name: p.read_bytes() for p in records.iterdir() if p.is_file()}
    site.model("org/two", b"2")
    site.registry.log(Event(time=LATER, actor="me", action="note"))
    after = {p.name: p.read_bytes() for p in records.iterdir() if p.is_file()}
    for name in ("state.json", "events.jsonl"):
        if lost in (name, "both"):
            (records / name).write_bytes(before[name])
    Registry.open(site.home, readonly=True)
    site.reopen()
    now = {p.name: p.read_bytes() for p in records.iterdir() if p.is_file()}
    assert now == after


@settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_log_cut_anywhere_is_mended(site: Site, data: st.DataObject) -> None:
    """A power cut may tear the last line; the database still has it."""
    path = site.home / "records" / "events.jsonl"
    if len(site.registry.events()) < 3:
        for n in range(3):
            detail = {"text": "x" * 50_000 * n}
            told = Event(time=LATER, actor="me", action="note", detail=detail)
            site.registry.log(told)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    site.reopen()
    assert path.read_bytes() == whole
    assert tuple(Records(site.home).events()) == site.registry.events()


def test_a_forged_delivery_among_the_records_stops_the_rebuild(site: Site) -> None:
    """Replaying goes through the same verifier as an import."""
    site.model("org/one", b"1")
    folder = next((site.home / "records").glob("000001-*"))

    def older(signed: dict[str, Any]) -> None:
        signed["expires"] = "2020-01-01T00:00:00Z"

    edits = {"timestamp": older}
    forged = resign(land_records(folder), edits, site.side.signers)
    for name, content in forged.items():
        path = folder / "airlift" / name
        path.chmod(0o600)
        path.write_bytes(content)
    with pytest.raises(TrustError, match="expired"):
        again(site)


def land_records(folder: Path) -> dict[str, bytes]:
    """Return the records kept in a delivery's folder."""
    root = folder / "airlift"
    return {
        str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()
    }
