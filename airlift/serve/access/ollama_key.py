"""The key by which an Ollama host proves who it is when it asks for a token.

Ollama makes an Ed25519 key at its first start (``id_ed25519.pub`` beside its models)
and signs each request for a token with it. Nothing secret crosses the network, and
nobody types a password.

Source: Ollama, ``auth/auth.go`` and ``server/auth.go``; RFC 4253, section 6.6, and
RFC 8709, section 4, for the key's encoding.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from airlift import naming
from airlift.errors import RequestError

KIND: Final = "ssh-ed25519"

_HEADER_CHARS = 400
_KEY = re.compile(rf"(?:{KIND} )?(?P<key>[A-Za-z0-9+/]+=*)(?: .*)?", re.ASCII)
_STAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_NOTHING = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()
"""What Ollama signs in place of the request's body, which is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OllamaKey:
    """A host's public key.

    Attributes:
        raw: Its 32 bytes.
    """

    raw: bytes

    @property
    def text(self) -> str:
        """The key in base64, as it stands in the host's ``id_ed25519.pub``."""
        return base64.b64encode(_wrapped(self.raw)).decode()

    @property
    def fingerprint(self) -> str:
        """The name by which ``ssh-keygen -l`` shows the key."""
        digest = hashlib.sha256(_wrapped(self.raw)).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A request for a token whose signature was found good.

    Attributes:
        key: Who signed. Whether this host may have anything is not said by it.
        signed_at: When, in seconds since 1970 by the host's own clock.
        nonce: Drawn anew for each request; a second use of it is a replay.
    """

    key: OllamaKey
    signed_at: int
    nonce: str


def parse_key(text: str) -> OllamaKey:
    """Return the key that *text*, the content of an ``id_ed25519.pub``, states.

    Raises:
        RequestError: It is no Ed25519 public key.
    """
    found = _KEY.fullmatch(text.strip())
    key = _unwrapped(found["key"]) if found else None
    if key is None:
        problem = f"`{naming.show(text.strip()[:60])}` is not an Ed25519 public key"
        hint = "give the one line of the host's ~/.ollama/id_ed25519.pub"
        raise RequestError(problem, hint=hint)
    return key


def verify(header: str, *, url: str, query: Sequence[tuple[str, str]]) -> Proof | None:
    """Return what the ``Authorization`` of a request for a token proves, or None.

    It proves who signed, and for which URL; not when. The caller holds ``signed_at``
    against its own clock and refuses a ``nonce`` it has seen, or the header could be
    used again by whoever saw it.

    Args:
        header: The field's value, ``<key>:<signature>``, both in base64.
        url: What was asked as the client saw it, without its query: the realm of the
            challenge.
        query: Decoded, as received.
    """
    text, colon, signature = header.partition(":")
    key = _unwrapped(text) if colon and len(header) <= _HEADER_CHARS else None
    if key is None:
        return None
    try:
        made = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(key.raw).verify(made, _signed(url, query))
    except (binascii.Error, ValueError, InvalidSignature):
        return None
    fields = dict(query)
    stamp, nonce = fields.get("ts", ""), fields.get("nonce", "")
    if not _STAMP.fullmatch(stamp) or not nonce:
        return None
    return Proof(key=key, signed_at=int(stamp), nonce=nonce)


def _signed(url: str, query: Sequence[tuple[str, str]]) -> bytes:
    # As Go writes a query: sorted by name, values of one name in the order given.
    pairs = sorted(query, key=lambda pair: pair[0])
    written = "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in pairs)
    return f"GET,{url}?{written},{_NOTHING}".encode()


def _wrapped(raw: bytes) -> bytes:
    parts = (KIND.encode(), raw)
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _unwrapped(text: str) -> OllamaKey | None:
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    raw = blob[-32:]
    return OllamaKey(raw=raw) if len(raw) == 32 and blob == _wrapped(raw) else None
