"""What is known of each delivery that is arriving, kept over restarts.

Of no authority: what has come is in the staging area. This says what to wait for, since
when, and whether somebody was told.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.errors import FormatError
from airlift.format import canonical, selection
from airlift.format.fields import Fields
from airlift.format.selection import Selection
from airlift.store.durable import Disk, read_file

FORMAT: Final = "airlift/watch/1"
_LIMIT: Final = 64 << 20
_KEPT: Final = 200
"""Deliveries that are over and still listed."""


class State(Enum):
    """How far a delivery is."""

    WAITING = "waiting"
    HELD = "held"
    STALE = "stale"
    OVERDUE = "overdue"
    COMPLETE = "complete"
    SUPERSEDED = "superseded"


OVER: Final = (State.COMPLETE, State.SUPERSEDED)
"""States in which nothing is waited for."""


@dataclass(slots=True, kw_only=True)
class Delivery:
    """A delivery that arrives.

    Attributes:
        id: Digest of its dispatch record.
        site: Whom it is for.
        sequence: Its number.
        state: How far it is.
        cutting: The cutting that volumes are counted by.
        count: Volumes of it.
        missing: Ordinals of those still needed.
        first: When its first volume was taken, in seconds since 1970.
        newest: When the last one was that brought anything.
    """

    id: Sha256
    site: str
    sequence: int
    state: State = State.WAITING
    cutting: str = ""
    count: int = 0
    missing: tuple[int, ...] = ()
    first: int = 0
    newest: int = 0

    @property
    def name(self) -> str:
        """What to call it."""
        return f"delivery {self.sequence} to {self.site}"

    @property
    def wanted(self) -> str:
        """The volumes that are missing, as the sender's `airlift reissue` takes them."""
        if not self.missing:
            return ""
        return selection.encode(Selection(ordinals=self.missing, cutting=self.cutting))

    def __str__(self) -> str:
        came = f"{self.count - len(self.missing)} of {self.count} volumes"
        if self.state is State.COMPLETE:
            return f"{self.name}: complete"
        if self.state is State.SUPERSEDED:
            return f"{self.name}: {came}; a newer delivery was imported before the rest"
        if self.state is State.HELD:
            return f"{self.name}: {came}; waits until an older delivery is over"
        late = {State.STALE: "stale, ", State.OVERDUE: "overdue, "}.get(self.state, "")
        return f"{self.name}: {late}{came}; waiting for {self.wanted}"


@dataclass(slots=True)
class Deliveries:
    """Those that the file *path* speaks of."""

    path: Path
    _known: dict[Sha256, Delivery] = field(default_factory=dict)
    _saved: bytes = b""

    def __iter__(self) -> Iterator[Delivery]:
        """Yield them, oldest first."""
        return iter(sorted(self._known.values(), key=lambda one: one.sequence))

    def get(self, name: str) -> Delivery | None:
        """Return the one with this id, if it is known."""
        return self._known.get(Sha256(name))

    def add(self, delivery: Delivery) -> None:
        """Know of *delivery* from now on."""
        self._known[delivery.id] = delivery

    def pending(self) -> list[Delivery]:
        """Return those of which something is waited for, oldest first."""
        return [one for one in self if one.state not in OVER]

    def load(self) -> None:
        """Take up what an earlier process wrote; what cannot be read is no loss.

        Raises:
            StoreError: The disk refuses.
        """
        if not self.path.exists():
            return
        name = str(self.path)
        data = read_file(self.path, limit=_LIMIT)
        try:
            top = Fields(canonical.decode(data, name=name, limit=_LIMIT), record=name)
            top.expect("format", FORMAT)
            found = [_decoded(one) for one in top.tables("deliveries")]
        except (FormatError, ValueError):
            return  # volumes that still lie there are simply read again
        self._known, self._saved = {one.id: one for one in found}, data

    def save(self) -> bool:
        """Write them down, durable on return; say whether anything had changed.

        Raises:
            StoreError: The disk refuses.
        """
        over = [one for one in self if one.state in OVER]
        for one in over[: max(0, len(over) - _KEPT)]:
            del self._known[one.id]
        listed: list[Json] = [_encoded(one) for one in self]
        content = canonical.encode({"format": FORMAT, "deliveries": listed})
        if content == self._saved:
            return False
        Disk().write_file(self.path, content)
        self._saved = content
        return True


def as_json(one: Delivery) -> dict[str, Json]:
    """Return what is known of a delivery, for programs."""
    return {
        "dispatch": one.id,
        "site": one.site,
        "sequence": one.sequence,
        "state": one.state.value,
        "volumes": one.count,
        "missing": list(one.missing),
        "wanted": one.wanted,
        "first": one.first,
        "newest": one.newest,
    }


def _encoded(one: Delivery) -> dict[str, Json]:
    return {
        **as_json(one),
        "cutting": one.cutting,
        "missing": selection.ranges(one.missing),
    }


def _decoded(one: Fields) -> Delivery:
    missing = one.text("missing")
    return Delivery(
        id=one.sha256("dispatch"),
        site=one.text("site"),
        sequence=one.number("sequence"),
        state=State(one.text("state")),
        cutting=one.text("cutting"),
        count=one.number("volumes"),
        missing=selection.decode(missing).ordinals if missing else (),
        first=one.number("first"),
        newest=one.number("newest"),
    )
