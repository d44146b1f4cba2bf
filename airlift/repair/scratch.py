"""What a repair knows between one medium and the next, on disk.

For each row of stripes: the tags its stripes must have, how far each volume and spare
of the group got, and, while something of the row is missing, the sums of what was read
of it: one for each spare. So every medium is read once, in any order, and the room
needed is that of the spares, not of the delivery.

A row of this file checks itself and its sums: one that a power cut tore reads as a row
of which nothing is known, never as a wrong sum.
"""

import fcntl
from enum import IntEnum
from pathlib import Path
from typing import Final, Self

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from airlift import naming
from airlift.errors import StoreError
from airlift.format.galois import Bytes
from airlift.format.parity import STRIPE, TAG, SpareLabel
from airlift.store import direct
from airlift.store.durable import Disk, failing, let_go

PLACED: Final = 0x10
"""Flag of a state: the stripe is in the volume that is being rebuilt."""
DAMAGED: Final = 0x20
"""Flag of a state: in some file that is this volume, this stripe was not right."""
_STATE: Final = 0x0F


class State(IntEnum):
    """How far a stripe of a volume, or a row of a spare, got.

    Attributes:
        UNSEEN: Not on any medium so far.
        SUMMED: Read, right, and in the sums.
        GOOD: Right; the row needs no sums, as all of it is known.
        BAD: On a medium, and unreadable or changed.
        REBUILT: Made from the sums, and right.
        UNVOUCHED: Read, and no whole spare here says what it should be.
    """

    UNSEEN = 0
    SUMMED = 1
    GOOD = 2
    BAD = 3
    REBUILT = 4
    UNVOUCHED = 5


class Rows:
    """Some consecutive rows in memory.

    Attributes:
        first: Index of the first.
        table: One record a row: ``state`` of each volume and then each spare,
            ``known`` (whether there are tags), ``tags``.
        sums: Shape (rows, spares, ``STRIPE``); of use where something is ``SUMMED``.
    """

    def __init__(self, first: int, table: NDArray[np.void], sums: Bytes) -> None:
        self.first, self.table, self.sums = first, table, sums

    def __len__(self) -> int:
        return len(self.table)

    @property
    def state(self) -> Bytes:
        """The states without flags, shape (rows, volumes + spares); a copy."""
        return np.asarray(self.table["state"] & _STATE, np.uint8)

    def flagged(self, flag: int) -> NDArray[np.bool_]:
        """Say where a flag is set, shape (rows, volumes + spares)."""
        return np.asarray(self.table["state"] & flag, np.bool_)

    def summed(self, row: int) -> bool:
        """Say whether the sums of a row hold anything."""
        return bool((self.state[row] == State.SUMMED).any())

    def set(self, row: int, item: int, state: State) -> None:
        """Note how far an item of a row got; flags it has stay."""
        flags = self.table["state"][row, item] & ~np.uint8(_STATE)
        self.table["state"][row, item] = flags | state

    def mark(self, row: int, item: int, flag: int) -> None:
        """Set a flag of an item of a row."""
        self.table["state"][row, item] |= flag

    def learn(self, row: int, tags: bytes) -> bool:
        """Take the tags of a row from a spare; say no if others are known already."""
        if not self.table["known"][row]:
            fresh = np.frombuffer(tags, np.uint8)
            self.table["tags"][row] = fresh.reshape(-1, TAG)
            self.table["known"][row] = 1
        return bool(self.table["tags"][row].tobytes() == tags)

    def tag(self, row: int, item: int) -> bytes | None:
        """Return the tag of a stripe; None where no whole spare told it."""
        if not self.table["known"][row]:
            return None
        return bytes(self.table["tags"][row, item].tobytes())


class Scratch:
    """The rows of one group, kept in *folder* until nothing is missing.

    Args:
        folder: Its own; made if need be.
        label: Of any spare of the group.
    """

    def __init__(self, folder: Path, label: SpareLabel) -> None:
        self._disk, self._label = Disk(), label
        volumes, spares = len(label.volumes), label.spares
        self._record = np.dtype(
            [
                ("check", np.uint8, (TAG,)),
                ("state", np.uint8, (volumes + spares,)),
                ("known", np.uint8),
                ("tags", np.uint8, (volumes, TAG)),
            ]
        )
        self._disk.make_folder(folder, mode=0o700)
        self._table_path, self._sums_path = folder / "rows", folder / "sums"
        self._table = self._disk.create(self._table_path, fresh=False)
        self._sums = self._disk.create(self._sums_path, fresh=False)
        _alone(self._table, folder)
        # Most of both may never be written: files with holes.
        self._disk.truncate(
            self._table, self._table_path, label.rows * self._record.itemsize
        )
        self._disk.truncate(
            self._sums, self._sums_path, label.rows * label.spares * STRIPE
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        let_go(self._table)
        let_go(self._sums)

    def states(self, first: int, count: int) -> Bytes:
        """Return states with flags, shape (*count*, volumes + spares)."""
        return np.asarray(self._records(first, count)["state"], np.uint8)

    def owners(self, row: int, tag: bytes) -> list[int]:
        """Return the volumes whose stripe in *row* has this tag."""
        if row >= self._label.rows:
            return []
        rows = Rows(row, self._records(row, 1), np.zeros((0,), np.uint8))
        return [
            item for item in range(len(self._label.volumes)) if rows.tag(0, item) == tag
        ]

    def load(self, first: int, count: int) -> Rows:
        """Return rows; what was torn of them is as if it was never read."""
        table = self._records(first, count)
        sums = np.zeros((count, self._label.spares, STRIPE), np.uint8)
        rows = Rows(first, table, sums)
        for row in range(count):
            if rows.summed(row):
                with failing("read", self._sums_path):
                    view = memoryview(sums[row]).cast("B")
                    direct.read_into(
                        self._sums, view, self._sums_at(first + row), len(view)
                    )
            if table["check"][row].tobytes() != self._check(rows, row):
                table[row] = np.zeros((), self._record)
                sums[row] = 0
        return rows

    def store(self, rows: Rows) -> None:
        """Keep *rows* and their sums."""
        for row in range(len(rows)):
            rows.table["check"][row] = np.frombuffer(self._check(rows, row), np.uint8)
            if rows.summed(row):
                self._disk.write(
                    self._sums,
                    self._sums_path,
                    memoryview(rows.sums[row]),
                    self._sums_at(rows.first + row),
                )
        at = rows.first * self._record.itemsize
        self._disk.write(self._table, self._table_path, rows.table.tobytes(), at)

    def sync(self) -> None:
        """Make all of it durable."""
        self._disk.sync(self._sums, self._sums_path)
        self._disk.sync(self._table, self._table_path)

    def _records(self, first: int, count: int) -> NDArray[np.void]:
        size = self._record.itemsize
        data = bytearray(count * size)
        with failing("read", self._table_path):
            direct.read_into(self._table, memoryview(data), first * size, len(data))
        return np.frombuffer(data, self._record)

    def _sums_at(self, row: int) -> int:
        return row * self._label.spares * STRIPE

    def _check(self, rows: Rows, row: int) -> bytes:
        hasher = blake3(rows.table[row].tobytes()[TAG:])
        hasher.update((rows.first + row).to_bytes(8, "little"))
        if rows.summed(row):
            hasher.update(memoryview(rows.sums[row]).cast("B"))
        return hasher.digest(TAG)


def _alone(fd: int, folder: Path) -> None:
    """Hold *fd* for this process.

    Raises:
        StoreError: Another repair is at work there.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        problem = f"another repair is at work in {naming.show(str(folder))}"
        raise StoreError(
            problem, hint="wait for it, or choose another folder"
        ) from error
