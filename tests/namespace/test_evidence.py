"""Evidence where there is no network: made, and checked by who has only the checker."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import venvs
from airlift.cli import config
from airlift.registry.held import Event
from airlift.trust import site_key
from audited import World, model
from namespace.sealed import SEALED, marks

pytestmark = [*marks, pytest.mark.index]

CHECKER = Path(__file__).parents[2] / "scripts" / "check_pack.py"


def sealed(*line: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program where there is no network."""
    return subprocess.run(
        [*SEALED, *map(str, line)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_pack_made_without_a_network_is_checked_without_airlift(
    tmp_path: Path,
) -> None:
    """The auditor's laptop is another host, with Python, one library and the script."""
    world = World(tmp_path / "site")
    key = site_key.create(world.home, "plant7")
    detail = {"key_id": str(key.public.key_id)}
    now = config.now()
    with world.registry() as registry:
        registry.log(Event(time=now, actor="ann", action="site-key", detail=detail))
    world.bring(model(), now=now)
    public, path = tmp_path / "key.json", tmp_path / "evidence.tar"
    public.write_bytes(site_key.encode_public(key.public))
    made = sealed(
        *(sys.executable, "-m", "airlift", "audit", "export", "--out", path),
        *("--home", world.home),
    )
    assert made.returncode == 8, made  # no catalogue: something is unknown

    kept = Path(os.environ.get(venvs.KEEP, tmp_path / "environments"))
    bins = venvs.make(kept, f"cryptography=={version('cryptography')}")
    none = sealed(bins / "python", "-I", "-c", "import airlift")  # not from here
    assert "No module named 'airlift'" in none.stderr
    sound = sealed(bins / "python", "-I", CHECKER, path, "--key", public)
    assert (sound.returncode, sound.stderr) == (0, "")
    assert sound.stdout.splitlines()[0].startswith("report of site `plant7`, ")

    bad = bytearray(path.read_bytes())
    bad[len(bad) // 2] ^= 1
    path.write_bytes(bad)
    found = sealed(bins / "python", "-I", CHECKER, path, "--key", public)
    assert found.returncode == 1
    assert found.stdout.startswith("NOT as it was signed: ")
