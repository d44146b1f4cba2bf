"""A blob that is arriving, and how far it is."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from airlift.digest import Sha256
from airlift.errors import StoreError
from airlift.format.packing import PackingList
from airlift.format.reading import Lent
from airlift.lanes import Lane
from airlift.store import direct
from airlift.store.durable import failing
from airlift.store.holdings import CHUNK
from airlift.store.partial import Partial

Release = Callable[[], None]
"""Called once, when the bytes of a slab are not needed any more."""


@dataclass(frozen=True, slots=True)
class Written:
    """Raw bytes of a blob that were written, and are to be hashed."""

    offset: int
    raw: Lent
    release: Release


@dataclass(slots=True, eq=False)
class Arriving:
    """A blob that is arriving: which slabs are here, and the hash so far.

    Attributes:
        name: Its digest.
        size: Bytes of the whole blob.
        slabs: For each part, by index in the packing list, a bit mask of its slabs.
        due: Slabs that are under way to here, in the same form.
        arrived: Bytes that are here; those of a part with pieces once all its slabs
            are.
        partial: The open file, once something arrived in this process.
        hasher: Hashes the bytes as they come, while they come in order.
        hashed: Bytes the hasher has seen; less than ``arrived`` out of order.
        lane: Brings the bytes to the hasher, in the order they were expected; None
            for what never came, or is hashed when its blob is put together.
        turns: Slabs that were expected.
        passed: Slabs whose turn in the lane is over.
    """

    name: Sha256
    size: int
    slabs: dict[int, int] = field(default_factory=dict)
    due: dict[int, int] = field(default_factory=dict)
    arrived: int = 0
    partial: Partial | None = None
    hasher: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    hashed: int = 0
    lane: Lane[Written | None] | None = None
    turns: int = 0
    passed: int = 0

    def expects(self, part: int, bit: int) -> bool:
        """Say whether a slab is neither here nor under way."""
        return not (self.slabs.get(part, 0) | self.due.get(part, 0)) & bit

    def digest(self) -> str:
        """Return the SHA-256 of what arrived, read again unless it came in order.

        Raises:
            StoreError: The disk refuses.
        """
        if self.hashed == self.size or self.partial is None:
            return self.hasher.hexdigest()
        hasher, position, file = hashlib.sha256(), 0, self.partial
        view = direct.buffer(CHUNK)
        with failing("read", file.path):
            while got := direct.read_into(file.fd, view, position, len(view)):
                hasher.update(view[:got])
                position += got
        return hasher.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A slab that is expected; of no use to anybody but the staging area.

    Attributes:
        blob: What it is of.
        part: Index of its part in the packing list.
        bit: Of the slab in the masks of its part.
        turn: When it is to be hashed.
        pieced: Whether its part has pieces.
        offset: Where its raw bytes begin in the blob; of a part with pieces, where its
            stored bytes begin in the blob's kit.
    """

    blob: Arriving
    part: int
    bit: int
    turn: int
    pieced: bool
    offset: int


def contradiction(name: str, found: str) -> StoreError:
    """Return the error that says that blob *name* hashes to *found*."""
    problem = f"blob {name} came out as {found} although every slab had its digest"
    hint = "the sender's packing is wrong or this host's memory fails; ask the sender"
    return StoreError(problem, hint=hint)


def part_starts(packing: PackingList) -> list[int]:
    """Return where each part's raw bytes begin in its blob, by index of the part."""
    starts = []
    for blob in packing.blobs:
        position = 0
        for part in blob.parts:
            starts.append(position)
            position += part.raw
    return starts
