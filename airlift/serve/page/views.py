"""What one caller may see of a registry, read again only when it has changed."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from airlift.artifact import Kind
from airlift.digest import Sha256
from airlift.registry import scans
from airlift.registry.held import Delivered, Event, Generation, Held, State
from airlift.registry.overview import Knowledge, Stored
from airlift.registry.scans import Attached
from airlift.serve.dialect import Request, Shelf
from airlift.serve.records import Records
from airlift.trust.attestation import Judged

ALL = frozenset(Kind)
EVENTS = 500
"""Lines of the log that are looked at."""
GENERATIONS = 50
EVERYTHING = "*"
"""The power to have what no release is, too."""


class Snapshot:
    """A registry at one moment.

    Args:
        records: Where to ask.
        mark: What it was marked before anything was read.
    """

    def __init__(self, records: Records, mark: tuple[int, int]) -> None:
        self._records = records
        self.mark = mark
        self.releases: tuple[Held, ...] = records.releases()
        self.deliveries: tuple[Delivered, ...] = records.deliveries()
        self.site: str = records.site()
        self._judged: dict[Sha256, tuple[Judged, ...]] = {}

    @cached_property
    def knowledge(self) -> Knowledge:
        """What the site believes; 40 ms of reading signed metadata at 1,000 releases."""
        return self._records.knowledge()

    @cached_property
    def waiting(self) -> Mapping[Sha256, str]:
        """Why releases wait in quarantine, in words."""
        return self._records.waiting(self.releases)

    @cached_property
    def _scans(self) -> tuple[Attached, ...]:
        return self._records.scans()

    def scans(self, held: Held) -> tuple[Attached, ...]:
        """Return what scanners said of a release, or of what brought it."""
        dispatches = {one.sequence: one.id for one in self.deliveries}
        return scans.of(self._scans, held, dispatches)

    def attestations(self, held: Held) -> tuple[Judged, ...]:
        """Return what was attested of a release; judged once in this moment's life."""
        if held.id not in self._judged:
            self._judged[held.id] = self._records.attestations(held.id)
        return self._judged[held.id]

    @cached_property
    def stored(self) -> tuple[Stored, ...]:
        """What the blobs take."""
        return self._records.stored()

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """The newest lines of the log, newest first."""
        return tuple(reversed(self._records.events(EVENTS)))

    @cached_property
    def generations(self) -> tuple[Generation, ...]:
        """The newest live sets, newest first."""
        return self._records.generations(GENERATIONS)


class Latest:
    """The newest snapshot of a registry; safe from any thread.

    Args:
        records: Where to ask.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._lock = threading.Lock()
        self._known: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """Return the registry as it is now.

        Raises:
            RegistryError: It cannot answer.
        """
        # The mark is read before the content: what changes in between is kept under
        # the older mark and read again next time.
        mark = self._records.mark()
        with self._lock:
            if self._known is None or self._known.mark != mark:
                self._known = Snapshot(self._records, mark)
            return self._known


@dataclass(frozen=True, kw_only=True)
class View:
    """What one caller may see.

    Attributes:
        snapshot: Where it comes from; only ``releases`` of it are everybody's to
            see where *whole* is False.
        releases: By kind, name and falling counter.
        whole: Whether nothing is kept from this caller.
    """

    snapshot: Snapshot
    releases: tuple[Held, ...]
    whole: bool

    @cached_property
    def by_id(self) -> Mapping[Sha256, Held]:
        """Releases by their id."""
        return {one.id: one for one in self.releases}

    @cached_property
    def by_name(self) -> Mapping[tuple[Kind, str], tuple[Held, ...]]:
        """Releases by kind and name, newest first."""
        found: dict[tuple[Kind, str], list[Held]] = {}
        for one in self.releases:
            found.setdefault((one.release.kind, one.release.name), []).append(one)
        return {key: tuple(several) for key, several in found.items()}

    @cached_property
    def by_delivery(self) -> Mapping[int, tuple[Held, ...]]:
        """Releases by the delivery that brought them."""
        found: dict[int, list[Held]] = {}
        for one in self.releases:
            found.setdefault(one.sequence, []).append(one)
        return {key: tuple(several) for key, several in found.items()}

    @cached_property
    def deliveries(self) -> tuple[Delivered, ...]:
        """Deliveries, newest first; only those that brought something to see."""
        listed = self.snapshot.deliveries
        if self.whole:
            return listed
        return tuple(one for one in listed if one.sequence in self.by_delivery)

    def delivery(self, sequence: int) -> Delivered | None:
        """Return one delivery, or None."""
        found = (one for one in self.deliveries if one.sequence == sequence)
        return next(found, None)

    def newest(self, kind: Kind, name: str) -> Held | None:
        """Return what a name means to a reader: the newest live one, or the newest."""
        return representative(self.by_name.get((kind, name), ()))


def representative(several: tuple[Held, ...]) -> Held | None:
    """Return the first live release of *several*, or the first; None of none."""
    served = (one for one in several if is_served(one))
    return next(served, several[0] if several else None)


def is_served(held: Held) -> bool:
    """Say whether clients can fetch *held* now."""
    return held.state is State.LIVE and not held.denied


def of(request: Request, shelf: Shelf, snapshot: Snapshot) -> View:
    """Return what the caller of *request* may see.

    Who may not have everything sees what its shelf shows, and what else is held under
    the same names: of other names nobody says whether it may know them.
    """
    if EVERYTHING in request.caller.powers:
        return View(snapshot=snapshot, releases=snapshot.releases, whole=True)
    shown = shelf.releases(ALL)
    names = {(one.release.kind, one.release.name) for one in shown}
    visible = tuple(
        one
        for one in snapshot.releases
        if (one.release.kind, one.release.name) in names
    )
    return View(snapshot=snapshot, releases=visible, whole=False)
