"""Which time an audit believes, and when knowledge is too old for it."""

from dataclasses import dataclass

from airlift.inbound import ages
from airlift.inbound.ages import Age, Today


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Two clocks: this host's, and the one that ages are counted by.

    Attributes:
        system: This host's, or the moment that ``--as-of`` names.
        today: The later of that and of every time that was signed or logged here: a
            clock that was set back makes nothing young.
    """

    system: str
    today: Today

    @property
    def trusted(self) -> str:
        """The time that ages are counted to, ``YYYY-MM-DDThh:mm:ssZ``."""
        return self.today.at

    @property
    def problem(self) -> str:
        """What is wrong with this host's clock; empty where nothing shows."""
        return self.today.problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Ages in days up to which knowledge is worth something.

    Attributes:
        fresh: A carrier who comes every week may be late by three days.
        ageing: Older is ``stale``: nobody may conclude that nothing is wrong.
        block: Older than this the audit ends with a code of its own; None for never.
    """

    fresh: int = ages.FRESH_DAYS
    ageing: int = ages.AGEING_DAYS
    block: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """How old one source of knowledge is.

    Attributes:
        source: ``catalogue``, ``advisories``, or the address of an upstream.
        as_of: When it last answered for what it answered for longest ago; empty where
            it never did.
        days: Whole days since; None where it never answered.
        age: What that means.
        entries: How many entries (of ``advisories``: packages) it speaks for.
        silent: For how many of them it did not answer the last time.
        imported: When it came here; empty where nobody knows.
        problem: Why it is silent; may be empty.
    """

    source: str
    as_of: str
    days: int | None
    age: Age
    entries: int = 0
    silent: int = 0
    imported: str = ""
    problem: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether conclusions may be drawn from it."""
        return self.age in (Age.FRESH, Age.AGEING)
