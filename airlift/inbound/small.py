"""A file that gathers small blobs while a delivery arrives.

    entry := 32 bytes SHA-256 | u32 length | bytes          (little-endian, end to end)

Each entry proves itself, so a tail torn by a power cut is cut off at the next opening.
The file and its folder are made with the first entry: whoever only looks leaves nothing.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from airlift.digest import Sha256, sha256
from airlift.store.blobs import SMALL
from airlift.store.durable import Disk

_ENTRY = struct.Struct("<32sI")
_BUFFER = 1 << 20


class SmallBlobs:
    """Small blobs gathered in the file *path*; its OSErrors are the caller's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self.names: set[Sha256] = set()
        self._end = 0
        for name, raw in self.entries():
            self.names.add(name)
            self._end += _ENTRY.size + len(raw)

    def begin(self) -> BinaryIO:
        """Make the file and the folder that it lies in, if they are not there.

        Raises:
            StoreError: The folder cannot be made.
        """
        if self._file is None:
            Disk().make_folder(self._path.parent, mode=0o700)
            file: BinaryIO = self._path.open("a+b", buffering=_BUFFER)
            # Only now: whoever looks while another process writes must cut nothing off.
            file.truncate(self._end)
            self._file = file
        return self._file

    def add(self, name: Sha256, raw: bytes) -> None:
        """Append a blob whose digest was checked; durable after ``sync``."""
        if name not in self.names:
            self.begin().write(_ENTRY.pack(bytes.fromhex(name), len(raw)) + raw)
            self.names.add(name)

    def sync(self) -> None:
        """Make all that was added durable."""
        file = self.begin()
        file.flush()
        os.fsync(file.fileno())

    def entries(self) -> Iterator[tuple[Sha256, bytes]]:
        """Yield every whole entry, its digest checked, up to the first torn one."""
        if self._file:
            self._file.flush()
        elif not self._path.exists():
            return
        with self._path.open("rb", buffering=_BUFFER) as file:
            while len(top := file.read(_ENTRY.size)) == _ENTRY.size:
                digest, size = _ENTRY.unpack(top)
                # A torn length may say 4 GiB; no entry is that long.
                raw = file.read(min(size, SMALL))
                if (name := sha256(raw)) != digest.hex():
                    return
                yield name, raw

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
