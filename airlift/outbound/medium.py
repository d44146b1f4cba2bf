"""A medium to write on: found fit before the first byte is written."""

import os
import resource
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from airlift.errors import AirliftError, RequestError, StoreError
from airlift.outbound import drives
from airlift.store import durable
from airlift.store.durable import Disk, let_go

_FAT: Final = ("vfat", "msdos")
_LIMITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(_FAT, 2**32 - 1),
    "hfs": 2**31 - 1,
}
"""Bytes of the largest file, where a file system that sticks have has such a limit."""

_FOLDER: Final = 65_536
"""Entries of 32 bytes in a folder of FAT: one a file, and one for each 13 characters
of its name."""

_MOUNT_ROOTS = ("/media", "/mnt", "/run/media", "/Volumes")
_RESERVE = 1 << 20
"""Bytes for directories and the small files beside the volumes."""


def prepare(folder: Path, sizes: Mapping[str, int]) -> None:
    """Make *folder* and find it able to take files of these names and sizes.

    Files that are there already, whole, are not counted.

    Raises:
        RequestError: It is not a folder, not the medium it seems, or its file system
            cannot hold files this large, this many, or of these names.
        StoreError: It has too little room, or refuses writes.
    """
    free = room(folder, sizes)
    needed = sum(
        size for name, size in sizes.items() if not _is_there(folder / name, size)
    )
    if free < needed:
        problem = (
            f"{folder} has {free + _RESERVE} bytes free, "
            f"the volumes need {needed + _RESERVE}"
        )
        hint = (
            "use a larger medium, several (`--to A --to B`), or one after the other "
            "(`--wait`); nothing was written"
        )
        raise StoreError(problem, hint=hint)


def room(folder: Path, sizes: Mapping[str, int]) -> int:
    """Make *folder*, find it fit for each of these files; return its free bytes.

    Args:
        folder: On the medium.
        sizes: Bytes of what may be written, by file name.

    Raises:
        RequestError: As `prepare`.
        StoreError: It refuses writes.
    """
    _check_mounted(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # What an earlier try left unfinished gives its room to this one.
        free = shutil.disk_usage(folder).free + sum(
            _blocks(folder / f"{name}.part") for name in sizes
        )
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
    _check_sizes(folder, sizes)
    _check_names(folder, sizes)
    return free - _RESERVE


def _check_sizes(folder: Path, sizes: Mapping[str, int]) -> None:
    """Refuse files that are larger than the file system, or this user, may write."""
    largest = max(sizes.values(), default=0)
    kind = drives.filesystem_of(folder)
    limit = _LIMITS.get(kind)
    if limit is not None and largest > limit:
        name = "FAT" if kind in _FAT else kind
        problem = f"{folder} is {name}: a volume of {largest} bytes exceeds {limit}"
        raise RequestError(problem, hint="use --volume-size fat32 or smaller")
    allowed, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if allowed not in (resource.RLIM_INFINITY, -1) and largest > allowed:
        problem = (
            f"a volume of {largest} bytes exceeds the {allowed} a file may have here"
        )
        raise RequestError(problem, hint="raise the limit with `ulimit -f`")
    entries = sum(2 + (len(name) + 5) // 13 for name in sizes)
    if kind in _FAT and entries > _FOLDER:
        problem = f"{folder} is FAT: a folder of it cannot hold {len(sizes)} volumes"
        raise RequestError(problem, hint="use a larger --volume-size")


def _check_names(folder: Path, sizes: Mapping[str, int]) -> None:
    """Write the longest name, empty, and see that it comes back as it was written.

    Old file systems shorten names or shout them, and what makes volumes out of the
    files again by their names would not find them.
    """
    if not sizes:
        return
    # In front, so that nothing takes it for a volume that was not finished.
    probe = folder / f"probe-{max(sizes, key=len)}"
    disk = Disk()
    try:
        disk.unlink(probe)
        let_go(disk.create(probe))
        kept = probe.name in durable.names(folder)
        disk.unlink(probe)
    except AirliftError as error:
        problem = f"cannot write to {folder}: {error.problem}"
        raise StoreError(problem, hint=error.hint) from error
    if not kept:
        problem = f"the file system of {folder} does not keep names as they are written"
        raise RequestError(
            problem, hint="format the medium as exFAT or ext4, with long names"
        )


def _is_there(path: Path, size: int) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size


def _blocks(path: Path) -> int:
    """Return the bytes of disk that a file takes; none where there is none."""
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0


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
