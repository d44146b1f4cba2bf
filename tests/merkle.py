"""Trees of hashes, as RFC 6962 defines them, from the top."""

import hashlib
from collections.abc import Sequence


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root of *leaves* (RFC 6962, 2.1)."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    middle = _left(len(leaves))
    both = root(leaves[:middle]) + root(leaves[middle:])
    return hashlib.sha256(b"\1" + both).digest()


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of a leaf (RFC 6962, 2.1.1)."""
    if len(leaves) == 1:
        return []
    middle = _left(len(leaves))
    if index < middle:
        return [*path(leaves[:middle], index), root(leaves[middle:])]
    return [*path(leaves[middle:], index - middle), root(leaves[:middle])]


def _left(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1
