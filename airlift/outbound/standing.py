"""What the connected side knows that a site holds: said by the site, never by time.

One canonical JSON file a site, beside its deliveries. It changes only when a receipt or a
code was read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.format import canonical, dispatch
from airlift.format.dispatch import LogSeen
from airlift.format.fields import Fields
from airlift.format.receipt import Gap
from airlift.format.state import SiteState
from airlift.store.durable import Disk, read_file

FORMAT = "airlift/standing/1"
FILE = "standing"
READINGS = 1000
"""Most readings kept, the newest: twenty years of one a week."""
_LIMIT = 64 << 20


class Means(StrEnum):
    """How a site said it."""

    RECEIPT = "receipt"
    CODE = "code"


class Outcome(StrEnum):
    """What a reading came to."""

    CONFIRMED = "confirmed"
    """The site holds what it should."""
    CONTRADICTED = "contradicted"
    """It holds something else, and it is known what."""
    UNEXPLAINED = "unexplained"
    """It holds something else, and a code does not tell what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """What a site said that it holds, and which deliveries follow from that.

    Attributes:
        state: What it holds.
        means: How it said so.
        time: When that was read here.
        missed: Deliveries up to ``state.sequence`` that it never took, rising.
        moot: Deliveries of which a code does not tell: what they brought was replaced
            by a later one.
    """

    state: SiteState
    means: Means
    time: str
    missed: tuple[Gap, ...] = ()
    moot: tuple[Gap, ...] = ()

    def took(self, sequence: int) -> bool:
        """Say whether the site is known to have taken delivery *sequence*."""
        doubted = (*self.missed, *self.moot)
        gone = any(gap.first <= sequence <= gap.last for gap in doubted)
        return 1 <= sequence <= self.state.sequence and not gone

    def never_took(self, sequence: int) -> bool:
        """Say whether the site is known never to have taken delivery *sequence*."""
        return any(gap.first <= sequence <= gap.last for gap in self.missed)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastReceipt:
    """The newest receipt that was read: its number, its id, and whose key signed it."""

    number: int
    id: Sha256
    key_id: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """That a receipt or a code was read.

    Attributes:
        time: When, ``YYYY-MM-DDThh:mm:ssZ``.
        actor: By whom.
        means: What it was.
        outcome: What came of it.
        code: The state's code, as it was read or follows from the receipt.
    """

    time: str
    actor: str
    means: Means
    outcome: Outcome
    code: str

    @property
    def is_understood(self) -> bool:
        """Whether it is known what the site holds by it."""
        return self.outcome is not Outcome.UNEXPLAINED


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a site is known to hold, and by what.

    Attributes:
        confirmed: What it said last; None as long as it never did.
        receipt: The newest receipt read; None before the first.
        readings: What was read, oldest first.
        log: The site's log as it last proved it; None where it never did.
    """

    confirmed: Confirmed | None = None
    receipt: LastReceipt | None = None
    readings: tuple[Reading, ...] = ()
    log: LogSeen | None = None

    @property
    def doubt(self) -> Reading | None:
        """The last reading, where it was not understood."""
        last = self.readings[-1] if self.readings else None
        return None if last is None or last.is_understood else last


class Standings:
    """The standings of all sites.

    Args:
        folder: The ledger's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, site: str) -> Standing:
        """Return the standing of *site*.

        Raises:
            FormatError: The file is damaged.
            StoreError: It cannot be read.
        """
        path = self._folder / site / FILE
        if not path.exists():
            return Standing()
        data = read_file(path, limit=_LIMIT)
        top = Fields(
            canonical.decode(data, name=str(path), limit=_LIMIT), record=str(path)
        )
        top.only("format", "confirmed", "receipt", "readings", "log")
        top.expect("format", FORMAT)
        return Standing(
            confirmed=_confirmed(top.table("confirmed"), site)
            if top.has("confirmed")
            else None,
            receipt=_receipt(top.table("receipt")) if top.has("receipt") else None,
            readings=tuple(_reading(one) for one in top.tables("readings")),
            log=dispatch.seen_from_table(top.table("log")) if top.has("log") else None,
        )

    def write(self, site: str, standing: Standing) -> None:
        """Put *standing* in the place of what was known of *site*; durable.

        Raises:
            StoreError: The disk refuses.
        """
        told, last = standing.confirmed, standing.receipt
        table: dict[str, Json] = {
            "format": FORMAT,
            "confirmed": _table(told) if told else None,
            "receipt": {
                "number": last.number,
                "id": last.id,
                "key_id": last.key_id,
            }
            if last
            else None,
            "readings": [
                {
                    "time": one.time,
                    "actor": one.actor,
                    "means": one.means.value,
                    "outcome": one.outcome.value,
                    "code": one.code,
                }
                for one in standing.readings[-READINGS:]
            ],
            "log": dispatch.seen_as_table(standing.log) if standing.log else None,
        }
        disk, path = Disk(), self._folder / site / FILE
        disk.make_folder(path.parent, mode=0o700)
        disk.write_file(path, canonical.encode(table))


def _table(told: Confirmed) -> dict[str, Json]:
    return {
        "sequence": told.state.sequence,
        "releases": told.state.releases,
        "lacking": told.state.lacking,
        "means": told.means.value,
        "time": told.time,
        "missed": _gaps(told.missed),
        "moot": _gaps(told.moot),
    }


def _gaps(told: Iterable[Gap]) -> list[Json]:
    return [{"first": one.first, "last": one.last} for one in told]


def _confirmed(entry: Fields, site: str) -> Confirmed:
    return Confirmed(
        state=SiteState(
            site=site,
            sequence=entry.number("sequence"),
            releases=entry.sha256s("releases"),
            lacking=entry.sha256s("lacking"),
        ),
        means=entry.choice("means", Means),
        time=entry.text("time"),
        missed=tuple(_gap(one) for one in entry.tables("missed")),
        moot=tuple(_gap(one) for one in entry.tables("moot")),
    )


def _gap(entry: Fields) -> Gap:
    return Gap(first=entry.number("first"), last=entry.number("last"))


def _receipt(entry: Fields) -> LastReceipt:
    return LastReceipt(
        number=entry.number("number", least=1),
        id=entry.sha256("id"),
        key_id=entry.sha256("key_id"),
    )


def _reading(entry: Fields) -> Reading:
    return Reading(
        time=entry.text("time"),
        actor=entry.text("actor"),
        means=entry.choice("means", Means),
        outcome=entry.choice("outcome", Outcome),
        code=entry.text("code"),
    )
