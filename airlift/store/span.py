"""Where the bytes of a blob lie on the local disk."""

from dataclasses import dataclass
from pathlib import Path

from airlift import naming
from airlift.errors import StoreError

READ_BYTES = 16 << 20
"""Most that ``Span.read`` gives: the heads of files and small texts, never a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Bytes on the local disk: *length* bytes of *path* from *offset*."""

    path: Path
    offset: int
    length: int

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from *start* up to *stop*, to the end or to 16 MiB.

        Raises:
            StoreError: The file cannot be read, or ends early.
        """
        begin = min(max(start, 0), self.length)
        end = min(max(stop, begin), self.length, begin + READ_BYTES)
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset + begin)
                found = file.read(end - begin)
        except OSError as error:
            problem = f"{naming.show(str(self.path))} cannot be read: {error.strerror}"
            raise StoreError(problem) from error
        if len(found) < end - begin:
            problem = f"{naming.show(str(self.path))} ended early, at byte"
            problem += f" {self.offset + begin + len(found)}"
            raise StoreError(problem)
        return found
