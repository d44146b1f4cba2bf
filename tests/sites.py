"""An isolated site for tests: a store, a registry, and a signing side that feeds it."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from airlift.artifact import Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.format import release
from airlift.registry.held import Event
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from airlift.trust.delivery import VerifiedDelivery
from authority import NOW, Authority, land

DAY = "2026-03-{:02d}T12:00:00Z"
LATER = "2026-04-01T00:00:00Z"


def document(
    name: str,
    files: Mapping[str, bytes],
    *,
    counter: int = 1,
    kind: Kind = Kind.MODEL,
    refs: Sequence[str] = ("main",),
) -> bytes:
    """Return the release document of *files*; its revision is made of its content."""
    listed = tuple(
        ReleaseFile(path=path, size=len(data), sha256=sha256(data))
        for path, data in sorted(files.items())
    )
    return release.encode(
        Release(
            kind=kind,
            name=name,
            revision=sha256(repr((kind, name, counter, sorted(files))).encode())[:40],
            counter=counter,
            files=listed,
            refs=tuple(refs),
            upstream={"endpoint": "https://hub.example", "repository": name},
            licence="mit",
            base_models=("org/base",),
        )
    )


class Site:
    """A site whose deliveries are really signed and really verified.

    Args:
        folder: Where everything of it goes.
    """

    def __init__(self, folder: Path) -> None:
        self.side = Authority(folder / "side")
        self.home = folder / "home"
        self.store = BlobStore(folder / "store")
        state = self.side.state()
        self.registry = Registry.create(self.home, state=state, now=NOW, actor="root")
        self.days = itertools.count(2)
        self.blobs: dict[Sha256, bytes] = {}

    def hold(self, *contents: bytes) -> None:
        """Put bytes into the store."""
        self.blobs |= {sha256(data): data for data in contents}
        self.store.add_small((sha256(data), data) for data in contents)

    def verified(self, *documents: bytes) -> VerifiedDelivery:
        """Make the next delivery, of *documents*, and verify it."""
        offered = self.side.deliver(*documents)
        return land(offered, self.registry.trust_state())

    def bring(self, *documents: bytes, live: bool = True) -> VerifiedDelivery:
        """Deliver *documents*, whose blobs are in the store, and record them."""
        delivery = self.verified(*documents)
        ids = [one.id for one in delivery.releases]
        self.registry.record(
            delivery,
            self.store,
            live=ids if live else [],
            now=DAY.format(next(self.days)),
            actor="importer",
        )
        return delivery

    def model(
        self, name: str, *contents: bytes, counter: int = 1, live: bool = True
    ) -> Sha256:
        """Bring a model of *contents*; return its id."""
        self.hold(*contents)
        files = {f"file-{n}.json": data for n, data in enumerate(contents)}
        found = document(name, files, counter=counter)
        self.bring(found, live=live)
        return release.identify(found)

    def reopen(self) -> Registry:
        """Close the registry and open it again, as the next command does."""
        self.registry.close()
        self.registry = Registry.open(self.home)
        return self.registry


def eventful(site: Site) -> None:
    """Let everything happen that a registry records."""
    one = site.model("org/one", b"1", b"shared")
    two = site.model("org/two", b"2", b"shared", live=False)
    site.model("org/one", b"1b", b"shared", counter=2)
    three = site.model("org/three", b"3")
    registry = site.registry
    registry.activate([two], now=LATER, actor="me")
    registry.deactivate([one], now=LATER, actor="me")
    registry.pin([two], why="in production", now=LATER, actor="me")
    registry.deny([three], why="licence", now=LATER, actor="officer")
    registry.rollback(now=LATER, actor="me")
    registry.log(Event(time=LATER, actor="me", action="note", detail={"x": 1}))
    registry.collect(registry.doomed(site.store), site.store, now=LATER, actor="me")
