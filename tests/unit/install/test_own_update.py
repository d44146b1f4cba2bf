"""A newer airlift that came as a release: found, offered, never installed by itself."""

from pathlib import Path

import pytest

from airlift import __version__
from airlift.artifact import Kind
from airlift.install import own_update
from airlift.install.own_update import Update
from commands import Shell
from depots import Depot
from wheelhouse import wheel

NAME = "team/airlift"


def brought(depot: Depot, name: str, project: str, version: str) -> None:
    """Bring a set of one wheel."""
    path, body, described = wheel(project, version)
    files = {path: body, f"{path}.metadata": described}
    revision = version.replace(".", "").ljust(64, "c")
    depot.bring(Kind.WHEELS, name, files, revision=revision, refs=())


@pytest.fixture(name="depot")
def _depot(tmp_path: Path) -> Depot:
    return Depot(tmp_path / "site")


def test_the_newest_that_is_live_is_offered(depot: Depot) -> None:
    """By version and not by arrival, and only where it is newer than what runs."""
    brought(depot, "other", "airlift-tools", "99.0")
    brought(depot, "old", "airlift", "0.0.1")
    assert own_update.newest(depot.site.registry, "0.1.0") is None
    brought(depot, NAME, "airlift", "0.10.0")
    brought(depot, "team/before", "airlift", "0.9.0")
    found = own_update.newest(depot.site.registry, "0.1.0")
    assert found == Update(version="0.10.0", running="0.1.0", release=NAME)
    assert own_update.newest(depot.site.registry, "0.10.0") is None


def test_one_that_is_not_live_is_not_offered(depot: Depot) -> None:
    """What waits to be approved, or was taken out, is nobody's to install."""
    brought(depot, NAME, "airlift", "9.9")
    (held,) = depot.site.registry.releases()
    depot.site.registry.deactivate([held.id], now="2026-11-24T00:00:00Z", actor="x")
    assert own_update.newest(depot.site.registry, "0.1.0") is None


def test_the_hint_is_what_to_type() -> None:
    """Nobody at the site can look it up."""
    found = Update(version="9.9", running="0.1.0", release=NAME)
    assert str(found) == "airlift 9.9 is held, in `team/airlift`; this is 0.1.0"
    assert found.hint == (
        "`airlift install wheels:team/airlift --to wheelhouse --into FOLDER`, then with "
        "the Python that runs airlift: `python -m pip install --no-index "
        "--require-hashes -f FOLDER/links-team--airlift.html "
        "-r FOLDER/requirements-team--airlift.txt`"
    )
    table = own_update.as_table(found)
    assert table == {"version": "9.9", "release": NAME, "hint": found.hint}
    assert own_update.as_table(None) is None


def test_doctor_offers_it_and_the_hint_leads_to_a_wheelhouse(
    depot: Depot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder that is named there is one that pip reads."""
    brought(depot, NAME, "airlift", "9.9")
    folder = tmp_path / "wheels"
    depot.install(NAME, "wheelhouse", folder)
    depot.site.registry.close()
    shell = Shell(depot.site.home, capsys)
    checks = {one["check"]: one for one in shell("doctor", "--json").json["checks"]}
    assert checks["airlift"]["verdict"] == "warning"
    assert checks["airlift"]["text"] == (
        f"airlift 9.9 is held, in `team/airlift`; this is {__version__}"
    )
    names = {path.name for path in folder.iterdir()}
    assert {"links-team--airlift.html", "requirements-team--airlift.txt"} < names
