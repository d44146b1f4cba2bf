"""TLS of the server: what it speaks, and what is wrong with the files it is given."""

import contextlib
import ssl
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtensionOID

from airlift import naming
from airlift.errors import RequestError
from airlift.trust import clock

_SOON_DAYS = 30
_HINT = "give the chain and an unencrypted key that belong together, as PEM"
_SECRET = b"PRIVATE KEY-----"
_LOCKED = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """The files of a server's TLS, all PEM.

    Attributes:
        certificate: The server's certificate, then those between it and the root.
        key: Its private key, not encrypted; None where it is in the same file.
        client_ca: Who signs the certificates of clients; None for no such clients.
        client_required: Whether a client without one is turned away at once.
    """

    certificate: Path
    key: Path | None = None
    client_ca: Path | None = None
    client_required: bool = False

    def context(self) -> ssl.SSLContext:
        """Return what the server speaks: TLS 1.2 or 1.3, HTTP/1.1, no compression.

        Raises:
            RequestError: A file cannot be used; the message says which and why.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Some clients and proxies go on in HTTP/2 where nothing is agreed on.
        context.set_alpn_protocols(["http/1.1"])
        # A client that renegotiates on and on has this end do all the work.
        context.options |= ssl.OP_NO_RENEGOTIATION
        self.load_into(context)
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """Read the files again; connections from now on use what they hold.

        Raises:
            RequestError: As ``context``; what *context* had before still counts.
        """
        leaf = _leaf(self.certificate)
        key = self.key or self.certificate
        with _reading("private key", key):
            _refuse_useless(key.read_bytes(), leaf)
            # Should one be encrypted all the same, nobody is asked for a passphrase.
            context.load_cert_chain(self.certificate, key, password=lambda: "")
        if self.client_ca is not None:
            with _reading("client authority", self.client_ca):
                context.load_verify_locations(self.client_ca)
            wanted = ssl.CERT_REQUIRED if self.client_required else ssl.CERT_OPTIONAL
            context.verify_mode = wanted

    def warnings(self, names: frozenset[str], *, now: str) -> tuple[str, ...]:
        """Return what an operator should know about the certificate, a line each.

        Args:
            names: What clients call this server.
            now: ``YYYY-MM-DDThh:mm:ssZ``.

        Raises:
            RequestError: It has expired, or cannot be read.
        """
        leaf = _leaf(self.certificate)
        ends = leaf.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
        begins = leaf.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
        shown = naming.show(str(self.certificate))
        if ends <= now:
            problem = f"the certificate {shown} expired on {ends[:10]}"
            hint = "make a new one with `airlift tls server`, or set this host's clock"
            raise RequestError(problem, hint=hint)
        found = []
        if begins > now:
            found.append(f"the certificate is not valid before {begins}")
        if (left := clock.days_from(now, ends)) < _SOON_DAYS:
            found.append(f"the certificate expires in {left} days, on {ends[:10]}")
        held = _names(leaf)
        for name in sorted(names):
            if not any(_covers(one, name) for one in held):
                problem = f"the certificate is not for `{naming.show(name)}`"
                found.append(f"{problem}; clients refuse it under that name")
        if _open_to_others(self.key or self.certificate):
            key = naming.show(str(self.key or self.certificate))
            found.append(f"the private key {key} can be read by every user")
        return tuple(found)


def identities(certificate: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return what a verified client certificate says its holder is.

    Args:
        certificate: As ``ssl.SSLSocket.getpeercert`` gives it; None without one.

    Returns:
        Alternative names first, as ``DNS:host``, ``URI:spiffe://...``,
        ``email:a@b``, then the subject's common name, as ``CN=name``.
    """
    if not certificate:
        return ()
    alternative = [
        f"{kind}:{name}" for kind, name in certificate.get("subjectAltName", ())
    ]
    common = [
        f"CN={value}"
        for part in certificate.get("subject", ())
        for key, value in part
        if key == "commonName"
    ]
    return (*alternative, *common)


@contextlib.contextmanager
def _reading(what: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (
        OSError,
        ValueError,
        UnsupportedAlgorithm,
    ) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
        told = str(reason or error).lower()
        problem = f"cannot use the {what} {naming.show(str(path))}: {told}"
        raise RequestError(problem, hint=_HINT) from error


def _refuse_useless(data: bytes, leaf: x509.Certificate) -> None:
    if _SECRET not in data:
        problem = "there is no private key in it"
        raise ValueError(problem)
    if any(mark in data for mark in _LOCKED):
        # It would be asked for at every restart, also at night.
        problem = "it is encrypted"
        raise ValueError(problem)
    if load_pem_private_key(data, None).public_key() != leaf.public_key():
        problem = "it is another certificate's"
        raise ValueError(problem)


def _leaf(path: Path) -> x509.Certificate:
    with _reading("certificate", path):
        data = path.read_bytes()
        if b"-----BEGIN CERTIFICATE-----" not in data:
            problem = "there is no certificate in it"
            raise ValueError(problem)
        return x509.load_pem_x509_certificates(data)[0]


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        found = leaf.extensions.get_extension_for_oid(
            ExtensionOID.SUBJECT_ALTERNATIVE_NAME
        ).value
    except x509.ExtensionNotFound:
        return ()
    assert isinstance(found, x509.SubjectAlternativeName)
    hosts = found.get_values_for_type(x509.DNSName)
    addresses = found.get_values_for_type(x509.IPAddress)
    return (*(one.lower() for one in hosts), *map(str, addresses))


def _covers(pattern: str, name: str) -> bool:
    # RFC 9525, section 6.3: a wildcard stands for one whole label, the first.
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return pattern == name


def _open_to_others(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & 0o007)
    except OSError:
        return False  # it was read a moment ago; what it is now is no matter
