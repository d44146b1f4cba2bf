"""Rows by the hundred thousand: counted, because a count is the same on any machine."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.artifact import ContentClass
from airlift.digest import Sha256, sha256
from airlift.format import release
from airlift.registry import bulk
from registry_statements import statements
from sites import DAY, Site, document


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with nothing in it."""
    return Site(tmp_path)


def many(count: int, name: str = "org/many") -> bytes:
    """Return the document of a release of *count* files, all with the same bytes."""
    return document(name, {f"{n:06d}.txt": b"same" for n in range(count)})


def pairs(site: Site) -> list[tuple[bytes, int, int]]:
    """Return which release names which blob, as it lies in the database."""
    raw = sqlite3.connect(site.home / "registry.db")
    found = raw.execute("SELECT sha256, release, size FROM named").fetchall()
    raw.close()
    return found


def derived(site: Site) -> list[tuple[bytes, int, int]]:
    """Return the same, worked out from the files."""
    raw = sqlite3.connect(site.home / "registry.db")
    found = raw.execute(
        "SELECT DISTINCT sha256, release, size FROM file ORDER BY sha256, release"
    ).fetchall()
    raw.close()
    return found


def test_a_thousand_files_more_are_no_statement_more(site: Site) -> None:
    """A statement for each file would make a release of 100,000 take a minute."""
    site.hold(b"same")
    counts = []
    for files in (10, 1010):
        delivery = site.verified(many(files, f"org/m{files}"))
        with statements(site.registry) as found:
            site.registry.record(
                delivery, site.store, live=[], now=DAY.format(3), actor="x"
            )
        counts.append(len(found))
        assert sum(one.startswith("INSERT INTO file ") for one in found) == 1
        assert sum(one.startswith("INSERT INTO named ") for one in found) == 1
        assert sum(one == "BEGIN IMMEDIATE" for one in found) == 1
    assert counts[0] == counts[1]


def test_more_files_than_one_statement_takes_are_all_recorded(site: Site) -> None:
    """The last file of a batch and the first of the next are where rows get lost."""
    site.hold(b"same")
    count = 2 * bulk.ROWS + 1
    made = many(count)
    with statements(site.registry) as found:
        site.bring(made)
    assert sum(one.startswith("INSERT INTO file ") for one in found) == 3
    files = site.registry.files(release.identify(made))
    assert files == release.decode(made).files
    assert len(files) == count


def test_a_file_is_recorded_with_everything_its_document_says(site: Site) -> None:
    """Rows are written past the types of the table, so what comes back is compared."""
    wheel = release.decode(document("org/w", {"a.whl": b"wheel", "b.txt": b"text"}))
    first, second = wheel.files
    odd = replace(
        first,
        git_oid="0" * 40,
        format="wheel",
        content_class=ContentClass.PACKAGE,
        facts={"yanked": "broken é", "requires": [">=3.11", None, 1]},
    )
    told = release.encode(replace(wheel, files=(odd, second)))
    site.hold(b"wheel", b"text")
    site.bring(told)
    assert site.registry.files(release.identify(told)) == release.decode(told).files


def test_each_release_names_each_of_its_blobs_once(site: Site) -> None:
    """What is served, denied and collected is asked of these pairs alone."""
    first = site.model("org/a", b"one", b"two", b"one")
    second = site.model("org/b", b"two")
    assert pairs(site) == derived(site)
    assert len(pairs(site)) == 3
    assert {one.id for one in site.registry.using(sha256(b"two"))} == {first, second}
    assert {one.id for one in site.registry.using(sha256(b"one"))} == {first}
    assert site.registry.using(sha256(b"none")) == ()


def test_a_collected_release_names_nothing_any_more(site: Site) -> None:
    """A pair left behind would keep a blob for ever, or let it be served."""
    first = site.model("org/a", b"one", b"two")
    second = site.model("org/b", b"two")
    for id_ in (first, second):
        site.registry.deactivate([id_], now=DAY.format(9), actor="x")
    site.registry.activate([second], now=DAY.format(10), actor="x")
    plan = site.registry.doomed(site.store)
    assert [one.id for one in plan.releases] == [first]
    assert plan.blobs == ((sha256(b"one"), 3),)
    with statements(site.registry) as found:
        site.registry.collect(plan, site.store, now=DAY.format(11), actor="x")
    assert pairs(site) == derived(site) == [(bytes.fromhex(sha256(b"two")), 2, 3)]
    assert sum(one.startswith("DELETE FROM named ") for one in found) == 1
    assert _held(site) == {sha256(b"two")}


def _held(site: Site) -> set[Sha256]:
    return {digest for digest, _ in site.store.all()}
