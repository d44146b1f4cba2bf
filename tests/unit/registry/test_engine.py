"""The database file: how it is opened, migrated and complained about."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from airlift.errors import RegistryError
from airlift.registry import engine, migration, schema
from airlift.registry.registry import Registry
from sites import Site

HERE = Path(__file__).parent
MOUNTS = """\
24 30 0:22 / /proc rw,nosuid - proc proc rw
30 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw,errors=remount-ro
41 30 0:45 / /mnt/share rw,relatime shared:1 - nfs4 nas:/export rw,vers=4.2
42 30 0:46 /a /mnt/win rw - cifs //nas/a rw,vers=3.1.1
"""


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def shape(path: Path) -> dict[str, list[object]]:
    """Return the columns, keys and indexes of every table of a database."""
    raw = sqlite3.connect(path)
    names = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    found: dict[str, list[object]] = {}
    for (table,) in raw.execute(names).fetchall():
        found[table] = [
            raw.execute(f"PRAGMA {what}({table})").fetchall()
            for what in ("table_info", "foreign_key_list")
        ]
        kept = f"SELECT wr FROM pragma_table_list WHERE name = '{table}'"
        found[table].append(raw.execute(kept).fetchall())
        listed = raw.execute(f"PRAGMA index_list({table})").fetchall()
        for _, name, unique, *_ in sorted(listed, key=lambda row: str(row[1])):
            columns = raw.execute(f"PRAGMA index_info({name})").fetchall()
            found[table].append((name, unique, columns))
    raw.close()
    return found


def test_migrations_make_what_the_schema_says(site: Site, tmp_path: Path) -> None:
    """Two descriptions of the tables: they may never say different things."""
    stated = tmp_path / "stated.db"
    plain = create_engine(f"sqlite:///{stated}")
    schema.METADATA.create_all(plain)
    plain.dispose()
    migrated = shape(site.home / "registry.db")
    migrated.pop("alembic_version")
    assert migrated == shape(stated)
    raw = sqlite3.connect(site.home / "registry.db")
    triggers = raw.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
    assert {sql for (sql,) in triggers} == set(schema.APPEND_ONLY)
    raw.close()


def test_the_stated_head_is_the_newest_revision() -> None:
    """The fast path trusts this constant instead of importing Alembic."""
    config = Config()
    folder = Path(migration.__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [migration.HEAD]


def test_opening_does_not_import_alembic(site: Site) -> None:
    """Every command opens the registry; it must not cost 150 ms more."""
    code = (
        "import sys; from pathlib import Path;"
        "from airlift.registry.registry import Registry;"
        f"Registry.open(Path({str(site.home)!r})).releases();"
        "print(any(name.startswith('alembic') for name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize("folder", sorted((HERE / "saved").iterdir()))
def test_a_registry_of_every_earlier_release_opens(
    folder: Path, tmp_path: Path
) -> None:
    """A site that updates after years keeps its history."""
    home = tmp_path / "home"
    shutil.copytree(folder, home)
    registry = Registry.open(home)
    (held,) = registry.releases()
    assert (held.release.name, held.state) == ("org/saved", "live")
    (file,) = registry.files(held.id)
    assert file.path == "file-0.json"
    assert registry.using(file.sha256) == (held,)
    assert registry.trust_state().deliveries[0].sequence == 1
    assert [one.action for one in registry.events()] == ["create", "import"]
    with registry._database.read() as connection:
        assert migration.revision(connection) == migration.HEAD


def test_listing_brings_an_older_registry_up_to_date(tmp_path: Path) -> None:
    """It is what a server that may only read tells the operator to do."""
    home = tmp_path / "home"
    shutil.copytree(HERE / "saved" / "0001", home)
    with pytest.raises(RegistryError) as caught:
        Registry.open(home, readonly=True)
    assert str(caught.value) == "the registry is at revision 0001"
    assert caught.value.hint == "run `airlift list` once as the user who owns it"
    listing = [sys.executable, "-m", "airlift", "list", "--home", str(home)]
    done = subprocess.run(listing, capture_output=True, text=True, check=True)
    assert "org/saved" in done.stdout
    assert len(Registry.open(home, readonly=True).releases()) == 1


def test_a_registry_of_a_newer_airlift_is_refused(site: Site) -> None:
    """Guessing at tables of the future would lose what they hold."""
    with site.registry._database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RegistryError) as caught:
        site.reopen()
    assert str(caught.value) == (
        f"the registry is at revision 9999, this airlift knows {migration.HEAD}"
    )
    with pytest.raises(RegistryError) as caught:
        Registry.open(site.home, readonly=True)
    assert str(caught.value) == "the registry is at revision 9999"


def test_every_commit_is_on_the_disk(site: Site) -> None:
    """The settings that make it so, as SQLite reports them."""
    with site.registry._database.read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in (
                "journal_mode",
                "synchronous",
                "foreign_keys",
                "trusted_schema",
                "cache_spill",
            )
        }
    assert found == {
        "journal_mode": "delete",
        "synchronous": 3,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "cache_spill": 0,
    }


def test_a_half_made_registry_is_no_registry(tmp_path: Path) -> None:
    """Killed while it was begun: beginning again must work."""
    site = Site(tmp_path)
    site.registry.close()
    (site.home / "registry.db").write_bytes(b"")
    shutil.rmtree(site.home / "records")
    with pytest.raises(RegistryError) as caught:
        Registry.open(site.home)
    assert str(caught.value) == f"there is no registry in {site.home}"
    state = site.side.state()
    again = Registry.create(site.home, state=state, now="", actor="root")
    assert again.trust_state() == state


def test_a_damaged_database_says_how_to_make_it_again(site: Site) -> None:
    """Nobody can search the web for `database disk image is malformed`."""
    site.model("org/m", b"1")
    site.registry.close()
    path = site.home / "registry.db"
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    for damaged in (b"garbage" * 1000, bytes(content)):
        path.write_bytes(damaged)
        with pytest.raises(RegistryError) as caught:
            Registry.open(site.home)
        assert str(caught.value).startswith(f"the database {path} refused: ")
        assert "airlift rebuild" in caught.value.hint


def test_the_file_system_of_a_folder_is_known(tmp_path: Path) -> None:
    """SQLite over NFS loses data quietly; it is refused by the type of the mount."""
    assert engine.file_system(MOUNTS, 8, 1) == "ext4"
    assert engine.file_system(MOUNTS, 0, 45) == "nfs4"
    assert engine.file_system(MOUNTS, 0, 46) == "cifs"
    assert engine.file_system(MOUNTS, 9, 9) == ""
    engine.refuse_network(tmp_path)
    with pytest.raises(RegistryError) as caught:
        engine.refuse_network(tmp_path, mounts=_mounted(tmp_path, "nfs4"))
    problem = f"{tmp_path} is on a network file system (nfs4), which cannot lock"
    assert str(caught.value) == problem


def _mounted(folder: Path, kind: str) -> str:
    device = folder.stat().st_dev
    numbers = f"{os.major(device)}:{os.minor(device)}"
    return f"30 1 {numbers} / / rw - {kind} x rw\n"


def test_writers_wait_for_each_other_and_never_deadlock(site: Site) -> None:
    """Log lines of a server and of an import come at any moment."""
    code = (
        "import sys; from pathlib import Path;"
        "from airlift.registry.registry import Registry;"
        "from airlift.registry.held import Event;"
        f"registry = Registry.open(Path({str(site.home)!r}));"
        "[registry.log(Event(time='', actor=sys.argv[1], action='x'))"
        " for _ in range(10)]"
    )
    began = time.perf_counter()
    workers = [subprocess.Popen([sys.executable, "-c", code, str(n)]) for n in range(4)]
    assert [worker.wait(120) for worker in workers] == [0] * 4
    print(f"40 lines by 4 processes: {time.perf_counter() - began:.1f} s")
    events = site.reopen().events()
    assert len(events) == 41
    assert [one.number for one in events] == list(range(1, 42))
