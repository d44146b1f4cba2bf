"""A delivery of several small volumes, and what is to be seen when it has arrived."""

import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from crossing import noise, weights
from faults.quick import Quick, Runner
from integration.sides import Side

FILES: Mapping[str, bytes] = {
    "config.json": b'{"hidden_size": 4}',
    "model.safetensors": weights(5_000_000),
    "noise.bin": noise(9_000_000),
    "tokenizer.json": noise(70_000, 3),
    **{f"small/{number:03d}.bin": noise(1500, 100 + number) for number in range(40)},
}
"""Small, coded, of several slabs, and many in one window of reading."""
VOLUME = "5MiB"
MANIFEST = 'manifest = 1\n\n[[folder]]\nname = "acme/m"\npath = "{}"\n'


@dataclass(frozen=True)
class World:
    """A connected side that has made one delivery, and the delivery.

    Attributes:
        folder: Of all of it.
        connected: The side.
        medium: The folder with the volumes.
    """

    folder: Path
    connected: Side
    medium: Path

    @classmethod
    def made(cls, folder: Path) -> Self:
        """Make it in *folder*."""
        connected = Side.connected(folder)
        for path, data in FILES.items():
            (folder / "model" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "model" / path).write_bytes(data)
        (connected.home / "m.toml").write_text(MANIFEST.format(folder / "model"))
        world = cls(folder, connected, folder / "medium")
        connected.ok(*world.export(world.medium))
        connected.isolated(folder)
        return world

    def export(self, medium: Path, side: Side | None = None) -> tuple[str, ...]:
        """Return the words of an export of the delivery to *medium*."""
        manifest = (side or self.connected).home / "m.toml"
        return ("export", str(manifest), "--to", str(medium), "--volume-size", VOLUME)

    @property
    def volumes(self) -> list[Path]:
        """The volumes, in order."""
        return sorted(self.medium.glob("*.tar"))

    def stick(self, folder: Path) -> Path:
        """Return a copy of the medium that may be spoilt."""
        return Path(shutil.copytree(self.medium, folder / "stick"))

    def isolated(self, folder: Path, runner: Runner) -> Quick:
        """Return a fresh isolated side in *folder*."""
        home = Path(shutil.copytree(self.folder / "isolated", folder / "isolated"))
        return Quick(home, runner=runner)

    def sender(self, folder: Path, runner: Runner) -> Quick:
        """Return the connected side as it was after the delivery, in *folder*."""
        home = Path(shutil.copytree(self.connected.home, folder / "connected"))
        return Quick(home, runner=runner)


def again(medium: Path) -> tuple[str, ...]:
    """Return the words that write the delivery once more, to *medium*."""
    return ("export", "--again", "1", "--to", str(medium), "--volume-size", VOLUME)


def take_in(medium: Path) -> tuple[str, ...]:
    """Return the words of an import from *medium*."""
    return ("import", str(medium), "--yes")


def wait_for_a_volume(side: Side) -> None:
    """Wait until an import that was begun has taken one volume."""
    ends = time.monotonic() + 120
    while not list((side.home / "incoming").glob("*/progress.json")):
        assert time.monotonic() < ends
        time.sleep(0.001)


def assert_nothing_live(side: Side) -> None:
    """Check that nothing of a delivery is there yet."""
    assert side.json("list")["releases"] == []


def assert_whole(side: Side) -> None:
    """Check that everything is live, and every byte of it is right."""
    (held,) = side.json("list")["releases"]
    assert (held["name"], held["state"]) == ("acme/m", "live")
    listed = side.json("show", "acme/m")["file_list"]
    assert {one["path"]: one["size"] for one in listed} == {
        path: len(data) for path, data in FILES.items()
    }
    side.ok("verify")
    assert not list((side.home / "incoming").glob("*"))


def without_reissue(hint: str, volumes: str) -> str:
    """Return *hint* without its end, which must ask for *volumes* to be written again.

    Which cutting of the delivery they belong to differs from run to run.
    """
    end = re.search(
        "; what is lost is written again on the connected host: "
        rf"`airlift reissue \S+ 1 {re.escape(volumes)}@[0-9a-f]{{8}} --to FOLDER`$",
        hint,
    )
    assert end, hint
    return hint[: end.start()]
