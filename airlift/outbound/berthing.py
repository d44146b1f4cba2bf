"""Berthing: which medium is in a drive, whether it is fit, and what it has room for."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from airlift import naming
from airlift.errors import (
    AirliftError,
    FormatError,
    MediumError,
    RequestError,
    StoreError,
)
from airlift.format import medium_note
from airlift.outbound import drives, medium, placing, sidecars
from airlift.outbound.mounts import mount_of
from airlift.outbound.placing import Device, Room
from airlift.outbound.stowage import Berth, Stowage
from airlift.store.durable import Disk, read_file


@dataclass(slots=True)
class Place:
    """A medium that is in a drive now.

    Attributes:
        folder: Where on it files go.
        berth: What is known of it; noted once something is on it.
        free: Bytes it had free.
        device: Tells file systems apart.
        failed: What it refused; it gets nothing more while it is in.
        touched: Whether anything was written to it.
    """

    folder: Path
    berth: Berth
    free: int
    device: int
    failed: str = ""
    touched: bool = False

    def check_in(self, fresh: Path | None = None) -> None:
        """See that the medium is still in.

        Below the mount point of a stick that was pulled lies a folder of the system's
        disk, which takes every write.

        Args:
            fresh: What was just written there; deleted if it went elsewhere.

        Raises:
            MediumError: It is not.
        """
        try:
            device = self.folder.stat().st_dev
        except OSError:
            device = -1
        if device == self.device:
            return
        if fresh and device >= 0:
            fresh.unlink(missing_ok=True)
        problem = f"{self.shown} was taken out while it was written"
        raise MediumError(problem, hint="put it in again, or another")

    @property
    def shown(self) -> str:
        """It, for a person."""
        return f"medium {self.berth.number} at {naming.show(str(self.folder))}"


class Berthing:
    """Looks at drives.

    Args:
        sizes: Bytes of each volume of the delivery, by name.
        most: Bytes of volumes that one medium may have.
    """

    def __init__(self, sizes: Mapping[str, int], most: int) -> None:
        self._sizes, self._most = sizes, most
        self._mounted: dict[Path, str] = {}

    def look(self, folder: Path, known: Stowage, taken: Sequence[int]) -> Place:
        """Find the medium at *folder* fit; return it.

        Args:
            folder: Made if it is not there.
            known: What lies where.
            taken: Numbers that a new medium cannot have.

        Raises:
            RequestError: Nothing is mounted there, or its file system will not do.
            StoreError: It refuses writes.
        """
        self._check_mounted(folder)
        pending = {name: self._sizes[name] for name in known.pending}
        for name in pending:
            # What an earlier run began; its room is needed.
            with contextlib.suppress(AirliftError):
                Disk().unlink(folder / f"{name}.part")
        free = medium.room(folder, pending)
        try:
            device = folder.stat().st_dev
        except OSError as error:
            problem = f"cannot look at {folder}: {error.strerror}"
            raise StoreError(problem, hint="is the medium still there?") from error
        berth = berth_at(folder, known)
        if berth.number not in {one.number for one in known.berths}:
            berth = replace(berth, number=max(taken, default=0) + 1)
        return Place(folder, berth, free, device)

    def rooms(self, places: Sequence[Place]) -> list[Room]:
        """Return what each of *places* takes; those of one device share its room."""
        devices = {one.device: Device(one.free) for one in places}
        return [
            Room(devices[one.device], self._most - self._used(one.folder))
            for one in places
        ]

    def _used(self, folder: Path) -> int:
        """Return the bytes that volumes of this delivery take in *folder*."""
        names = self._sizes.keys() & {one.name for one in _files(folder)}
        return sum(self._sizes[name] + placing.CLUSTER for name in names)

    def _check_mounted(self, folder: Path) -> None:
        """Refuse the folder below a mount point once its medium was taken out.

        What is written there would fill the system's disk.
        """
        point = drives.mounted_at(folder)
        before = self._mounted.setdefault(folder, point)
        if len(point) < len(before):
            problem = f"nothing is mounted at {naming.show(before)}"
            raise RequestError(problem, hint="mount the medium")


def berth_at(folder: Path, known: Stowage, *, returned: bool = False) -> Berth:
    """Return what is known of the medium at *folder*; a new one where nothing is.

    Of the files that were noted, only those count that are there.

    Args:
        folder: It exists.
        known: What lies where.
        returned: Whether it may be one that was written at this folder and mounted
            there again. Not while media are swapped there.

    Raises:
        StoreError: It cannot be looked at.
    """
    shown, mount = naming.show(str(folder.absolute())), mount_of(folder)
    try:
        drive = drives.drive_of(folder)
    except OSError as error:
        problem = f"cannot look at {shown}: {error.strerror}"
        raise StoreError(problem, hint="is the medium still there?") from error
    number = _noted(folder, known)
    for one in known.berths:
        here = tuple(name for name in one.files if (folder / name).exists())
        # A kernel may give the number of a mount to the next medium's.
        there = here and one.folder == shown and (returned or one.mount == mount)
        same = one.number == number or (drive.uuid and drive.uuid == one.drive.uuid)
        if (same or there) and drive.may_be(one.drive) and not one.lost:
            before = one.mount if returned else mount
            return replace(one, folder=shown, mount=before, drive=drive, files=here)
    number = max((one.number for one in known.berths), default=0) + 1
    return Berth(number=number, drive=drive, folder=shown, mount=mount, written="")


def _noted(folder: Path, known: Stowage) -> int:
    """Return which medium the one at *folder* says it is; 0 where it says none."""
    name = f"AIRLIFT-{known.site}-{known.sequence:06d}.{sidecars.MEDIUM}"
    with contextlib.suppress(AirliftError):
        data = read_file(folder / name, limit=medium_note.LIMIT, error=FormatError)
        found = medium_note.decode(data)
        return found.number if found.cutting == known.cutting else 0
    return 0


def _files(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from folder.iterdir()
