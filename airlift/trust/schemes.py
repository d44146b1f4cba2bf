"""The signature schemes airlift accepts: one row each.

A scheme is a property of a trusted key, never of a message, and a public key has one
spelling and so one id. To add one is to add a row; a key that lies in a token
(``trust.token``) is another ``securesystemslib`` signer for an existing row.

ML-DSA (FIPS 204) signs ``"tuf"``, the byte 1 and the SHA-512 of the payload, as TAP 21
has it. Its signatures are randomised: two of one payload are never equal, and only
verification tells a good one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]


class Family(StrEnum):
    """What a scheme's strength rests on: who breaks one family has not the other."""

    CLASSICAL = "classical"
    LATTICE = "lattice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One way to sign.

    Attributes:
        name: As TUF metadata calls it.
        key_type: The ``keytype`` that goes with it.
        generate: Makes a new private key.
        load: Reads the public part as TUF spells it; ValueError when it cannot.
        family: What its strength rests on.
        order: The order of an ECDSA curve's group; 0 for schemes whose signatures
            have one form only.
    """

    name: str
    key_type: str
    generate: Callable[[], CryptoSigner]
    load: Callable[[str], PublicKeyTypes]
    family: Family = Family.CLASSICAL
    order: int = 0

    @property
    def label(self) -> str:
        """The name as part of a file's name."""
        return self.name.partition("/")[0]

    def settle(self, signature: bytes) -> bytes:
        """Return the one form of *signature* that airlift accepts.

        Of an ECDSA signature (r, s) anyone can make the equally valid (r, -s), so
        the lower s is required: without that a courier could change signed files.
        """
        if not self.order:
            return signature
        r, s = decode_dss_signature(signature)
        return encode_dss_signature(r, min(s, self.order - s))


def _raw_ed25519(public: str) -> PublicKeyTypes:
    return ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))


def _pem(public: str) -> PublicKeyTypes:
    return load_pem_public_key(public.encode())


def _ecdsa(bits: int, order: int) -> Scheme:
    name = f"ecdsa-sha2-nistp{bits}"
    return Scheme(
        name=name,
        key_type="ecdsa",
        generate=lambda: CryptoSigner.generate_ecdsa(scheme=name),
        load=_pem,
        order=order,
    )


def _mldsa(level: int) -> Scheme:
    name = f"ml-dsa-{level}/1"
    return Scheme(
        name=name,
        key_type="ml-dsa",
        generate=lambda: CryptoSigner.generate_mldsa(scheme=name),
        load=_pem,
        family=Family.LATTICE,
    )


DEFAULT = "ed25519"

_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P384 = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffff"
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)

SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        scheme.name: scheme
        for scheme in (
            Scheme(
                name=DEFAULT,
                key_type="ed25519",
                generate=CryptoSigner.generate_ed25519,
                load=_raw_ed25519,
            ),
            # Orders from FIPS 186-4, D.1.2.
            _ecdsa(256, _P256),
            _ecdsa(384, _P384),
            _mldsa(65),
            _mldsa(87),
        )
    }
)
"""Every accepted scheme by name."""
