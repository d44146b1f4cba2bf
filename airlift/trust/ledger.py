"""What the signing side has signed: read, never changed, here."""

from bisect import bisect_left
from collections.abc import Mapping

from airlift import naming
from airlift.artifact import Kind, Release
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, RequestError, StoreError, TrustError
from airlift.format import dispatch as dispatch_format
from airlift.format import release as release_format
from airlift.format.dispatch import Earlier
from airlift.trust import denials, metadata, records
from airlift.trust.denials import DenyList
from airlift.trust.draft import Draft
from airlift.trust.metadata import SiteTargets, Targets, newest_sequence
from airlift.trust.metadata_set import MetadataSet
from airlift.trust.repository import RESTORE, Repository
from airlift.trust.request import Request, prove


class Ledger:
    """Answers questions about a repository of signed records."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._held: tuple[int, MetadataSet] | None = None
        self._heads: tuple[Targets, dict[tuple[Kind, str], Sha256]] | None = None

    def current(self) -> MetadataSet:
        """Return what is in force.

        Raises:
            RequestError: Nothing is yet.
        """
        newest = self._repository.newest()
        if not newest:
            problem = "the first records are not signed by all who must"
            raise RequestError(problem, hint="sign what is pending first")
        # What was signed never changes, so one version is read once.
        if self._held is None or self._held[0] != newest:
            self._held = newest, self._repository.load(newest)
        return self._held[1]

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

    def policy(self, site: str) -> bytes:
        """Return the policy of a site that was signed last; empty where there is none.

        Raises:
            StoreError: The folder is damaged.
        """
        found = self.current().targets.body.policies.get(site)
        return self._repository.policy(site, found.version) if found else b""

    def denials(self) -> DenyList:
        """Return the deny list that was signed last.

        Raises:
            StoreError: The folder is damaged.
        """
        found = self.current().targets.body.denials
        if found is None:
            return denials.NOTHING
        return denials.decode(self._repository.denials(found.version))

    def newest(self, site: str) -> int:
        """Return the sequence of the newest delivery to *site*; 0 before the first.

        Raises:
            RequestError: There is no such site.
        """
        self.site(site)
        return newest_sequence(self.current().sites[site].body)

    def latest_release(self, kind: Kind, name: str) -> tuple[Sha256, Release] | None:
        """Return the approved release of *name* with the highest counter, and its id."""
        targets = self.current().targets.body
        if self._heads is None or self._heads[0] != targets:
            self._heads = targets, self._find_heads(targets)
        release_id = self._heads[1].get((kind, name))
        if release_id is None:
            return None
        return release_id, release_format.decode(self._repository.release(release_id))

    def releases(self) -> tuple[Release, ...]:
        """Return every approved release, by kind and name, the highest counter first.

        Raises:
            RequestError: Nothing is in force yet.
            StoreError: The folder is damaged.
        """
        targets = self.current().targets.body.targets.values()
        found = [
            release_format.decode(self._repository.release(one.sha256))
            for one in targets
        ]
        return tuple(
            sorted(found, key=lambda one: (one.kind.value, one.name, -one.counter))
        )

    def release(self, release_id: Sha256) -> Release:
        """Return a release that was approved once.

        Raises:
            StoreError: There is none of this id, or the folder is damaged.
        """
        return release_format.decode(self._repository.release(release_id))

    def _find_heads(self, targets: Targets) -> dict[tuple[Kind, str], Sha256]:
        best: dict[tuple[Kind, str], tuple[int, Sha256]] = {}
        for target in targets.targets.values():
            one = release_format.decode(self._repository.release(target.sha256))
            entry = (one.counter, target.sha256)
            best[one.kind, one.name] = max(best.get((one.kind, one.name), entry), entry)
        return {key: release_id for key, (_, release_id) in best.items()}

    def deliveries(self, site: str) -> tuple[Earlier, ...]:
        """Return the deliveries made to *site*, newest first: the last 65 at most.

        Raises:
            RequestError: There is no such site.
        """
        found = self.site(site)
        if not found.targets:
            return ()
        data = self._repository.dispatch(site, newest_sequence(found))
        record = dispatch_format.decode(data)
        newest = Earlier(sequence=record.sequence, sha256=sha256(data))
        return (newest, *record.earlier)

    def drafted(self, after: MetadataSet, releases: Mapping[Sha256, bytes]) -> Draft:
        """Return the change from what is in force to *after*, with what to show of it.

        Args:
            after: What is to be; a new deny list that it names is written already.
            releases: Documents of new releases by id.

        Raises:
            StoreError: The folder is damaged.
        """
        current, named = self.current(), after.targets.body.denials
        fresh = named if named != current.targets.body.denials else None
        return Draft(
            before=current,
            after=after,
            releases=releases,
            denials=self._repository.denials(fresh.version) if fresh else b"",
        )

    def documents(self, request: Request) -> tuple[bytes, ...]:
        """Return the documents of the releases of a delivery that is asked for.

        Raises:
            StoreError: The folder is damaged.
        """
        given = request.releases
        return tuple(
            given[one] if one in given else self._repository.release(one)
            for one in request.record.releases
        )

    def was_made(self, request: Request) -> bool:
        """Say whether the delivery that is asked for was signed before.

        Raises:
            RequestError: Another one of its number was.
        """
        newest, sequence = self.newest(request.site), request.record.sequence
        if sequence > newest:
            return False
        if self._repository.dispatch(request.site, sequence) != request.dispatch:
            problem = f"delivery {sequence} to site `{request.site}` was made already"
            raise RequestError(problem, hint=f"the next has sequence {newest + 1}")
        return True

    def proven(self, site: str, sequence: int) -> Mapping[str, bytes]:
        """Return what ``delivered`` does, once a site with a sound clock believes it.

        Raises:
            RequestError: There is no such site or delivery.
            StoreError: The folder is damaged.
        """
        travelling = self.delivered(site, sequence)
        data = travelling[records.dispatch_name(site, sequence)]
        try:
            prove(travelling, site, dispatch_format.decode(data).issued)
        except (FormatError, TrustError) as error:
            problem = f"the records of delivery {sequence} are damaged: {error}"
            raise StoreError(problem, hint=RESTORE) from error
        return travelling

    def delivered(self, site: str, sequence: int) -> Mapping[str, bytes]:
        """Return the files of records of a delivery made before, as they were then.

        Raises:
            RequestError: There is no such site or delivery.
            StoreError: The folder is damaged.
        """

        def reached(version: int) -> int:
            return self._repository.sequence(site, version)

        self.site(site)
        versions = range(1, self._repository.newest() + 1)
        # Sequences only rise, so the set that a delivery was made with is the first
        # that has reached it.
        at = bisect_left(versions, sequence, key=reached)
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
        sequence = newest_sequence(made.sites[site].body)
        data = self._repository.dispatch(site, sequence)
        record = dispatch_format.decode(data)
        travelling = {
            records.metadata_name(metadata.ROOT, version): self._repository.metadata(
                metadata.ROOT, version
            )
            for version in range(1, made.root.body.version)
        }
        others = {metadata.site_role(name) for name in made.sites if name != site}
        for role, document in made.documents():
            if role not in others:
                name = records.metadata_name(role, document.body.version)
                travelling[name] = metadata.encode(document)
        travelling[records.dispatch_name(site, sequence)] = data
        travelling[records.PACKING] = self._repository.packing(site, sequence)
        if policy := made.targets.body.policies.get(site):
            name = records.policy_name(site, policy.version)
            travelling[name] = self._repository.policy(site, policy.version)
        if denied := made.targets.body.denials:
            name = records.deny_name(denied.version)
            travelling[name] = self._repository.denials(denied.version)
        for release_id in record.releases:
            document_bytes = self._repository.release(release_id)
            travelling[records.release_name(release_id)] = document_bytes
            if not release_format.has_attestations(document_bytes):
                continue  # to decode 100,000 files for that took a second
            for one in release_format.decode(document_bytes).attestations:
                data = self._repository.attestation(one.sha256)
                travelling[records.attestation_name(one.sha256)] = data
        return dict(sorted(travelling.items()))
