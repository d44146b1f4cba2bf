"""What tells one medium from another: its file system's name, and its serial number.

All of it is what the medium says of itself; it helps people to find a stick again and
proves nothing.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airlift import naming

_UDEV: Final = Path("/run/udev/data")
_SYSTEM: Final = Path("/sys/dev/block")
_MOUNTS: Final = Path("/proc/self/mounts")
_OCTAL: Final = re.compile(r"\\([0-7]{3})")
_LONGEST: Final = 64
"""Characters kept of what a medium says of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """A medium as the system knows it; empty where it does not tell.

    Attributes:
        filesystem: Its kind: vfat, exfat, ext4...
        label: The name its file system was given.
        uuid: The number its file system was given when it was made.
        serial: The number the device was made with.
    """

    filesystem: str = ""
    label: str = ""
    uuid: str = ""
    serial: str = ""

    def may_be(self, other: "Drive") -> bool:
        """Say whether both can be one medium, by all that is known of both."""
        pairs = ((self.uuid, other.uuid), (self.serial, other.serial))
        return all(mine == theirs for mine, theirs in pairs if mine and theirs)

    def shown(self) -> str:
        """Return it for a person; empty where nothing is known."""
        named = (("label", self.label), ("uuid", self.uuid), ("serial", self.serial))
        told = [f"{word} {value}" for word, value in named if value]
        return ", ".join([self.filesystem, *told] if self.filesystem else told)


def drive_of(folder: Path, *, udev: Path = _UDEV, system: Path = _SYSTEM) -> Drive:
    """Return the medium that *folder* lies on.

    Args:
        folder: It exists.
        udev: What the device manager knows of devices.
        system: What the kernel knows of block devices.

    Raises:
        OSError: It cannot be looked at.
    """
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    told = _told(udev / f"b{number}")
    return Drive(
        filesystem=filesystem_of(folder),
        label=_clean(told.get("ID_FS_LABEL", "")),
        uuid=_clean(told.get("ID_FS_UUID", "")),
        serial=_clean(told.get("ID_SERIAL_SHORT", "") or _serial(system / number)),
    )


def filesystem_of(folder: Path) -> str:
    """Return the kind of file system that *folder* lies on; empty if unknown."""
    return _mount(folder)[1]


def mounted_at(folder: Path) -> str:
    """Return where the file system that *folder* lies on is mounted; empty if unknown."""
    return _mount(folder)[0]


def _mount(folder: Path) -> tuple[str, str]:
    """Return the place and the kind of the mount that *folder* lies on."""
    try:
        mounts = os.fsdecode(_MOUNTS.read_bytes())
    except OSError:
        return "", ""
    real = os.path.realpath(folder)
    best = "", ""
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), point)
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        # The last of several at one place is the one that is seen.
        if inside and len(point) >= len(best[0]):
            best = point, kind
    return best


def _told(path: Path) -> Mapping[str, str]:
    """Return the properties that the device manager keeps of a device."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = (line[2:] for line in text.splitlines() if line.startswith("E:"))
    return dict(line.partition("=")[::2] for line in lines)


def _serial(device: Path) -> str:
    """Return the serial number of the hardware that a block device belongs to."""
    real = Path(os.path.realpath(device))
    for folder in (real, *real.parents):
        try:
            return (folder / "serial").read_text(errors="replace").strip()
        except OSError:
            continue
    return ""


def _clean(text: str) -> str:
    return naming.show(text)[:_LONGEST]
