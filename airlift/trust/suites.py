"""The ways a delivery's secret is encrypted to a site: HPKE in the base mode.

Each is an RFC 9180 suite; what the two hybrids put together, an attacker has to break
both of: ML-KEM (FIPS 203) for those who keep media until there is a quantum computer,
and a curve for whatever may be found in ML-KEM. A key is its halves end to end:

    mlkem768-x25519   seed (64), X25519 (32)       ML-KEM (1,184), X25519 (32)
    mlkem1024-p384    seed (64), P-384 scalar (48) ML-KEM (1,568), point (97)
    x25519            X25519 (32)                  X25519 (32)

Source: RFC 9180; the hybrid KEMs 0x647a and 0x0051 of draft-ietf-hpke-pq.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from airlift.errors import RequestError

PrivateKey: TypeAlias = (
    x25519.X25519PrivateKey
    | hpke.MLKEM768X25519PrivateKey
    | hpke.MLKEM1024P384PrivateKey
)
PublicKey: TypeAlias = (
    x25519.X25519PublicKey | hpke.MLKEM768X25519PublicKey | hpke.MLKEM1024P384PublicKey
)

DEFAULT: Final = "mlkem768-x25519"
_SEED: Final = 64
_ML768: Final = 1184
_ML1024: Final = 1568
_SCALAR: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One way.

    Attributes:
        name: What it is called in files.
        hpke: The suite.
        generate: Makes the bytes of a private key.
        private: Returns the private key that bytes are; ValueError if they are none.
        public: Returns the public key that bytes are; ValueError if they are none.
        half: Returns the bytes of the public key that goes with those of a private one.
    """

    name: str
    hpke: hpke.Suite
    generate: Callable[[], bytes]
    private: Callable[[bytes], PrivateKey]
    public: Callable[[bytes], PublicKey]
    half: Callable[[bytes], bytes]

    def make(self) -> bytes:
        """Return the bytes of a new private key.

        Raises:
            RequestError: The library that this runs on has not this suite.
        """
        try:
            return self.generate()
        except UnsupportedAlgorithm as error:
            problem = f"the `cryptography` of this host has no {self.name}"
            hint = "use that of its wheels, or another --suite"
            raise RequestError(problem, hint=hint) from error

    def seal(self, secret: bytes, public: bytes, about: bytes) -> bytes:
        """Return *secret* encrypted to the key *public*, for *about* alone."""
        return self.hpke.encrypt(secret, self.public(public), about)

    def open(self, sealed: bytes, private: bytes, about: bytes) -> bytes | None:
        """Return what was sealed to the key *private*, for *about*; None if nothing."""
        try:
            return self.hpke.decrypt(sealed, self.private(private), about)
        except (InvalidTag, ValueError):
            return None


def _x25519() -> bytes:
    return x25519.X25519PrivateKey.generate().private_bytes_raw()


def _x25519_public(private: bytes) -> bytes:
    key = x25519.X25519PrivateKey.from_private_bytes(private)
    return key.public_key().public_bytes_raw()


def _hybrid_768() -> bytes:
    return mlkem.MLKEM768PrivateKey.generate().private_bytes_raw() + _x25519()


def _private_768(data: bytes) -> hpke.MLKEM768X25519PrivateKey:
    return hpke.MLKEM768X25519PrivateKey(
        mlkem.MLKEM768PrivateKey.from_seed_bytes(data[:_SEED]),
        x25519.X25519PrivateKey.from_private_bytes(data[_SEED:]),
    )


def _public_768(data: bytes) -> hpke.MLKEM768X25519PublicKey:
    return hpke.MLKEM768X25519PublicKey(
        mlkem.MLKEM768PublicKey.from_public_bytes(data[:_ML768]),
        x25519.X25519PublicKey.from_public_bytes(data[_ML768:]),
    )


def _half_768(data: bytes) -> bytes:
    lattice = mlkem.MLKEM768PrivateKey.from_seed_bytes(data[:_SEED]).public_key()
    return lattice.public_bytes_raw() + _x25519_public(data[_SEED:])


def _p384(scalar: bytes) -> ec.EllipticCurvePrivateKey:
    if len(scalar) != _SCALAR:
        problem = "not 48 bytes"
        raise ValueError(problem)
    return ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP384R1())


def _hybrid_1024() -> bytes:
    curve = ec.generate_private_key(ec.SECP384R1()).private_numbers()
    scalar = curve.private_value.to_bytes(_SCALAR, "big")
    return mlkem.MLKEM1024PrivateKey.generate().private_bytes_raw() + scalar


def _private_1024(data: bytes) -> hpke.MLKEM1024P384PrivateKey:
    lattice = mlkem.MLKEM1024PrivateKey.from_seed_bytes(data[:_SEED])
    return hpke.MLKEM1024P384PrivateKey(lattice, _p384(data[_SEED:]))


def _public_1024(data: bytes) -> hpke.MLKEM1024P384PublicKey:
    point, form = data[_ML1024:], b"\x04"
    if not point.startswith(form):  # one spelling of a key, and so one id
        problem = "a point that is not uncompressed"
        raise ValueError(problem)
    return hpke.MLKEM1024P384PublicKey(
        mlkem.MLKEM1024PublicKey.from_public_bytes(data[:_ML1024]),
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), point),
    )


def _half_1024(data: bytes) -> bytes:
    lattice = mlkem.MLKEM1024PrivateKey.from_seed_bytes(data[:_SEED]).public_key()
    curve = _p384(data[_SEED:]).public_key()
    point = curve.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return lattice.public_bytes_raw() + point


_GCM: Final = hpke.AEAD.AES_256_GCM
_ALL: Final = (
    Suite(
        name=DEFAULT,
        hpke=hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, _GCM),
        generate=_hybrid_768,
        private=_private_768,
        public=_public_768,
        half=_half_768,
    ),
    Suite(
        name="mlkem1024-p384",
        hpke=hpke.Suite(hpke.KEM.MLKEM1024_P384, hpke.KDF.HKDF_SHA384, _GCM),
        generate=_hybrid_1024,
        private=_private_1024,
        public=_public_1024,
        half=_half_1024,
    ),
    Suite(
        name="x25519",
        hpke=hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, _GCM),
        generate=_x25519,
        private=x25519.X25519PrivateKey.from_private_bytes,
        public=x25519.X25519PublicKey.from_public_bytes,
        half=_x25519_public,
    ),
)
SUITES: Final = {one.name: one for one in _ALL}
"""The suites by name, the default first."""
