"""Blocks and slabs: how bytes are coded (docs/format.md, "Blocks").

    block := u8 kind | u8 planes | u16 0 | u32 raw length
             | planes * (u8 mode | u32 length) | payloads        (little-endian)
    slab  := blocks, end to end

A block holds at most 1 MiB of raw bytes, cut into planes of equal length by its
kind; a plane is one constant byte, raw bytes, or one plain zstd frame. A reader
knows every length before it decodes and accounts for every stored byte.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from threading import local
from typing import Final

import numpy as np

from airlift.errors import FormatError
from airlift.format import frame, planes
from airlift.format.packing import HEADERS, SLAB
from airlift.format.planes import Bytes

BLOCK: Final = 1 << 20
"""Most raw bytes of a block."""

_HEADER = struct.Struct("<BBHI")
_PLANE = struct.Struct("<BI")
_PROBE: Final = 64 << 10
_PROBES: Final = 8
_SAMPLE: Final = 4 << 10
_GLANCE: Final = 8 << 10
"""Bytes of each block that decide for a slab's kind. In half as many the tables of more
planes weigh too much: differences of bfloat16 at sigma 1e-2 lose 1 % by it."""


class BlockKind(IntEnum):
    """How a block's bytes are cut into planes: by the width of its elements."""

    BYTES = 0
    """One plane: the bytes as they are."""
    HALVES = 1
    """Two planes of 16-bit elements: bfloat16, float16."""
    WORDS = 2
    """Four planes of 32-bit elements: float32."""
    DOUBLES = 3
    """Eight planes of 64-bit elements: float64."""

    @property
    def width(self) -> int:
        """Bytes of an element; planes of a block."""
        return planes.WIDTHS[self]


_NARROW: Final = (BlockKind.BYTES, BlockKind.HALVES, BlockKind.WORDS)


class Mode(IntEnum):
    """How a plane is stored."""

    CONST = 0
    RAW = 1
    ZSTD = 2
    BITS = 3


class Coder(IntEnum):
    """How a writer codes a plane; a reader need not know."""

    NONE = 0
    HUFFMAN = 1
    MATCHES = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """How the blocks of a slab are to be coded.

    Attributes:
        kind: How they are cut into planes.
        coders: How each plane is coded.
        cost: Estimated stored bytes in 1,000 raw bytes.
    """

    kind: BlockKind
    coders: tuple[Coder, ...]
    cost: int


@dataclass(frozen=True, slots=True)
class _Plane:
    mode: Mode
    payload: bytes | memoryview


class _Room(local):
    """Working memory of one thread: the planes of a block, and a slab as stored."""

    def __init__(self) -> None:
        self.planes = np.empty(BLOCK, np.uint8)
        self.stored = np.empty(SLAB + HEADERS, np.uint8).data


_room = _Room()


def plan(samples: Iterable[memoryview]) -> Plan:
    """Return how bytes like *samples* are best coded; content decides, not a label.

    Kinds are tried on the samples, from the narrowest; on equal terms the kind of
    fewer planes wins.

    Args:
        samples: Each begins at an element, that is at a multiple of 8 bytes.
    """
    parts = [_whole_elements(sample) for sample in samples]
    raw = np.concatenate(parts) if parts else np.empty(0, np.uint8)
    if not raw.size:
        return Plan(BlockKind.BYTES, (Coder.NONE,), 1000)
    found = [_try(raw, kind) for kind in _NARROW]
    # What 64-bit numbers gain by eight planes they gain in half by four.
    if found[-1].cost < min(one.cost for one in found[:-1]):
        found.append(_try(raw, BlockKind.DOUBLES))
    return min(found, key=lambda one: one.cost)


def _whole_elements(sample: memoryview) -> Bytes:
    whole = len(sample) & -planes.WIDTHS[-1] or len(sample)
    return np.frombuffer(sample[:whole], np.uint8)


def _try(raw: Bytes, kind: BlockKind) -> Plan:
    if raw.size % kind.width:
        return Plan(kind, (), 1 << 30)
    coders, stored = [], 0
    for plane in planes.split(raw, kind.width, np.empty_like(raw)):
        coder, size = _cheapest(plane, matches=kind is BlockKind.BYTES)
        coders.append(coder)
        stored += size
    return Plan(kind, tuple(coders), stored * 1000 // raw.size)


def _cheapest(plane: Bytes, *, matches: bool) -> tuple[Coder, int]:
    """Return the coder of *plane* and what it stores of it."""
    coder, size = Coder.HUFFMAN, len(frame.huffman(plane.data))
    if matches and frame.repeats(plane.data):
        other = len(frame.matches(plane.data))
        # Matches take twice the time: they must save at least a twentieth for it.
        if other * 20 < size * 19:
            coder, size = Coder.MATCHES, other
    return (coder, size) if _pays(size, plane.size) else (Coder.NONE, plane.size)


def _pays(stored: int, raw: int) -> bool:
    return stored < raw - raw // 64


def shrinks(found: Plan) -> bool:
    """Say whether a blob is worth coding, by the plan for samples spread over it.

    At least 8 % must be saved: on two cores decoding costs about 1 CPU second a GB
    against 0.1 for stored bytes, which pays only below about 110 MB/s of medium.
    """
    return found.cost < 920


def probe_offsets(size: int, lead: int = 0) -> list[tuple[int, int]]:
    """Return the ``(start, stop)`` of the samples that decide for a blob.

    Args:
        size: Of the blob in bytes.
        lead: Where its numbers begin to lie at multiples of 8 bytes.
    """
    if size <= _PROBE * _PROBES:
        return [(lead, size)]
    # From the middles of equal shares: headers and vocabularies lie at the ends, and
    # one sample of eight from there makes a quantised model look worth coding.
    share = (size - lead) // _PROBES
    middle = (share - _PROBE) // 2
    starts = (lead + (share * at + middle & -8) for at in range(_PROBES))
    return [(start, start + _PROBE) for start in starts]


def encode_slab(raw: memoryview) -> bytes:
    """Return *raw* as blocks; the same bytes for the same *raw*.

    Raises:
        FormatError: *raw* has more than the 4 MiB of a slab.
    """
    out = _room.stored
    return bytes(out[: encode_slab_into(raw, out)])


def encode_slab_into(raw: memoryview, out: memoryview) -> int:
    """Write *raw* as blocks to the front of *out*; return how many bytes they are.

    Args:
        raw: At most a slab.
        out: With room for ``packing.HEADERS`` bytes more.

    Raises:
        FormatError: *raw* has more than the 4 MiB of a slab.
    """
    size = 0
    for piece in _encoded(raw):
        out[size : size + len(piece)] = piece
        size += len(piece)
    return size


def _encoded(raw: memoryview) -> Iterator[bytes | memoryview]:
    """Yield what a slab is stored as; views of memory that the next block changes."""
    _check_length(len(raw))
    starts = range(0, len(raw), BLOCK)
    chosen = plan(_middle(raw[start : start + BLOCK]) for start in starts)
    for start in starts:
        block = np.frombuffer(raw[start : start + BLOCK], np.uint8)
        yield from _encode_block(block, chosen, _room.planes[: block.size])


def _middle(raw: memoryview) -> memoryview:
    """Return 8 KiB from the middle of a block, from a multiple of 8 bytes on."""
    start = max(0, len(raw) - _GLANCE) // 2 & -planes.WIDTHS[-1]
    return raw[start : start + _GLANCE]


def _encode_block(
    raw: Bytes, chosen: Plan, room: Bytes
) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a block in pieces, some of them views of *room* or *raw*."""
    kind, coders = chosen.kind, chosen.coders
    if raw.size % kind.width:  # the end of a blob of odd length
        kind, coders = BlockKind.BYTES, (Coder.MATCHES,)
    cut = planes.split(raw, kind.width, room)
    coded = [_encode_plane(one, coder) for one, coder in zip(cut, coders, strict=True)]
    yield _HEADER.pack(kind, len(coded), 0, raw.size)
    for plane in coded:
        yield _PLANE.pack(plane.mode, len(plane.payload))
    for plane in coded:
        yield plane.payload


def _encode_plane(plane: Bytes, coder: Coder) -> _Plane:
    if _constant(plane):
        return _Plane(Mode.CONST, plane[:1].tobytes())
    if coder is not Coder.MATCHES and (packed := planes.pack(plane)):
        # Huffman codes take a bit an element as well, and half as much again for the
        # matches that chance brings there; but an alternation is one long match.
        sample = _sample(plane)
        if len(frame.huffman(sample)) * 8 >= len(sample):
            return _Plane(Mode.BITS, packed)
    # The plan is of the slab; whether coding pays is asked again of each block. Half
    # of what a float32 saves lies in single blocks whose low planes are not noise.
    if coder is Coder.NONE and not _shrinks(_sample(plane)):
        return _Plane(Mode.RAW, plane.data)
    code = frame.matches if coder is Coder.MATCHES else frame.huffman
    found = code(plane.data)
    if not _pays(len(found), plane.size):
        return _Plane(Mode.RAW, plane.data)
    return _Plane(Mode.ZSTD, found)


def _constant(plane: Bytes) -> bool:
    # The ends first: they tell most planes from a constant without a pass over them.
    for part in (plane[-1:], plane[:_SAMPLE], plane):
        if (part != plane[0]).any():
            return False
    return True


def _sample(plane: Bytes) -> memoryview:
    start = max(0, plane.size - _SAMPLE) // 2
    return plane[start : start + _SAMPLE].data


def _shrinks(sample: memoryview) -> bool:
    return _pays(len(frame.huffman(sample)), len(sample))


def decode_slab(stored: memoryview, raw_length: int) -> memoryview:
    """Return the *raw_length* bytes that the slab *stored* holds.

    Call it on bytes whose digest was checked: its own checks bound memory and time
    and keep the format in one spelling.

    Raises:
        FormatError: The blocks break a rule of the format, or do not give exactly
            *raw_length* bytes from exactly these stored bytes.
    """
    _check_length(raw_length)
    raw = np.empty(raw_length, np.uint8).data
    decode_slab_into(stored, raw)
    return raw


def decode_slab_into(stored: memoryview, out: memoryview) -> None:
    """Write the ``len(out)`` bytes that the slab *stored* holds into *out*.

    Args:
        stored: As for ``decode_slab``.
        out: Writable, contiguous; of unspecified content if this raises. Decoding is
            fastest where it begins at a multiple of 8 bytes of memory.

    Raises:
        FormatError: As for ``decode_slab``.
    """
    raw_length = len(out)
    _check_length(raw_length)
    raw, position = np.frombuffer(out, np.uint8), 0
    for start in range(0, raw_length, BLOCK):
        position += _decode_block(stored[position:], raw[start : start + BLOCK])
    if position != len(stored):
        problem = f"slab has {len(stored) - position} bytes after its last block"
        raise FormatError(problem)


def _check_length(raw_length: int) -> None:
    if raw_length > SLAB:
        problem = f"slab of {raw_length} bytes, the limit is {SLAB}"
        raise FormatError(problem)


def _decode_block(stored: memoryview, out: Bytes) -> int:
    """Write a block's raw bytes to *out*; return how many stored bytes it took."""
    if len(stored) < _HEADER.size:
        problem = "slab ends inside a block's header"
        raise FormatError(problem)
    number, count, zero, length = _HEADER.unpack_from(stored)
    if number not in iter(BlockKind):
        problem = f"block of unknown kind {number}"
        raise FormatError(problem, hint="a newer airlift is needed here")
    width = BlockKind(number).width
    if zero or count != width or length != out.size or length % width:
        problem = f"block of {length} bytes in {count} planes, expected {out.size}"
        raise FormatError(problem)
    position: int = _HEADER.size + count * _PLANE.size
    if len(stored) < position:
        problem = "slab ends inside a block's table of planes"
        raise FormatError(problem)
    found: list[Bytes] = []
    for mode, size in _PLANE.iter_unpack(stored[_HEADER.size : position]):
        payload = stored[position : position + size]
        if len(payload) != size:
            problem = "slab ends inside a plane"
            raise FormatError(problem)
        found.append(_decode_plane(mode, payload, length // width))
        position += len(payload)
    planes.join(found, out)
    return position


def _decode_plane(mode: int, payload: memoryview, length: int) -> Bytes:
    if mode == Mode.CONST and len(payload) == 1:
        return np.frombuffer(payload, np.uint8)
    if mode == Mode.RAW and len(payload) == length:
        return np.frombuffer(payload, np.uint8)
    if mode == Mode.ZSTD:
        return np.frombuffer(frame.decode(payload, length), np.uint8)
    if mode == Mode.BITS:
        return planes.unpack(np.frombuffer(payload, np.uint8), length)
    problem = f"plane of mode {mode} with {len(payload)} bytes for {length}"
    raise FormatError(problem)
