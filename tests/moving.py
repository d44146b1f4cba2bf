"""A connected side with sites, and upstreams that move on between two looks."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from airlift.artifact import Json, Kind, Wish
from airlift.fetch import Settings
from airlift.outbound import updating
from airlift.outbound.news import Item, SiteNews
from airlift.outbound.updating import Office, Survey
from airlift.progress import Silent
from airlift.sources import connect
from crossing import Connected, noise

_BYTES = {"F32": 4, "BF16": 2, "F8_E4M3": 1}


def tensors(shapes: Mapping[str, tuple[str, tuple[int, ...]]], seed: int = 1) -> bytes:
    """Return a safetensors file of tensors of these types and shapes."""
    header: dict[str, object] = {}
    at = 0
    for name, (dtype, shape) in shapes.items():
        size = _BYTES[dtype]
        for length in shape:
            size *= length
        header[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [at, at + size],
        }
        at += size
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + noise(at, seed)


class Desk(Connected):
    """A connected side that asks doubles.

    Args:
        folder: Where everything of it goes.
        endpoints: Where services are asked.
        sites: The sites it sends to.
        token: Credential of the hub.
    """

    def __init__(
        self,
        folder: Path,
        endpoints: Mapping[str, str],
        sites: Sequence[str] = ("plant7",),
        token: str = "",
    ) -> None:
        super().__init__(folder / "connected", sites)
        self.media = folder
        settings = Settings(endpoints=dict(endpoints), token=token)
        self.dock = replace(self.dock, sources=lambda kind: connect(kind, settings))
        self.pauses: list[float] = []
        self.deliveries = 0

    def office(self) -> Office:
        """Return what a new run of the command works with."""
        return Office(
            publisher=self.publisher,
            ledger=self.dock.ledger,
            store=self.dock.store,
            pieces=self.dock.pieces,
            looks=self.home / "looks",
            sources=self.dock.sources,
            progress=Silent(),
            pause=self.pauses.append,
        )

    def news(self, *wishes: Wish, site: str = "plant7") -> SiteNews:
        """Return what is new for *site*."""
        office = self.office()
        return Survey(updating.ask(wishes, office), office).of(site)

    def item(self, wish: Wish) -> Item:
        """Return what became of one entry for the usual site."""
        (item,) = self.news(wish).items
        return item

    def send(self, *wishes: Wish, site: str = "plant7", build_on: str = "none") -> None:
        """Carry what *wishes* mean now to *site*."""
        self.deliveries += 1
        pinned = [self.dock.sources(wish.kind).resolve(wish) for wish in wishes]
        medium = self.media / f"medium-{self.deliveries}"
        self.export(medium, *pinned, site=site, build_on=build_on)


def model(name: str = "org/tiny", **options: Json) -> Wish:
    """Return an entry for a model repository."""
    return Wish(kind=Kind.MODEL, name=name, options=options)
