"""The receipt: what an isolated site says that it has (docs/format.md, "Receipt").

Signed by the site's key (``airlift.trust.receipt``), carried out by a courier, believed
only as far as that key is. Fixed fields and digests; no name of a host, a person or a
file, and no free text: a release officer can read all of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.format import canonical, dispatch, log_told, state
from airlift.format.fields import Fields
from airlift.format.log_told import LogTold
from airlift.format.state import SiteState

FORMAT = "airlift/receipt/1"
LIMIT = 16 << 20
"""Bytes; 200,000 releases."""
REFUSALS = 64
"""Most refusals told, the newest."""
GAPS = 10_000
"""Most gaps between the deliveries a site took."""


class Reason(StrEnum):
    """Why a site took nothing of a delivery."""

    FORMAT = "format"
    """Its volumes are damaged."""
    TRUST = "trust"
    """Nothing gives it authority there: an old one, another site's, an expired one."""
    BASE = "base"
    """It builds on what the site does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A delivery that was refused: its number, as its volumes claim it, and why."""

    sequence: int
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Deliveries that the site never took, from *first* to *last*."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a site says.

    Attributes:
        number: 1, 2, 3...: of its receipts. A later one says more.
        previous: SHA-256 of the bytes signed of the receipt before; None of the first.
        time: By the site's clock, ``YYYY-MM-DDThh:mm:ssZ``.
        state: What it holds.
        dispatch: SHA-256 of the newest delivery's record; None before the first.
        missed: Which deliveries below the newest it never took, rising.
        generation: Number of its live set.
        waiting: Releases that wait in quarantine, sorted.
        incomplete: Records of deliveries of which volumes have yet to come, sorted.
        refused: What it refused since the receipt before, in that order.
        log: Its log as it was before this receipt; None where that is not signed.
    """

    number: int
    previous: Sha256 | None
    time: str
    state: SiteState
    dispatch: Sha256 | None
    missed: tuple[Gap, ...] = ()
    generation: int = 0
    waiting: tuple[Sha256, ...] = ()
    incomplete: tuple[Sha256, ...] = ()
    refused: tuple[Refusal, ...] = ()
    log: LogTold | None = None

    @property
    def site(self) -> str:
        """Whose it is."""
        return self.state.site

    def took(self, sequence: int) -> bool:
        """Say whether the site took delivery *sequence*."""
        gone = any(gap.first <= sequence <= gap.last for gap in self.missed)
        return 1 <= sequence <= self.state.sequence and not gone


def gaps(taken: tuple[int, ...]) -> tuple[Gap, ...]:
    """Return which deliveries are missing below the newest of *taken*, which rise."""
    edges = pairwise((0, *taken))
    return tuple(Gap(first=a + 1, last=b - 1) for a, b in edges if b - a > 1)


def encode(told: Receipt) -> bytes:
    """Return the canonical bytes of *told*, which the site signs."""
    missed: list[Json] = [{"first": one.first, "last": one.last} for one in told.missed]
    refused: list[Json] = [
        {"sequence": one.sequence, "reason": one.reason.value} for one in told.refused
    ]
    return canonical.encode(
        {
            "format": FORMAT,
            "site": told.site,
            "number": told.number,
            "previous": told.previous,
            "time": told.time,
            "sequence": told.state.sequence,
            "dispatch": told.dispatch,
            "missed": missed,
            "root": state.root(told.state),
            "releases": told.state.releases,
            "lacking": told.state.lacking,
            "generation": told.generation,
            "waiting": told.waiting,
            "incomplete": told.incomplete,
            "refused": refused,
            # Absent and not null where there is none, as before logs were signed.
            **({"log": log_told.as_table(told.log)} if told.log else {}),
        }
    )


def decode(data: bytes, *, name: str = "receipt") -> Receipt:
    """Return the receipt that canonical, authenticated *data* states.

    Raises:
        FormatError: It is not a receipt this version understands.
    """
    top = Fields(canonical.decode(data, name=name, limit=LIMIT), record=name)
    top.exactly(
        *("format", "site", "number", "previous", "time", "sequence", "dispatch"),
        *("missed", "root", "releases", "lacking", "generation", "waiting"),
        *("incomplete", "refused"),
        *(("log",) if top.has("log") else ()),
    )
    top.expect("format", FORMAT)
    told = Receipt(
        number=top.number("number", least=1),
        previous=_optional(top, "previous"),
        time=top.text("time"),
        state=SiteState(
            site=top.text("site"),
            sequence=top.number("sequence"),
            releases=top.sha256s("releases"),
            lacking=top.sha256s("lacking"),
        ),
        dispatch=_optional(top, "dispatch"),
        missed=tuple(_gap(entry) for entry in top.tables("missed")),
        generation=top.number("generation"),
        waiting=top.sha256s("waiting"),
        incomplete=top.sha256s("incomplete"),
        refused=tuple(_refusal(entry) for entry in top.tables("refused")),
        log=log_told.from_table(top.table("log")) if top.has("log") else None,
    )
    for key, problem in _faults(told, top.sha256("root")):
        top.refuse(key, problem)
    return told


def _optional(top: Fields, key: str) -> Sha256 | None:
    return None if top.raw(key) is None else top.sha256(key)


def _gap(entry: Fields) -> Gap:
    entry.exactly("first", "last")
    return Gap(first=entry.number("first", least=1), last=entry.number("last", least=1))


def _refusal(entry: Fields) -> Refusal:
    entry.exactly("sequence", "reason")
    return Refusal(
        sequence=entry.number("sequence"), reason=entry.choice("reason", Reason)
    )


def _faults(told: Receipt, root: Sha256) -> Iterator[tuple[str, str]]:
    """Yield what fields say that cannot all be true, each with its field."""
    if not naming.is_site(told.site):
        yield "site", f"is not a site name: `{naming.show(told.site)}`"
    if not dispatch.is_time(told.time):
        yield "time", "is not `YYYY-MM-DDThh:mm:ssZ`"
    yield from _nulls(told)
    if not _in_order(told) or len(told.missed) > GAPS:
        yield "missed", f"is not at most {GAPS} rising gaps below the newest delivery"
    if root != state.root(told.state):
        yield "root", "is not the root of what the receipt lists"
    if _of_another(told):
        yield "log", "is the log of another site"
    if len(told.refused) > REFUSALS:
        yield "refused", f"has more than {REFUSALS} entries"


def _nulls(told: Receipt) -> Iterator[tuple[str, str]]:
    """Yield the fields that are null where they must not be, or the other way round."""
    if (told.previous is None) != (told.number == 1):
        yield "previous", "is null in the first receipt, and only there"
    if (told.dispatch is None) != (told.state.sequence == 0):
        yield "dispatch", "is null before the first delivery, and only there"


def _of_another(told: Receipt) -> bool:
    return told.log is not None and told.log.checkpoint.site != told.site


def _in_order(told: Receipt) -> bool:
    edges = [edge for one in told.missed for edge in (one.first, one.last)]
    apart = all(a.last + 1 < b.first for a, b in pairwise(told.missed))
    below = all(one.last < told.state.sequence for one in told.missed)
    return edges == sorted(edges) and apart and below
