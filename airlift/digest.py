"""Digests as strings of known shape, and the one way to hash a stream."""

import hashlib
import re
from collections.abc import Iterable
from typing import NewType

Sha256 = NewType("Sha256", str)
"""64 lower-case hexadecimal digits."""

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def is_sha256(text: object) -> bool:
    """Say whether *text* is a SHA-256 in the one spelling airlift accepts."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


def sha256(data: bytes | bytearray | memoryview) -> Sha256:
    """Return the SHA-256 of *data*."""
    return Sha256(hashlib.sha256(data).hexdigest())


def sha256_of(chunks: Iterable[bytes]) -> tuple[Sha256, int]:
    """Return the SHA-256 and the length in bytes of *chunks* joined."""
    hasher, size = hashlib.sha256(), 0
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
    return Sha256(hasher.hexdigest()), size


def git_blob_hasher(size: int) -> "hashlib._Hash":
    """Return a hasher that yields git's object id of a blob of *size* bytes.

    Source: Git internals, "Object Storage": SHA-1 over ``blob <size>`` NUL bytes.
    """
    # SHA-1 names the file for Hugging Face clients; nothing is trusted because of it.
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
