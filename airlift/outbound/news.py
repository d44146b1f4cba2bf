"""What there is to say of upstream and sites: the nouns of ``airlift update``."""

from dataclasses import dataclass
from enum import StrEnum

from airlift.artifact import Pinned, Wish
from airlift.outbound import bases
from airlift.outbound.forecast import Forecast
from airlift.outbound.shipped import Shipped
from airlift.payload.changes import Changes


class State(StrEnum):
    """What became of one entry for one site."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    GONE = "gone upstream"
    GATED = "gated"
    UNFIT = "does not fit"
    FAILED = "not answered"

    @property
    def is_answered(self) -> bool:
        """Whether upstream said what there is now, and it fits."""
        return self in (State.NEW, State.CHANGED, State.UNCHANGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What upstream says to one entry.

    Attributes:
        wish: The entry.
        pinned: What it means now; None where that cannot be said.
        state: Why not; None where it can.
        problem: The error, in one line.
        hint: What to do about it.
    """

    wish: Wish
    pinned: Pinned | None = None
    state: State | None = None
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry for one site.

    Attributes:
        answer: What upstream says.
        state: What that means for the site.
        before: What the site was sent for it last; None for nothing.
        changes: What differs; None where nothing is answered.
        unread: Files that could not be looked into, with the reason.
    """

    answer: Answer
    state: State
    before: Shipped | None = None
    changes: Changes | None = None
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a delivery of all that was answered would come to.

    Attributes:
        build_on: What it builds on, as ``export --build-on`` takes it.
        parts: Of each artifact that was answered, in order.
    """

    build_on: str
    parts: tuple[Forecast, ...]

    @property
    def carried(self) -> int:
        """Bytes at most, before weights shrink."""
        return sum(one.carried for one in self.parts)

    @property
    def unknown(self) -> int:
        """Bytes of it that are not known better until they were fetched."""
        return sum(one.unknown for one in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteNews:
    """What is new for one site.

    Attributes:
        site: Its name.
        last: Its newest written delivery; 0 before the first.
        lost: Deliveries it is known never to have taken, oldest first.
        items: One for each entry, in their order.
        left: What it was sent and this manifest does not ask for.
        full: Bytes of a delivery that builds on nothing, before weights shrink.
        estimates: Of deliveries that build on something, the smallest first.
        unfetched: Files whose changes cannot be estimated before they are fetched, by
            place of their item.
    """

    site: str
    last: int
    lost: tuple[int, ...]
    items: tuple[Item, ...]
    left: tuple[Shipped, ...]
    full: int
    estimates: tuple[Estimate, ...]
    unfetched: tuple[tuple[int, str], ...]

    @property
    def advised(self) -> Estimate | None:
        """What to build on: what the site confirmed, else the smallest."""
        told = [one for one in self.estimates if one.build_on == bases.CONFIRMED]
        return next(iter((*told, *self.estimates)), None)

    @property
    def is_news(self) -> bool:
        """Whether there is anything to carry."""
        return any(one.state in (State.NEW, State.CHANGED) for one in self.items)

    @property
    def is_complete(self) -> bool:
        """Whether every entry was answered and could be looked into."""
        return all(one.state.is_answered and not one.unread for one in self.items)
