"""Encrypted volumes, written from section 7.1 of docs/format.md alone.

What HPKE (RFC 9180) and AES-GCM do is the library's; what goes into them is here.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from independent.framing import END, member
from independent.record import (
    canonical,
    digest,
    need,
    number,
    parse,
    sha256,
    site,
    table,
)

_COVER: Final = b"airlift/encrypted.json"
_PIECE: Final = 1 << 30
_CHUNK, _TAG = 65_536, 16
_PLAIN: Final = _CHUNK - _TAG
_FIELDS: Final = {
    **dict.fromkeys(("format", "site", "delivery", "cutting", "suite"), str),
    **dict.fromkeys(("key_id", "encapsulated", "salt", "check"), str),
    **dict.fromkeys(("sequence", "ordinal", "count", "size"), int),
}
_GCM: Final = hpke.AEAD.AES_256_GCM
_SUITES: Final = {
    "mlkem768-x25519": (hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256),
    "mlkem1024-p384": (hpke.KEM.MLKEM1024_P384, hpke.KDF.HKDF_SHA384),
    "x25519": (hpke.KEM.X25519, hpke.KDF.HKDF_SHA256),
}


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key that a reader has, in the bytes that tests/vectors/README.md states."""

    suite: str
    private: bytes

    @property
    def key_id(self) -> str:
        """The id of its public half."""
        return sha256(canonical({"public": self._public().hex(), "suite": self.suite}))

    def opens(self, sealed: bytes, info: bytes) -> bytes:
        """Return what was sealed to it."""
        try:
            return hpke.Suite(*_SUITES[self.suite], _GCM).decrypt(
                sealed, self._private(), info
            )
        except InvalidTag:
            need(condition=False, reason="it does not open the cover", word="trust")
            raise

    def _private(
        self,
    ) -> (
        x25519.X25519PrivateKey
        | hpke.MLKEM768X25519PrivateKey
        | hpke.MLKEM1024P384PrivateKey
    ):
        lattice, curve = self.private[:64], self.private[64:]
        if self.suite == "x25519":
            return x25519.X25519PrivateKey.from_private_bytes(self.private)
        if self.suite == "mlkem768-x25519":
            return hpke.MLKEM768X25519PrivateKey(
                mlkem.MLKEM768PrivateKey.from_seed_bytes(lattice),
                x25519.X25519PrivateKey.from_private_bytes(curve),
            )
        return hpke.MLKEM1024P384PrivateKey(
            mlkem.MLKEM1024PrivateKey.from_seed_bytes(lattice),
            ec.derive_private_key(int.from_bytes(curve, "big"), ec.SECP384R1()),
        )

    def _public(self) -> bytes:
        lattice, curve = self.private[:64], self.private[64:]
        if self.suite == "x25519":
            return _of_x25519(self.private)
        if self.suite == "mlkem768-x25519":
            first = mlkem.MLKEM768PrivateKey.from_seed_bytes(lattice).public_key()
            return first.public_bytes_raw() + _of_x25519(curve)
        scalar = int.from_bytes(curve, "big")
        point = ec.derive_private_key(scalar, ec.SECP384R1()).public_key()
        other = mlkem.MLKEM1024PrivateKey.from_seed_bytes(lattice).public_key()
        return other.public_bytes_raw() + point.public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )


def _of_x25519(private: bytes) -> bytes:
    key = x25519.X25519PrivateKey.from_private_bytes(private)
    return key.public_key().public_bytes_raw()


@dataclass(frozen=True, kw_only=True)
class Cover:
    """What a cover says, and the secret that it carries."""

    told: Mapping[str, Any]
    secret: bytes

    def check(self, label: Mapping[str, Any]) -> None:
        """Refuse a *label* of the volume inside that the cover contradicts."""
        same = ("site", "sequence", "ordinal", "count", "cutting")
        need(all(self.told[one] == label[one] for one in same), "another volume inside")
        name = _hmac(self.secret, b"delivery", label["dispatch"].encode()).hex()
        need(name == self.told["delivery"], "another delivery inside")


def _hmac(secret: bytes, word: bytes, about: bytes) -> bytes:
    return hmac.new(secret, word + b"\0" + about, hashlib.sha256).digest()


def read_cover(data: bytes) -> Mapping[str, Any]:
    """Return a cover, its form and check checked."""
    found = table(parse(data, 8192), _FIELDS)
    need(found["format"] == "airlift/encrypted/1", "another format")
    others = {key: value for key, value in found.items() if key != "check"}
    need(sha256(canonical(others)) == found["check"], "the cover's check fails")
    site(found["site"])
    number(found["sequence"], 1)
    number(found["ordinal"], 1, number(found["count"], 1, 99_999))
    number(found["size"], 1, 1 << 43)
    for one in ("delivery", "key_id", "salt"):
        digest(found[one])
    raw = bytes.fromhex(found["encapsulated"])
    need(raw.hex() == found["encapsulated"], "no hexadecimal")
    return found


def uncovered(data: bytes, keys: Sequence[Key]) -> tuple[bytes, Cover | None]:
    """Return the volume in the file *data*: itself, or what is inside, by its cover."""
    if data[:100].rstrip(b"\0") != _COVER:
        return data, None
    stated = data[124:135]
    need(stated.isdigit(), "no header")
    raw, at = member(data, 0, _COVER.decode(), number(int(stated, 8), 0, 8192))
    told = read_cover(raw)
    own = next((one for one in keys if one.key_id == told["key_id"]), None)
    need(own and own.suite == told["suite"], "encrypted to another key", "trust")
    assert own
    bound = canonical({"sequence": told["sequence"], "site": told["site"]})
    info = b"airlift/encrypted/1\0" + bound
    secret = own.opens(bytes.fromhex(told["encapsulated"]), info)
    need(len(secret) == 32, "no secret of 32 bytes", "trust")
    key = _hmac(secret, b"key", raw)
    stored, at = _pieces(data, at, told["size"])
    need(data[at:] == END, "the end mark")
    return _decrypted(key, stored), Cover(told=told, secret=secret)


def _pieces(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    """Return all chunks end to end, and where the last member ends."""
    left, stored = size + -(-size // _PLAIN) * _TAG, b""
    for index in range(-(-left // _PIECE)):
        some = min(_PIECE, left)
        piece, at = member(data, at, f"encrypted/{index:04d}", some)
        stored, left = stored + piece, left - some
    return stored, at


def _decrypted(key: bytes, stored: bytes) -> bytes:
    out, gcm = b"", AESGCM(key)
    for index, at in enumerate(range(0, len(stored), _CHUNK)):
        nonce = index.to_bytes(12, "big")
        try:
            out += gcm.decrypt(nonce, stored[at : at + _CHUNK], None)
        except InvalidTag:
            need(condition=False, reason=f"chunk {index} is another")
    return out
