"""Bases: what a site holds, by the deliveries that the operator says are there.

The connected side cannot look. It builds on a delivery only when told to: by the
operator, or by what the site itself confirmed. It names in the signed record each blob it
counts on and the delivery that brought it, and the site refuses the whole before anything
changes if one is not there.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from airlift import naming
from airlift.artifact import Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.format import dispatch, packing, release
from airlift.outbound import denied
from airlift.outbound.ledger import Entry, Ledger
from airlift.outbound.standing import Confirmed
from airlift.trust import records
from airlift.trust.publisher import Publisher

NONE, LAST, ALL = "none", "last", "all"
CONFIRMED, ANCHOR = "confirmed", "anchor"
WORDS = (CONFIRMED, ANCHOR, LAST, ALL, NONE)
_NUMBERS = re.compile(r"[1-9]\d{0,15}(?:,[1-9]\d{0,15})*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What a site holds of some deliveries.

    Attributes:
        brought: For each blob the delivery that carried it there.
        files: Every file with its release, of the newest delivery first.
    """

    brought: Mapping[Sha256, int] = field(default_factory=dict)
    files: tuple[tuple[ReleaseFile, Release], ...] = ()


def is_choice(text: str) -> bool:
    """Say whether *text* is one of ``WORDS`` or ``SEQUENCE[,SEQUENCE...]``."""
    return text in WORDS or _NUMBERS.fullmatch(text) is not None


def holdings(text: str, ledger: Ledger, publisher: Publisher, site: str) -> Holdings:
    """Return what a delivery to *site* may count on, by the choice *text*.

    Raises:
        RequestError: It names nothing that was ever written, or confirmed.
        StoreError: The records of a delivery are damaged.
    """
    sequences = choose(text, ledger, site)
    if not (said := _counted(text, ledger, site)):
        return held(publisher, site, sequences)
    # Of these deliveries the site may have lost or collected some since: it said what
    # is there.
    found = held(publisher, site, sequences, only=frozenset(said.state.releases))
    lost = frozenset(said.state.lacking)
    return Holdings(
        brought={one: found.brought[one] for one in found.brought if one not in lost},
        files=tuple(one for one in found.files if one[0].sha256 not in lost),
    )


def choose(text: str, ledger: Ledger, site: str) -> tuple[int, ...]:
    """Return the deliveries to *site* that *text* names, newest first.

    Raises:
        RequestError: It names none that was ever written.
    """
    if text == NONE:
        return ()
    if not is_choice(text):
        problem = f"`{naming.show(text)}` does not say what to build on"
        hint = f"give {', '.join(WORDS)}, or numbers of deliveries such as 3,7"
        raise RequestError(problem, hint=hint)
    if said := _counted(text, ledger, site):
        return _brought(said, ledger, site)
    if text == ANCHOR:
        return (anchor(ledger, site).sequence,)
    return _written(text, ledger, site)


def _written(text: str, ledger: Ledger, site: str) -> tuple[int, ...]:
    written = ledger.written(site)
    if text in (LAST, ALL):
        if not written:
            problem = f"there is no delivery to {site} to build on yet"
            raise RequestError(problem, hint="leave --build-on out")
        return written[:1] if text == LAST else written
    wanted = sorted({int(one) for one in text.split(",")}, reverse=True)
    for one in wanted:
        if one not in written:
            problem = f"delivery {one} to {site} was never written"
            shown = ", ".join(map(str, written[:10])) or "none"
            raise RequestError(problem, hint=f"written for it: {shown}")
    return tuple(wanted)


def anchor(ledger: Ledger, site: str) -> Entry:
    """Return the newest delivery to *site* that carries everything.

    Raises:
        RequestError: There is none.
    """
    if anchors := _anchors(ledger, site):
        return anchors[-1]
    problem = f"no anchor was ever written for {site}"
    hint = "make one: `airlift export MANIFEST --anchor --to FOLDER`"
    raise RequestError(problem, hint=hint)


def _anchors(ledger: Ledger, site: str) -> tuple[Entry, ...]:
    return tuple(one for one in ledger.entries(site) if one.anchor and one.written)


def _counted(text: str, ledger: Ledger, site: str) -> Confirmed | None:
    """Return what *site* said that it holds, where that is to be counted on.

    What it said after the last anchor left is as good as one, and certain.
    """
    if text not in (CONFIRMED, ANCHOR):
        return None
    standing = ledger.standing(site)
    said = standing.confirmed
    if text == CONFIRMED and standing.doubt:
        problem = f"what {site} holds is in doubt since {standing.doubt.time}:"
        problem += f" it said {standing.doubt.code}, which nothing explains"
        raise RequestError(problem, hint="read its receipt, or export with --anchor")
    if text == CONFIRMED and not (said and said.state.sequence):
        problem = f"{site} has confirmed nothing yet"
        hint = "read its receipt (`airlift receipt read FILE`), or build on none"
        raise RequestError(problem, hint=hint)
    if text == ANCHOR and said:
        anchors = _anchors(ledger, site)
        newest = anchors[-1].sequence if anchors else 1
        return said if said.state.sequence >= newest else None
    return said


def _brought(said: Confirmed, ledger: Ledger, site: str) -> tuple[int, ...]:
    """Return the deliveries that brought what *site* said it holds, newest first."""
    left, found = set(said.state.releases), []
    for one in reversed(ledger.entries(site)):
        if said.took(one.sequence) and left & set(one.record.releases):
            left -= set(one.record.releases)
            found.append(one.sequence)
    return tuple(found)


def held(
    publisher: Publisher,
    site: str,
    sequences: Iterable[int],
    *,
    only: Collection[Sha256] | None = None,
) -> Holdings:
    """Return what *site* holds if it took the deliveries *sequences*, newest first.

    Only files of their releases count: what they were built on themselves may have
    been collected since. So may what is denied.

    Args:
        publisher: Where their records are.
        site: Whose.
        sequences: The deliveries.
        only: Ids of the releases that count; None for all of theirs.

    Raises:
        StoreError: The records of one are damaged.
    """
    brought: dict[Sha256, int] = {}
    files: list[tuple[ReleaseFile, Release]] = []
    listed = publisher.denials()
    for sequence in sequences:
        data = publisher.delivered(site, sequence)
        carriers = _carriers(data, site, sequence)
        for one in denied.allowed(_releases(data, only), listed):
            for file in one.files:
                if file.sha256 in carriers and file.sha256 not in brought:
                    brought[file.sha256] = carriers[file.sha256]
                    files.append((file, one))
    return Holdings(brought=brought, files=tuple(files))


def _carriers(
    data: Mapping[str, bytes], site: str, sequence: int
) -> Mapping[Sha256, int]:
    record = dispatch.decode(data[records.dispatch_name(site, sequence)])
    listing = packing.decode(data[records.PACKING])
    earlier = {one.sha256: one.sequence for one in record.needs}
    return earlier | {blob.sha256: sequence for blob in listing.blobs}


def _releases(
    data: Mapping[str, bytes], only: Collection[Sha256] | None
) -> Iterator[Release]:
    for name, document in sorted(data.items()):
        wanted = only is None or sha256(document) in only
        if wanted and name.startswith("records/releases/"):
            yield release.decode(document, name=name)
