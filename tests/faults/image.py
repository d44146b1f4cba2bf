"""A disk image that misbehaves as it is told, in a folder that FUSE makes.

``python image.py FOLDER CONFIG`` shows one file ``FOLDER/img``. CONFIG is JSON, read
again whenever it changes: ``backing`` (the file with the bytes), ``size`` (what the
image claims to have) and any of

    bad    [[a, b], ...]   reads that touch these bytes fail with EIO
    flip   {"at": x, "times": n}  the lowest bit of a byte is wrong in its first n reads
    slow   seconds that every read takes longer
    real   bytes that there are in truth: what is written behind them is lost
    wrap   bytes that there are in truth: what is written behind them lands in front

A loop device on it gives a file system whose errors are the kernel's own.
"""

import ctypes
import errno
import json
import os
import stat
import sys
import time
from pathlib import Path
from typing import Any

import mfusepy  # type: ignore[import-untyped, unused-ignore]

NAME = "img"


class Image(mfusepy.Operations):  # type: ignore[misc, unused-ignore]
    """One file."""

    use_ns = True

    def __init__(self, config: str) -> None:
        self._path, self._stamp = Path(config), 0
        self._told: dict[str, Any] = {}
        self._flips = 0
        self._fd = os.open(self._config()["backing"], os.O_RDWR)

    def _config(self) -> dict[str, Any]:
        stamp = self._path.stat().st_mtime_ns
        if stamp != self._stamp:
            self._told, self._stamp = json.loads(self._path.read_text()), stamp
            self._flips = 0
        return self._told

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        """Say what *path* is."""
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        if path != f"/{NAME}":
            raise mfusepy.FuseOSError(errno.ENOENT)
        size = self._config()["size"]
        return {"st_mode": stat.S_IFREG | 0o644, "st_nlink": 1, "st_size": size}

    def readdir(self, path: str, fh: int) -> list[str]:
        """List the one file."""
        return [".", "..", NAME]

    def open(self, path: str, info: Any) -> int:
        """Open it, so that no cache lies between it and who reads it."""
        info.direct_io = 1
        return 0

    def read(self, path: str, size: int, at: int, info: Any) -> bytes:
        """Read what there is, as it is told to."""
        told = self._config()
        if seconds := told.get("slow"):
            time.sleep(seconds)
        if any(at < stop and at + size > start for start, stop in told.get("bad", ())):
            raise mfusepy.FuseOSError(errno.EIO)
        data = bytearray(self._read(size, at, told))
        if flip := told.get("flip"):
            where = flip["at"] - at
            if 0 <= where < len(data) and self._flips < flip["times"]:
                self._flips += 1
                data[where] ^= 1
        return bytes(data)

    def _read(self, size: int, at: int, told: dict[str, Any]) -> bytes:
        if "wrap" in told:
            at %= told["wrap"]
        end = told.get("real", told["size"])
        there = os.pread(self._fd, max(0, min(size, end - at)), at)
        return there + bytes(size - len(there))

    def write(self, path: str, data: bytes, at: int, info: Any) -> int:
        """Say that all was written."""
        told = self._config()
        if "wrap" in told:
            at %= told["wrap"]
        end = told.get("real", told["size"])
        os.pwrite(self._fd, data[: max(0, end - at)], at)
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        """Stay as long as it is."""
        return 0

    def fsync(self, path: str, datasync: int, info: Any) -> int:
        """Say that all is safe."""
        return 0

    def fallocate(self, path: str, mode: int, at: int, size: int, info: Any) -> int:
        """Have no holes."""
        raise mfusepy.FuseOSError(errno.EOPNOTSUPP)


def main() -> None:
    """Serve until the folder is unmounted."""
    folder, config = sys.argv[1:]
    # Ends with who started it, however that ends.
    ctypes.CDLL(None).prctl(1, 9)
    mfusepy.FUSE(Image(config), folder, foreground=True, raw_fi=True, nothreads=True)


if __name__ == "__main__":
    main()
