"""What of a delivery a scanner without airlift can open, and what not.

Wheels, configuration and code travel as they are, each a member of a volume under its own
digest; weights may be coded, and only airlift reads those. A scanner that stops at a size
or at a depth of archives passes what it did not open.
"""

from collections.abc import Mapping
from enum import StrEnum

from airlift.artifact import ContentClass, ReleaseFile
from airlift.digest import Sha256
from airlift.format.packing import PackedBlob, PackingList

CEILING = 2 << 30
"""Bytes at which a common scanner stops looking (ClamAV's limit for a file)."""

_ARCHIVES = frozenset(
    [
        *("zip", "wheel", "torch", "keras", "npz", "tar", "gzip", "bzip2", "xz"),
        *("zstd", "lz4", "7z", "rar", "compressed"),
    ]
)


class Sight(StrEnum):
    """What a scanner sees of a file."""

    OPEN = "open"
    """The whole file, as one member of a volume."""
    ARCHIVE = "archive"
    """The same, and it is an archive: an archive in an archive for the scanner."""
    PIECES = "pieces"
    """Its bytes, but cut into several members: a pattern across a cut is not seen."""
    CODED = "coded"
    """Nothing: only airlift decodes it."""
    ABSENT = "absent"
    """Nothing: an earlier delivery brought it."""


def sights(
    listing: PackingList, files: Mapping[Sha256, ReleaseFile]
) -> dict[Sha256, Sight]:
    """Return what a scanner sees of each of *files*, by digest."""
    packed = {blob.sha256: blob for blob in listing.blobs}
    return {digest: _sight(packed.get(digest), file) for digest, file in files.items()}


def _sight(blob: PackedBlob | None, file: ReleaseFile) -> Sight:
    if blob is None:
        return Sight.ABSENT
    # Stored as it is, a part has as many bytes as it gives, and the digest of the blob
    # where it is all of it.
    if any(part.size != part.raw for part in blob.parts):
        return Sight.CODED
    if len(blob.parts) > 1:
        return Sight.PIECES
    if blob.parts and blob.parts[0].sha256 != blob.sha256:
        return Sight.CODED
    packed = file.format in _ARCHIVES or file.content_class is ContentClass.PACKAGE
    return Sight.ARCHIVE if packed else Sight.OPEN
