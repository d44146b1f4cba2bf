"""A crossing whose isolated side answers: receipts, codes, or nothing at all."""

from collections.abc import Mapping
from pathlib import Path

from airlift.artifact import Pinned
from airlift.digest import Sha256, sha256
from airlift.inbound.own_key import Maker
from airlift.inbound.receipts import Clerk, Written
from airlift.outbound.departure import Departure
from airlift.outbound.reading import Read, Reader
from airlift.outbound.standing import Standing
from airlift.trust import receipt
from airlift.trust.public import PublicKey
from crossing import NOW, Crossing, noise

SITE = "plant7"
LATER = "2027-01-01T00:00:00Z"


class Answering(Crossing):
    """A crossing of artifacts that change, one a week, and a site with a key.

    Attributes:
        key: The site's.
        keys: What the connected side enrolled.
    """

    def __init__(self, folder: Path, names: tuple[str, ...] = ("a", "b", "c")) -> None:
        super().__init__(folder)
        self.key = self.maker().make()
        self.keys: Mapping[str, PublicKey] = {SITE: self.key.public}
        self._versions = dict.fromkeys(names, 0)
        self._sent = 0

    # --- connected side ---------------------------------------------------------------

    def change(self, *names: str) -> None:
        """Let artifacts have another version upstream."""
        for one in names:
            self._versions[one] += 1

    def files(self, name: str) -> Mapping[str, bytes]:
        """Return the files of an artifact as it is upstream now."""
        seed = int.from_bytes(f"{name}{self._versions[name]}".encode())
        return {"config.json": name.encode(), "data.bin": noise(20_000, seed)}

    def wanted(self) -> list[Pinned]:
        """Pin all artifacts as they are now."""
        return [
            self.connected.folder(f"x/{one}", self.files(one)) for one in self._versions
        ]

    def send(self, build_on: str = "none", *, anchor: bool = False) -> Departure:
        """Export all artifacts to a medium of its own."""
        self._sent += 1
        medium = self.folder / f"medium-{self._sent}"
        return self.connected.export(
            medium, *self.wanted(), build_on=build_on, anchor=anchor
        )

    def send_only(self, *names: str) -> Departure:
        """Export some of the artifacts to a medium of its own, building on nothing."""
        self._sent += 1
        wanted = [self.connected.folder(f"x/{one}", self.files(one)) for one in names]
        return self.connected.export(self.folder / f"medium-{self._sent}", *wanted)

    @property
    def standing(self) -> Standing:
        """What the site is known to hold."""
        return self.connected.dock.ledger.standing(SITE)

    def reader(self) -> Reader:
        """Return who reads on the connected side."""
        dock = self.connected.dock
        return Reader(
            ledger=dock.ledger, publisher=dock.publisher, now=LATER, actor="alice"
        )

    def read(self, data: bytes) -> Read:
        """Read the file of a receipt."""
        return self.reader().receipt(receipt.believe(data, self.keys))

    def hear(self, code: str) -> Read:
        """Read a code."""
        return self.reader().code(SITE, code)

    # --- isolated side ----------------------------------------------------------------

    def take(self, departure: Departure) -> None:
        """Import a delivery."""
        self.isolated.land(departure.volumes[0].path.parent)

    def maker(self) -> Maker:
        """Return who makes the site's key."""
        return Maker(
            home=self.isolated.home,
            registry=self.isolated.registry,
            now=NOW,
            actor="bob",
        )

    def clerk(self, now: str = NOW) -> Clerk:
        """Return who writes on the isolated side."""
        return Clerk(
            home=self.isolated.home,
            registry=self.isolated.registry,
            store=self.isolated.store,
            now=now,
            actor="bob",
        )

    def answer(self) -> Written:
        """Write a receipt."""
        return self.clerk().write(lambda: self.key)

    def collect(self) -> int:
        """Collect what nothing needs; return the bytes freed."""
        registry, store = self.isolated.registry, self.isolated.store
        return registry.collect(registry.doomed(store), store, now=NOW, actor="bob")

    def retire(self) -> None:
        """Take all but the newest release of each artifact out, and collect."""
        registry = self.isolated.registry
        newest: set[str] = set()
        older = []
        for one in registry.releases():
            if one.release.name in newest:
                older.append(one.id)
            newest.add(one.release.name)
        registry.deactivate(older, now=NOW, actor="bob")
        # The set before is kept as the last good one; now that is this one.
        registry.deny([sha256(b"nothing")], why="", now=NOW, actor="bob")
        self.collect()

    def held(self) -> Mapping[str, Mapping[str, bytes]]:
        """Return the files of the live releases by name, newest release of each."""
        registry, store = self.isolated.registry, self.isolated.store
        newest = {}
        for one in reversed(registry.releases()):
            if one.state == "live":
                newest[one.release.name] = {
                    file.path: b"".join(store.read(file.sha256))
                    for file in registry.files(one.id)
                }
        return newest

    def current(self) -> Mapping[str, Mapping[str, bytes]]:
        """Return the files of all artifacts as they are upstream now, by name."""
        return {f"x/{one}": self.files(one) for one in self._versions}


def carried(departure: Departure) -> set[Sha256]:
    """Return the blobs that travel with a delivery."""
    return {one.sha256 for one in departure.packed.listing.blobs}
