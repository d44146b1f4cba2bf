"""The head of a part: its slabs and the pieces they make (docs/format.md, "Heads").

    head  := "ALHD" | u8 version=1 | u8 codec | u16 0
             | u32 slabs | u32 bases | u32 pieces | u32 0
             | slabs  * (u32 stored | u32 raw | 32 bytes BLAKE3-256 of the stored bytes)
             | bases  * (32 bytes SHA-256 of a blob the pieces refer to)
             | pieces * (u8 op | u8 width | u16 0 | u32 base | u64 length | u64 offset)

Little-endian. A head is checked against the packing list before it is decoded, each
slab against the head before it is. A part without references has neither bases nor
pieces: its raw bytes are its slabs' raw bytes, end to end.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from itertools import starmap
from typing import Final

from airlift.errors import FormatError
from airlift.format.packing import HEAD_LIMIT, PART_LIMIT, SLAB

SLABS: Final = PART_LIMIT // SLAB
"""Slabs of a full part: 63 of 4 MiB raw, so that part borders depend on nothing."""

_MAGIC: Final = b"ALHD"
_VERSION: Final = 1
_TOP = struct.Struct("<4sBBHIIII")
_SLAB = struct.Struct("<II32s")


class Codec(IntEnum):
    """What a slab's stored bytes are."""

    RAW = 0
    """The raw bytes themselves, so that any scanner can read the part."""
    BLOCKS = 1
    """Blocks (``airlift.format.block``)."""


@dataclass(frozen=True, slots=True)
class Slab:
    """One slab: stored and raw length in bytes, BLAKE3-256 of the stored bytes."""

    stored: int
    raw: int
    blake3: bytes


@dataclass(frozen=True, slots=True)
class PartHead:
    """A decoded head: how a part's stored bytes become raw bytes."""

    codec: Codec
    slabs: tuple[Slab, ...]

    @property
    def stored(self) -> int:
        """Stored bytes of all slabs."""
        return sum(slab.stored for slab in self.slabs)

    @property
    def raw(self) -> int:
        """Raw bytes of all slabs."""
        return sum(slab.raw for slab in self.slabs)


def encode(head: PartHead) -> bytes:
    """Return the bytes of *head*."""
    top = _TOP.pack(_MAGIC, _VERSION, head.codec, 0, len(head.slabs), 0, 0, 0)
    entries = (_SLAB.pack(one.stored, one.raw, one.blake3) for one in head.slabs)
    return b"".join([top, *entries])


def decode(data: bytes, *, name: str = "head") -> PartHead:
    """Return the head that *data*, already checked by digest, states.

    Raises:
        FormatError: It breaks a rule, or needs a newer airlift.
    """
    if not _TOP.size <= len(data) <= HEAD_LIMIT:
        problem = f"{name}: a head of {len(data)} bytes"
        raise FormatError(problem)
    magic, version, codec, zero, slabs, bases, pieces, zero2 = _TOP.unpack_from(data)
    if (magic, version) != (_MAGIC, _VERSION) or codec not in iter(Codec):
        problem = f"{name}: head version {version} or codec {codec} is not known"
        raise FormatError(problem, hint="a newer airlift is needed here")
    if bases or pieces:
        problem = f"{name}: the part refers to {bases} other blobs"
        raise FormatError(problem, hint="a newer airlift is needed here")
    if zero or zero2 or len(data) != _TOP.size + slabs * _SLAB.size:
        problem = f"{name}: head of {len(data)} bytes does not hold {slabs} slabs"
        raise FormatError(problem)
    entries = _SLAB.iter_unpack(data[_TOP.size :])
    head = PartHead(Codec(codec), tuple(starmap(Slab, entries)))
    for index, slab in enumerate(head.slabs):
        _check(head.codec, slab, f"{name}: slab {index}")
    return head


def _check(codec: Codec, slab: Slab, name: str) -> None:
    # A coded slab may outgrow its raw bytes by its block headers only.
    most = slab.raw if codec is Codec.RAW else slab.raw + 4096
    if not (0 < slab.raw <= SLAB and 0 < slab.stored <= most):
        problem = f"{name} has {slab.stored} stored bytes for {slab.raw} raw"
        raise FormatError(problem)
    if codec is Codec.RAW and slab.stored != slab.raw:
        problem = f"{name} is raw but has {slab.stored} bytes for {slab.raw}"
        raise FormatError(problem)
