"""Deliveries that go wrong ways: to another site, from a copied side, without a base."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from airlift.artifact import Pinned
from airlift.outbound.allotment import Sparing
from airlift.outbound.departure import Departure
from airlift.trust.publisher import Publisher
from crossing import Connected, Crossing, noise

FILES: Mapping[str, bytes] = {
    f"{name}.bin": noise(700_000, number) for number, name in enumerate("abc")
}
CUT = 800_000
WIDE = 1_700_000
"""Bytes: a file a volume, and two."""


class Way:
    """Deliveries as they were written; never changed.

    Attributes:
        first: Delivery 1 in three volumes.
        wide: The same in two, with a spare.
        second: Delivery 2, which needs what the first brought.
        forked: Another delivery 2, by somebody with a copy of the keys.
        elsewhere: A delivery to another site.
    """

    def __init__(self, folder: Path) -> None:
        self.crossing = Crossing(folder, sites=("plant7", "plant8"))
        self.connected = self.crossing.connected
        names = ("first", "wide", "second", "forked", "elsewhere")
        places = [folder / name for name in names]
        self.first, self.wide, self.second, self.forked, self.elsewhere = places
        self.send(self.first, FILES)
        self.connected.export(
            self.wide, capacity=WIDE, again=1, sparing=Sparing(spares=1)
        )
        copied = folder / "copied"
        shutil.copytree(self.connected.home, copied)
        changed = {**FILES, "a.bin": b"changed"}
        self.send(self.second, changed, build_on="all")
        self.fork(copied).export(self.forked, self.pin({"d.bin": b"fork"}))
        self.connected.export(self.elsewhere, self.pin({"e": b"5"}), site="plant8")
        self.crossing.isolated.registry.close()

    def pin(self, files: Mapping[str, bytes]) -> Pinned:
        """Pin a folder of *files*."""
        return self.connected.folder("acme/m", files)

    def send(
        self, medium: Path, files: Mapping[str, bytes], build_on: str = "none"
    ) -> Departure:
        """Write a delivery of *files*."""
        return self.connected.export(
            medium, self.pin(files), capacity=CUT, build_on=build_on
        )

    def fork(self, home: Path) -> Connected:
        """Return whoever works on with a copy of the connected side."""
        other = object.__new__(Connected)
        other.__dict__.update(self.connected.__dict__, home=home)
        other.publisher = Publisher.open(home / "trust")
        dock = self.connected.dock
        other.dock = type(dock)(
            **{
                **{name: getattr(dock, name) for name in dock.__slots__},
                "publisher": other.publisher,
                "ledger": type(dock.ledger)(home / "ledger"),
            }
        )
        return other

    def volumes(self, medium: Path) -> list[Path]:
        """Return the volumes of a delivery, in order."""
        return sorted(medium.glob("*.tar"))
