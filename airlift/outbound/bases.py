"""Bases: what a site holds, by the deliveries that the operator says are there.

The connected side cannot look. It builds on a delivery only when told to, names in the
signed record each blob it counts on and the delivery that brought it, and the site
refuses the whole before anything changes if one is not there.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from airlift import naming
from airlift.artifact import Release, ReleaseFile
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.format import dispatch, packing, release
from airlift.outbound.ledger import Ledger
from airlift.trust import records
from airlift.trust.publisher import Publisher

NONE, LAST, ALL = "none", "last", "all"
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
    """Say whether *text* is ``none``, ``last``, ``all`` or ``SEQUENCE[,SEQUENCE...]``."""
    return text in (NONE, LAST, ALL) or _NUMBERS.fullmatch(text) is not None


def choose(text: str, ledger: Ledger, site: str) -> tuple[int, ...]:
    """Return the deliveries to *site* that *text* names, newest first.

    Raises:
        RequestError: It names none that was ever written.
    """
    if text == NONE:
        return ()
    if not is_choice(text):
        problem = f"`{naming.show(text)}` does not say what to build on"
        hint = "give last, all, none, or numbers of deliveries such as 3,7"
        raise RequestError(problem, hint=hint)
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
            hint = f"written for it: {shown}"
            raise RequestError(problem, hint=hint)
    return tuple(wanted)


def held(publisher: Publisher, site: str, sequences: Iterable[int]) -> Holdings:
    """Return what *site* holds if it took the deliveries *sequences*, newest first.

    Only files of their releases count: what they were built on themselves may have
    been collected since.

    Raises:
        StoreError: The records of one are damaged.
    """
    brought: dict[Sha256, int] = {}
    files: list[tuple[ReleaseFile, Release]] = []
    for sequence in sequences:
        data = publisher.delivered(site, sequence)
        carriers = _carriers(data, site, sequence)
        for one in _releases(data):
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


def _releases(data: Mapping[str, bytes]) -> Iterator[Release]:
    for name, document in sorted(data.items()):
        if name.startswith("records/releases/"):
            yield release.decode(document, name=name)
