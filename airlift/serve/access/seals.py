"""What this server signs for itself: paths for a while, and short-lived bearers.

Both say which credential they stand for and until when; neither carries a secret,
and a revoked credential ends what was sealed for it. The two are of different
purposes and are never taken for each other.

Source: RFC 2104 (HMAC), with SHA-256.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field

PATH_S = 24 * 3600
"""How long a signed path holds. Ollama asks for it once and then fetches all parts of
a model there, which on a slow link takes hours."""
BEARER_S = 3600
"""How long a bearer holds. Container tools ask for another when told how long."""

_SEAL = re.compile(r"([0-9a-f]{32})\.([0-9]{1,12})\.([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What a seal stands for.

    Attributes:
        credential: The id of the credential it was made for.
        expires: Seconds since 1970.
    """

    credential: str
    expires: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealer:
    """Makes and reads seals.

    Attributes:
        key: 32 random bytes.
    """

    key: bytes = field(repr=False)

    def path(self, path: str, sealed: Sealed) -> str:
        """Return the seal that lets *path* be fetched."""
        return self._seal(f"path\0{path}", sealed)

    def opened_path(self, path: str, seal: str) -> Sealed | None:
        """Return what *seal* stands for if it was made for *path*, else None."""
        return self._opened(f"path\0{path}", seal)

    def bearer(self, sealed: Sealed) -> str:
        """Return a bearer."""
        return self._seal("bearer", sealed)

    def opened_bearer(self, bearer: str) -> Sealed | None:
        """Return what *bearer* stands for if this server made it, else None."""
        return self._opened("bearer", bearer)

    def _seal(self, purpose: str, sealed: Sealed) -> str:
        return f"{sealed.credential}.{sealed.expires}.{self._code(purpose, sealed)}"

    def _opened(self, purpose: str, seal: str) -> Sealed | None:
        match = _SEAL.fullmatch(seal)
        if match is None:
            return None
        sealed = Sealed(credential=match[1], expires=int(match[2]))
        # The digits are written out again: one seal has one spelling.
        expected = self._code(purpose, sealed)
        same = hmac.compare_digest(expected, match[3])
        return sealed if same and str(sealed.expires) == match[2] else None

    def _code(self, purpose: str, sealed: Sealed) -> str:
        text = f"airlift/{sealed.credential}/{sealed.expires}/{purpose}"
        octets = text.encode("utf-8", "surrogatepass")
        return hmac.new(self.key, octets, hashlib.sha256).hexdigest()
