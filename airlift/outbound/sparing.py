"""Making spare volumes: what lost and damaged volumes are rebuilt from.

The volumes are read back from the medium, every one once and in step with the others,
and compared with what was written on the way: a spare of wrong bytes would be found
out on the day it is needed.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from airlift.digest import Sha256
from airlift.errors import RequestError, StoreError
from airlift.format import galois, parity
from airlift.format.galois import Bytes
from airlift.format.parity import STRIPE, Protected, SpareLabel
from airlift.lookahead import ahead
from airlift.outbound.cutting import WrittenVolume, medium_error
from airlift.progress import Advance, Progress
from airlift.store import direct
from airlift.store.durable import FLAGS, Disk, failing, let_go

_ROWS: Final = 32
"""Rows worked on at once: reads of 2 MiB, and 30 MiB of memory with three spares."""
_RING: Final = 8
"""Buffers of the reading ahead, which has six under way at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparing:
    """How many spare volumes to make.

    Attributes:
        spares: Of each group, which is how many of its volumes may be lost; 0 for
            none.
        per_medium: Volumes that one medium will hold; as many groups are made, so
            that a lost medium is one loss in each.
    """

    spares: int = 0
    per_medium: int = 1


NO_SPARES: Final = Sparing()


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSpare:
    """A spare as it lies on the medium, with its size in bytes."""

    label: SpareLabel
    path: Path
    size: int
    sha256: Sha256


def sizes(volumes: Mapping[str, int], site: str, wanted: Sparing) -> dict[str, int]:
    """Return the bytes of each spare by a name, before any volume is written.

    Args:
        volumes: The bytes of each volume by its file name, in order.
        site: Stands in the names.
        wanted: How many.
    """
    if not wanted.spares or not volumes:
        return {}
    lengths = list(volumes.values())
    found = {}
    for number, ordinals in enumerate(_groups(len(lengths), wanted), 1):
        size = parity.size_of([lengths[one - 1] for one in ordinals])
        for index in range(wanted.spares):
            found[f"{site}.{number}.{index}{parity.SUFFIX}"] = size
    return found


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
    if wanted.spares > parity.MOST:
        problem = f"{wanted.spares} spares are more than the {parity.MOST} there can be"
        raise RequestError(
            problem, hint="`--per-medium` makes groups with as many each"
        )
    groups = _groups(len(volumes), wanted)
    written: list[WrittenSpare] = []
    with progress.task("writing spares", sum(one.size for one in volumes)) as advance:
        for number, ordinals in enumerate(groups, 1):
            members = [volumes[one - 1] for one in ordinals]
            label = _label(members, number, len(groups), wanted.spares)
            written += _Group(members, label, folder).write(advance)
    return written


def _groups(count: int, wanted: Sparing) -> list[range]:
    return parity.groups_of(count, wanted.per_medium)


def _label(
    members: Sequence[WrittenVolume], group: int, groups: int, spares: int
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
            raise medium_error(error, self.path) from error
        self.at += len(view)


class _Group:
    """Makes the spares of one group of volumes."""

    def __init__(
        self, members: Sequence[WrittenVolume], label: SpareLabel, folder: Path
    ) -> None:
        self._members, self._label, self._folder = members, label, folder
        self._hashers = [hashlib.sha256() for _ in members]
        self._ring = [direct.buffer(_ROWS * STRIPE) for _ in range(_RING)]
        self._room = bytearray(STRIPE)

    def write(self, advance: Advance) -> list[WrittenSpare]:
        """Write all of them, and give them their names once they are durable."""
        with contextlib.ExitStack() as opened:
            files = [self._volume(one.path, opened) for one in self._members]
            outs = [self._out(n, opened) for n in range(1, self._label.spares + 1)]
            for out in outs:
                out.put(parity.encode_head(out.label))
            for start in range(0, self._label.rows, _ROWS):
                self._rows(start, files, outs, advance)
            self._compare()
            for out in outs:
                out.put(parity.encode_head(out.label))
            return [self._publish(out) for out in outs]

    def _volume(self, path: Path, opened: contextlib.ExitStack) -> int:
        with failing("read", path):
            fd = os.open(path, os.O_RDONLY | FLAGS)
        opened.callback(let_go, fd)
        direct.past_cache(fd)
        return fd

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
        self, start: int, files: Sequence[int], outs: Sequence[_Out], advance: Advance
    ) -> None:
        """Write the rows from *start* on, as many as are worked on at once."""
        count = min(_ROWS, self._label.rows - start)
        sums = np.zeros((count, len(outs), STRIPE), np.uint8)
        tags = [b""] * len(files)
        for index, view, got in self._read(start, count, files):
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
        self, start: int, count: int, files: Sequence[int]
    ) -> Iterator[tuple[int, memoryview, int]]:
        """Yield these rows of each volume, last volume first, zeros behind its end.

        With its index in the group, and how many bytes are its own.
        """
        length = count * STRIPE

        def read(turn: int) -> tuple[int, memoryview, int]:
            index = len(files) - 1 - turn
            view = self._ring[turn % _RING]
            path = self._members[index].path
            with failing("read", path):
                got = direct.read_into(files[index], view, start * STRIPE, length)
            view[got:length] = bytes(length - got)
            return index, view, got

        yield from ahead(range(len(files)), read)

    def _compare(self) -> None:
        """Refuse to be the spare of bytes that nobody wrote.

        Raises:
            StoreError: A volume does not read back as it was written.
        """
        for one, hasher in zip(self._members, self._hashers, strict=True):
            if hasher.hexdigest() != one.sha256:
                problem = f"{one.path} does not read back as it was written"
                hint = "delete it and run the same command again, on a better medium"
                raise StoreError(problem, hint=hint)

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
