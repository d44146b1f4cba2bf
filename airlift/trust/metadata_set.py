"""The five documents that belong together, and who must have signed which."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from airlift.trust import metadata
from airlift.trust.metadata import (
    Document,
    Edition,
    Root,
    SiteTargets,
    Snapshot,
    Targets,
    Timestamp,
)
from airlift.trust.quorum import Quorum

AnyDocument = (
    Document[Root]
    | Document[Targets]
    | Document[SiteTargets]
    | Document[Snapshot]
    | Document[Timestamp]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataSet:
    """What is signed at one moment.

    Attributes:
        sites: By the site's name; on the isolated side only the site's own.
    """

    root: Document[Root]
    targets: Document[Targets]
    sites: Mapping[str, Document[SiteTargets]]
    snapshot: Document[Snapshot]
    timestamp: Document[Timestamp]

    def documents(self) -> Iterator[tuple[str, AnyDocument]]:
        """Yield each document with its role, in the order they build on each other."""
        yield metadata.ROOT, self.root
        yield metadata.TARGETS, self.targets
        for site in sorted(self.sites):
            yield metadata.site_role(site), self.sites[site]
        yield metadata.SNAPSHOT, self.snapshot
        yield metadata.TIMESTAMP, self.timestamp

    def quorum(self, role: str) -> Quorum:
        """Return whose signatures a document of *role* needs."""
        roles = self.root.body.roles
        if role in roles:
            return roles[role]
        return self.targets.body.sites[role.removeprefix(metadata.SITE_PREFIX)]

    def editions(self) -> dict[str, Edition]:
        """Return what the snapshot must name: all but itself and the timestamp."""
        return {
            role: metadata.edition(document.body)
            for role, document in self.documents()
            if role not in (metadata.SNAPSHOT, metadata.TIMESTAMP)
        }
