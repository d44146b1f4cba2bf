"""A medium to write on: found fit before the first byte is written."""

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from airlift.errors import RequestError, StoreError

_FAT_LIMIT = 2**32 - 1
"""Bytes of the largest file on FAT16 and FAT32."""

_MOUNT_ROOTS = ("/media", "/mnt", "/run/media", "/Volumes")
_RESERVE = 1 << 20
"""Bytes for directories and the small files beside the volumes."""


def prepare(folder: Path, sizes: Mapping[str, int]) -> None:
    """Make *folder* and find it able to take files of these names and sizes.

    Files that are there already, whole, are not counted.

    Raises:
        RequestError: It is not a folder, not the medium it seems, or its file system
            cannot hold files this large.
        StoreError: It has too little room, or refuses writes.
    """
    _check_mounted(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        limit = _file_limit(folder)
        free = shutil.disk_usage(folder).free
    except FileExistsError as error:
        problem = f"{folder} is not a folder"
        raise RequestError(problem, hint="name a folder to write into") from error
    except OSError as error:
        problem = f"cannot write to {folder}: {error.strerror}"
        raise StoreError(problem, hint="is the medium read-only?") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        problem = f"cannot write to {folder}: it is read-only for this user"
        hint = "mount the medium writable, or choose a folder of your own"
        raise StoreError(problem, hint=hint)
    largest = max(sizes.values(), default=0)
    if limit is not None and largest > limit:
        problem = f"{folder} is FAT: a volume of {largest} bytes exceeds {limit}"
        raise RequestError(problem, hint="use --volume-size fat32 or smaller")
    needed = _RESERVE + sum(
        size for name, size in sizes.items() if not _is_there(folder / name, size)
    )
    if free < needed:
        problem = f"{folder} has {free} bytes free, the volumes need {needed}"
        hint = "use a larger medium; nothing was written"
        raise StoreError(problem, hint=hint)


def _is_there(path: Path, size: int) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size


def _check_mounted(folder: Path) -> None:
    """Refuse a folder that looks like a mount point's but lies on the system disk.

    Writing a delivery into the empty folder of a stick that is not mounted is the
    classic wasted trip.
    """
    absolute = folder.absolute()
    root = next((one for one in _MOUNT_ROOTS if absolute.is_relative_to(one)), None)
    if root is None:
        return
    nearest = next(one for one in (absolute, *absolute.parents) if one.exists())
    if nearest.stat().st_dev == Path("/").stat().st_dev:
        problem = f"{folder} is under {root}, but nothing is mounted there"
        raise RequestError(
            problem, hint="mount the medium first, or choose a folder elsewhere"
        )


def _file_limit(folder: Path) -> int | None:
    """Return the largest file the file system of *folder* takes, where it is FAT."""
    kind = ""
    longest = -1
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return None
    real = os.path.realpath(folder)
    for line in mounts.read_text(errors="replace").splitlines():
        _, point, found, *_ = line.split(" ")
        point = point.encode().decode("unicode_escape")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) > longest:
            kind, longest = found, len(point)
    return _FAT_LIMIT if kind in ("vfat", "msdos") else None
