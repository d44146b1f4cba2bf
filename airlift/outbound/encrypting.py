"""Encrypting volumes on their way to a medium: after signing, chunk by chunk.

The volume inside is made as ``cutting`` makes it, in order; each batch of 4 MiB is then
encrypted by whichever worker has it, hashed in order and put in its place.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

from airlift import lanes
from airlift.crew import Stop
from airlift.digest import Sha256
from airlift.format import cover
from airlift.format.cipher import BATCH, CHUNK, PLAIN, Cipher, Layout
from airlift.format.cover import Cover
from airlift.format.volume import Label
from airlift.lanes import Lane
from airlift.outbound.cutting import Cargo, Cutter
from airlift.outbound.packing import Packer
from airlift.outbound.slabs import Hold
from airlift.outbound.veil import Veil
from airlift.store.bulk import Buffers

_PLAIN: int = BATCH * PLAIN
_STORED: int = BATCH * CHUNK + 2 * cover.LIMIT
"""Bytes of a batch on the medium, with the cover, a header, padding and the end mark."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Consecutive chunks of a volume, still to be encrypted."""

    number: int
    plain: memoryview
    last: bool


@dataclass(frozen=True, slots=True)
class _Volume:
    """How one volume is encrypted."""

    cover: bytes
    layout: Layout
    cipher: Cipher

    def offset(self, batch: int) -> int:
        """Return where what a batch writes begins."""
        if batch == 0:
            return 0
        first = batch * BATCH
        return self.layout.at(first) - len(self.layout.header(first))

    def encrypt(self, batch: _Batch, out: memoryview) -> memoryview:
        """Write a batch, with what lies around it, to *out*; return that."""
        first = batch.number * BATCH
        before = (self.cover if not first else b"") + self.layout.header(first)
        out[: len(before)] = before
        at = len(before)
        for start in range(0, len(batch.plain), PLAIN):
            plain = batch.plain[start : start + PLAIN]
            at += self.cipher.encrypt(first + start // PLAIN, plain, out[at:])
        if batch.last:
            tail = self.layout.tail
            out[at : at + len(tail)] = tail
            at += len(tail)
        return out[:at]


class EncryptingCutter(Cutter):
    """Writes the volumes of *cargo*, encrypted; its labels are those media show.

    Args:
        cargo: What the volumes hold.
        packer: Has the stored bytes.
        veil: How they are encrypted.
        dispatch: Digest of the dispatch record.
    """

    def __init__(
        self, cargo: Cargo, packer: Packer, veil: Veil, dispatch: Sha256
    ) -> None:
        super().__init__(cargo, packer)
        self._veil, self._dispatch = veil, dispatch
        self._plain, self._stored_room = Buffers(_PLAIN), Buffers(_STORED)

    def size(self, label: Label) -> int:
        """Return the exact size in bytes of the file of the volume *label*."""
        # Of any salt: all are of one length, and this one asks for no hashing.
        made = self._cover(label, label.dispatch)
        return Layout(len(cover.member(cover.encode(made))), made.size).total

    def pieces(self, label: Label) -> Generator[bytes | memoryview, None, None]:
        """Yield the bytes of the file in order; each lasts until the next.

        Raises:
            StoreError: What is to travel changed since it was packed.
        """
        made, out = self._volume(label), self._stored_room.take()
        for batch in self._batches(label, made.layout):
            yield made.encrypt(batch, out)
            self._plain.give(batch.plain)
        self._stored_room.give(out)

    def _opening(self, label: Label) -> bytes:
        return self._volume(label).cover

    def _inside(self, label: Label) -> Label:
        """Return the label that is inside of the volume that shows *label*."""
        return replace(label, dispatch=self._dispatch)

    def _cover(self, label: Label, salt: Sha256) -> Cover:
        return Cover(
            site=label.site,
            sequence=label.sequence,
            delivery=label.dispatch,
            cutting=label.cutting,
            ordinal=label.ordinal,
            count=label.count,
            size=super().size(self._inside(label)),
            suite=self._veil.suite,
            key_id=self._veil.key_id,
            encapsulated=self._veil.encapsulated,
            salt=salt,
        )

    def _volume(self, label: Label) -> _Volume:
        front, secret = b"".join(self._front(self._inside(label))), self._veil.secret
        made = self._cover(label, cover.salt_of(secret, front))
        data = cover.encode(made)
        member = cover.member(data)
        return _Volume(
            cover=member,
            layout=Layout(len(member), made.size),
            cipher=Cipher(cover.key_of(secret, data)),
        )

    def _batches(self, label: Label, layout: Layout) -> Iterator[_Batch]:
        """Yield what is to be encrypted of a volume, in order."""
        last = (layout.size - 1) // _PLAIN
        number, room, used = 0, self._plain.take(), 0
        for piece in super().pieces(self._inside(label)):
            left = memoryview(piece)
            while left:
                some = left[: _PLAIN - used]
                room[used : used + len(some)] = some
                used, left = used + len(some), left[len(some) :]
                if used == _PLAIN:
                    yield _Batch(number, room[:used], number == last)
                    number, room, used = number + 1, self._plain.take(), 0
        if used:
            yield _Batch(number, room[:used], number == last)

    def _run(
        self, label: Label, put: Callable[[memoryview, int], None], stop: Stop
    ) -> Sha256:
        """Make all bytes of a file, in order for the digest that is returned.

        *put* gets them with their offsets, each once, from several threads.
        """
        made, hasher = self._volume(label), hashlib.sha256()

        def digest(item: tuple[memoryview, Hold]) -> None:
            stored, hold = item
            hasher.update(stored)
            hold.drop()

        lane = Lane(digest)

        def do(batch: _Batch, done: Callable[[], None]) -> None:
            out = self._stored_room.take()

            def last() -> None:
                self._stored_room.give(out)
                done()

            stored, hold = made.encrypt(batch, out), Hold(2, last)
            self._plain.give(batch.plain)
            lane.put(batch.number, (stored, hold))
            put(stored, made.offset(batch.number))
            hold.drop()

        lanes.run(self._batches(label, made.layout), do, stop=stop)
        return Sha256(hasher.hexdigest())


def cutter(cargo: Cargo, packer: Packer, veil: Veil | None, dispatch: Sha256) -> Cutter:
    """Return what writes the volumes of *cargo*: encrypted, where there is a veil."""
    if veil is None:
        return Cutter(cargo, packer)
    return EncryptingCutter(cargo, packer, veil, dispatch)
