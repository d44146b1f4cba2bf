"""The database in the hands of who can write it, and damaged."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from airlift.cli import health_site
from airlift.digest import Sha256
from airlift.errors import RegistryError
from airlift.registry.rebuild import rebuild
from airlift.registry.registry import Registry
from airlift.trust.denials import Denial, What
from airlift.trust.verifier import verify
from authority import NOW
from sites import Site

SIGNED = ("release", "document", "release_ref", "file", "named", "delivery", "trusted")
TABLES = (*SIGNED, "counter", "deny", "setting", "member", "generation", "pin")


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with two models, one of which is denied, and a pin."""
    site = Site(tmp_path_factory.mktemp("database"))
    good = site.model("org/good", b"one", b"two")
    bad = site.model("org/bad", b"three")
    entry = Denial(what=What.RELEASE, digest=Sha256(bad), since=NOW, why="poisoned")
    site.side.publisher.deny([entry], site.side.signers, NOW)
    site.bring()
    site.registry.pin([good], why="audit", now=NOW, actor="tester")
    site.registry.close()
    return site


@pytest.fixture(name="home")
def _home(site: Site, tmp_path: Path) -> Path:
    return Path(shutil.copytree(site.home, tmp_path / "home"))


def dump(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table but the log."""
    with closing(sqlite3.connect(home / "registry.db")) as database:
        return {
            one: sorted(database.execute(f"SELECT * FROM {one}"), key=repr)
            for one in TABLES
        }


def write(home: Path, statement: str, *values: object) -> int:
    """Write into the database as somebody with an editor would; return the rows."""
    with closing(sqlite3.connect(home / "registry.db")) as database:
        database.execute("PRAGMA foreign_keys=OFF")
        count = database.execute(statement, values).rowcount
        database.commit()
        return count


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM deny",
        "UPDATE deny SET digest = zeroblob(32)",
        "UPDATE setting SET value = x'' WHERE key = 'denials'",
        "DELETE FROM setting WHERE key = 'denials'",
        "UPDATE setting SET value = replace(value, 'poisoned', 'x') WHERE key='denials'",
    ],
)
def test_no_row_that_somebody_writes_lifts_a_signed_denial(
    site: Site, home: Path, statement: str
) -> None:
    """Neither a server nor an import opens; a rebuild denies it again."""
    before = dump(home)
    assert write(home, statement) >= 1
    for readonly in (True, False):
        with pytest.raises(RegistryError) as caught:
            Registry.open(home, readonly=readonly)
        assert caught.value.problem == (
            "the registry does not deny what its signed deny list does"
        )
    rebuild(home, site.store, verify=verify, now=NOW, actor="tester")
    assert dump(home) == before


def columns() -> list[tuple[str, str]]:
    """Return every column of the tables whose rows are signed for."""
    # From the documents of the schema, so that a new column is here at once.
    from airlift.registry import schema  # noqa: PLC0415 - for its names alone

    return [
        (table, column.name)
        for table in SIGNED
        for column in schema.METADATA.tables[table].columns
    ]


def test_every_edit_of_what_is_signed_is_undone_by_a_rebuild(
    site: Site, tmp_path: Path
) -> None:
    """Each column in turn is overwritten: what is rebuilt is what was signed."""
    before, edited = dump(site.home), []
    for table, column in columns():
        home = Path(shutil.copytree(site.home, tmp_path / f"{table}-{column}"))
        try:
            changed = write(
                home,
                f"UPDATE {table} SET {column} = ? WHERE rowid = (SELECT min(rowid)"
                f" FROM {table})"
                if table not in ("release_ref", "file", "named")
                else f"UPDATE {table} SET {column} = ?"
                f" WHERE {column} = (SELECT max({column}) FROM {table})",
                7_777_777,
            )
        except sqlite3.Error:
            changed = 0  # the schema itself refuses it
        if changed and dump(home) != before:
            edited.append((table, column))
        rebuild(home, site.store, verify=verify, now=NOW, actor="tester")
        assert dump(home) == before, (table, column)
        shutil.rmtree(home)
    assert len(edited) >= len(columns()) - 4, set(columns()) - set(edited)


def test_a_damaged_page_is_found_or_does_no_harm(site: Site, tmp_path: Path) -> None:
    """Every page in turn is overwritten, as a dying disk does it."""
    whole = (site.home / "registry.db").read_bytes()
    before, page = dump(site.home), int.from_bytes(whole[16:18], "big")
    missed = []
    for number in range(len(whole) // page):
        home = tmp_path / f"page-{number}"
        home.mkdir()
        damaged = bytearray(whole)
        damaged[number * page : (number + 1) * page] = b"\xa5" * page
        (home / "registry.db").write_bytes(damaged)
        found = health_site.database(home / "registry.db")
        if found.verdict.value == "ok" and dump(home) != before:
            missed.append(number)
    assert missed == []
    assert len(whole) // page > 20
