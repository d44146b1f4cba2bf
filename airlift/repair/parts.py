"""Volumes that are being rebuilt: nothing has a volume's name before it is whole."""

import contextlib
import os
from pathlib import Path

from airlift import naming
from airlift.digest import Sha256, sha256_of
from airlift.errors import FormatError, RequestError
from airlift.format.parity import STRIPE, Protected, SpareLabel
from airlift.store.durable import FLAGS, Buffer, Disk, failing, let_go, there

_CHUNK = 1 << 20


class Parts:
    """The unfinished volumes of one group, files in *scratch*.

    Args:
        label: Of any spare of the group.
        scratch: Folder for what is not finished.
        folder: Folder for what is.
    """

    def __init__(self, label: SpareLabel, scratch: Path, folder: Path) -> None:
        self._label, self._scratch, self._folder = label, scratch, folder
        self._disk, self._open = Disk(), dict[int, int]()

    def put(self, item: int, row: int, stripe: Buffer) -> None:
        """Write a stripe of a volume; what is behind the volume's end is left out."""
        path = self._path(item)
        if item not in self._open:
            self._open[item] = fd = self._disk.create(path, fresh=False)
            self._disk.truncate(fd, path, self._one(item).size)
            self._disk.reserve(fd, path, self._one(item).size)
        length = min(STRIPE, self._one(item).size - row * STRIPE)
        piece = memoryview(stripe).cast("B")[:length]
        self._disk.write(self._open[item], path, piece, row * STRIPE)

    def sync(self) -> None:
        """Make what was put durable."""
        for item, fd in self._open.items():
            self._disk.sync(fd, self._path(item))

    def close(self) -> None:
        """Close the files."""
        while self._open:
            let_go(self._open.popitem()[1])

    def publish(self, item: int) -> Path:
        """Give a volume of which all stripes were put its name, if it is right.

        Raises:
            FormatError: It is not what the spares say it should be.
            RequestError: Another file has its name.
            StoreError: The disk refuses.
        """
        source, target = self._path(item), self.target(item)
        if not there(source):
            return self._published(item)
        with failing("read", source):
            found = _digest(source)
        if found != self._one(item).sha256:
            problem = (
                f"rebuilt {target.name} hashes to {found}, "
                f"expected {self._one(item).sha256}"
            )
            hint = "a spare is not of these volumes: run it again without that one"
            raise FormatError(problem, hint=hint)
        if there(target):
            return self._published(item)
        with failing("open", source):
            fd = os.open(source, os.O_RDWR | FLAGS)
        try:
            self._disk.publish(fd, source, target, mode=0o644)
        finally:
            let_go(fd)
        return target

    def _published(self, item: int) -> Path:
        """Return where a volume lies that was rebuilt before.

        Raises:
            RequestError: It is gone, or is another file.
        """
        target = self.target(item)
        found = there(target) and _digest(target)
        if found != self._one(item).sha256:
            shown = naming.show(str(target))
            problem = f"{shown} was rebuilt before and is gone"
            if found:
                problem = f"{shown} is there and is another file"
            raise RequestError(problem, hint="choose an empty folder")
        return target

    def target(self, item: int) -> Path:
        """Return where a volume lies once it is rebuilt."""
        return self._folder / self._label.volume_name(self._one(item).ordinal)

    def _path(self, item: int) -> Path:
        return self._scratch / f"{self._one(item).ordinal:05d}.part"

    def _one(self, item: int) -> Protected:
        return self._label.volumes[item]


def _digest(path: Path) -> Sha256:
    with contextlib.closing(path.open("rb")) as stream:
        return sha256_of(iter(lambda: stream.read(_CHUNK), b""))[0]
