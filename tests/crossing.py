"""A whole crossing on one machine: a connected side, media, an isolated side."""

import hashlib
import random
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from airlift.artifact import Kind, Pinned, Wish
from airlift.fetch import Settings
from airlift.format.reading import Fault
from airlift.inbound import landing, media
from airlift.inbound.arrival import Arrival, Gate
from airlift.inbound.landing import Landed
from airlift.inbound.media import Candidate
from airlift.outbound import departure
from airlift.outbound.allotment import NO_SPARES, Sparing
from airlift.outbound.attesting import Attester
from airlift.outbound.departure import Departure, Dock, Order
from airlift.outbound.ledger import Ledger
from airlift.progress import Progress, Silent
from airlift.registry.registry import Registry
from airlift.sources import connect
from airlift.store.blobs import BlobStore
from airlift.trust import encryption_key, keys, suites
from airlift.trust.delivery import VerifiedRelease
from airlift.trust.keys import UnlockedKey
from airlift.trust.plan import RolePlan
from airlift.trust.publisher import Publisher
from airlift.trust.recipient import Recipient
from airlift.trust.site import accept_root

NOW = "2026-11-23T12:00:00Z"


@dataclass
class Desk:
    """Somebody who agrees to everything, and may hand over more volumes."""

    actor: str = "tester"
    progress: Progress = field(default_factory=Silent)
    held: Callable[[VerifiedRelease], str] = lambda _: ""
    next_media: list[Sequence[Candidate]] = field(default_factory=list)
    admitted: list[Arrival] = field(default_factory=list)

    def admit(self, arrival: Arrival) -> None:
        """Note what was asked, and agree."""
        self.admitted.append(arrival)

    def more(self, arrival: Arrival) -> Sequence[Candidate]:
        """Hand over the next medium."""
        return self.next_media.pop(0) if self.next_media else ()

    def holds(self, release: VerifiedRelease) -> str:
        """Hold what the test wants held."""
        return self.held(release)


class Connected:
    """The connected side."""

    def __init__(
        self, home: Path, sites: Sequence[str] = ("plant7",), now: str = NOW
    ) -> None:
        self.home = home
        self.key: UnlockedKey = keys.generate("alice")
        self.publisher = Publisher.create(
            home / "trust",
            plan=RolePlan.single(self.key.public),
            signers=[self.key],
            now=now,
        )
        for site in sites:
            self.publisher.add_site(site, [self.key.public], 1, [self.key], now)
        self.dock = Dock(
            store=BlobStore(home / "store"),
            sources=lambda kind: connect(kind, Settings()),
            publisher=self.publisher,
            spool=home / "spool",
            pieces=home / "pieces",
            ledger=Ledger(home / "ledger"),
        )

    def folder(self, name: str, files: Mapping[str, bytes]) -> Pinned:
        """Pin a folder of these *files* under *name*."""
        root = (
            self.home
            / "input"
            / hashlib.sha256(repr((name, files)).encode()).hexdigest()[:8]
        )
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        wish = Wish(kind=Kind.FOLDER, name=name, options={"path": str(root)})
        return connect(Kind.FOLDER, Settings()).resolve(wish)

    def export(
        self,
        medium: Path,
        *pinned: Pinned,
        capacity: int = 64 << 20,
        site: str = "plant7",
        now: str = NOW,
        again: int = 0,
        build_on: str = "none",
        anchor: bool = False,
        sparing: Sparing = NO_SPARES,
        pipe: BinaryIO | None = None,
        attester: Attester | None = None,
        recipient: Recipient | None = None,
    ) -> Departure:
        """Make a delivery on *medium*."""
        order = Order(
            pinned=pinned,
            site=site,
            folder=medium,
            capacity=capacity,
            operator="alice",
            again=again,
            build_on=build_on,
            anchor=anchor,
            sparing=sparing,
            pipe=pipe,
            attester=attester,
            recipient=recipient,
        )
        return departure.export(
            order, self.dock, [self.key], now=now, progress=Silent()
        )


_LOG = ("event", "log_node", "checkpoint")


class Isolated:
    """The isolated side."""

    def __init__(self, home: Path, root: bytes, site: str = "plant7") -> None:
        self.home = home
        state = accept_root(root, site=site)
        Registry.create(home, state=state, now=NOW, actor="tester")
        self.store = BlobStore(home / "store")
        self.gate = Gate(
            store=self.store, registry=Registry.open(home), incoming=home / "incoming"
        )
        self.registry = self.gate.registry

    @classmethod
    def at(cls, home: Path) -> Self:
        """Return the isolated side that was set up in *home* before."""
        found = cls.__new__(cls)
        found.home, found.store = home, BlobStore(home / "store")
        found.registry = Registry.open(home)
        found.gate = Gate(
            store=found.store, registry=found.registry, incoming=home / "incoming"
        )
        return found

    def land(self, *paths: Path, desk: Desk | None = None, now: str = NOW) -> Landed:
        """Import the one delivery that lies at *paths*."""
        found = media.find(paths, self.gate.keys)
        groups = media.group(found.candidates)
        assert len(groups) == 1, groups
        faults: Sequence[Fault] = found.faults
        return landing.land(
            groups[0][1], self.gate, desk or Desk(), now=now, damaged=faults
        )

    def encryption_key(self, suite: str = suites.DEFAULT) -> Recipient:
        """Make a key that deliveries can be encrypted to; return its public half."""
        site = self.registry.trust_state().site
        made = encryption_key.create(self.home, site, suite=suite)
        self.gate = replace(self.gate, keys=encryption_key.opener(self.home))
        return made.public

    def forget(self) -> None:
        """Forget what has arrived of deliveries that are not complete."""
        shutil.rmtree(self.home / "incoming", ignore_errors=True)
        for key in list(self.store.partials()):
            self.store.discard(key)

    def fingerprint(self) -> str:
        """Return a digest of all that counts: named blobs, packs, every database row."""
        hasher = hashlib.sha256()
        for folder in ("blobs", "packs"):
            for path in sorted((self.home / "store" / folder).rglob("*")):
                if path.is_file():
                    hasher.update(
                        str(path.relative_to(self.home)).encode() + path.read_bytes()
                    )
        for name in sorted(self.home.glob("*.db")):
            with sqlite3.connect(name) as database:
                for line in database.iterdump():
                    # A refusal is logged, and the log is signed.
                    if not any(one in line[:60] for one in _LOG):
                        hasher.update(line.encode())
        return hasher.hexdigest()


class Crossing:
    """Both sides, and a place for media."""

    def __init__(
        self, folder: Path, sites: Sequence[str] = ("plant7",), now: str = NOW
    ) -> None:
        self.folder = folder
        self.connected = Connected(folder / "connected", sites, now)
        root = self.connected.publisher.root_bytes()
        self.isolated = Isolated(folder / "isolated", root, sites[0])
        self.medium = folder / "medium"


def weights(size: int, seed: int = 1) -> bytes:
    """Return a file that begins like safetensors and shrinks as weights do."""
    header = b'{"w":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (size, size)
    body = np.random.default_rng(seed).integers(0, 24, size, np.uint8).tobytes()
    return len(header).to_bytes(8, "little") + header + body


def noise(size: int, seed: int = 2) -> bytes:
    """Return bytes that do not shrink."""
    return random.Random(seed).randbytes(size)


MODEL: Mapping[str, bytes] = {
    "config.json": b'{"hidden_size": 4}',
    "empty.txt": b"",
    "model.safetensors": weights(9_000_000),
    "sub/noise.bin": noise(6_000_000),
    "tokenizer.json": noise(70_000, 3),
}
"""Small and large, coded and raw, empty, in a folder: five files, 15 MB."""
