"""Updates with the real commands: planned, carried, taken in, broken off, served."""

import signal
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airlift.errors import IncompleteError, RequestError
from crossing import noise
from integration.sides import Side
from lineage import new_version, old_version

SHARED = {"tokenizer.json": noise(400_000, 3), "config.json": b"{}"}
MANIFEST = 'manifest = 1\n\n[[folder]]\nname = "acme/m"\npath = "{}"\n'


@dataclass(frozen=True)
class World:
    """Both sides after the first version has crossed, and the second one beside it."""

    folder: Path
    connected: Side
    isolated: Side
    second: Mapping[str, bytes]

    def order(self, *words: str) -> tuple[str, ...]:
        """Return the words that ask for the second version on the first."""
        return (*words, str(self.folder / "second.toml"), "--build-on", "last")

    def send(self) -> tuple[Path, Any]:
        """Export the second version; return the medium and what was told."""
        medium = self.folder / "medium-2"
        order = self.order("export", "--to", str(medium), "--volume-size", "1600KB")
        return medium, self.connected.json(*order)

    def pulled(self) -> dict[str, bytes]:
        """Return the files of the second version as a client gets them."""
        with self.isolated.serving() as address:
            found = {}
            for path in self.second:
                url = f"{address.rstrip('/')}/acme/m/resolve/main/{path}"
                with urllib.request.urlopen(url) as answer:
                    found[path] = answer.read()
            return found


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    first = {**SHARED, **old_version(tmp_path / "made")}
    second = {**SHARED, **new_version("sigma-1e-2", tmp_path / "made")}
    for name, files in (("first", first), ("second", second)):
        (tmp_path / name).mkdir()
        for path, data in files.items():
            (tmp_path / name / path).write_bytes(data)
        (tmp_path / f"{name}.toml").write_text(MANIFEST.format(tmp_path / name))
    connected = Side.connected(tmp_path)
    medium = str(tmp_path / "medium-1")
    connected.ok("export", str(tmp_path / "first.toml"), "--to", medium)
    isolated = connected.isolated(tmp_path)
    isolated.ok("import", medium, "--yes")
    return World(tmp_path, connected, isolated, second)


def test_an_update_is_planned_carried_and_served(world: World) -> None:
    """What an operator does with the second version, from plan to client."""
    size = len(world.second["model.safetensors"])
    shared = sum(map(len, SHARED.values()))
    (planned,) = world.connected.json(*world.order("plan"))["artifacts"]
    assert planned["build_on"] == {
        "stays": shared,
        "changed": 0,
        "change": 0,
        "whole": 0,
        "unknown": size,
    }
    medium, told = world.send()
    assert told["raw_bytes"] == size + shared
    assert told["stored_bytes"] < 0.35 * size
    assert told["saved_bytes"] == told["raw_bytes"] - told["stored_bytes"]
    assert told["builds_on"] == [1]
    order = ("plan", str(world.folder / "second.toml"), "--build-on", "1")
    planned = world.connected.json(*order)
    (one,) = planned["artifacts"]
    change = one["build_on"].pop("change")
    assert one["build_on"] == {
        "stays": shared,
        "changed": size,
        "whole": 0,
        "unknown": 0,
    }
    assert 0.9 * told["stored_bytes"] < change < 1.1 * told["stored_bytes"]
    assert planned["to_carry"] == change
    lines = world.connected.ok(*order).splitlines()
    said = "acme/m: 400 kB need not travel; 6.28 MB travel as "
    assert lines[2].startswith(said)
    assert lines[2].endswith(f" of changes ({100 * change // size} %)")
    assert lines[4].startswith("to carry: at most ")
    assert lines[4].endswith(" of 6.68 MB")
    world.isolated.ok("import", str(medium), "--yes")
    world.isolated.ok("verify")
    assert world.pulled() == world.second


def test_an_update_broken_off_while_it_comes_in_goes_on(world: World) -> None:
    """Changes that came wait for the rest; what they change is as it was."""
    medium, told = world.send()
    assert len(told["volumes"]) > 1
    code = world.isolated.stopped(
        signal.SIGKILL,
        world.isolated.home / "incoming",
        "*/progress.json",
        *("import", str(medium), "--yes"),
    )
    assert code == -signal.SIGKILL
    (held,) = world.isolated.json("list")["releases"]
    assert held["counter"] == 1
    world.isolated.ok("import", str(medium), "--yes")
    world.isolated.ok("verify")
    assert world.pulled() == world.second


def test_a_site_that_never_took_the_first_says_what_to_bring(world: World) -> None:
    """Exit 8 and the number of the delivery, on a site that starts with the second."""
    medium, _ = world.send()
    other = world.connected.isolated(world.folder / "other")
    error, hint = other.fails(
        IncompleteError.exit_code, "import", str(medium), "--yes"
    )[-2:]
    assert "delivery 2 builds on 3 blob(s) that this site does not hold" in error
    assert "(brought by delivery 1)" in error
    assert hint.startswith("airlift: hint: import delivery 1 (again) before this one")
    other.ok("import", str(world.folder / "medium-1"), "--yes")
    other.ok("import", str(medium), "--yes")
    other.ok("verify")


def test_what_cannot_be_built_on_is_said_at_once(world: World) -> None:
    """Before a passphrase is asked for or a byte is fetched."""
    manifest, to = str(world.folder / "second.toml"), str(world.folder / "no")
    for words, said in (
        (
            ("export", manifest, "--to", to, "--build-on", "newest"),
            "`newest` is not confirmed, anchor, last, all, none or numbers such as 3,7",
        ),
        (
            ("export", manifest, "--to", to, "--build-on", "9"),
            "delivery 9 to plant7 was never written",
        ),
        (
            ("export", "--again", "1", "--to", to, "--build-on", "last"),
            "--again writes a delivery as it was signed, on what it was built on",
        ),
    ):
        assert said in "\n".join(world.connected.fails(RequestError.exit_code, *words))
    assert not (world.folder / "no").exists()
