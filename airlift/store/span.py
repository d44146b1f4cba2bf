"""Where the bytes of a blob lie on the local disk."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Bytes on the local disk: *length* bytes of *path* from *offset*."""

    path: Path
    offset: int
    length: int
