"""Attestations as they are made: a statement, signed by whoever makes a release."""

from collections.abc import Sequence
from dataclasses import replace

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_pem_public_key,
)
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from airlift import naming
from airlift.artifact import Attested, Release, Signatory
from airlift.digest import sha256
from airlift.errors import RequestError
from airlift.format import dsse, oms
from airlift.format import statement as statements
from airlift.format.attested import AUTHORITY
from airlift.format.dsse import Envelope, Signature
from airlift.format.statement import Statement
from airlift.trust import certificates, public
from airlift.trust.keys import UnlockedKey
from airlift.trust.public import PublicKey
from airlift.trust.schemes import SCHEMES

MODEL_SCHEME = "ecdsa-sha2-nistp256"
"""Of a key for model signatures: of the curves of OMS, every verifier knows this one."""


def signatory(key: PublicKey) -> Signatory:
    """Return *key* as a release names who must have signed something."""
    return Signatory(
        name=key.name, scheme=key.scheme, key_id=key.key_id, public=key.public
    )


def listed(data: bytes, by: Sequence[Signatory], *, at: str) -> Attested:
    """Return the entry of a release document for the attestation *data*."""
    ordered = tuple(sorted(by, key=lambda one: one.key_id))
    return Attested(sha256=sha256(data), size=len(data), at=at, by=ordered)


def sign(told: Statement, keys: Sequence[UnlockedKey]) -> bytes:
    """Return *told* in an envelope that each of *keys* has signed."""
    payload = statements.encode(told)
    covered = dsse.covered(payload)
    made = [
        Signature(key_id=key.public.key_id, value=key.sign(covered)) for key in keys
    ]
    ordered = tuple(sorted(made, key=lambda one: one.key_id))
    return dsse.encode(Envelope(payload=payload, signatures=ordered))


def sign_model(one: Release, key: UnlockedKey) -> bytes:
    """Return the model signature of the release *one* by *key*.

    Raises:
        RequestError: The key is for another curve than every verifier knows.
    """
    check_model_key(key.public)
    payload = statements.encode(oms.statement(one))
    value = key.sign(dsse.covered(payload))
    # No key id: verifiers of OMS find the key by the hint.
    signature = Signature(key_id="", value=value)
    envelope = Envelope(payload=payload, signatures=(signature,))
    return oms.encode(envelope, key=key.public.public)


def trusted(data: bytes, *, name: str) -> Signatory:
    """Return whose model signatures a file is to have believed.

    Args:
        data: A public key in PEM, one of airlift's, or the certificate of an authority.
        name: Whose it is, in the words of who trusts it.

    Raises:
        RequestError: It is none of these, or for a curve that is not known here.
        FormatError: It claims to be one, and is damaged.
    """
    if problem := public.name_problem(name):
        text = f"the name `{naming.show(name[:80])}` of a signer {problem}"
        raise RequestError(text, hint="give the file another name")
    if b"BEGIN CERTIFICATE" in data:
        found = certificates.read(data.decode("ascii", "replace"), name=name)
        return Signatory(
            name=name,
            scheme=AUTHORITY,
            key_id=certificates.fingerprint(found),
            public=found.public_bytes(Encoding.PEM).decode(),
        )
    if data.startswith(b"{"):
        return replace(signatory(public.decode(data, name=name)), name=name)
    try:
        key = public.of(SSlibKey.from_crypto(load_pem_public_key(data)), name=name)
    except (ValueError, UnsupportedAlgorithm) as error:
        problem = f"`{name}` is no public key in PEM, and no certificate"
        raise RequestError(problem, hint="ask whoever signs for one of them") from error
    if key.scheme not in SCHEMES:
        problem = f"`{name}` is a key for {naming.show(key.scheme)}"
        known = ", ".join(SCHEMES)
        raise RequestError(problem, hint=f"known are {known}")
    return signatory(key)


def check_model_key(key: PublicKey) -> None:
    """Return if *key* can sign models.

    Raises:
        RequestError: It is for another curve than every verifier knows.
    """
    if key.scheme != MODEL_SCHEME:
        problem = f"key `{key.name}` is for {key.scheme}, model signatures need {MODEL_SCHEME}"
        hint = f"`airlift trust keygen models --scheme {MODEL_SCHEME}` makes one"
        raise RequestError(problem, hint=hint)
