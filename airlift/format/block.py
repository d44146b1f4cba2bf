"""Blocks and slabs: how bytes are coded (docs/format.md, "Blocks").

    block := u8 kind | u8 planes | u16 0 | u32 raw length
             | planes * (u8 mode | u32 length) | payloads        (little-endian)
    slab  := blocks, end to end

A block holds at most 1 MiB of raw bytes, cut into planes of equal length by its
kind; a plane is one constant byte, raw bytes, or one plain zstd frame. A reader
knows every length before it decodes and accounts for every stored byte.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from threading import local
from typing import Final

import zstandard

from airlift.errors import FormatError
from airlift.format.packing import SLAB

BLOCK: Final = 1 << 20
"""Most raw bytes of a block."""
WINDOW_LOG: Final = 23
"""Largest zstd window a reader accepts, 8 MiB: bounds its memory (window bombs)."""

_HEADER = struct.Struct("<BBHI")
_PLANE = struct.Struct("<BI")
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_PROBE: Final = 64 << 10
_PROBES: Final = 8


class BlockKind(IntEnum):
    """How a block's bytes are cut into planes; the number of planes follows."""

    BYTES = 0
    """One plane: the bytes as they are."""


PLANES: Final = {BlockKind.BYTES: 1}


class Mode(IntEnum):
    """How a plane is stored."""

    CONST = 0
    RAW = 1
    ZSTD = 2


@dataclass(frozen=True, slots=True)
class _Plane:
    mode: Mode
    payload: bytes | memoryview


class _Contexts(local):
    """zstd contexts, which are not thread-safe, one pair a thread."""

    def __init__(self) -> None:
        # No checksum: BLAKE3 of the slab covers the frame. The content size is in
        # the frame so that a decoder of another team can allocate.
        self.small = zstandard.ZstdCompressor(
            level=3, write_checksum=False, write_content_size=True
        )
        self.reader = zstandard.ZstdDecompressor(max_window_size=1 << WINDOW_LOG)


_contexts = _Contexts()


def shrinks(samples: list[memoryview]) -> bool:
    """Say whether a blob is worth coding, from *samples* spread over it.

    At least 8 % must be saved: on two cores decoding costs about 1 CPU second a GB
    against 0.1 for stored bytes, which pays only below about 110 MB/s of medium.
    """
    total = sum(len(sample) for sample in samples)
    stored = sum(len(_contexts.small.compress(sample)) for sample in samples)
    return stored * 100 < total * 92


def probe_offsets(size: int) -> list[tuple[int, int]]:
    """Return the ``(start, stop)`` of the samples that decide for a blob of *size*."""
    if size <= _PROBE * _PROBES:
        return [(0, size)]
    step = (size - _PROBE) // (_PROBES - 1)
    return [(i * step, i * step + _PROBE) for i in range(_PROBES)]


def encode_slab(raw: memoryview) -> bytes:
    """Return *raw*, at most 4 MiB, as blocks."""
    return b"".join(
        _encode_block(raw[start : start + BLOCK]) for start in range(0, len(raw), BLOCK)
    )


def _encode_block(raw: memoryview) -> bytes:
    planes = [_encode_plane(raw)]
    head = _HEADER.pack(BlockKind.BYTES, len(planes), 0, len(raw))
    table = [_PLANE.pack(plane.mode, len(plane.payload)) for plane in planes]
    return b"".join([head, *table, *(plane.payload for plane in planes)])


def _encode_plane(plane: memoryview) -> _Plane:
    first = bytes(plane[:1])
    if plane == first * len(plane):
        return _Plane(Mode.CONST, first)
    frame = _contexts.small.compress(plane)
    if len(frame) < len(plane) - len(plane) // 64:
        return _Plane(Mode.ZSTD, frame)
    return _Plane(Mode.RAW, plane)


def decode_slab(stored: memoryview, raw_length: int) -> bytes:
    """Return the *raw_length* bytes that the slab *stored* holds.

    Call it on bytes whose digest was checked: its own checks bound memory and time
    and keep the format in one spelling.

    Raises:
        FormatError: The blocks break a rule of the format, or do not give exactly
            *raw_length* bytes from exactly these stored bytes.
    """
    if raw_length > SLAB:
        problem = f"slab of {raw_length} bytes, the limit is {SLAB}"
        raise FormatError(problem)
    blocks, position, left = [], 0, raw_length
    while left:
        block, used = _decode_block(stored[position:], min(left, BLOCK))
        blocks.append(block)
        position += used
        left -= len(block)
    if position != len(stored):
        problem = f"slab has {len(stored) - position} bytes after its last block"
        raise FormatError(problem)
    return b"".join(blocks)


def _decode_block(stored: memoryview, expected: int) -> tuple[bytes, int]:
    """Return a block's raw bytes and how many stored bytes it took."""
    if len(stored) < _HEADER.size:
        problem = "slab ends inside a block's header"
        raise FormatError(problem)
    kind, planes, zero, length = _HEADER.unpack_from(stored)
    if kind not in PLANES:
        problem = f"block of unknown kind {kind}"
        raise FormatError(problem, hint="a newer airlift is needed here")
    if zero or planes != PLANES[BlockKind(kind)] or length != expected:
        problem = f"block of {length} bytes in {planes} planes, expected {expected}"
        raise FormatError(problem)
    position = _HEADER.size + planes * _PLANE.size
    if len(stored) < position:
        problem = "slab ends inside a block's table of planes"
        raise FormatError(problem)
    mode, size = _PLANE.unpack_from(stored, _HEADER.size)
    payload = stored[position : position + size]
    if len(payload) != size:
        problem = "slab ends inside a plane"
        raise FormatError(problem)
    return _decode_plane(mode, payload, length), position + size


def _decode_plane(mode: int, payload: memoryview, length: int) -> bytes:
    if mode == Mode.CONST and len(payload) == 1:
        return bytes(payload) * length
    if mode == Mode.RAW and len(payload) == length:
        return bytes(payload)
    if mode == Mode.ZSTD:
        return _decode_frame(payload, length)
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
        reader = _contexts.reader.decompressobj(write_size=BLOCK)
        raw = reader.decompress(frame)
    except zstandard.ZstdError as error:
        problem = f"zstd frame cannot be decoded: {error}"
        raise FormatError(problem) from error
    if len(raw) != length or not reader.eof or reader.unused_data:
        problem = f"zstd frame gave {len(raw)} bytes of {length}, or is not alone"
        raise FormatError(problem)
    return raw
