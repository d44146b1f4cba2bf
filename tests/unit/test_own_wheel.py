"""airlift's own wheel: the same bytes from the same code, and the very code that runs."""

import io
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from airlift.digest import sha256
from airlift.errors import SourceError
from airlift.fetch import Settings, own_wheel
from airlift.format import manifest
from airlift.payload import wheel, zip_directory
from airlift.sources.wheels import Wheels
from hubs.wheelhouse import Wheelhouse

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PACK = """
import sys, pathlib
sys.path.insert(0, sys.argv[1])
import airlift
from airlift.fetch import own_wheel
assert airlift.__file__.startswith(sys.argv[1]), airlift.__file__
name, data = own_wheel.pack()
pathlib.Path(sys.argv[2], name).write_bytes(data)
"""


def test_an_installation_from_the_wheel_packs_the_same_wheel(tmp_path: Path) -> None:
    """Two people on two hosts compare one digest: however airlift came to be there."""
    name, data = own_wheel.pack()
    (tmp_path / name).write_bytes(data)
    site, out = tmp_path / "site", tmp_path / "out"
    out.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", site, tmp_path / name], check=True)
    for path in site.rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    subprocess.run([sys.executable, "-c", PACK, site, out], check=True, umask=0o077)
    assert [path.name for path in out.iterdir()] == [name]
    assert (out / name).read_bytes() == data


@pytest.mark.index
def test_two_builds_of_the_project_are_one_wheel(tmp_path: Path) -> None:
    """What is published can be built again from its source, and compared."""
    source = Path(__file__).parents[2]
    kept = ("airlift", "pyproject.toml", "README.md", "LICENSE")
    built = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        for item in kept:
            copy = shutil.copytree if (source / item).is_dir() else shutil.copyfile
            copy(source / item, folder / item)  # with times of its own
        uv = Path(sys.executable).with_name("uv")
        words: list[str | Path] = [
            uv,
            "build",
            "-q",
            "--wheel",
            "--out-dir",
            folder / "out",
            folder,
        ]
        subprocess.run(words, check=True)
        (made,) = (folder / "out").glob("*.whl")
        built.append((made.name, made.read_bytes()))
    assert built[0] == built[1]
    name, data = own_wheel.pack()
    assert built[0][0] == name
    assert _code(built[0][1]) == _code(data)


def _code(data: bytes) -> dict[str, bytes]:
    """Return what a wheel installs as code, by path, without what Python made of it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {
            name: archive.read(name)
            for name in archive.namelist()
            if name.startswith("airlift/") and "__pycache__" not in name
        }


def test_its_wheel_is_an_ordinary_one() -> None:
    """What checks every wheel on its way checks this one too."""
    (packed, metadata), needed = own_wheel.pinned()
    name, data = own_wheel.pack()
    said = wheel.check(zip_directory.over(data), len(data), filename=name)
    assert (packed.path, packed.sha256, packed.size) == (name, sha256(data), len(data))
    assert metadata.path == f"{name}.metadata"
    assert own_wheel.read(packed) == data
    assert own_wheel.read(metadata) == said.metadata
    assert packed.facts == {
        "requires-python": ">=3.11",
        "metadata-sha256": sha256(said.metadata),
    }
    assert any(line.startswith("cryptography") for line in needed)
    assert not any("extra" in line for line in needed)


def test_a_lock_of_another_airlift_is_refused() -> None:
    """Between lock and export somebody may have installed another one."""
    (packed, _), _ = own_wheel.pinned()
    with pytest.raises(SourceError) as caught:
        own_wheel.read(replace(packed, sha256=sha256(b"another")))
    assert caught.value.problem == (
        f"`{packed.path}` is not of the airlift that runs here"
    )


def test_a_set_can_hold_airlift_and_what_it_needs() -> None:
    """It crosses as a release like any other: resolved, pinned, signed, never older."""
    with Wheelhouse() as house:
        for line in own_wheel.pinned()[1]:
            one = Requirement(line)
            least = [part.version for part in one.specifier if part.operator == ">="]
            house.add(one.name.replace("-", "_"), least[0])
        source = Wheels(Settings(endpoints={"wheels": house.url}))
        text = (
            'manifest = 1\n[[wheels]]\nname = "team/airlift"\nown = true\n'
            f'python = ["{PYTHON}"]\nplatform = ["x86_64-manylinux_2_28"]\n'
        )
        (wish,) = manifest.decode(text, name="wanted.toml").entries
        pinned = source.resolve(wish)
        again = source.resolve(wish)
        own = [file for file in pinned.files if own_wheel.is_own(file)]
        with source.read(own[0], start=2, stop=4) as chunks:
            part = b"".join(chunks)
    assert pinned == again
    assert part == own_wheel.pack()[1][2:4]
    name = own_wheel.pack()[0]
    assert [file.path for file in own] == [name, f"{name}.metadata"]
    paths = [file.path for file in pinned.files]
    assert paths == sorted(paths)
    assert any(path.startswith("click-") for path in paths)
