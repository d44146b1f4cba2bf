"""Reading a volume, and what stands before its slabs.

The law of this file: nothing is parsed before it was authenticated except the label
and the names and sizes of the signed files, within bounds. What follows them is read
by ``airlift.format.slabs``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, ClassVar, TypeAlias

from airlift import naming
from airlift.errors import FormatError
from airlift.format import framing, volume
from airlift.format.volume import Label

RECORDS_LIMIT = 512 << 20
"""Most bytes of signed files a volume may carry; bounds memory before any check."""
RECORDS_COUNT = 100_000

_CHUNK = 1 << 20
"""Most that is asked of a stream at once: an unbuffered one sets that much aside."""

Lent: TypeAlias = bytes | memoryview
"""Bytes, or a view of memory that its owner uses again once it is given back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a volume, and where.

    Attributes:
        volume: What the volume is called.
        offset: Byte in the volume file where the damaged thing begins.
        problem: What was expected and found.
        unread: Whether nothing was found at all, because the medium refused: that
            contradicts nothing, and does no harm where all that matters came otherwise.
    """

    volume: str
    offset: int
    problem: str
    unread: bool = False

    def __str__(self) -> str:
        return f"{self.volume}: byte {self.offset}: {self.problem}"


class VolumeError(FormatError):
    """A fault of a volume that ends the reading of it."""

    def __init__(self, fault: Fault) -> None:
        hint = "copy this volume again from its source; what verified is kept"
        super().__init__(str(fault), hint=hint)
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What a volume says before its slabs; nothing of it is believed yet."""

    label: Label
    records: Mapping[str, bytes]


class VolumeStream:
    """A volume being read: counts its bytes so that every fault has a place.

    Args:
        stream: Positioned at the volume's first byte; never seeked.
        name: What to call the volume in an error.

    Attributes:
        encrypted: Whether the medium holds it encrypted.
    """

    encrypted: ClassVar[bool] = False

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name, self.offset = name, 0
        self._stream, self._pushed = stream, b""

    def take(self, size: int) -> bytes:
        """Return exactly *size* bytes.

        Raises:
            FormatError: The volume ends or cannot be read before that.
        """
        pushed, self._pushed = self._pushed[:size], self._pushed[size:]
        # One chunk alone is not copied again.
        chunks, left = [pushed] if pushed else [], size - len(pushed)
        while left > 0:
            chunk = self._read(left)
            if not chunk:
                raise self.ended(self.offset + size - left, left)
            chunks.append(chunk)
            left -= len(chunk)
        self.offset += size
        return b"".join(chunks)

    def skip(self, size: int) -> None:
        """Pass over *size* bytes.

        Raises:
            FormatError: As ``take``.
        """
        while size > 0:
            size -= len(self.take(min(size, _CHUNK)))

    def slab(self, size: int) -> Lent:
        """Return exactly *size* bytes, at most those of a slab as stored.

        Raises:
            FormatError: As ``take``.
        """
        return self.take(size)

    def resume(self, offset: int) -> bool:
        """Go on at byte *offset*, behind bytes that could not be read; say if it can.

        A stream has lost its place then.
        """
        del offset
        return False

    def again(
        self, offset: int, size: int, right: Callable[[Lent], bool]
    ) -> Lent | None:
        """Return *size* bytes from byte *offset* on that are *right* when read again.

        None where they are not, or cannot be read a second time: a stream is over.
        """
        del offset, size, right
        return None

    def push_back(self, data: bytes) -> None:
        """Give the bytes just taken back, to be taken again."""
        self._pushed = data
        self.offset -= len(data)

    def at_end(self) -> bool:
        """Say whether no byte is left."""
        if not self._pushed:
            self._pushed = self._read(1)
        return not self._pushed

    def next(self, name: str) -> "VolumeStream":
        """Return the volume that follows this one on the same stream."""
        following = VolumeStream(self._stream, name)
        following._pushed = self._pushed
        return following

    def error(self, problem: str, *, offset: int | None = None) -> "VolumeError":
        """Return the error that says *problem* about a place of this volume."""
        place = self.offset if offset is None else offset
        return VolumeError(Fault(volume=self.name, offset=place, problem=problem))

    def unread(self, problem: str, offset: int) -> "VolumeError":
        """Return the error that says that the medium refused what is at *offset*."""
        return VolumeError(
            Fault(volume=self.name, offset=offset, problem=problem, unread=True)
        )

    def ended(self, end: int, left: int) -> "VolumeError":
        """Return the error that says that *left* bytes more are needed after *end*."""
        problem = f"the volume ends {left} bytes too soon, or even earlier"
        return self.error(problem, offset=end)

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read(min(size, _CHUNK))
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            raise self.unread(problem, self.offset) from error


def read_label(source: VolumeStream) -> Label:
    """Read and check the label, the first member of every volume.

    Raises:
        FormatError: This is not a volume, or its first bytes are damaged.
    """
    top = source.take(framing.RECORD)
    try:
        name, size = framing.parse(top, limit=volume.LABEL_LIMIT)
    except FormatError:
        name, size = "", 0
    if name != volume.LABEL:
        problem = "not an airlift volume, or its first bytes are damaged"
        raise source.error(problem, offset=0)
    data = source.take(size)
    _take_padding(source, size)
    return volume.decode_label(data, name=f"{source.name}: {volume.LABEL}")


def read_front(source: VolumeStream) -> Front:
    """Read the label and every signed file; stop before the first slab.

    Raises:
        FormatError: The framing is not canonical, or a bound is passed.
    """
    label = read_label(source)
    records: dict[str, bytes] = {}
    total, last = 0, ""
    while True:
        start = source.offset
        top = source.take(framing.RECORD)
        if not top.startswith(b"airlift/"):
            source.push_back(top)
            return Front(label=label, records=records)
        try:
            name, size = framing.parse(top, limit=RECORDS_LIMIT - total)
        except FormatError as error:
            raise source.error(error.problem, offset=start) from error
        total += framing.footprint(size)
        if name <= last or len(records) >= RECORDS_COUNT or total > RECORDS_LIMIT:
            problem = f"`{naming.show(name)}` is out of order or one too many"
            raise source.error(problem, offset=start)
        last = name
        records[name.removeprefix("airlift/")] = source.take(size)
        _take_padding(source, size)


def fault_of(source: VolumeStream, error: FormatError) -> Fault:
    """Return *error* as a fault of the volume it came out of."""
    if isinstance(error, VolumeError):
        return error.fault
    return Fault(volume=source.name, offset=source.offset, problem=error.problem)


def _take_padding(source: VolumeStream, size: int) -> None:
    start = source.offset
    if any(source.take(framing.padding(size))):
        problem = "padding is not zero"
        raise source.error(problem, offset=start)
