"""A site's own certificate authority, for sites that have none.

Its private key is kept like every other key of airlift: encrypted under a passphrase,
unlocked for as long as a certificate is signed. Server and client files hold
certificate and key together, so that neither is ever there without the other.

Source: RFC 5280; the key usages and identifiers that strict verifiers ask for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from securesystemslib.signer import (  # type: ignore[attr-defined]
    CryptoSigner,
)

from airlift import naming
from airlift.errors import FormatError, RequestError
from airlift.trust import clock, files, keys
from airlift.trust.keys import UnlockedKey

FOLDER = "tls"
KEY = "site-ca"
CERTIFICATE = "ca.pem"
SERVER = "server.pem"

_SCHEME = "ecdsa-sha2-nistp256"  # what browsers, OpenSSL, Go and Node all verify
_YEARS = 10
_LIMIT = 1 << 20
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_HOLDER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """An authority that can sign, in memory only."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def server(self, names: Sequence[str], *, now: str, days: int) -> bytes:
        """Return certificate and key of a server that clients call by *names*, PEM.

        Raises:
            RequestError: A name is none, or outside what this authority may sign.
        """
        refuse_names(names, below=self._below())
        alternative = x509.SubjectAlternativeName([_general(name) for name in names])
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        return self._issue(names[0], alternative, usage, now=now, days=days)

    def client(self, name: str, *, now: str, days: int) -> bytes:
        """Return certificate and key of the client ``CN=name``, PEM.

        Raises:
            RequestError: *name* cannot be a client's.
        """
        if not _HOLDER.fullmatch(name):
            problem = f"`{naming.show(name[:80])}` cannot be a client's name"
            hint = "use 1 to 64 letters, digits, `.`, `_`, `@` and `-`"
            raise RequestError(problem, hint=hint)
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        return self._issue(name, None, usage, now=now, days=days)

    def _issue(
        self,
        name: str,
        alternative: x509.SubjectAlternativeName | None,
        usage: x509.ObjectIdentifier,
        *,
        now: str,
        days: int,
    ) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self.key.public_key()
        )
        ends = min(
            clock.moment(now, what="time") + timedelta(days=days),
            self.certificate.not_valid_after_utc,
        )
        builder = (
            _builder(name[:64], key.public_key(), now=now, ends=ends)
            .issuer_name(self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(issuer, critical=False)
        )
        if alternative is not None:
            builder = builder.add_extension(alternative, critical=False)
        made = builder.sign(self.key, hashes.SHA256())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return made.public_bytes(Encoding.PEM) + secret

    def _below(self) -> tuple[str, ...]:
        try:
            found = self.certificate.extensions.get_extension_for_class(
                x509.NameConstraints
            ).value
        except x509.ExtensionNotFound:
            return ()
        permitted = found.permitted_subtrees or []
        return tuple(one.value for one in permitted if isinstance(one, x509.DNSName))


def refuse_names(names: Sequence[str], *, below: Sequence[str]) -> None:
    """Return if an authority for the domains *below* can sign for a server's *names*.

    Raises:
        RequestError: A name is none, or outside; the message says which.
    """
    for name in names:
        if _address(name):
            continue
        plain = _host(name, what="a server's name").removeprefix("*.")
        if not any(f".{plain}".endswith(f".{one.lower()}") for one in below or [plain]):
            problem = f"this site's authority signs nothing for `{plain}`"
            hint = f"it is for names below {', '.join(below)}"
            raise RequestError(problem, hint=hint)


def create(
    folder: Path, *, below: Sequence[str], passphrase: str, now: str
) -> Authority:
    """Make an authority in *folder*; its key opens with *passphrase* alone.

    Args:
        folder: ``HOME/tls``.
        below: Domains it may sign names of; empty for any. Clients that trust it
            then trust it for those alone, so that a stolen key is worth less.
        passphrase: Not empty.
        now: ``YYYY-MM-DDThh:mm:ssZ``.

    Raises:
        RequestError: There is one already, or a domain is none.
        StoreError: The disk refused.
    """
    limits = [_domain(one) for one in below]
    made = keys.generate(KEY, scheme=_SCHEME)
    private = _private(made)
    ends = clock.moment(now, what="time") + timedelta(days=365 * _YEARS)
    name = f"airlift site authority {made.public.key_id[:8]}"
    builder = (
        _builder(name, private.public_key(), now=now, ends=ends)
        .issuer_name(_name(name))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    if limits:
        constraint = x509.NameConstraints(
            permitted_subtrees=limits, excluded_subtrees=None
        )
        builder = builder.add_extension(constraint, critical=True)
    certificate = builder.sign(private, hashes.SHA256())
    keys.save(folder, made, passphrase)
    files.write_new(folder / CERTIFICATE, certificate.public_bytes(Encoding.PEM))
    return Authority(certificate=certificate, key=private)


def unlock(folder: Path, passphrase: str) -> Authority:
    """Return the authority in *folder*.

    Raises:
        RequestError: There is none.
        TrustError: The passphrase is wrong.
        FormatError: Its files are damaged or do not belong together.
    """
    locked = keys.read(folder / f"{KEY}{keys.SUFFIX}")
    private = _private(locked.unlock(passphrase))
    path = folder / CERTIFICATE
    data = files.read(path, limit=_LIMIT, what="authority's certificate")
    try:
        certificate = x509.load_pem_x509_certificate(data)
        if certificate.public_key() == private.public_key():
            return Authority(certificate=certificate, key=private)
    except ValueError:
        pass  # no certificate at all
    problem = f"{naming.show(str(path))} is not the certificate of its key"
    raise FormatError(problem, hint="put the copy back that clients trust")


def _private(key: UnlockedKey) -> ec.EllipticCurvePrivateKey:
    assert isinstance(key.signer, CryptoSigner)
    private = load_pem_private_key(key.signer.private_bytes, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return private


def _builder(
    name: str, public: ec.EllipticCurvePublicKey, *, now: str, ends: datetime
) -> x509.CertificateBuilder:
    # The day before: the clocks of isolated hosts differ.
    begins = clock.moment(now, what="time") - timedelta(days=1)
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(identifier, critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _address(name: str) -> x509.IPAddress | None:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return None


def _general(name: str) -> x509.GeneralName:
    return _address(name) or x509.DNSName(_host(name, what="a server's name"))


def _domain(name: str) -> x509.DNSName:
    return x509.DNSName(_host(name, what="a domain"))


def _host(name: str, *, what: str) -> str:
    plain = name.lower()
    if len(plain) > 253 or not _HOST.fullmatch(plain):
        problem = f"`{naming.show(name[:80])}` cannot be {what}"
        hint = "give it without scheme, port and path; as `models.plant7.example`"
        raise RequestError(problem, hint=hint)
    return plain
