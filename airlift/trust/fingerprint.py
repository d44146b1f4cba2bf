"""What two people compare over the telephone: a SHA-256 as groups and as words.

Of a key it is the key id, which is computed from the key itself; of a root it is the
SHA-256 of the file. Words cover the first 16 bytes: 128 bits, beyond anybody who
would look for another key or root with the same words.
"""

import re
from dataclasses import dataclass

from airlift import naming
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.trust import words

WORDS = 16
"""Words shown, and the fewest accepted in place of hexadecimal digits."""

_GROUP = 8
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_GAPS = re.compile(r"[\s:.-]+")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The fingerprint of a key or of a root."""

    digest: Sha256

    @property
    def groups(self) -> str:
        """All 64 hexadecimal digits, in groups of eight."""
        starts = range(0, len(self.digest), _GROUP)
        return " ".join(self.digest[at : at + _GROUP] for at in starts)

    @property
    def words(self) -> str:
        """Sixteen words that stand for the first 16 bytes."""
        return " ".join(words.spell(bytes.fromhex(self.digest)[:WORDS]))

    def matches(self, text: str) -> bool:
        """Say whether *text*, as a person wrote it down, is this fingerprint.

        Args:
            text: 64 hexadecimal digits with any spaces, colons or dashes, or the
                sixteen words.

        Raises:
            RequestError: It is neither; says which word is wrong.
        """
        plain = _GAPS.sub("", text.strip().lower())
        if _HEX.fullmatch(plain):
            return plain == self.digest
        if any(c.isdigit() for c in plain):
            problem = f"`{naming.show(text[:80])}` is not 64 hexadecimal digits"
            raise RequestError(problem, hint="give all eight groups, or the words")
        spelt = words.parse(text)
        if len(spelt) != WORDS:
            problem = f"a fingerprint has {WORDS} words, here are {len(spelt)}"
            raise RequestError(problem, hint="give all of them, or the 64 digits")
        return spelt == bytes.fromhex(self.digest)[:WORDS]


def of_root(data: bytes) -> Fingerprint:
    """Return the fingerprint of a root file with the bytes *data*."""
    return Fingerprint(sha256(data))
