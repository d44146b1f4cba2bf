"""What of the attestations beside a release is so, and who says it.

The law: an attestation is data and never gives authority. Its bytes are the ones that
the signed release names; whoever the release says must have signed them, has; only
then they are read; and they are of this release. What fails any of it is shown as not
so, and keeps the release from going live by itself.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from airlift import naming
from airlift.artifact import Attested, Json, Release, Signatory
from airlift.digest import Sha256, sha256
from airlift.errors import AirliftError, FormatError, TrustError
from airlift.format import canonical, dsse, oms, predicates, release
from airlift.format import statement as statements
from airlift.format.attested import AUTHORITY
from airlift.format.dsse import Envelope
from airlift.format.fields import Fields
from airlift.format.keyless import SCHEME
from airlift.format.oms import Bundle
from airlift.format.statement import Statement
from airlift.trust import approval, certificates, clock, keyless, public
from airlift.trust.approval import Approval
from airlift.trust.keyless import UncheckedError
from airlift.trust.public import PublicKey
from airlift.trust.quorum import Quorum

_CURVES = {
    256: hashes.SHA256(),
    384: hashes.SHA384(),
    521: hashes.SHA512(),
}
"""The hash that goes with each curve, by the bits of its field (Sigstore's registry)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An attestation, and whether what it says is said by whom the release names.

    Attributes:
        sha256: Digest of its bytes.
        size: Its bytes.
        at: When it was made, or found right by who made the release.
        by: Whose signatures are right, for a person.
        problem: What is wrong with it; empty where nothing is.
        unchecked: Whether only that is wrong that nothing here can check it.
        words: What a person should read of it; empty where nobody said it.
        statement: What it says; None where nobody said it, or it cannot be read.
    """

    sha256: Sha256
    size: int
    at: str
    by: tuple[str, ...] = ()
    problem: str = ""
    unchecked: bool = False
    words: tuple[str, ...] = ()
    statement: Statement | None = None

    @property
    def title(self) -> str:
        """What people call this kind of statement."""
        kind = self.statement.predicate_type if self.statement else ""
        return predicates.TITLES.get(kind, kind or "attestation")

    @property
    def verdict(self) -> str:
        """What is so of it: nothing but ``valid`` is good."""
        if self.unchecked:
            return "unchecked"
        return "not valid" if self.problem else "valid"


def judge(
    one: Release, listed: Attested, data: bytes, denied: Collection[Sha256] = ()
) -> Judged:
    """Return what of an attestation of the release *one* is so.

    Args:
        one: The release, from its signed document, with all its files.
        listed: How that document lists the attestation.
        data: The attestation's bytes.
        denied: Ids of keys whose word counts for nothing.
    """
    told: Statement | None = None
    by: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    problem, unchecked = "", False
    try:
        _refuse_denied(listed, denied)
        payload, by = _verified(listed, data)
        # The first parse: what is read are the bytes whose signatures are right.
        told = statements.decode(payload, name="its statement")
        words = _compared(one, told, listed.sha256)
    except UncheckedError as error:
        problem, unchecked = f"{error.problem}: {error.hint}", True
    except AirliftError as error:
        problem = error.problem
    return Judged(
        sha256=listed.sha256,
        size=listed.size,
        at=listed.at,
        by=by,
        problem=problem,
        unchecked=unchecked,
        words=words,
        statement=told,
    )


def judged(
    one: Release, data: Iterable[bytes], denied: Collection[Sha256] = ()
) -> tuple[Judged, ...]:
    """Return what of all attestations of *one*, given in its order, is so."""
    return tuple(
        judge(one, listed, each, denied)
        for listed, each in zip(one.attestations, data, strict=True)
    )


def flaws(found: tuple[Judged, ...]) -> str:
    """Say what is wrong with attestations of a release; empty where nothing is."""
    return "; ".join(
        f"{naming.show(one.title)} {one.sha256[:12]} is {one.verdict}:"
        f" {naming.show(one.problem)}"
        for one in found
        if one.problem
    )


def approval_words(told: Statement, people: Quorum) -> tuple[str, ...]:
    """Return who approved what is exported, and which of it counts here.

    Each approval has a signature of its own: who made the statement cannot approve.

    Args:
        told: A statement of approvals.
        people: Whose approvals of what leaves for this site count now.

    Raises:
        FormatError: It holds something else.
    """
    return tuple(
        _approval_words(approval.from_table(one), people)
        for one in _list(told.predicate.get("approvals"))
    )


def _approval_words(one: Approval, people: Quorum) -> str:
    when = f"lock {one.subject.digest[:16]} approved by {naming.show(one.by)}, {one.at}"
    try:
        approval.check(one, one.subject, people)
    except TrustError as error:
        return f"{when}: does not count here, {error.problem}"
    return f"{when}: valid signature of somebody enrolled here"


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list | tuple) else ()


def _refuse_denied(listed: Attested, denied: Collection[Sha256]) -> None:
    for one in listed.by:
        if one.key_id in denied:
            problem = f"key {one.key_id[:16]} of `{naming.show(one.name)}` is denied"
            raise TrustError(problem)


def _verified(listed: Attested, data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return the payload that all signatories have signed, and who they are."""
    if (sha256(data), len(data)) != (listed.sha256, listed.size):
        problem = "its bytes are not those that the release names"
        raise TrustError(problem)
    name = f"attestation {listed.sha256[:12]}"
    if oms.is_bundle(data):
        at = clock.moment(listed.at, what=f"the time of {name}")
        bundle = oms.decode(data, name=name)
        by = tuple(_signed_model(one, bundle, data, at) for one in listed.by)
        return bundle.envelope.payload, by
    value = canonical.decode_foreign(data, name=name, limit=dsse.LIMIT)
    envelope = dsse.from_fields(Fields(value, record=name))
    by = tuple(_signed(one, envelope) for one in listed.by)
    return envelope.payload, by


def _signed(one: Signatory, envelope: Envelope) -> str:
    """Return who *one* is if an envelope has their signature."""
    key = _key(one)
    values = [each.value for each in envelope.signatures if each.key_id == key.key_id]
    if not any(key.verifies(value, envelope.signed) for value in values):
        raise _unsigned(one)
    return _who(one)


def _signed_model(one: Signatory, bundle: Bundle, data: bytes, at: datetime) -> str:
    """Return who *one* is if a model signature is theirs."""
    if bundle.logged or one.scheme == SCHEME:
        return keyless.signed(one, bundle, data)
    if (one.scheme == AUTHORITY) is not bool(bundle.chain):
        problem = "it is signed in another way than the release says"
        raise FormatError(problem)
    (signature,) = bundle.envelope.signatures
    if not bundle.chain:
        key = _key(one)
        named = not bundle.hint or bundle.hint == oms.hint(key.public)
        if not named or not key.verifies_any(signature.value, bundle.envelope.signed):
            raise _unsigned(one)
        return _who(one)
    authority = certificates.read(one.public, name="the authority the release names")
    if certificates.fingerprint(authority) != one.key_id:
        problem = "the authority the release names has another digest than it says"
        raise FormatError(problem)
    signer, subject = certificates.signer(bundle.chain, authority, at=at)
    try:
        scheme = ec.ECDSA(_CURVES[signer.curve.key_size])
        signer.verify(signature.value, bundle.envelope.signed, scheme)
    except (KeyError, InvalidSignature):
        raise _unsigned(one) from None
    return f"{naming.show(subject)} (certified by {naming.show(one.name)})"


def _key(one: Signatory) -> PublicKey:
    """Return the key of a signatory, in the one spelling and under the one id."""
    table: dict[str, Json] = {
        "name": one.name,
        "scheme": one.scheme,
        "key_id": one.key_id,
        "public": one.public,
    }
    return public.from_table(Fields(table, record="a signatory"))


def _who(one: Signatory) -> str:
    return f"{naming.show(one.name)} ({one.scheme} {one.key_id[:16]})"


def _unsigned(one: Signatory) -> TrustError:
    who = f"`{naming.show(one.name)}`, key {one.key_id[:16]}"
    problem = f"it has no valid signature by {who}, which the release names"
    return TrustError(problem)


def _compared(one: Release, told: Statement, own: Sha256) -> tuple[str, ...]:
    """Return what to read of a statement that is of the release *one*."""
    if told.predicate_type == oms.PREDICATE:
        problem, note = oms.compare(told, one, own)
        if problem:
            raise TrustError(problem)
        return (note,)
    if not any(_is_of(one, told)):
        problem = "it is of nothing in this release"
        raise TrustError(problem)
    return predicates.words(told)


def _is_of(one: Release, told: Statement) -> Iterator[bool]:
    """Yield whether a subject is the release, or a file of it."""
    known = {file.sha256 for file in one.files} | {release.content(one)}
    return (subject.digest.get("sha256") in known for subject in told.subjects)
