"""The two sides of a year of deliveries: upstream, sites, and the sender.

Everything is done by the program itself, in one process: keys, exports, imports,
receipts. What is here knows nothing of chance on the way; see ``year.py`` for that.
"""

import contextlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from airlift.artifact import Kind, Pinned, Wish
from airlift.errors import RequestError
from airlift.fetch import Settings
from airlift.format import state
from airlift.format.state import SiteState
from airlift.inbound import landing, media
from airlift.inbound.arrival import Arrival, Gate
from airlift.inbound.receipts import Clerk
from airlift.outbound import anchoring, bases, departure, loading
from airlift.outbound.departure import Departure, Dock, Order
from airlift.outbound.ledger import HandOver, Ledger
from airlift.outbound.packing import Packer
from airlift.outbound.reading import Reader
from airlift.progress import Progress, Silent
from airlift.registry.registry import Registry
from airlift.sources import connect
from airlift.store.blobs import BlobStore
from airlift.trust import keys, receipt, site_key
from airlift.trust.delivery import VerifiedRelease
from airlift.trust.plan import RolePlan
from airlift.trust.publisher import Publisher
from airlift.trust.site import accept_root
from weights import write_safetensors

MODELS = ("acme/chat", "acme/code", "acme/embed")
TENSORS, SHAPE = 10, (96, 96)
"""Of each model: 370 kB, enough for tensors to be compared one by one."""
CHANGES = 0.6
"""How likely a model is to have one of its tensors trained anew in a week."""
CAPACITY = 500_000
"""Bytes of a volume: a delivery of everything takes several."""
MISHEARD = 0.10
"""How likely a code is misheard once."""


class Way(StrEnum):
    """What a site lets out."""

    RECEIPTS = "receipts"
    CODES = "codes"
    NOTHING = "nothing"


def moment(week: int) -> str:
    """Return a time in *week*, from 1: weeks have seven days, months four weeks."""
    month, rest = divmod(week - 1, 4)
    year, month = divmod(month, 12)
    return f"{2027 + year}-{month + 1:02d}-{1 + 7 * rest:02d}T08:00:00Z"


# --- upstream -------------------------------------------------------------------------


class Upstream:
    """Three models that change a little each week."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._folder, self._chance = folder, chance
        self._numbers = np.random.default_rng(chance.randrange(1 << 32))
        self.tensors = {
            model: {f"layer.{n}.weight": self._tensor() for n in range(TENSORS)}
            for model in MODELS
        }
        self.versions = {(m, t): 0 for m, found in self.tensors.items() for t in found}

    def _tensor(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        return (self._numbers.standard_normal(SHAPE) * 0.02).astype(np.float32)

    def change(self) -> None:
        """Let a week pass."""
        for model, tensors in self.tensors.items():
            if self._chance.random() < CHANGES:
                name = self._chance.choice(sorted(tensors))
                tensors[name] = self._tensor()
                self.versions[model, name] += 1

    def pinned(self, models: Sequence[str]) -> list[Pinned]:
        """Return *models* as they are now."""
        return [self._pin(model) for model in models]

    def _pin(self, model: str) -> Pinned:
        root = self._folder / model
        root.mkdir(parents=True, exist_ok=True)
        (root / "config.json").write_text('{"hidden_size": 128}')
        write_safetensors(root / "model.safetensors", self.tensors[model], metadata={})
        wish = Wish(kind=Kind.FOLDER, name=model, options={"path": str(root)})
        return connect(Kind.FOLDER, Settings()).resolve(wish)

    def content(self, models: Sequence[str]) -> Mapping[str, bytes]:
        """Return the files of *models* as they are now, by model and path."""
        return {
            f"{model}/{name}": (self._folder / model / name).read_bytes()
            for model in models
            for name in ("config.json", "model.safetensors")
        }


# --- the isolated side ----------------------------------------------------------------


@dataclass
class Desk:
    """Whoever receives media at a site; with a bad day, turns them away."""

    actor: str = "officer"
    progress: Progress = field(default_factory=Silent)
    willing: bool = True

    def admit(self, arrival: Arrival) -> None:
        """Let a delivery in, or not today."""
        if not self.willing:
            raise RequestError(f"delivery {arrival.delivery.dispatch.sequence}: no")

    def more(self, arrival: Arrival) -> Sequence[media.Candidate]:
        """Have nothing more than what lies on the medium."""
        return ()

    def holds(self, release: VerifiedRelease) -> str:
        """Let everything go live."""
        return ""


class Site:
    """An isolated site: what it wants, what it lets out, and what it has."""

    def __init__(
        self, home: Path, name: str, way: Way, models: Sequence[str], root: bytes
    ) -> None:
        self.name, self.way, self.models = name, way, models
        Registry.create(
            home, state=accept_root(root, site=name), now=moment(1), actor="officer"
        )
        self._home, self._registry = home, Registry.open(home)
        self._store = BlobStore(home / "store")
        self._gate = Gate(
            store=self._store, registry=self._registry, incoming=home / "incoming"
        )
        self.key = site_key.create(home, name)

    def take(self, medium: Path, week: int, *, willing: bool = True) -> None:
        """Import what lies on *medium*.

        Raises:
            AirliftError: It was refused, or is not complete.
        """
        found = media.find([medium])
        for _, candidates in media.group(found.candidates):
            desk = Desk(willing=willing)
            now, damaged = moment(week), found.faults
            landing.land(candidates, self._gate, desk, now=now, damaged=damaged)

    def answer(self, week: int) -> bytes:
        """Return a receipt, as a file."""
        clerk = Clerk(
            home=self._home,
            registry=self._registry,
            store=self._store,
            now=moment(week),
            actor="officer",
        )
        return clerk.write(lambda: self.key).path.read_bytes()

    def content(self) -> Mapping[str, bytes]:
        """Return the files of the newest live release of each model."""
        newest = {one.release.name: one for one in reversed(self._registry.releases())}
        return {
            f"{name}/{file.path}": b"".join(self._store.read(file.sha256))
            for name, one in newest.items()
            for file in self._registry.files(one.id)
        }


# --- the connected side ---------------------------------------------------------------


class Sender:
    """The connected side, which knows only what came back."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._key = keys.generate("ann")
        self.publisher = Publisher.create(
            home / "trust",
            plan=RolePlan.single(self._key.public),
            signers=[self._key],
            now=moment(1),
        )
        self.dock = Dock(
            store=BlobStore(home / "store"),
            sources=lambda kind: connect(kind, Settings()),
            publisher=self.publisher,
            spool=home / "spool",
            pieces=home / "pieces",
            ledger=Ledger(home / "ledger"),
        )

    def add(self, name: str) -> bytes:
        """Add a site; return the root that it is to accept."""
        own = [self._key]
        self.publisher.add_site(name, [self._key.public], 1, own, moment(1))
        return self.publisher.root_bytes()

    def hear(self, site: Site, answer: bytes, week: int, chance: random.Random) -> None:
        """Take in what came back from *site*, in the way that it has."""
        reader = Reader(
            ledger=self.dock.ledger,
            publisher=self.publisher,
            now=moment(week),
            actor="ann",
        )
        signed = receipt.believe(answer, {site.name: site.key.public})
        if site.way is Way.RECEIPTS:
            reader.receipt(signed)
            return
        code = state.code(state.root(signed.receipt.state))
        if chance.random() < MISHEARD:
            slip = code[:5] + ("0" if code[5] != "0" else "1") + code[6:]
            with contextlib.suppress(RequestError):
                reader.code(site.name, slip)
                raise SystemExit(f"{slip} was believed, {code} was meant")
        reader.code(site.name, code)

    def send(
        self, site: Site, pinned: Sequence[Pinned], week: int, medium: Path
    ) -> Departure:
        """Make a delivery to *site* as its way asks for; note that it left."""
        build_on, anchor = self._plan(site)
        order = Order(
            pinned=tuple(pinned),
            site=site.name,
            folder=medium,
            capacity=CAPACITY,
            operator="ann",
            build_on=build_on,
            anchor=anchor,
        )
        now, own = moment(week), [self._key]
        done = departure.export(order, self.dock, own, now=now, progress=Silent())
        ledger = self.dock.ledger
        entry = ledger.read(site.name, done.record.sequence)
        assert entry
        left = HandOver(time=moment(week), by="courier")
        ledger.write(replace(entry, hand_overs=(left,) * copies(anchor=anchor)))
        return done

    def _plan(self, site: Site) -> tuple[str, bool]:
        standing = self.dock.ledger.standing(site.name)
        if site.way is Way.NOTHING:
            entries = self.dock.ledger.entries(site.name)
            found = anchoring.anchoring(entries, standing)
            anchor = not found.sequence or bool(found.why)
            return (bases.NONE if anchor else bases.ANCHOR), anchor
        said = standing.confirmed
        known = said and said.state.sequence and not standing.doubt
        return (bases.CONFIRMED if known else bases.NONE), False

    def ideal(self, done: Departure, truth: SiteState, taken: Sequence[int]) -> int:
        """Return the bytes of *done* if it were cut against what truly arrived.

        Args:
            done: As it was made.
            truth: What its site holds.
            taken: The deliveries that it took, rising.
        """
        ledger, site = self.dock.ledger, done.record.site
        entries = [ledger.read(site, one) for one in reversed(taken)]
        left, sequences = set(truth.releases), []
        for entry in entries:
            if entry and left & set(entry.record.releases):
                left -= set(entry.record.releases)
                sequences.append(entry.sequence)
        held = bases.held(self.publisher, site, sequences, only=truth.releases)
        store, pieces = self.dock.store, self.dock.pieces
        load = loading.load(done.releases, held, store, pieces, Silent())
        packer = Packer(store, self._home / "ideal", early=not sequences)
        packed = packer.pack(load.carried, Silent(), load.recipes)
        packer.clear()
        return packed.listing.stored_size


def copies(*, anchor: bool) -> int:
    """Return on how many media a delivery travels: all that follow need an anchor."""
    return 2 if anchor else 1
