"""Wheel sets from the index that this environment is configured for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airlift.artifact import Kind, Wish
from airlift.fetch import Settings
from airlift.outbound import fetching
from airlift.payload import wheel, zip_directory
from airlift.progress import Silent
from airlift.sources.wheels import Wheels
from airlift.store.blobs import BlobStore

pytestmark = pytest.mark.index


def test_a_real_set_is_closed_and_its_metadata_true(tmp_path: Path) -> None:
    """Pure wheels and one for a platform: fetched, checked, installed offline."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    wish = Wish(
        kind=Kind.WHEELS,
        name="small",
        options={
            "requirements": ("jinja2>=3", "idna"),
            "python": (python,),
            "platform": ("x86_64-manylinux_2_28",),
        },
    )
    source = Wheels(Settings.from_environment(os.environ))
    pinned = source.resolve(wish)
    store = BlobStore(tmp_path / "store")
    files = fetching.fetch(pinned, source, store, progress=Silent())
    carried = tmp_path / "carried"
    carried.mkdir()
    for file in files:
        (carried / file.path).write_bytes(b"".join(store.read(file.sha256)))
    wheels = sorted(path.name for path in carried.glob("*.whl"))
    projects = [name.partition("-")[0] for name in wheels]
    assert projects == ["idna", "jinja2", "markupsafe"]
    for name in wheels:
        data = (carried / name).read_bytes()
        found = wheel.check(zip_directory.over(data), len(data), filename=name)
        assert (carried / f"{name}.metadata").read_bytes() == found.metadata
    for one in pinned.files:
        assert one.path.endswith(".metadata") or "upload-time" in one.facts
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    install(environment, carried, "jinja2", "idna")
    script = "import jinja2, idna; print(jinja2.Template('{{ x }}').render(x='ok'))"
    done = subprocess.run(
        [environment / "bin/python", "-c", script],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "ok\n"


def install(environment: Path, carried: Path, *names: str) -> None:
    """Install with pip from what was carried, and from nothing else."""
    pip = (environment / "bin/python", "-m", "pip", "--isolated", "install", "--quiet")
    offline = ("--no-index", "--disable-pip-version-check", "--find-links", carried)
    subprocess.run([*pip, *offline, *names], check=True)
