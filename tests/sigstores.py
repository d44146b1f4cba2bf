"""A Sigstore for tests: authority, certificate log, signature log and clock.

Everything is signed with real keys and built as the specifications say (RFC 6962, the
formats of Fulcio, Rekor and the bundle), from `cryptography` alone. That it is to the
letter is shown by what others make of it (tests/clients/test_keyless.py): the stock
verifiers of the OpenSSF and of JavaScript take what comes from here.
"""

import copy
import hashlib
import json
import struct
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import merkle
from airlift.artifact import Release, Signatory
from airlift.format import dsse, oms
from airlift.format import statement as statements
from airlift.format.keyless import Known
from airlift.trust import keyless as judging

IDENTITY: Final = "release@acme.example"
ISSUER: Final = "https://accounts.example"
SIGNED: Final = datetime(2026, 3, 1, 11, 58, tzinfo=UTC)
"""When things are signed, two minutes before releases say that they looked."""
REKOR: Final = "https://rekor.example"
BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_ROOT: Final = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_ISSUER, _ISSUER_V2 = (f"1.3.6.1.4.1.57264.1.{number}" for number in (1, 8))
_SCTS: Final = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a key on the curve that all of Sigstore knows."""
    return ec.generate_private_key(ec.SECP256R1())


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public half of *key* in DER."""
    return key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def key_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the id of a log with that *key* (RFC 6962, 3.2)."""
    return hashlib.sha256(spki(key)).digest()


def sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """Return the signature of *data*."""
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def coded(data: bytes) -> str:
    """Return *data* as JSON holds bytes."""
    return b64encode(data).decode()


@dataclass(kw_only=True)
class Sigstore:
    """One instance of Sigstore, with all its keys.

    Attributes:
        authority: The key of who certifies.
        certificates: The key of the log of certificates.
        log: The key of the log of signatures.
        leaves: What is in that log.
    """

    authority: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    certificates: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    log: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    leaves: list[bytes] = field(default_factory=lambda: [b"one", b"two", b"three"])
    began: datetime = datetime(2025, 1, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sigstore.example")])
        own = self.authority.public_key()
        self._above = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(own)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.began)
            .not_valid_after(self.began + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(certifies=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(own), critical=False
            )
            .sign(self.authority, hashes.SHA256())
        )

    def root(self, **more: Any) -> dict[str, Any]:
        """Return the trust root, other keys of it as *more* says."""
        since = {"start": self.began.isoformat().replace("+00:00", "Z")}
        chain = [{"rawBytes": coded(self._above.public_bytes(Encoding.DER))}]
        found = {
            "mediaType": _ROOT,
            "tlogs": [_log(REKOR, self.log, since)],
            "ctlogs": [_log("https://ct.example", self.certificates, since)],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "acme", "commonName": "sigstore"},
                    "uri": "https://fulcio.example",
                    "certChain": {"certificates": chain},
                    "validFor": since,
                }
            ],
            "timestampAuthorities": [],
        }
        return {**copy.deepcopy(found), **more}

    def signatory(
        self, identity: str = IDENTITY, issuer: str = ISSUER, **more: Any
    ) -> Signatory:
        """Return somebody known here, as a release names them."""
        root = self.root(**more)
        return judging.signatory(Known(identity=identity, issuer=issuer, root=root))

    def model(self, one: Release, **how: Any) -> bytes:
        """Return the model signature of *one*."""
        return json.dumps(self.bundle(oms.statement(one), **how)).encode()

    def bundle(self, told: statements.Statement, **how: Any) -> dict[str, Any]:
        """Return the bundle of a statement; *how* is that of ``sealed``."""
        return self.sealed(statements.encode(told), **how)

    def sealed(
        self,
        payload: bytes,
        *,
        at: datetime = SIGNED,
        logged: datetime | None = None,
        key: ec.EllipticCurvePrivateKey | None = None,
        who: "Who | None" = None,
        stamp: Callable[[bytes], bytes] | None = None,
    ) -> dict[str, Any]:
        """Return the bundle of *payload*, signed and logged.

        Args:
            payload: What is signed.
            at: When the certificate begins, for ten minutes.
            logged: When the log took it; a minute later if it is not said.
            key: Who signs; a new key, as always, if it is not said.
            who: What the certificate says.
            stamp: The clock that is asked, as the newer logs want it, which promise
                nothing.
        """
        key = key or new_key()
        certificate = self.certify(key, at, who or Who())
        signature = sign(key, dsse.covered(payload))
        material: dict[str, Any] = {
            "certificate": {"rawBytes": coded(certificate.public_bytes(Encoding.DER))}
        }
        if stamp:
            body = _newer_body(payload, signature, certificate)
            answer = [{"signedTimestamp": coded(stamp(signature))}]
            material["timestampVerificationData"] = {"rfc3161Timestamps": answer}
            material["tlogEntries"] = [self.entry(body, None)]
        else:
            body = _body(payload, signature, certificate)
            when = int((logged or at + timedelta(minutes=1)).timestamp())
            material["tlogEntries"] = [self.entry(body, when)]
        return {
            "mediaType": BUNDLE,
            "verificationMaterial": material,
            "dsseEnvelope": {
                "payload": coded(payload),
                "payloadType": dsse.IN_TOTO,
                "signatures": [{"sig": coded(signature)}],
            },
        }

    def certify(
        self, key: ec.EllipticCurvePrivateKey, at: datetime, who: "Who"
    ) -> x509.Certificate:
        """Return a certificate of minutes, with the promise of its log in it."""
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._above.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at)
            .not_valid_after(at + timedelta(minutes=10))
        )
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self.authority.public_key()
        )
        for one, critical in (*who.extensions(), (above, False)):
            made = made.add_extension(one, critical=critical)
        bare = made.sign(self.authority, hashes.SHA256())
        if not who.logged:
            return bare
        promise = self._promise(bare.tbs_certificate_bytes, at)
        made = made.add_extension(
            x509.UnrecognizedExtension(_SCTS, promise), critical=False
        )
        return made.sign(self.authority, hashes.SHA256())

    def _promise(self, tbs: bytes, at: datetime) -> bytes:
        """Return the list of the one promise of the certificate log (RFC 6962, 3.3)."""
        millis = int(at.timestamp() * 1000)
        issuer = hashlib.sha256(spki(self.authority)).digest()
        signed = struct.pack("!BBQH", 0, 0, millis, 1) + issuer
        signed += len(tbs).to_bytes(3, "big") + tbs + b"\0\0"
        value = sign(self.certificates, signed)
        one = struct.pack("!B32sQH", 0, key_id(self.certificates), millis, 0)
        one += struct.pack("!BBH", 4, 3, len(value)) + value
        listed = struct.pack("!HH", len(one) + 2, len(one)) + one
        return b"\x04" + bytes([len(listed)]) + listed  # an OCTET STRING

    def entry(self, body: bytes, when: int | None) -> dict[str, Any]:
        """Return what a bundle has of an entry of the log, which gets it.

        Args:
            body: The entry.
            when: When the log promises to have it, seconds since 1970; None where it
                promises nothing.
        """
        told, index = json.loads(body), len(self.leaves)
        self.leaves += [body, b"after that"]
        proof = self._proof(index)
        made: dict[str, Any] = {
            "logIndex": str(index),
            "logId": {"keyId": coded(key_id(self.log))},
            "kindVersion": {"kind": told["kind"], "version": told["apiVersion"]},
            "inclusionProof": proof,
            "canonicalizedBody": coded(body),
        }
        if when is not None:
            promised = rfc8785.dumps(
                {
                    "body": coded(body),
                    "integratedTime": when,
                    "logID": key_id(self.log).hex(),
                    "logIndex": index,
                }
            )
            made["integratedTime"] = str(when)
            promise = {"signedEntryTimestamp": coded(sign(self.log, promised))}
            made["inclusionPromise"] = promise
        return made

    def _proof(self, index: int) -> dict[str, Any]:
        root = merkle.root(self.leaves)
        note = f"rekor.example - 1\n{len(self.leaves)}\n{coded(root)}\n"
        mark = coded(key_id(self.log)[:4] + sign(self.log, note.encode()))
        return {
            "logIndex": str(index),
            "rootHash": coded(root),
            "treeSize": str(len(self.leaves)),
            "hashes": [coded(one) for one in merkle.path(self.leaves, index)],
            "checkpoint": {"envelope": f"{note}\n\u2014 rekor.example {mark}\n"},
        }


@dataclass(frozen=True, kw_only=True)
class Who:
    """What a certificate says of who signs.

    Attributes:
        identity: The subject's alternative name.
        issuer: Who knows them by that; no extension where it is empty.
        logged: Whether the certificate was put into the log of certificates.
        purpose: What the key may be used for.
    """

    identity: str = IDENTITY
    issuer: str = ISSUER
    logged: bool = True
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING

    def extensions(self) -> list[tuple[x509.ExtensionType, bool]]:
        """Return the extensions of the certificate, and whether each is critical."""
        is_uri = "://" in self.identity
        name = (x509.UniformResourceIdentifier if is_uri else x509.RFC822Name)(
            self.identity
        )
        found: list[tuple[x509.ExtensionType, bool]] = [
            (_usage(certifies=False), True),
            (x509.ExtendedKeyUsage([self.purpose]), False),
            (x509.SubjectAlternativeName([name]), True),
        ]
        if self.issuer:
            plain = self.issuer.encode()
            text = b"\x0c" + bytes([len(plain)]) + plain  # a UTF8String
            for oid, value in ((_ISSUER, plain), (_ISSUER_V2, text)):
                told = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
                found.append((told, False))
        return found


def _usage(*, certifies: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certifies,
        key_cert_sign=certifies,
        crl_sign=certifies,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _log(
    url: str, key: ec.EllipticCurvePrivateKey, period: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": coded(spki(key)),
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            "validFor": dict(period),
        },
        "logId": {"keyId": coded(key_id(key))},
    }


def _body(payload: bytes, signature: bytes, certificate: x509.Certificate) -> bytes:
    """Return the entry ``dsse`` 0.0.1 of Rekor."""
    pem = certificate.public_bytes(Encoding.PEM)
    envelope = {
        "payload": coded(payload),
        "payloadType": dsse.IN_TOTO,
        "signatures": [{"sig": coded(signature)}],
    }
    whole = hashlib.sha256(json.dumps(envelope).encode()).hexdigest()
    return rfc8785.dumps(
        {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": {"algorithm": "sha256", "value": whole},
                "payloadHash": {
                    "algorithm": "sha256",
                    "value": hashlib.sha256(payload).hexdigest(),
                },
                "signatures": [{"signature": coded(signature), "verifier": coded(pem)}],
            },
        }
    )


def _newer_body(
    payload: bytes, signature: bytes, certificate: x509.Certificate
) -> bytes:
    """Return the entry ``hashedrekord`` 0.0.2 of the second Rekor."""
    digest = hashlib.sha256(dsse.covered(payload)).digest()
    der = certificate.public_bytes(Encoding.DER)
    verifier: dict[str, Any] = {
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "x509Certificate": {"rawBytes": coded(der)},
    }
    entry: dict[str, Any] = {
        "data": {"algorithm": "SHA2_256", "digest": coded(digest)},
        "signature": {"content": coded(signature), "verifier": verifier},
    }
    return rfc8785.dumps(
        {
            "apiVersion": "0.0.2",
            "kind": "hashedrekord",
            "spec": {"hashedRekordV002": entry},
        }
    )
