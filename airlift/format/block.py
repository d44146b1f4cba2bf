"""Blocks and slabs: how bytes are coded (docs/format.md, "Blocks").

    block := u8 kind | u8 planes | u16 0 | u32 raw length
             | planes * (u8 mode | u32 length) | payloads        (little-endian)
    slab  := blocks, end to end

A block holds at most 1 MiB of raw bytes, cut into planes of equal length by its
kind; a plane is one constant byte, raw bytes, or one plain zstd frame. A reader
knows every length before it decodes and accounts for every stored byte.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from threading import local
from typing import Final

import numpy as np
import zstandard

from airlift.errors import FormatError
from airlift.format import planes
from airlift.format.packing import SLAB
from airlift.format.planes import Bytes

BLOCK: Final = 1 << 20
"""Most raw bytes of a block."""
WINDOW_LOG: Final = 23
"""Largest zstd window a reader accepts, 8 MiB: bounds its memory (window bombs)."""

_HEADER = struct.Struct("<BBHI")
_PLANE = struct.Struct("<BI")
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_PROBE: Final = 64 << 10
_PROBES: Final = 8
_SAMPLE: Final = 8 << 10

# zstd's match finder made all but idle: what is left is a Huffman coder whose table is
# new every 128 KiB, inside an ordinary frame. On exponents it is smaller than levels 1
# to 9, at twice their speed both ways: short matches cost more than they save there.
_HUFFMAN = zstandard.ZstdCompressionParameters(
    strategy=zstandard.STRATEGY_FAST,
    min_match=7,
    hash_log=6,
    window_log=17,
    target_length=0,
    write_content_size=True,
    write_checksum=False,
)


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


class Mode(IntEnum):
    """How a plane is stored."""

    CONST = 0
    RAW = 1
    ZSTD = 2


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


class _Contexts(local):
    """zstd contexts, which are not thread-safe, one set a thread."""

    def __init__(self) -> None:
        # No checksum: BLAKE3 of the slab covers the frame. The content size is in
        # the frame so that a decoder of another team can allocate.
        self.coders = {
            Coder.HUFFMAN: zstandard.ZstdCompressor(compression_params=_HUFFMAN),
            Coder.MATCHES: zstandard.ZstdCompressor(
                level=3, write_checksum=False, write_content_size=True
            ),
        }
        self.reader = zstandard.ZstdDecompressor(max_window_size=1 << WINDOW_LOG)


_contexts = _Contexts()


def plan(samples: Iterable[memoryview]) -> Plan:
    """Return how bytes like *samples* are best coded; content decides, not a label.

    Each kind is tried on the samples. On equal terms the kind of fewer planes wins.

    Args:
        samples: Each begins at an element, that is at a multiple of 8 bytes.
    """
    parts = [_whole_elements(sample) for sample in samples]
    raw = np.concatenate(parts) if parts else np.empty(0, np.uint8)
    if not raw.size:
        return Plan(BlockKind.BYTES, (Coder.NONE,), 1000)
    found = (_try(raw, kind) for kind in BlockKind)
    return min(found, key=lambda one: one.cost)


def _whole_elements(sample: memoryview) -> Bytes:
    whole = len(sample) & -planes.WIDTHS[-1] or len(sample)
    return np.frombuffer(sample[:whole], np.uint8)


def _try(raw: Bytes, kind: BlockKind) -> Plan:
    if raw.size % kind.width:
        return Plan(kind, (), 1 << 30)
    coders, stored = [], 0
    for plane in planes.split(raw, kind.width):
        coder, size = _cheapest(plane, matches=kind is BlockKind.BYTES)
        coders.append(coder)
        stored += size
    return Plan(kind, tuple(coders), stored * 1000 // raw.size)


def _cheapest(plane: Bytes, *, matches: bool) -> tuple[Coder, int]:
    """Return the coder of *plane* and what it stores of it."""
    coder = Coder.HUFFMAN
    size = len(_contexts.coders[coder].compress(plane.data))
    if matches:
        other = len(_contexts.coders[Coder.MATCHES].compress(plane.data))
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
    step = (size - lead - _PROBE) // (_PROBES - 1) & -planes.WIDTHS[-1]
    starts = range(lead, lead + step * _PROBES, step)
    return [(start, start + _PROBE) for start in starts]


def encode_slab(raw: memoryview) -> bytes:
    """Return *raw*, at most 4 MiB, as blocks."""
    starts = range(0, len(raw), BLOCK)
    chosen = plan(_middle(raw[start : start + BLOCK]) for start in starts)
    return b"".join(
        _encode_block(raw[start : start + BLOCK], chosen) for start in starts
    )


def _middle(raw: memoryview) -> memoryview:
    """Return 16 KiB from the middle of a block, from a multiple of 8 bytes on."""
    start = max(0, len(raw) - _SAMPLE) // 2 & -planes.WIDTHS[-1]
    return raw[start : start + _SAMPLE]


def _encode_block(raw: memoryview, chosen: Plan) -> bytes:
    kind, coders = chosen.kind, chosen.coders
    if len(raw) % kind.width:  # the end of a blob of odd length
        kind, coders = BlockKind.BYTES, (Coder.MATCHES,)
    cut = planes.split(np.frombuffer(raw, np.uint8), kind.width)
    coded = [_encode_plane(one, coder) for one, coder in zip(cut, coders, strict=True)]
    head = _HEADER.pack(kind, len(coded), 0, len(raw))
    table = [_PLANE.pack(plane.mode, len(plane.payload)) for plane in coded]
    return b"".join([head, *table, *(plane.payload for plane in coded)])


def _encode_plane(plane: Bytes, coder: Coder) -> _Plane:
    # The ends first: they tell noise from a constant without a pass over it.
    if plane[0] == plane[-1] and not (plane != plane[0]).any():
        return _Plane(Mode.CONST, plane[:1].tobytes())
    # The plan is of the slab; whether coding pays is asked again of each block. Half
    # of what a float32 saves lies in single blocks whose low planes are not noise.
    if coder is not Coder.MATCHES:
        coder = Coder.HUFFMAN if _probe(plane) else Coder.NONE
    if coder is not Coder.NONE:
        frame = _contexts.coders[coder].compress(plane.data)
        if _pays(len(frame), plane.size):
            return _Plane(Mode.ZSTD, frame)
    return _Plane(Mode.RAW, plane.data)


def _probe(plane: Bytes) -> bool:
    """Say whether the middle of *plane* shrinks by a Huffman code."""
    start = max(0, plane.size - _SAMPLE) // 2
    sample = plane[start : start + _SAMPLE]
    frame = _contexts.coders[Coder.HUFFMAN].compress(sample.data)
    return _pays(len(frame), sample.size)


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
        return np.frombuffer(_decode_frame(payload, length), np.uint8)
    problem = f"plane of mode {mode} with {len(payload)} bytes for {length}"
    raise FormatError(problem)


def _decode_frame(frame: memoryview, length: int) -> bytes:
    # The library would skip skippable frames, ignore trailing bytes and allocate
    # what the frame claims: look at the header first, and let exactly one frame
    # give exactly the length the block states.
    if bytes(frame[:4]) != _ZSTD_MAGIC:
        problem = "plane is not one zstd frame"
        raise FormatError(problem)
    try:
        parameters = zstandard.get_frame_parameters(frame)
        if parameters.dict_id or parameters.has_checksum:
            problem = "zstd frame has a dictionary or a checksum"
            raise FormatError(problem)
        if parameters.content_size != length:
            problem = f"zstd frame claims {parameters.content_size}, expected {length}"
            raise FormatError(problem)
        # The window bounds nothing here, as the frame is decoded in one go, but a
        # reader of another kind would have to keep it.
        if parameters.window_size > 1 << WINDOW_LOG:
            problem = f"zstd frame needs a window of {parameters.window_size} bytes"
            raise FormatError(problem)
        raw = _contexts.reader.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        problem = f"zstd frame cannot be decoded: {error}"
        raise FormatError(problem) from error
    if len(raw) != length:
        problem = f"zstd frame gave {len(raw)} bytes of {length}"
        raise FormatError(problem)
    return raw
