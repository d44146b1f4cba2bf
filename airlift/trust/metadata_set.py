"""The five documents that belong together, and who must have signed which."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from airlift.trust import metadata
from airlift.trust.metadata import (
    AnyDocument,
    B,
    Document,
    Edition,
    Root,
    SiteTargets,
    Snapshot,
    Targets,
    Timestamp,
)
from airlift.trust.public import PublicKey
from airlift.trust.quorum import Quorum


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

    def overreaching(self) -> PublicKey | None:
        """Return a key of catalogues that has a say in anything else, if there is one.

        The host that asks the internet every week has it at hand: whoever takes that
        host over must not be able to sign what is delivered.
        """
        body = self.targets.body
        if body.catalogue is None:
            return None
        others = [*self.root.body.roles.values(), *body.sites.values()]
        taken = {key_id for one in others for key_id in one.by_id}
        return next((key for key in body.catalogue.keys if key.key_id in taken), None)

    def editions(self) -> dict[str, Edition]:
        """Return what the snapshot must name: all but itself and the timestamp."""
        return {
            role: metadata.edition(document.body)
            for role, document in self.documents()
            if role not in (metadata.SNAPSHOT, metadata.TIMESTAMP)
        }

    def with_signatures(
        self, signatures: Mapping[str, Mapping[str, str]]
    ) -> "MetadataSet":
        """Return the same documents, those in *signatures* (by role) signed by it."""

        def signed(role: str, document: Document[B]) -> Document[B]:
            return replace(
                document, signatures=signatures.get(role, document.signatures)
            )

        return MetadataSet(
            root=signed(metadata.ROOT, self.root),
            targets=signed(metadata.TARGETS, self.targets),
            sites={
                site: signed(metadata.site_role(site), document)
                for site, document in self.sites.items()
            },
            snapshot=signed(metadata.SNAPSHOT, self.snapshot),
            timestamp=signed(metadata.TIMESTAMP, self.timestamp),
        )
