"""A site as the commands see it."""

import shutil
from pathlib import Path

import pytest

from airlift.artifact import Kind
from commands import Shell
from depots import BIG, Depot

FILES = {"config.json": b"{}\n", "model.safetensors": BIG}


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Depot:
    """A site with one model, whose store is where commands look for it."""
    depot = Depot(tmp_path / "site")
    depot.bring(Kind.MODEL, "org/tiny", FILES)
    depot.site.registry.close()
    shutil.copytree(depot.site.store.root, depot.site.home / "store")
    return depot


@pytest.fixture(name="run")
def _run(site: Depot, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands on that site."""
    return Shell(site.site.home, capsys)
