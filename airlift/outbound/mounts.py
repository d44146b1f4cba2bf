"""Telling one mount of a medium from the next.

The mount ids of ``/proc/self/mountinfo`` are no help: the kernel gives the number of a
stick that was unmounted to the same stick when it is mounted again. Since Linux 6.8 it
also counts mounts with numbers that it never uses twice.

Source: statx(2), STATX_MNT_ID_UNIQUE.
"""

import ctypes
import os
import struct
from pathlib import Path
from typing import Final

_AT_FDCWD: Final = -100
_MNT_ID: Final = 0x1000
_MNT_ID_UNIQUE: Final = 0x4000
_SIZE: Final = 256
_MASK_AT, _MNT_ID_AT = 0, 144
"""Where ``struct statx`` has its mask (32 bits) and the mount's number (64 bits)."""

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_ONCE: Final = "once"
_AGAIN: Final = "again"
"""Whether the kernel uses a mount's number once, or again for another mount."""


def mount_of(folder: Path) -> str:
    """Return what tells the mount that *folder* lies on from others; empty if unknown.

    This start of the system, whether the number is used again, and the number.
    """
    statx = getattr(ctypes.CDLL(None), "statx", None)
    if statx is None or not _BOOT.exists():
        return ""
    told = ctypes.create_string_buffer(_SIZE)
    if statx(_AT_FDCWD, os.fsencode(folder), 0, _MNT_ID_UNIQUE | _MNT_ID, told):
        return ""
    (mask,) = struct.unpack_from("=I", told.raw, _MASK_AT)
    (number,) = struct.unpack_from("=Q", told.raw, _MNT_ID_AT)
    if not mask & (_MNT_ID_UNIQUE | _MNT_ID):
        return ""
    use = _ONCE if mask & _MNT_ID_UNIQUE else _AGAIN
    return f"{_BOOT.read_text().strip()} {use} {number}"


def is_fresh(now: str, before: str) -> bool | None:
    """Say whether the mount *now* is another than the one *before*.

    Args:
        now: As `mount_of` returned it.
        before: As `mount_of` returned it when something was written.

    Returns:
        None where that cannot be told.
    """
    if not (now and before):
        return None
    if now != before:
        return True
    return None if f" {_AGAIN} " in now else False
