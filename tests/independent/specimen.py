"""A delivery of two volumes with one of everything, to read and to damage."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airlift.digest import sha256
from airlift.format import framing
from airlift.trust.delivery import TrustState
from airlift.trust.site import accept_root
from crossing import NOW, Crossing, noise, weights
from independent.delivery import Site

FILES = {
    "a.json": b'{"a": 1}',
    "b.bin": noise(1500),
    "empty.txt": b"",
    "model.safetensors": weights(5 << 20),
    "sub/raw.bin": noise((4 << 20) + 700, 5),
}
"""Small, empty, coded in two slabs, raw in two slabs, in a folder."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """A run of bytes of a volume that serve one purpose."""

    name: str
    start: int
    stop: int


class Specimen:
    """A delivery on a medium, its isolated side, and what is in it."""

    def __init__(self, folder: Path) -> None:
        self.crossing = Crossing(folder)
        connected = self.crossing.connected
        pinned = connected.folder("acme/m", FILES)
        made = connected.export(self.crossing.medium, pinned, capacity=4_400_000)
        self.paths = [one.path for one in made.volumes]
        self.good = [path.read_bytes() for path in self.paths]
        root = connected.publisher.root_bytes()
        self.state: TrustState = accept_root(root, site="plant7")
        self.reader = Site(name="plant7", root=root, now=NOW)
        self.blobs = {sha256(data): data for data in FILES.values()}


def regions(data: bytes) -> Iterator[Region]:
    """Yield every header, body and padding of a volume, then its end mark."""
    at = 0
    while data[at]:
        name, size = framing.parse(data[at : at + 512], limit=1 << 32)
        body, behind = at + framing.RECORD, at + framing.RECORD + size
        yield Region(name=f"header of {name}", start=at, stop=body)
        yield Region(name=name, start=body, stop=behind)
        at = behind + framing.padding(size)
        if at > behind:
            yield Region(name=f"padding of {name}", start=behind, stop=at)
    yield Region(name="end mark", start=at, stop=len(data))
