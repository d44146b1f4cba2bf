"""Whether a certificate that signed a model leads to an authority a release names.

At a stated time, and at no other: the reference verifier asks at the time the
certificate begins, and so takes one that ran out years ago, under an authority that
had (threats, finding 4). Authorities of the public web are never asked.

Source: RFC 5280, section 6; OpenSSF Model Signing 1.0, 8.2.
"""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    ClientVerifier,
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import FormatError

_DEPTH = 8
_HINT = "ask whoever signed it for the whole chain"


def read(pem: str, *, name: str) -> x509.Certificate:
    """Return the one certificate that *pem* holds.

    Raises:
        FormatError: It is none, or several.
    """
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        problem = f"{name} is not a certificate in PEM"
        raise FormatError(
            problem, hint="give it as `-----BEGIN CERTIFICATE-----`"
        ) from error
    if len(found) != 1:
        problem = f"{name} holds {len(found)} certificates, expected one"
        raise FormatError(problem, hint="give each authority in a file of its own")
    return found[0]


def fingerprint(certificate: x509.Certificate) -> Sha256:
    """Return what names *certificate*: SHA-256 of its DER form."""
    return Sha256(certificate.fingerprint(SHA256()).hex())


def signer(
    chain: tuple[bytes, ...], authority: x509.Certificate, *, at: datetime
) -> tuple[ec.EllipticCurvePublicKey, str]:
    """Return the key of the first certificate of *chain*, and whose it is.

    Args:
        chain: In DER, the signer's first; those above it in any order.
        authority: Where it has to lead; whether it is in the chain does not count.
        at: When every certificate has to be valid, UTC.

    Raises:
        FormatError: It does not lead there, is not valid then, or is not for signing.
    """
    try:
        first, *above = map(x509.load_der_x509_certificate, chain)
        # A self-signed certificate in between would be another end of the chain.
        between = [one for one in above if one.subject != one.issuer]
        _policy(authority, at).verify(first, between)
    except (ValueError, VerificationError) as error:
        said = naming.show(str(error).partition(" (encountered")[0])
        problem = f"its certificate does not lead to the authority named: {said}"
        raise FormatError(problem, hint=_HINT) from error
    key = first.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        problem = "its certificate is for another kind of key than OMS knows"
        raise FormatError(problem, hint=_HINT)
    if problem := _usage_problem(first):
        raise FormatError(problem, hint=_HINT)
    return key, first.subject.rfc4514_string()


def _policy(authority: x509.Certificate, at: datetime) -> ClientVerifier:
    # Extensions of private authorities differ widely. What must hold of one above is
    # that it says it is an authority; of the signer's, `_usage_problem` tells.
    above = ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, Criticality.AGNOSTIC, None
    )
    return (
        PolicyBuilder()
        .store(Store([authority]))
        .time(at.astimezone(UTC).replace(tzinfo=None))
        .max_chain_depth(_DEPTH)
        .extension_policies(ca_policy=above, ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )


def _usage_problem(certificate: x509.Certificate) -> str:
    """Say why *certificate* may not sign models; empty where it may.

    Every usage that it states has to be for signing, and it has to state one.
    """
    extensions = certificate.extensions
    stated = []
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        stated.append(usage.digital_signature)
    except x509.ExtensionNotFound:
        pass
    try:
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        stated.append(ExtendedKeyUsageOID.CODE_SIGNING in purposes)
    except x509.ExtensionNotFound:
        pass
    return "" if stated and all(stated) else "its certificate is not for signing"
