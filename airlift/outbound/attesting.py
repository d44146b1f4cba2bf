"""What is attested of releases that leave: made once, kept, and used again.

A statement has a time and a signature in it, so no two are alike, while the same lock
is to give the same release. So what was attested of a release stays with it until
something else is to be said, and an export that was broken off goes on with the
attestations that it had made.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from airlift import naming
from airlift.artifact import Attested, Release, ReleaseFile, Signatory
from airlift.digest import Sha256
from airlift.errors import FormatError
from airlift.format import canonical, dsse, oms, predicates, release
from airlift.format import statement as statements
from airlift.format.fields import Fields
from airlift.format.predicates import Making
from airlift.format.statement import Statement
from airlift.outbound.scanning import Scanned
from airlift.store.durable import Disk, read_file, there
from airlift.trust import approval, attestation, attesting
from airlift.trust.approval import Approval
from airlift.trust.keys import UnlockedKey
from airlift.trust.repository import Repository, attestation_path

_SIGNATURES = (".sig", ".sigstore", ".sigstore.json", ".oms")
"""How the files end that model signatures of others come in."""
_NOBODY = "nobody is trusted to have signed it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attester:
    """Says what is so of releases that leave.

    Attributes:
        repository: Where attestations are kept beside what is signed.
        folder: Where releases are kept that were attested and not signed yet.
        making: By whom, when and with what releases are made.
        read: Returns a blob of the store, all of it.
        tell: Told what whoever exports should know.
        signers: Who signs statements; none are made where there is nobody.
        model_key: Who signs models; None where nobody does.
        trusted: By whom others' model signatures may be; those alone are listed.
        approvals: Of the lock that is exported.
        scans: Of deliveries made before.
    """

    repository: Repository
    folder: Path
    making: Making
    read: Callable[[Sha256], bytes]
    tell: Callable[[str], None]
    signers: tuple[UnlockedKey, ...] = ()
    model_key: UnlockedKey | None = None
    trusted: tuple[Signatory, ...] = ()
    approvals: tuple[Approval, ...] = ()
    scans: tuple[Scanned, ...] = ()

    def is_satisfied(self, one: Release) -> bool:
        """Say whether all that is to be said of *one* is among its attestations.

        Raises:
            StoreError: The folder of signed records is damaged.
        """
        data = [self.repository.attestation(each.sha256) for each in one.attestations]
        said = [_said(each) for each in data]
        wanted = [
            (told.predicate_type, _lasting(told)) for told in self._statements(one)
        ]
        keys = {
            by.key_id
            for each, bundle in zip(one.attestations, data, strict=True)
            for by in each.by
            if oms.is_bundle(bundle)
        }
        theirs = {each.sha256 for each in self._upstream(one)}
        return (
            all(each in said for each in wanted)
            and (not self._signs(one) or self._model_key_id() in keys)
            and theirs <= {each.sha256 for each in one.attestations}
        )

    def attest(self, one: Release) -> Release:
        """Return *one* with its attestations, which are kept from now on.

        Raises:
            StoreError: The disk refuses.
        """
        path = self._path(one)
        if kept := self._kept(path, one):
            return kept
        made = sorted(self._made(one), key=lambda pair: pair[0].sha256)
        for listed, data in made:
            self.repository.keep(attestation_path(listed.sha256), data)
        told = replace(one, attestations=tuple(listed for listed, _ in made))
        disk = Disk()
        disk.make_folder(self.folder, mode=0o700)
        disk.write_file(path, release.encode(told))
        return told

    def clear(self, releases: Iterable[Release]) -> None:
        """Forget that *releases* waited to be signed, once they are.

        Raises:
            StoreError: The disk refuses.
        """
        for one in releases:
            Disk().unlink(self._path(one))

    def _path(self, one: Release) -> Path:
        return self.folder / f"{release.content(one)}.json"

    def _kept(self, path: Path, one: Release) -> Release | None:
        """Return *one* as an export before this has attested it, and was broken off."""
        if not there(path):
            return None
        try:
            found = release.decode(read_file(path, limit=release.LIMIT))
        except FormatError:
            return None  # made again
        same = release.content(found) == release.content(one)
        return found if same and self.is_satisfied(found) else None

    def _made(self, one: Release) -> Iterator[tuple[Attested, bytes]]:
        at = self.making.at
        by = [attesting.signatory(key.public) for key in self.signers]
        for told in self._statements(one):
            data = attesting.sign(told, self.signers)
            yield attesting.listed(data, by, at=at), data
        if self._signs(one) and self.model_key:
            data = attesting.sign_model(one, self.model_key)
            own = [attesting.signatory(self.model_key.public)]
            yield attesting.listed(data, own, at=at), data
        for listed in self._upstream(one):
            yield listed, self.read(listed.sha256)

    def _statements(self, one: Release) -> Iterator[Statement]:
        if not self.signers:
            return
        said = predicates.provenance(one, self.making)
        yield predicates.about(one, predicates.PROVENANCE, said)
        yield predicates.about(one, predicates.LICENCES, predicates.licences(one))
        if self.approvals:
            records = [approval.table(each) for each in self.approvals]
            said = predicates.approvals(records)
            yield predicates.about(one, predicates.APPROVALS, said)
        if scanned := [found for each in self.scans if (found := each.of(one))]:
            said = predicates.scans(scanned)
            yield predicates.about(one, predicates.SCANS, said)

    def _signs(self, one: Release) -> bool:
        """Say whether there is a model signature to make of *one*."""
        return self.model_key is not None and oms.is_signable(one)

    def _model_key_id(self) -> Sha256 | None:
        return self.model_key.public.key_id if self.model_key else None

    def _upstream(self, one: Release) -> Iterator[Attested]:
        """Yield the model signatures among the files of *one* that hold."""
        for file in one.files:
            if file.path.endswith(_SIGNATURES) and file.size <= dsse.LIMIT:
                data = self.read(file.sha256)
                if oms.is_bundle(data) and (listed := self._judged(one, file, data)):
                    yield listed

    def _judged(self, one: Release, file: ReleaseFile, data: bytes) -> Attested | None:
        where = f"{naming.show(one.name)}: {naming.show(file.path)}"
        problems = []
        for each in self.trusted:
            listed = attesting.listed(data, [each], at=self.making.at)
            if not (problem := attestation.judge(one, listed, data).problem):
                return listed
            problems.append(problem)
        why = "; ".join(dict.fromkeys(problems)) or _NOBODY
        self.tell(f"{where} is a model signature that was not believed: {why}")
        return None


def _said(data: bytes) -> tuple[str, object]:
    """Return what an attestation of a release that was approved says, without when."""
    if oms.is_bundle(data):
        return oms.PREDICATE, None
    name = "an attestation kept here"
    value = canonical.decode_foreign(data, name=name, limit=dsse.LIMIT)
    envelope = dsse.from_fields(Fields(value, record=name))
    told = statements.decode(envelope.payload, name=name)
    return told.predicate_type, _lasting(told)


def _lasting(told: Statement) -> bytes:
    return canonical.encode(predicates.timeless(told.predicate_type, told.predicate))
