"""What people are shown beyond what is live: everything held, and how it came."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from airlift.artifact import ReleaseFile
from airlift.digest import Sha256
from airlift.registry.held import Delivered, Event, Generation, Held
from airlift.registry.overview import Knowledge, Stored
from airlift.registry.reports import Recorded
from airlift.registry.scans import Attached
from airlift.trust.attestation import Judged


class Records(Protocol):
    """A registry, to be looked at. Reads only; cheap; safe from any thread."""

    def mark(self) -> tuple[int, int]:
        """Return what changes whenever anything here does."""
        ...

    def site(self) -> str:
        """Return the name of the site."""
        ...

    def releases(self) -> tuple[Held, ...]:
        """Return all that is held, by kind, name and falling counter."""
        ...

    def files(self, release: Sha256) -> tuple[ReleaseFile, ...]:
        """Return the files of a release in any state, sorted by path."""
        ...

    def deliveries(self) -> tuple[Delivered, ...]:
        """Return recorded deliveries, newest first."""
        ...

    def generations(self, newest: int) -> tuple[Generation, ...]:
        """Return the newest live sets, newest first, without their releases."""
        ...

    def events(self, newest: int) -> tuple[Event, ...]:
        """Return the newest lines of the log, in the order things happened."""
        ...

    def waiting(self, found: Iterable[Held]) -> Mapping[Sha256, str]:
        """Return why those of *found* wait that are in quarantine, in words."""
        ...

    def scans(self) -> tuple[Attached, ...]:
        """Return what scanners said, the oldest first."""
        ...

    def attestations(self, release: Sha256) -> tuple[Judged, ...]:
        """Return what was attested of a release, and what of it is so now."""
        ...

    def stored(self) -> tuple[Stored, ...]:
        """Return how much blobs take by kind and state, each blob counted once."""
        ...

    def knowledge(self) -> Knowledge:
        """Return what the site believes, as far as people ask."""
        ...


class Reports(Protocol):
    """Audits that were recorded here. Reads only; safe from any thread."""

    def recorded(self) -> tuple[Recorded, ...]:
        """Return the evidence packs, the newest first."""
        ...

    def report(self, name: str) -> dict[str, Any] | None:
        """Return the report in a pack; None where this site's key did not sign it."""
        ...

    def pack(self, name: str) -> bytes | None:
        """Return the bytes of a pack; None where there is none of that name."""
        ...
