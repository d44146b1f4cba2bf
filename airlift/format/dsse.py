"""Signed envelopes: a payload, its type, and signatures over both.

What is signed is the type and the bytes as they travel, so nothing is parsed before a
signature is right, and what was verified is what is parsed (threats D5, D6).

Source: DSSE 1.0.2, "Protocol" and "Envelope".
"""

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass

from airlift.artifact import Json
from airlift.format import canonical
from airlift.format.fields import Fields

IN_TOTO = "application/vnd.in-toto+json"
"""The one payload type that is read here."""
LIMIT = 64 << 20
"""Bytes of an envelope: a model signature of 200,000 files is about 50 MiB."""
MOST = 64
"""Signatures of an envelope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature, and by which key; ``key_id`` is a hint and empty where none is."""

    key_id: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload of type ``IN_TOTO`` and its signatures; believed in no way."""

    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def signed(self) -> bytes:
        """What the signatures cover: DSSE's pre-authentication encoding."""
        return covered(self.payload)


def covered(payload: bytes) -> bytes:
    """Return what a signature of *payload*, an in-toto statement, covers."""
    front = f"DSSEv1 {len(IN_TOTO)} {IN_TOTO} {len(payload)} "
    return front.encode() + payload


def table(envelope: Envelope) -> dict[str, Json]:
    """Return *envelope* as JSON holds it."""
    return {
        "payload": b64encode(envelope.payload).decode(),
        "payloadType": IN_TOTO,
        "signatures": tuple(
            {"keyid": one.key_id, "sig": b64encode(one.value).decode()}
            for one in envelope.signatures
        ),
    }


def encode(envelope: Envelope) -> bytes:
    """Return the canonical bytes of *envelope*."""
    return canonical.encode(table(envelope))


def from_fields(top: Fields) -> Envelope:
    """Return the envelope that an object states.

    Raises:
        FormatError: It is none, is of another type of payload, or its base64 has more
            than one reading.
    """
    top.only("payload", "payloadType", "signatures")
    top.expect("payloadType", IN_TOTO)
    signatures = tuple(_signature(one) for one in top.tables("signatures"))
    if not 0 < len(signatures) <= MOST:
        top.refuse("signatures", f"are {len(signatures)}, expected 1 to {MOST}")
    return Envelope(payload=octets(top, "payload"), signatures=signatures)


def _signature(entry: Fields) -> Signature:
    entry.only("keyid", "sig")
    key_id = entry.text("keyid") if entry.has("keyid") else ""
    return Signature(key_id=key_id, value=octets(entry, "sig"))


def octets(entry: Fields, key: str) -> bytes:
    """Return the bytes that the base64 at *key* stands for.

    Raises:
        FormatError: It is not the one base64 of any bytes (threat D7).
    """
    text = entry.text(key)
    try:
        found = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if b64encode(found).decode() != text:
        entry.refuse(key, "is not base64 as RFC 4648 writes it")
    return found
