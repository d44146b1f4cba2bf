"""What is denied neither leaves nor is built on."""

from collections.abc import Iterable, Iterator, Mapping

from airlift.artifact import Release
from airlift.format import release
from airlift.trust import revocation
from airlift.trust.denials import DenyList
from airlift.trust.publisher import Publisher

_RELEASES = "records/releases/"


def refuse(publisher: Publisher, records: Mapping[str, bytes]) -> None:
    """Return if nothing that an earlier delivery brings was denied since.

    Args:
        publisher: Knows what is denied.
        records: Every file of records of the delivery.

    Raises:
        RequestError: Something was: its volumes must not be written again.
    """
    documents = [data for name, data in records.items() if name.startswith(_RELEASES)]
    revocation.refuse(documents, publisher.denials())


def allowed(releases: Iterable[Release], listed: DenyList) -> Iterator[Release]:
    """Yield those of *releases* that *listed* does not deny."""
    for one in releases:
        if not listed.entries or not listed.of(
            release.identify(release.encode(one)), one
        ):
            yield one
