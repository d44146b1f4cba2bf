"""The dispatch record: what one delivery to one site holds (docs/format.md, "Dispatch").

Signed by the site's role; a TUF target named ``dispatch/SITE/SEQUENCE.json``. An
empty delivery still has one.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.format import canonical
from airlift.format.answer import Answer, as_table, from_table
from airlift.format.fields import Fields

FORMAT = "airlift/dispatch/1"
LIMIT = 16 << 20
"""Bytes; enough for 170,000 blobs that do not travel again."""
HISTORY = 64
"""Earlier records named by digest, so that a lost delivery cannot hide a fork."""

_TIME = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\dZ", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier delivery to the same site, by sequence and record digest."""

    sequence: int
    sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A blob that a delivery does not carry and the site must hold.

    Attributes:
        sha256: The blob.
        sequence: The earlier delivery to this site that brought it, so that whoever
            lacks it knows what to bring again.
    """

    sha256: Sha256
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSeen:
    """How long the site's log was, and its root, by the newest receipt that was read."""

    size: int
    root: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """One delivery to one site.

    Attributes:
        site: Whom it is for; no other site takes it.
        sequence: 1, 2, 3... per site.
        earlier: Up to 64 earlier deliveries, newest first, without gaps.
        issued: UTC, ``YYYY-MM-DDThh:mm:ssZ``.
        operator: Who made it, as they call themselves.
        releases: Ids of the release documents it brings, sorted.
        needs: Blobs it does not carry and the site must already hold, sorted by
            digest, each once.
        packing_sha256: Digest of the packing list's bytes.
        packing_size: Its length in bytes.
        answer: To the request it was made for; None where it was for none.
        log: Of the site, as it last proved it; None where it never did.
    """

    site: str
    sequence: int
    earlier: tuple[Earlier, ...]
    issued: str
    operator: str
    releases: tuple[Sha256, ...]
    needs: tuple[Need, ...]
    packing_sha256: Sha256
    packing_size: int
    answer: Answer | None = None
    log: LogSeen | None = None


def target_name(site: str, sequence: int) -> str:
    """Return the TUF target name of a dispatch record."""
    return f"dispatch/{site}/{sequence}.json"


def is_time(text: str) -> bool:
    """Say whether *text* is ``YYYY-MM-DDThh:mm:ssZ``, the one spelling of a time."""
    return _TIME.fullmatch(text) is not None


def seen_as_table(seen: LogSeen) -> dict[str, Json]:
    """Return the table of *seen*."""
    return {"size": seen.size, "root": seen.root}


def seen_from_table(entry: Fields) -> LogSeen:
    """Return what *entry* says.

    Raises:
        FormatError: It is no such table.
    """
    entry.exactly("size", "root")
    return LogSeen(size=entry.number("size", least=1), root=entry.sha256("root"))


def encode(record: Dispatch) -> bytes:
    """Return the canonical bytes of *record*."""
    earlier: list[Json] = [
        {"sequence": one.sequence, "sha256": one.sha256} for one in record.earlier
    ]
    needs: list[Json] = [
        {"sha256": one.sha256, "sequence": one.sequence} for one in record.needs
    ]
    # Absent and not null where there is none, as in records from before requests.
    answer = {"answer": as_table(record.answer)} if record.answer else {}
    log = {"log": seen_as_table(record.log)} if record.log else {}
    return canonical.encode(
        {
            "format": FORMAT,
            "site": record.site,
            "sequence": record.sequence,
            "earlier": earlier,
            "issued": record.issued,
            "operator": record.operator,
            "releases": record.releases,
            "needs": needs,
            "packing": {"sha256": record.packing_sha256, "size": record.packing_size},
            **answer,
            **log,
        }
    )


def decode(data: bytes, *, name: str = "dispatch record") -> Dispatch:
    """Return the record that canonical, authenticated *data* states.

    Raises:
        FormatError: It is not a dispatch record this version understands.
    """
    top = Fields(canonical.decode(data, name=name, limit=LIMIT), record=name)
    top.exactly(
        *("format", "site", "sequence", "earlier", "issued", "operator"),
        *("releases", "needs", "packing"),
        *(one for one in ("answer", "log") if top.has(one)),
    )
    top.expect("format", FORMAT)
    packing = top.table("packing")
    packing.exactly("sha256", "size")
    record = Dispatch(
        site=top.text("site"),
        sequence=top.number("sequence", least=1),
        earlier=tuple(_earlier(entry) for entry in top.tables("earlier")),
        issued=top.text("issued"),
        operator=top.text("operator"),
        releases=top.sha256s("releases"),
        needs=tuple(_need(entry) for entry in top.tables("needs")),
        packing_sha256=packing.sha256("sha256"),
        packing_size=packing.number("size"),
        answer=from_table(top.table("answer")) if top.has("answer") else None,
        log=seen_from_table(top.table("log")) if top.has("log") else None,
    )
    _check(top, record)
    return record


def _earlier(entry: Fields) -> Earlier:
    entry.exactly("sequence", "sha256")
    return Earlier(
        sequence=entry.number("sequence", least=1), sha256=entry.sha256("sha256")
    )


def _need(entry: Fields) -> Need:
    entry.exactly("sha256", "sequence")
    return Need(
        sha256=entry.sha256("sha256"), sequence=entry.number("sequence", least=1)
    )


def _check(top: Fields, record: Dispatch) -> None:
    if not naming.is_site(record.site):
        top.refuse("site", f"is not a site name: `{naming.show(record.site)}`")
    if not is_time(record.issued):
        top.refuse("issued", "is not `YYYY-MM-DDThh:mm:ssZ`")
    count = min(HISTORY, record.sequence - 1)
    falling = tuple(range(record.sequence - 1, record.sequence - 1 - count, -1))
    if tuple(one.sequence for one in record.earlier) != falling:
        top.refuse("earlier", f"is not the {count} deliveries before this one")
    if not all(a.sha256 < b.sha256 for a, b in pairwise(record.needs)):
        top.refuse("needs", "is not sorted by `sha256`, each once")
    if any(one.sequence >= record.sequence for one in record.needs):
        top.refuse("needs", f"names a delivery that is not before {record.sequence}")
