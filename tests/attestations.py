"""Attestations for tests: real keys, real certificates, statements of every sort."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from airlift.artifact import Attested, Kind, Release, ReleaseFile, Signatory
from airlift.digest import sha256
from airlift.format import dsse, oms, predicates
from airlift.format import statement as statements
from airlift.format.dsse import Envelope, Signature
from airlift.format.statement import Statement
from airlift.trust import attesting
from airlift.trust.keys import UnlockedKey

AT = "2026-03-01T12:00:00Z"
FILES: Mapping[str, bytes] = {
    ".gitattributes": b"*.bin filter=lfs\n",
    "LICENSE": b"do what you like\n",
    "config.json": b"{}\n",
    "empty.txt": b"",
    "sub/model.safetensors": b"\0" * 99,
}


def model(files: Mapping[str, bytes] = FILES, *, kind: Kind = Kind.MODEL) -> Release:
    """Return a release of *files*."""
    return Release(
        kind=kind,
        name="acme/tiny",
        revision="a" * 40,
        counter=1,
        files=tuple(
            ReleaseFile(path=path, size=len(data), sha256=sha256(data))
            for path, data in sorted(files.items())
        ),
        refs=("main",),
        upstream={"endpoint": "https://hub.example", "repository": "acme/tiny"},
        licence="mit",
        base_models=("acme/base",),
    )


def listed(one: Release, *data: bytes, by: Sequence[Signatory]) -> Release:
    """Return *one*, its document listing *data*, all said by *by*."""
    entries = [attesting.listed(each, by, at=AT) for each in data]
    return replace(
        one, attestations=tuple(sorted(entries, key=lambda each: each.sha256))
    )


def entry(data: bytes, *by: Signatory, at: str = AT) -> Attested:
    """Return how a release lists *data*."""
    return attesting.listed(data, by, at=at)


def provenance(one: Release, *signers: UnlockedKey) -> bytes:
    """Return the statement of where *one* comes from, signed."""
    making = predicates.Making(operator="alice", at=AT, versions={"airlift": "1.2"})
    said = predicates.provenance(one, making)
    return attesting.sign(predicates.about(one, predicates.PROVENANCE, said), signers)


@dataclass(frozen=True, kw_only=True)
class Certified:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        """The certificate as a bundle holds it."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate as files hold it."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def signatory(self) -> Signatory:
        """The certificate as an authority that a release names."""
        return attesting.trusted(self.pem, name="acme CA")


def certify(
    name: str,
    above: Certified | None = None,
    *,
    authority: bool = False,
    start: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    days: int = 365,
    usages: Sequence[x509.ExtensionType] | None = None,
    curve: ec.EllipticCurve | None = None,
) -> Certified:
    """Return a certificate for *name*, by *above* or by itself."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
    )
    usual = () if authority else (signing_usage(), code_signing())
    for one in usual if usages is None else usages:
        made = made.add_extension(one, critical=False)
    signed = made.sign(above.key if above else key, hashes.SHA256())
    return Certified(certificate=signed, key=key)


def signing_usage(*, signs: bool = True) -> x509.KeyUsage:
    """Return the usage of a key that signs, or that agrees on keys instead."""
    rest = (False,) * 4
    return x509.KeyUsage(signs, *rest[:3], not signs, *rest)


def code_signing() -> x509.ExtendedKeyUsage:
    """Return the purpose of signing code."""
    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])


def certified_model(one: Release, *chain: Certified) -> bytes:
    """Return the model signature of *one* by the first certificate of *chain*."""
    return certified(oms.statement(one), *chain)


def certified(told: Statement, *chain: Certified) -> bytes:
    """Return a bundle of *told* by the first certificate of *chain*."""
    payload = statements.encode(told)
    key = chain[0].key
    hashed = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
    value = key.sign(dsse.covered(payload), ec.ECDSA(hashed[key.curve.key_size]))
    return oms.encode_certified(
        Envelope(payload=payload, signatures=(Signature(key_id="", value=value),)),
        tuple(one.der for one in chain),
    )


def keyed(told: Statement, key: UnlockedKey) -> bytes:
    """Return a bundle of *told*, whatever it says, by *key*."""
    payload = statements.encode(told)
    signature = Signature(key_id="", value=key.sign(dsse.covered(payload)))
    envelope = Envelope(payload=payload, signatures=(signature,))
    return oms.encode(envelope, key=key.public.public)


def pem(key: UnlockedKey) -> bytes:
    """Return the public half of a key as other tools read it."""
    return key.public.public.encode()


def public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public half of any elliptic key in PEM."""
    return key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
