"""Proving a medium: whether it has the room it says, before a delivery relies on it.

A medium with a false capacity takes every write and every sync, and gives what was
written back while it is in a cache. So its room is filled with bytes that say where
they belong, it is taken out and put in again, and they are read. A byte that comes
back elsewhere shows where the medium wraps around; where nothing good follows any
more, its true room ends.

    block = header | BLAKE3 in its extended form of the header

Source: f3 (Fight Flash Fraud) for the idea; the bytes are our own.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blake3 import blake3

from airlift import naming
from airlift.errors import MediumError, RequestError, StoreError
from airlift.outbound import mounts
from airlift.progress import Advance, Progress
from airlift.store import direct, durable
from airlift.store.durable import Disk, let_go

PREFIX: Final = "airlift-proof."
BLOCK: Final = 1 << 20
"""Bytes: what one header speaks for."""
PER_FILE: Final = 1 << 30
"""Bytes of a file: below the limit of every file system that sticks have."""
_LEFT: Final = 4 << 20
"""Bytes that stay free, for the file system's own."""
_MAGIC: Final = b"airlift proof 1\n"
_HEADER: Final = struct.Struct("<16sQ168s")
"""Magic, number of the block on the medium, and the mount it was written on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What reading a medium back found.

    Attributes:
        size: Bytes that were written and should be there.
        good: Bytes that are.
        until: Bytes in front of the first that is not; *size* where all are.
        wrapped: Bytes in whose place others of this test were found: what was
            written last lies over what was written first.
        fresh_mount: Whether it was mounted anew since; None where that cannot be told.
    """

    size: int
    good: int
    until: int
    wrapped: int
    fresh_mount: bool | None

    @property
    def whole(self) -> bool:
        """Whether every byte came back."""
        return self.good == self.size


def written(folder: Path) -> list[Path]:
    """Return the files of a test in *folder*, in order; none where none was begun.

    Raises:
        StoreError: It cannot be listed.
    """
    found = (one for one in durable.names(folder) if one.startswith(PREFIX))
    return [folder / one for one in found]


def fill(folder: Path, most: int, progress: Progress) -> int:
    """Fill what is free at *folder*, or *most* bytes of it; return how many were.

    Raises:
        RequestError: There is no room to test.
        MediumError: The medium refuses.
    """
    room = min(most, durable.free_bytes(folder) - _LEFT) // BLOCK
    if room < 1:
        problem = f"{naming.show(str(folder))} has no room free to test"
        raise RequestError(problem, hint="empty the medium first")
    mount = mounts.mount_of(folder)
    disk, per_file = Disk(), PER_FILE // BLOCK
    try:
        with progress.task("filling", room * BLOCK) as advance:
            for first in range(0, room, per_file):
                blocks = range(first, min(room, first + per_file))
                path = folder / f"{PREFIX}{first // per_file:05d}"
                _write(path, blocks, mount, disk, advance)
            disk.sync_folder(folder)
    except StoreError as error:
        raise MediumError(error.problem, hint=error.hint) from error
    return room * BLOCK


def _write(path: Path, blocks: range, mount: str, disk: Disk, advance: Advance) -> None:
    fd = disk.create(path)
    try:
        direct.past_cache(fd)
        view = direct.buffer(BLOCK)
        for place, number in enumerate(blocks):
            view[:] = _block(_header(number, mount))
            disk.write(fd, path, view, place * BLOCK)
            advance(BLOCK)
        disk.sync(fd, path)
    finally:
        let_go(fd)


def read(folder: Path, progress: Progress) -> Proof:
    """Read what `fill` wrote at *folder*, and say what of it is there.

    Raises:
        RequestError: Nothing was written there.
    """
    files = written(folder)
    if not files:
        problem = f"no test was begun at {naming.show(str(folder))}"
        raise RequestError(problem, hint="`airlift media test FOLDER` begins one")
    size = sum(path.stat().st_size for path in files) // BLOCK * BLOCK
    good = wrapped = 0
    until, seen = size, set[str]()
    with progress.task("reading back", size) as advance:
        for number, block in _blocks(files):
            header = block[: _HEADER.size]
            if block == _block(header) and header[:16] == _MAGIC:
                _, found, mount = _HEADER.unpack(header)
                seen.add(mount.rstrip(b"\0").decode())
                good += BLOCK * (found == number)
                wrapped += BLOCK * (found != number)
                if found == number:
                    advance(BLOCK)
                    continue
            until = min(until, number * BLOCK)
            advance(BLOCK)
    return Proof(
        size=size,
        good=good,
        until=until,
        wrapped=wrapped,
        fresh_mount=_is_fresh(folder, seen),
    )


def clear(folder: Path) -> None:
    """Delete the files of a test.

    Raises:
        StoreError: The medium refuses.
    """
    for path in written(folder):
        Disk().unlink(path)


def _blocks(files: list[Path]) -> Iterator[tuple[int, bytes]]:
    """Yield every block with the number it should have; empty where it cannot be read."""
    for path in files:
        first = int(path.name.removeprefix(PREFIX)) * (PER_FILE // BLOCK)
        count = path.stat().st_size // BLOCK
        with path.open("rb", buffering=0) as stream:
            for place in range(count):
                try:
                    stream.seek(place * BLOCK)
                    block = stream.read(BLOCK) or b""
                except OSError:
                    block = b""
                yield first + place, block


def _is_fresh(folder: Path, seen: Iterable[str]) -> bool | None:
    """Say whether the mount now is another than all of those *seen* in blocks."""
    now = mounts.mount_of(folder)
    told = {mounts.is_fresh(now, one) for one in seen}
    if False in told:
        return False
    return True if told == {True} else None


def _header(number: int, mount: str) -> bytes:
    return _HEADER.pack(_MAGIC, number, mount.encode()[:168])


def _block(header: bytes) -> bytes:
    return header + blake3(header).digest(length=BLOCK - _HEADER.size)
