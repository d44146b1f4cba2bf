"""The signing side: makes, signs and keeps every version of what sites believe.

A change is real once everybody has signed whose signature it needs; until then it is
pending, and nothing else can change. What a delivery takes along is verified with the
site's own verifier before it is put in force: no bundle leaves that a site with a
sound clock would refuse.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from airlift import naming
from airlift.artifact import Kind, Release
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.format import dispatch as dispatch_format
from airlift.format import release as release_format
from airlift.format.dispatch import Earlier
from airlift.trust import denials, draft, metadata, revision, revocation, succession
from airlift.trust import policy as policies
from airlift.trust.denials import Denial, DenyList
from airlift.trust.draft import Draft
from airlift.trust.keys import UnlockedKey
from airlift.trust.ledger import Ledger
from airlift.trust.metadata import SiteTargets, Targets
from airlift.trust.plan import Lives, RolePlan, Site, paired_quorum
from airlift.trust.public import PublicKey
from airlift.trust.quorum import Quorum
from airlift.trust.repository import Repository, packing_path
from airlift.trust.request import Request, prove
from airlift.trust.revision import Change, Terms


class Publisher:
    """One signing side in one folder; see ``create`` and ``open``.

    Every method with *signers* puts the change in force if they suffice; else it keeps
    it pending and raises a RequestError that names who is needed. *now* is a time.
    """

    def __init__(self, repository: Repository, lives: Lives) -> None:
        self._repository, self._lives = repository, lives
        self._ledger = Ledger(repository)

    @classmethod
    def create(
        cls, folder: Path, *, plan: RolePlan, signers: Sequence[UnlockedKey], now: str
    ) -> "Publisher":
        """Begin in *folder*, which must be empty or absent.

        Raises:
            RequestError: It is not empty, the plan cannot be met, or more people must
                sign: the folder is made then, and ``open`` and ``sign_pending`` go on.
            StoreError: The disk refuses.
        """
        first = Draft(before=None, after=revision.first(plan, now))
        repository = Repository(folder)
        repository.lay_out(plan.lives)
        made = cls(repository, plan.lives)
        with repository.locked():
            made._advance(first, signers, now)
        return made

    @classmethod
    def open(cls, folder: Path) -> "Publisher":
        """Go on in *folder*.

        Raises:
            RequestError: ``create`` never ran there.
            FormatError, StoreError: Its settings are damaged, or cannot be read.
        """
        repository = Repository(folder)
        return cls(repository, repository.lives())

    def root_bytes(self) -> bytes:
        """Return the newest root: what a new site accepts by its fingerprint."""
        return metadata.encode(self._ledger.current().root)

    def sites(self) -> tuple[Site, ...]:
        """Return the sites in order of their names."""
        found = self._ledger.current().targets.body.sites
        return tuple(
            Site(name=name, keys=found[name].keys, threshold=found[name].threshold)
            for name in sorted(found)
        )

    def dispatchers(self) -> Quorum:
        """Return the keys that sign deliveries to sites without keys of their own."""
        return self._ledger.current().root.body.roles[metadata.SNAPSHOT]

    def cataloguers(self) -> Quorum | None:
        """Return whose keys sign catalogues; None where nobody's do."""
        return self._ledger.current().targets.body.catalogue

    def expiries(self) -> Mapping[str, str]:
        """Return when each role's document expires."""
        made = self._ledger.current().documents()
        return {role: document.body.expires for role, document in made}

    def add_site(
        self,
        name: str,
        keys: Sequence[PublicKey],
        threshold: int,
        signers: Sequence[UnlockedKey],
        now: str,
    ) -> None:
        """Let *threshold* people of *keys* sign deliveries to the site *name*.

        Again alike changes nothing; with other keys, the old ones count no longer.

        Raises:
            RequestError: The name or threshold is no good, or more people must sign.
            StoreError: The disk refuses.
        """
        if not naming.is_site(name):
            problem = f"`{naming.show(name)}` cannot be a site's name"
            raise RequestError(problem, hint="use 1 to 32 of a-z, 0-9 and -")
        wanted = paired_quorum(tuple(keys), threshold, f"keys of site `{name}`")

        def added(targets: Targets) -> Targets:
            return replace(targets, sites={**targets.sites, name: wanted})

        self._amend(added, signers, now)

    def set_catalogue(
        self, wanted: Quorum, signers: Sequence[UnlockedKey], now: str
    ) -> None:
        """Let *wanted* sign catalogues; sites learn of it with their next delivery.

        Raises:
            RequestError: A key has a say elsewhere, or more people must sign.
        """
        self._amend(lambda one: replace(one, catalogue=wanted), signers, now)

    def policy(self, site: str) -> bytes:
        """Return the policy of a site that was signed last; empty where there is none.

        Raises:
            StoreError: The folder is damaged.
        """
        return self._ledger.policy(site)

    def set_policy(
        self, document: bytes, signers: Sequence[UnlockedKey], now: str
    ) -> None:
        """Put the policy *document* in force at its site, from the next delivery on.

        Raises:
            FormatError: It is no policy.
            RequestError: There is no such site, or more people must sign.
            TrustError: Its version does not follow the one signed last.
            StoreError: The disk refuses.
        """
        wanted = policies.decode(document)
        self._ledger.site(wanted.site)
        name = metadata.policy_target(wanted.site, wanted.version)

        def amended(targets: Targets) -> Targets:
            return succession.amended(targets, self.policy(wanted.site), document)

        self._amend(amended, signers, now, {name: document})

    def denials(self) -> DenyList:
        """Return the deny list that was signed last; StoreError as ``policy``."""
        return self._ledger.denials()

    def deny(
        self, entries: Sequence[Denial], signers: Sequence[UnlockedKey], now: str
    ) -> None:
        """Put *entries* on the deny list; sites learn of it with their next delivery.

        Raises:
            RequestError: A key among them still has a say, or more people must sign.
            StoreError: The disk refuses.
        """
        before = self._ledger.denials()
        if (listed := before.grown(entries, now=now)) != before:
            revocation.refuse_keys(self._ledger.current(), listed)
            name, data = metadata.deny_target(listed.version), denials.encode(listed)
            made = partial(revocation.amended, document=data)
            self._amend(made, signers, now, {name: data})

    def rotate(self, plan: RolePlan, signers: Sequence[UnlockedKey], now: str) -> None:
        """Put the keys and thresholds of *plan* in the place of those in force.

        The new root is signed by enough of the old approvers and of the new. Sites
        that had the dispatchers' keys get the new dispatchers'. The lives of documents
        stay as they were set up. With the keys of old, it renews the root.

        Raises:
            RequestError: The plan cannot be met, or more people must sign.
            StoreError: The disk refuses.
        """
        with self._repository.locked():
            current = self._ledger.current()
            change = revision.rotated(current, plan, self._lives, now)
            self._revise(change, signers, now)

    def renew(self, signers: Sequence[UnlockedKey], now: str) -> None:
        """Sign anew what has expired, and what soon will if *signers* suffice.

        Raises:
            RequestError: The root has expired, or more people must sign.
            StoreError: The disk refuses.
        """
        with self._repository.locked():
            self._revise(Change(), signers, now)

    def latest_release(self, kind: Kind, name: str) -> tuple[Sha256, Release] | None:
        """Return the approved release of *name* with the highest counter, and its id."""
        return self._ledger.latest_release(kind, name)

    def release(self, release_id: Sha256) -> Release:
        """Return a release that was approved once; StoreError where none was."""
        return self._ledger.release(release_id)

    def deliveries(self, site: str) -> tuple[Earlier, ...]:
        """Return the deliveries made to *site*, newest first: the last 65 at most.

        Raises:
            RequestError: There is no such site.
        """
        return self._ledger.deliveries(site)

    def delivered(self, site: str, sequence: int) -> Mapping[str, bytes]:
        """Return the files of records of a delivery made before, as they were then.

        Raises:
            RequestError: There is no such site or delivery.
            StoreError: The folder is damaged.
        """
        return self._ledger.proven(site, sequence)

    def publish(  # noqa: PLR0913 - what a delivery is made of; all but site are bytes
        self,
        *,
        site: str,
        releases: Sequence[bytes],
        dispatch: bytes,
        packing: bytes,
        signers: Sequence[UnlockedKey],
        now: str,
    ) -> Mapping[str, bytes]:
        """Sign a delivery, and return every file of records that travels with it.

        Asked again for the same dispatch record, it signs nothing and returns the same
        files: a run that was killed can be repeated.

        Args:
            site: Whom it is for.
            releases: Documents of the releases it brings; those approved before may
                be left out.
            dispatch: The dispatch record.
            packing: The packing list.
            signers: The keys at hand.
            now: The clock.

        Returns:
            Bytes by name below ``airlift/`` in a volume.

        Raises:
            RequestError: The record is not the next one for the site, a release is
                not the next of its name, or more people must sign.
            FormatError: The record or a release document is not one.
            StoreError: The disk refuses.
        """
        documents = {release_format.identify(one): one for one in releases}
        request = Request(
            site=site,
            record=dispatch_format.decode(dispatch),
            dispatch=dispatch,
            packing=packing,
            releases=documents,
        )
        with self._repository.locked():
            if not self._ledger.was_made(request):
                self._deliver(request, signers, now)
            return self.delivered(site, request.record.sequence)

    def pending(self) -> Draft | None:
        """Return the change that lacks signatures, or None."""
        found = self._repository.pending()
        current = self._ledger.current() if self._repository.newest() else None
        # One that starts from something else was put in force, and the run killed
        # before its file was removed.
        return found if found and found.before == current else None

    def export_pending(self) -> bytes:
        """Return what is pending as one file, to be signed on another machine.

        Raises:
            RequestError: Nothing is pending.
        """
        return draft.encode(draft.needed(self.pending()))

    def sign_pending(self, signers: Sequence[UnlockedKey], now: str) -> None:
        """Add the signatures of *signers* to what is pending.

        Raises:
            RequestError: Nothing is pending, or more people must sign.
        """
        with self._repository.locked():
            self._advance(draft.needed(self.pending()), signers, now)

    def import_pending(self, data: bytes, now: str) -> None:
        """Take over the signatures in *data*, an exported file signed elsewhere.

        Raises:
            RequestError: It is about something else, or more people must sign.
            FormatError: It is not such a file.
            TrustError: A signature in it is not valid.
        """
        with self._repository.locked():
            merged = draft.merge(draft.needed(self.pending()), draft.decode(data))
            self._advance(merged, (), now)

    def discard_pending(self) -> None:
        """Give up what is pending."""
        with self._repository.locked():
            self._repository.discard()

    def _deliver(
        self, request: Request, signers: Sequence[UnlockedKey], now: str
    ) -> None:
        site, record = request.site, request.record
        target = dispatch_format.target_name(site, record.sequence)
        wanted = {target: request.target}
        pending = self.pending()
        if pending and pending.after.sites[site].body.targets == wanted:
            self._advance(pending, signers, now)
            return
        targets = self._ledger.current().targets.body
        request.check(self.deliveries(site), targets, now)
        revocation.refuse(self._ledger.documents(request), self._ledger.denials())
        approved = request.approved(targets, self.latest_release)
        change = Change(
            targets=replace(targets, targets=approved),
            sites={site: SiteTargets(version=1, expires=now, targets=wanted)},
        )
        draft.need_none(self.pending())
        for release_id, document in request.releases.items():
            self._repository.keep(metadata.release_target(release_id), document)
        self._repository.keep(packing_path(site, record.sequence), request.packing)
        self._repository.keep(target, request.dispatch)
        self._revise(change, signers, now, request.releases)

    def _amend(
        self,
        change: Callable[[Targets], Targets],
        signers: Sequence[UnlockedKey],
        now: str,
        kept: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        """Change what the targets role says; *kept* are records it vouches for then."""
        with self._repository.locked():
            before = self._ledger.current().targets.body
            if (after := change(before)) == before:
                return
            draft.need_none(self.pending())
            for name, data in kept.items():
                self._repository.keep(name, data)
            self._revise(Change(targets=after), signers, now)

    def _revise(
        self,
        change: Change,
        signers: Sequence[UnlockedKey],
        now: str,
        releases: Mapping[Sha256, bytes] | None = None,
    ) -> None:
        draft.need_none(self.pending())
        current = self._ledger.current()
        root = change.root or current.root.body
        if root.expires <= now:
            problem = f"the root expired on {root.expires}"
            raise RequestError(problem, hint="renew it with the keys of its approvers")
        able = frozenset(key.public.key_id for key in signers)
        terms = Terms(now=now, lives=self._lives, able=able)
        after = revision.revise(current, change, terms)
        revision.check_apart(after)
        revocation.refuse_keys(after, self._ledger.denials())
        if after != current:
            made = self._ledger.drafted(after, releases or {})
            self._advance(made, signers, now)

    def _advance(
        self, pending: Draft, signers: Sequence[UnlockedKey], now: str
    ) -> None:
        signed = draft.sign(pending, signers)
        if signed.lacking():
            self._repository.keep_pending(signed)
        made = draft.finish(signed)
        if signed.site is not None:
            travelling = self._ledger.travelling(made, signed.site)
            prove(travelling, signed.site, now)
        self._repository.commit(made)
