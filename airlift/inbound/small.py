"""A file that gathers small blobs while a delivery arrives.

    entry := 32 bytes SHA-256 | u32 length | bytes          (little-endian, end to end)

Each entry proves itself, so a tail torn by a power cut is cut off at the next opening.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from airlift.digest import Sha256, sha256

_ENTRY = struct.Struct("<32sI")


class SmallBlobs:
    """Small blobs gathered in the file *path*; its OSErrors are the caller's."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b")
        self.names: set[Sha256] = set()
        end = 0
        for name, raw in self.entries():
            self.names.add(name)
            end += _ENTRY.size + len(raw)
        self._file.truncate(end)

    def add(self, name: Sha256, raw: bytes) -> None:
        """Append a blob whose digest was checked; durable after ``sync``."""
        if name not in self.names:
            self._file.write(_ENTRY.pack(bytes.fromhex(name), len(raw)) + raw)
            self.names.add(name)

    def sync(self) -> None:
        """Make all that was added durable."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def entries(self) -> Iterator[tuple[Sha256, bytes]]:
        """Yield every whole entry, its digest checked, up to the first torn one."""
        self._file.flush()
        position = 0
        while top := os.pread(self._file.fileno(), _ENTRY.size, position):
            if len(top) < _ENTRY.size:
                return
            digest, size = _ENTRY.unpack(top)
            raw = os.pread(self._file.fileno(), size, position + _ENTRY.size)
            if sha256(raw) != digest.hex():
                return
            yield Sha256(digest.hex()), raw
            position += _ENTRY.size + size

    def close(self) -> None:
        """Close the file."""
        self._file.close()
