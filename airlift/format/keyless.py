"""Signatures through Sigstore: by whom, as known to whom, and what says when.

Who signs has a certificate of minutes, from an authority that asked somebody else who
they are, and a log or a clock says when it was used. All of them are believed for what
one document says of them, the trust root. A release carries that document, so that a
site asks nobody, and gives the same verdict in ten years.

Source: Sigstore bundle 0.3 and trusted root 0.1 (protobuf-specs); OpenSSF Model Signing
1.0, section 8.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from airlift.artifact import Json
from airlift.format import canonical, dsse
from airlift.format.fields import Fields

SCHEME: Final = "sigstore"
"""The scheme of a signatory that is an identity, and no key."""
LIMIT: Final = 256 << 10
"""Bytes of an identity with its trust root: that of the public Sigstore has 7,000."""

_ENTRY: Final = (
    *("logIndex", "logId", "kindVersion", "integratedTime", "inclusionPromise"),
    *("inclusionProof", "canonicalizedBody"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Whose signatures are believed, and on whose word.

    Attributes:
        identity: As the certificate has to say: an address of mail, or a URI.
        issuer: Who has to have known them by it, a URL.
        root: The trust root: authorities, logs and clocks, and when each was in force.
    """

    identity: str
    issuer: str
    root: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """What a bundle says of when it was signed; believed in no way.

    Attributes:
        log: The id of the log, in base64.
        at: When the log took it, seconds since 1970, where it promises that; else 0.
        stamp: The answer of a clock (RFC 3161); empty where none was asked.
    """

    log: str
    at: int
    stamp: bytes


def encode(known: Known) -> str:
    """Return what a release document has as the ``public`` of a signatory."""
    return canonical.encode(
        {
            "identity": known.identity,
            "issuer": known.issuer,
            "trusted_root": known.root,
        }
    ).decode()


def decode(public: str, *, name: str) -> Known:
    """Return whose signatures the ``public`` of a signatory believes.

    Raises:
        FormatError: It is none, or is spelt in another way.
    """
    data = canonical.decode(public.encode(), name=name, limit=LIMIT)
    top = Fields(data, record=name)
    top.exactly("identity", "issuer", "trusted_root")
    return Known(
        identity=top.text("identity"),
        issuer=top.text("issuer"),
        root=top.mapping("trusted_root"),
    )


def root(public: str) -> bytes:
    """Return the trust root in the ``public`` of a signatory, as others read it.

    Raises:
        FormatError: As ``decode``.
    """
    return canonical.encode(decode(public, name="an identity").root)


def logged(material: Fields) -> Logged:
    """Return what the *material* of a bundle says of when it was signed.

    Every key is one that is known: who verifies it reads some under two names.

    Raises:
        FormatError: It says nothing of that, or more than one thing.
    """
    material.only("certificate", "tlogEntries", "timestampVerificationData")
    entries = tuple(material.tables("tlogEntries"))
    if len(entries) != 1:
        problem = f"has {len(entries)} entries, expected one"
        material.refuse("tlogEntries", problem)
    (entry,) = entries
    entry.only(*_ENTRY)
    entry.table("logId").only("keyId")
    at = _seconds(entry) if entry.has("inclusionPromise") else 0
    stamp = _stamp(material)
    if not at and not stamp:
        material.refuse(
            "tlogEntries", "has no promise of a time, and no clock gave one"
        )
    return Logged(log=entry.table("logId").text("keyId"), at=at, stamp=stamp)


def _seconds(entry: Fields) -> int:
    text = entry.text("integratedTime")
    # Ten digits last until the year 2286.
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        entry.refuse("integratedTime", "is no number of seconds")
    return int(text)


def _stamp(material: Fields) -> bytes:
    if not material.has("timestampVerificationData"):
        return b""
    data = material.table("timestampVerificationData")
    data.only("rfc3161Timestamps")
    stamps = tuple(data.tables("rfc3161Timestamps"))
    if len(stamps) > 1:
        # Of several, one that is wrong would not be told from one that counts.
        problem = f"has {len(stamps)} timestamps, expected one at most"
        data.refuse("rfc3161Timestamps", problem)
    return dsse.octets(stamps[0], "signedTimestamp") if stamps else b""
