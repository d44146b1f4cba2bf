"""Making spare volumes: what lost and damaged volumes are rebuilt from.

The volumes are read back from the medium, every one once and in step with the others,
and compared with what was written on the way: a spare of wrong bytes would be found
out on the day it is needed. Where they lie on media that are not there, they are made
once more instead, and compared in the same way.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from airlift.digest import Sha256
from airlift.errors import AirliftError, RequestError, StoreError
from airlift.format import galois, parity
from airlift.format.galois import Bytes
from airlift.format.parity import STRIPE, Protected, SpareLabel
from airlift.format.volume import Label
from airlift.lookahead import ahead
from airlift.outbound import putting
from airlift.outbound.allotment import Sparing
from airlift.outbound.cutting import WrittenVolume
from airlift.progress import Advance, Progress
from airlift.store import direct
from airlift.store.durable import FLAGS, Disk, failing, let_go

_ROWS: Final = 32
"""Rows worked on at once: reads of 2 MiB, and 30 MiB of memory with three spares."""
_RING: Final = 8
"""Buffers of the reading ahead, which has six under way at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSpare:
    """A spare as it lies on the medium, with its size in bytes."""

    label: SpareLabel
    path: Path
    size: int
    sha256: Sha256


Read: TypeAlias = Callable[[memoryview, int], int]
"""Reads the next bytes of a file, as many as it is told, to the front of memory; returns
how many there are, fewer only at the end. The memory begins at a page, and what is
behind those bytes may be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A volume that spares are made of.

    Attributes:
        label: As the medium shows it.
        size: Its bytes.
        sha256: What it was written as.
        open: Returns what reads it front to back, closed with the stack.
        differs: What to raise if it is not what it was written as, given its digest.
    """

    label: Label
    size: int
    sha256: Sha256
    open: Callable[[contextlib.ExitStack], Read]
    differs: Callable[[str], AirliftError]


def write(
    volumes: Sequence[WrittenVolume], folder: Path, wanted: Sparing, progress: Progress
) -> list[WrittenSpare]:
    """Write the spares of *volumes* into *folder*; return them in order.

    Raises:
        RequestError: More are wanted of a group than there can be.
        StoreError: The medium is full or failing, or gives other bytes back than
            were written; nothing unfinished keeps a spare's name.
    """
    if not wanted.spares or not volumes:
        return []
    written: list[WrittenSpare] = []
    with progress.task("writing spares", sum(one.size for one in volumes)) as advance:
        for number, ordinals in enumerate(wanted.groups(len(volumes)), 1):
            members = [_read_back(volumes[one - 1]) for one in ordinals]
            written += write_group(members, number, wanted, folder, advance)
    return written


def write_group(
    members: Sequence[Member],
    group: int,
    wanted: Sparing,
    folder: Path,
    advance: Advance,
) -> list[WrittenSpare]:
    """Write the spares of one group of volumes into *folder*; return them in order.

    Args:
        members: The volumes of the group, in order.
        group: Which of the cutting, from 1.
        wanted: How many.
        folder: There already.
        advance: Told of bytes of volumes that were read.

    Raises:
        RequestError: More are wanted of a group than there can be.
        StoreError: As `write`.
    """
    if wanted.spares > parity.MOST:
        problem = f"{wanted.spares} spares are more than the {parity.MOST} there can be"
        raise RequestError(
            problem, hint="`--per-medium` makes groups with as many each"
        )
    groups = len(wanted.groups(members[0].label.count))
    label = _label(members, group, groups, wanted.spares)
    return _Group(members, label, folder).write(advance)


def _read_back(volume: WrittenVolume) -> Member:
    """Return a volume that lies on a medium that is in."""

    def opened(stack: contextlib.ExitStack) -> Read:
        with failing("read", volume.path):
            fd = os.open(volume.path, os.O_RDONLY | FLAGS)
        stack.callback(let_go, fd)
        direct.past_cache(fd)
        at = 0

        def read(view: memoryview, length: int) -> int:
            nonlocal at
            with failing("read", volume.path):
                got = direct.read_into(fd, view, at, length)
            at += got
            return got

        return read

    def differs(_: str) -> AirliftError:
        problem = f"{volume.path} does not read back as it was written"
        hint = "delete it and run the same command again, on a better medium"
        return StoreError(problem, hint=hint)

    return Member(
        label=volume.label,
        size=volume.size,
        sha256=volume.sha256,
        open=opened,
        differs=differs,
    )


def _label(
    members: Sequence[Member], group: int, groups: int, spares: int
) -> SpareLabel:
    label = members[0].label
    return SpareLabel(
        site=label.site,
        sequence=label.sequence,
        dispatch=label.dispatch,
        cutting=label.cutting,
        count=label.count,
        group=group,
        groups=groups,
        index=1,
        spares=spares,
        volumes=tuple(
            Protected(ordinal=one.label.ordinal, size=one.size, sha256=one.sha256)
            for one in members
        ),
    )


@dataclass(slots=True)
class _Out:
    """A spare that is being written.

    Attributes:
        at: Where the next byte goes.
    """

    label: SpareLabel
    path: Path
    fd: int
    named: bytes
    hasher: "hashlib._Hash"
    at: int = 0

    def put(self, data: bytes | memoryview) -> None:
        """Write *data* behind what there is."""
        view = memoryview(data)
        self.hasher.update(view)
        try:
            direct.write_from(self.fd, view, self.at)
        except OSError as error:
            raise putting.medium_error(error, self.path) from error
        self.at += len(view)


class _Group:
    """Makes the spares of one group of volumes."""

    def __init__(
        self, members: Sequence[Member], label: SpareLabel, folder: Path
    ) -> None:
        self._members, self._label, self._folder = members, label, folder
        self._hashers = [hashlib.sha256() for _ in members]
        self._ring = [direct.buffer(_ROWS * STRIPE) for _ in range(_RING)]
        self._room = bytearray(STRIPE)

    def write(self, advance: Advance) -> list[WrittenSpare]:
        """Write all of them, and give them their names once they are durable."""
        with contextlib.ExitStack() as opened:
            files = [one.open(opened) for one in self._members]
            outs = [self._out(n, opened) for n in range(1, self._label.spares + 1)]
            for out in outs:
                out.put(parity.encode_head(out.label))
            for start in range(0, self._label.rows, _ROWS):
                self._rows(start, files, outs, advance)
            self._compare()
            for out in outs:
                out.put(parity.encode_head(out.label))
            return [self._publish(out) for out in outs]

    def _out(self, index: int, opened: contextlib.ExitStack) -> _Out:
        label = replace(self._label, index=index)
        path = self._folder / f"{label.file_name}.part"
        disk = Disk()
        # An earlier one gives its room to the one that takes its place.
        disk.unlink(self._folder / label.file_name)
        disk.unlink(path)
        opened.callback(_abandon, path)
        fd = disk.create(path)
        opened.callback(let_go, fd)
        return _Out(label, path, fd, parity.identity(label), hashlib.sha256())

    def _rows(
        self, start: int, files: Sequence[Read], outs: Sequence[_Out], advance: Advance
    ) -> None:
        """Write the rows from *start* on, as many as are worked on at once."""
        count = min(_ROWS, self._label.rows - start)
        sums = np.zeros((count, len(outs), STRIPE), np.uint8)
        tags = [b""] * len(files)
        for index, view, got in self._read(count, files):
            self._hashers[index].update(view[:got])
            tags[index] = self._add(view, count, sums)
            advance(got)
        for row in range(count):
            joined = b"".join(
                one[row * parity.TAG : (row + 1) * parity.TAG] for one in tags
            )
            for out, one in zip(outs, sums[row], strict=True):
                out.put(memoryview(one))
                out.put(parity.seal(out.named, start + row, memoryview(one), joined))

    def _add(self, view: memoryview, count: int, sums: Bytes) -> bytes:
        """Add the stripes of one volume to *sums*; return their tags."""
        tags = []
        for row in range(count):
            stripe = view[row * STRIPE : (row + 1) * STRIPE]
            tags.append(parity.tag(stripe))
            galois.append(sums[row], np.frombuffer(stripe, np.uint8), self._room)
        return b"".join(tags)

    def _read(
        self, count: int, files: Sequence[Read]
    ) -> Iterator[tuple[int, memoryview, int]]:
        """Yield the next rows of each volume, last volume first, zeros behind its end.

        With its index in the group, and how many bytes are its own.
        """
        length = count * STRIPE

        def read(turn: int) -> tuple[int, memoryview, int]:
            index = len(files) - 1 - turn
            view = self._ring[turn % _RING]
            got = files[index](view, length)
            view[got:length] = bytes(length - got)
            return index, view, got

        yield from ahead(range(len(files)), read)

    def _compare(self) -> None:
        """Refuse to be the spare of bytes that nobody wrote.

        Raises:
            StoreError: A volume does not read back as it was written.
        """
        for one, hasher in zip(self._members, self._hashers, strict=True):
            found = hasher.hexdigest()
            if found != one.sha256:
                raise one.differs(found)

    def _publish(self, out: _Out) -> WrittenSpare:
        path = self._folder / out.label.file_name
        Disk().publish(out.fd, out.path, path, mode=0o644)
        return WrittenSpare(
            label=out.label,
            path=path,
            size=out.at,
            sha256=Sha256(out.hasher.hexdigest()),
        )


def _abandon(unfinished: Path) -> None:
    """Delete what could not be finished; what has its name by now is not there."""
    with contextlib.suppress(StoreError):
        Disk().unlink(unfinished)
