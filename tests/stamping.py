"""A clock that others believe (RFC 3161), by OpenSSL, which tells the time it is."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sigstores import coded, new_key

_CONFIG = """\
[tsa]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.3.6.1.4.1.57264.2
digests = sha256
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass(frozen=True)
class Clock:
    """A clock, whose keys and counter are in a folder.

    Attributes:
        folder: Where they are.
        chain: Its certificate and the one above, in DER.
    """

    folder: Path
    chain: tuple[bytes, bytes]

    def stamp(self, data: bytes) -> bytes:
        """Return the answer that *data* was there now."""
        (self.folder / "data").write_bytes(data)
        self._ts("-query", "-data", "data", "-sha256", "-cert", "-out", "query")
        self._ts(
            *("-reply", "-config", "config", "-section", "tsa", "-queryfile", "query"),
            *("-signer", "signer.pem", "-inkey", "key.pem", "-out", "answer"),
        )
        return (self.folder / "answer").read_bytes()

    def _ts(self, *words: str) -> None:
        subprocess.run(
            ["openssl", "ts", *words], cwd=self.folder, check=True, capture_output=True
        )

    def authority(self, **period: str) -> dict[str, Any]:
        """Return what a trust root says of it."""
        return {
            "subject": {"organization": "acme", "commonName": "clock"},
            "uri": "https://clock.example",
            "certChain": {
                "certificates": [{"rawBytes": coded(one)} for one in self.chain]
            },
            "validFor": {"start": "2025-01-01T00:00:00Z", **period},
        }


def clock(folder: Path) -> Clock:
    """Return a new clock, with everything of it in *folder*."""
    folder.mkdir()
    above, own = new_key(), new_key()
    root = _certificate("above", above, "above", above, authority=True)
    signer = _certificate("clock", own, "above", above, authority=False)
    (folder / "serial").write_text("01\n")
    (folder / "config").write_text(_CONFIG.format(folder=folder))
    (folder / "signer.pem").write_bytes(signer.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(
        own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    chain = (signer.public_bytes(Encoding.DER), root.public_bytes(Encoding.DER))
    return Clock(folder, chain)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    above: str,
    signs: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    usage = x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    higher = x509.AuthorityKeyIdentifier.from_issuer_public_key(signs.public_key())
    begins = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(above))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=30))
        .add_extension(
            x509.BasicConstraints(ca=authority, path_length=None), critical=True
        )
        .add_extension(usage, critical=True)
        .add_extension(own, critical=False)
        .add_extension(higher, critical=False)
    )
    if not authority:
        made = made.add_extension(purpose, critical=True)
    return made.sign(signs, hashes.SHA256())
