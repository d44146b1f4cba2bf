"""What the signing side has signed: read, never changed, here."""

from bisect import bisect_left
from collections.abc import Mapping

from airlift import naming
from airlift.artifact import Kind, Release
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.format import dispatch as dispatch_format
from airlift.format import release as release_format
from airlift.format.dispatch import Earlier
from airlift.trust import metadata, records
from airlift.trust.metadata import SiteTargets
from airlift.trust.metadata_set import MetadataSet
from airlift.trust.repository import Repository


class Ledger:
    """Answers questions about a repository of signed records."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def current(self) -> MetadataSet:
        """Return what is in force.

        Raises:
            RequestError: Nothing is yet.
        """
        newest = self._repository.newest()
        if not newest:
            problem = "the first records are not signed by all who must"
            raise RequestError(problem, hint="sign what is pending first")
        return self._repository.load(newest)

    def site(self, site: str) -> SiteTargets:
        """Return what is signed for *site*.

        Raises:
            RequestError: There is no such site.
        """
        held = self.current()
        if site not in held.sites:
            known = ", ".join(f"`{name}`" for name in held.sites) or "none"
            problem = f"there is no site `{naming.show(site)}`; known are {known}"
            raise RequestError(problem, hint="add the site first")
        return held.sites[site].body

    def newest(self, site: str) -> int:
        """Return the sequence of the newest delivery to *site*; 0 before the first.

        Raises:
            RequestError: There is no such site.
        """
        self.site(site)
        return _newest(self.current(), site)

    def latest_release(self, kind: Kind, name: str) -> tuple[Sha256, Release] | None:
        """Return the approved release of *name* with the highest counter, and its id."""
        found: tuple[Sha256, Release] | None = None
        for target in self.current().targets.body.targets.values():
            one = release_format.decode(self._repository.release(target.sha256))
            if (one.kind, one.name) == (kind, name) and (
                found is None or one.counter > found[1].counter
            ):
                found = (target.sha256, one)
        return found

    def deliveries(self, site: str) -> tuple[Earlier, ...]:
        """Return the deliveries made to *site*, newest first: the last 65 at most.

        Raises:
            RequestError: There is no such site.
        """
        found = self.site(site).targets
        for name, target in found.items():
            data = self._repository.dispatch(site, _sequence_of(name))
            record = dispatch_format.decode(data)
            newest = Earlier(sequence=record.sequence, sha256=target.sha256)
            return (newest, *record.earlier)
        return ()

    def delivered(self, site: str, sequence: int) -> Mapping[str, bytes]:
        """Return the files of records of a delivery made before, as they were then.

        Raises:
            RequestError: There is no such site or delivery.
            StoreError: The folder is damaged.
        """

        def reached(version: int) -> int:
            return _newest(self._repository.load(version), site)

        versions = range(1, self._repository.newest() + 1)
        at = bisect_left(versions, sequence, key=reached)
        self.site(site)
        if sequence < 1 or at == len(versions) or reached(versions[at]) != sequence:
            problem = f"there is no delivery {sequence} to site `{site}`"
            raise RequestError(problem)
        return self.travelling(self._repository.load(versions[at]), site)

    def travelling(self, made: MetadataSet, site: str) -> Mapping[str, bytes]:
        """Return what travels with the delivery that *made* has for *site*.

        Args:
            made: A signed set; its newest root and below need not be written yet.
            site: A site it has a delivery for.

        Raises:
            StoreError: The folder is damaged.
        """
        sequence, root = _newest(made, site), made.root.body.version
        data = self._repository.dispatch(site, sequence)
        record = dispatch_format.decode(data)
        travelling = {
            records.metadata_name(metadata.ROOT, version): self._repository.metadata(
                metadata.ROOT, version
            )
            for version in range(1, root)
        }
        others = {metadata.site_role(name) for name in made.sites if name != site}
        for role, document in made.documents():
            if role not in others:
                name = records.metadata_name(role, document.body.version)
                travelling[name] = metadata.encode(document)
        travelling[records.dispatch_name(site, sequence)] = data
        travelling[records.PACKING] = self._repository.packing(site, sequence)
        for release_id in record.releases:
            document_bytes = self._repository.release(release_id)
            travelling[records.release_name(release_id)] = document_bytes
        return dict(sorted(travelling.items()))


def _newest(held: MetadataSet, site: str) -> int:
    if site not in held.sites:
        return 0
    return max(
        (_sequence_of(name) for name in held.sites[site].body.targets), default=0
    )


def _sequence_of(target: str) -> int:
    return int(target.rpartition("/")[2].removesuffix(".json"))
