"""One registry for all tests of commands, copied for each."""

import shutil
from pathlib import Path

import pytest

from airlift.cli import config
from commands import Shell
from crossing import Crossing, Desk, noise

FILES = {"config.json": b'{"v": 1}', "weights.bin": noise(90_000)}


@pytest.fixture(name="both", scope="session")
def _both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both sides after three deliveries.

    ``acme/m`` in two revisions, both live; ``acme/risky`` waits in quarantine. They
    lie on ``media/1`` to ``media/3``.
    """
    # The commands read the real clock, so the deliveries are of today.
    now = config.now()
    folder = tmp_path_factory.mktemp("both")
    crossing = Crossing(folder, now=now)
    connected, isolated = crossing.connected, crossing.isolated
    for number, name, files in (
        (1, "acme/m", FILES),
        (2, "acme/m", {**FILES, "config.json": b'{"v": 2}'}),
        (3, "acme/risky", {"run.py": b"print(1)\n"}),
    ):
        medium = folder / "media" / str(number)
        connected.export(medium, connected.folder(name, files), now=now)
        held = "for the test" if number == 3 else ""
        desk = Desk(held=lambda _, why=held: why)  # type: ignore[misc]
        isolated.land(medium, desk=desk, now=now)
    isolated.registry.close()
    return folder


@pytest.fixture(name="home")
def _home(both: Path, tmp_path: Path) -> Path:
    """The isolated side, to be changed."""
    return Path(shutil.copytree(both / "isolated", tmp_path / "isolated"))


@pytest.fixture(name="run")
def _run(home: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands on the isolated side."""
    return Shell(home, capsys)
