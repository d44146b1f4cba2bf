"""The head of a part: its slabs and the pieces they make (docs/format.md, "Heads").

    head  := "ALHD" | u8 version=1 | u8 codec | u16 0
             | u32 slabs | u32 bases | u32 pieces | u32 0
             | slabs  * (u32 stored | u32 raw | 32 bytes BLAKE3-256 of the stored bytes)
             | bases  * (32 bytes SHA-256 of a blob the pieces refer to)
             | pieces * (u8 op | u8 width | u16 0 | u32 base | u64 length | u64 offset)

Little-endian. A head is checked against the packing list before it is decoded, each
slab against the head before it is. A part without references has neither bases nor
pieces: its raw bytes are its slabs' raw bytes, end to end. A part with pieces is what
they give in order: some from the decoded slabs, some from other blobs.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise, starmap
from typing import Final

from airlift.digest import Sha256
from airlift.errors import FormatError
from airlift.format.packing import HEAD_LIMIT, HEADERS, PART_LIMIT, SLAB

SLABS: Final = PART_LIMIT // SLAB
"""Slabs of a full part: 63 of 4 MiB raw, so that part borders depend on nothing."""
PIECED_SLABS: Final = 4096
"""Most slabs of a part with pieces, whose slabs may be short. With as many bases as
pieces its head still stays below half of ``HEAD_LIMIT``."""
PIECES: Final = 8192
"""Most pieces of a part."""
LENGTH_LIMIT: Final = 1 << 53
"""Most bytes a piece gives, and where it ends in its base at the latest."""
WIDTHS: Final = (2, 4, 8)
"""Bytes of the elements a difference may have."""

_MAGIC: Final = b"ALHD"
_VERSION: Final = 1
_TOP = struct.Struct("<4sBBHIIII")
_SLAB = struct.Struct("<II32s")
_BASE = struct.Struct("<32s")
_PIECE = struct.Struct("<BBHIQQ")


class Codec(IntEnum):
    """What a slab's stored bytes are."""

    RAW = 0
    """The raw bytes themselves, so that any scanner can read the part."""
    BLOCKS = 1
    """Blocks (``airlift.format.block``)."""


class Op(IntEnum):
    """Where the bytes of a piece come from."""

    LITERAL = 0
    """The decoded slabs."""
    REFERENCE = 1
    """Another blob."""
    DIFFERENCE = 2
    """Another blob, changed by what the decoded slabs say (``difference``)."""


@dataclass(frozen=True, slots=True)
class Slab:
    """One slab: stored and raw length in bytes, BLAKE3-256 of the stored bytes."""

    stored: int
    raw: int
    blake3: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a part's raw bytes and where it comes from.

    Attributes:
        op: Which kind it is.
        width: Bytes of an element of a difference: 2, 4 or 8; otherwise 0.
        base: Index of the blob in the head's ``bases``; 0 for a literal.
        length: Raw bytes it gives, 1 to 2^53; of a difference a multiple of *width*.
        offset: Where as many bytes begin in the base; 0 for a literal.
    """

    op: Op
    width: int
    base: int
    length: int
    offset: int

    def continues(self, before: "Piece") -> bool:
        """Say whether this piece goes on where *before* ends, so that both are one."""
        if (self.op, self.width, self.base) != (before.op, before.width, before.base):
            return False
        return self.op is Op.LITERAL or self.offset == before.offset + before.length

    @property
    def slabs(self) -> int:
        """How many slabs carry its bytes."""
        return 0 if self.op is Op.REFERENCE else -(-self.length // SLAB)


@dataclass(frozen=True, slots=True)
class PartHead:
    """A decoded head: how a part's stored bytes become raw bytes.

    Attributes:
        codec: Of every slab.
        slabs: In the order they travel; at least one where there are pieces. Of the
            slabs of a piece all but the last have 4 MiB raw, and none is of two.
        bases: Blobs that *pieces* refer to, sorted, each once and each used.
        pieces: Give the part in order, none continuing the one before; empty where
            the slabs alone give it.
    """

    codec: Codec
    slabs: tuple[Slab, ...]
    bases: tuple[Sha256, ...] = ()
    pieces: tuple[Piece, ...] = ()

    @property
    def stored(self) -> int:
        """Stored bytes of all slabs."""
        return sum(slab.stored for slab in self.slabs)

    @property
    def decoded(self) -> int:
        """Bytes that all slabs give when decoded."""
        return sum(slab.raw for slab in self.slabs)

    @property
    def raw(self) -> int:
        """Bytes of the blob that the part gives."""
        if not self.pieces:
            return self.decoded
        return sum(piece.length for piece in self.pieces)


def encode(head: PartHead) -> bytes:
    """Return the bytes of *head*, which ``decode`` would take."""
    counts = (len(head.slabs), len(head.bases), len(head.pieces))
    top = _TOP.pack(_MAGIC, _VERSION, head.codec, 0, *counts, 0)
    slabs = (_SLAB.pack(one.stored, one.raw, one.blake3) for one in head.slabs)
    bases = (bytes.fromhex(one) for one in head.bases)
    pieces = (
        _PIECE.pack(one.op, one.width, 0, one.base, one.length, one.offset)
        for one in head.pieces
    )
    return b"".join([top, *slabs, *bases, *pieces])


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
    after_slabs = _TOP.size + slabs * _SLAB.size
    after_bases = after_slabs + bases * _BASE.size
    end = after_bases + pieces * _PIECE.size
    if zero or zero2 or len(data) != end:
        problem = f"{name}: head of {len(data)} bytes does not hold {slabs} slabs"
        if bases or pieces:
            problem += f", {bases} bases and {pieces} pieces"
        raise FormatError(problem)
    head = PartHead(
        Codec(codec),
        tuple(starmap(Slab, _SLAB.iter_unpack(data[_TOP.size : after_slabs]))),
        _read_bases(data[after_slabs:after_bases]),
        _read_pieces(data[after_bases:end], name),
    )
    for index, slab in enumerate(head.slabs):
        _check_slab(head.codec, slab, f"{name}: slab {index}")
    if bases or pieces:
        _check_pieces(head, name)
    return head


def _read_bases(data: bytes) -> tuple[Sha256, ...]:
    return tuple(Sha256(one.hex()) for (one,) in _BASE.iter_unpack(data))


def _read_pieces(data: bytes, name: str) -> tuple[Piece, ...]:
    found: list[Piece] = []
    for op, width, zero, base, length, offset in _PIECE.iter_unpack(data):
        if op not in iter(Op):
            problem = f"{name}: piece {len(found)} is of unknown kind {op}"
            raise FormatError(problem, hint="a newer airlift is needed here")
        if zero:
            problem = f"{name}: piece {len(found)} has bytes set that are reserved"
            raise FormatError(problem)
        found.append(Piece(Op(op), width, base, length, offset))
    return tuple(found)


def _check_slab(codec: Codec, slab: Slab, name: str) -> None:
    # A coded slab may outgrow its raw bytes by its block headers only.
    most = slab.raw if codec is Codec.RAW else slab.raw + HEADERS
    if not (0 < slab.raw <= SLAB and 0 < slab.stored <= most):
        problem = f"{name} has {slab.stored} stored bytes for {slab.raw} raw"
        raise FormatError(problem)
    if codec is Codec.RAW and slab.stored != slab.raw:
        problem = f"{name} is raw but has {slab.stored} bytes for {slab.raw}"
        raise FormatError(problem)


def _check_pieces(head: PartHead, name: str) -> None:
    """Check that pieces, bases and slabs fit each other in the one way they can."""
    if len(head.slabs) > PIECED_SLABS or len(head.pieces) > PIECES:
        problem = f"{name}: {len(head.slabs)} slabs and {len(head.pieces)} pieces"
        problem += f", the limits are {PIECED_SLABS} and {PIECES}"
        raise FormatError(problem)
    for index, piece in enumerate(head.pieces):
        if fault := _fault_of(piece, len(head.bases)):
            problem = f"{name}: piece {index} {fault}"
            raise FormatError(problem)
    for index, (before, piece) in enumerate(pairwise(head.pieces), 1):
        if piece.continues(before):
            problem = f"{name}: piece {index} continues the one before it"
            raise FormatError(problem)
    _check_bases(head, name)
    # Counted before they are listed: a piece may claim 2^53 bytes.
    count = sum(piece.slabs for piece in head.pieces)
    sizes = tuple(slab.raw for slab in head.slabs)
    if not sizes or count != len(sizes) or tuple(_cut(head.pieces)) != sizes:
        problem = f"{name}: {len(sizes)} slabs are not those of its pieces"
        raise FormatError(problem)
    if head.decoded > PART_LIMIT:
        problem = f"{name}: slabs of {head.decoded} bytes, the limit is {PART_LIMIT}"
        raise FormatError(problem)


def _check_bases(head: PartHead, name: str) -> None:
    used = {piece.base for piece in head.pieces if piece.op is not Op.LITERAL}
    rising = all(before < base for before, base in pairwise(head.bases))
    if not rising or not head.bases or used != set(range(len(head.bases))):
        problem = f"{name}: bases are not sorted, each once and each used"
        raise FormatError(problem)


def _fault_of(piece: Piece, bases: int) -> str:
    """Return what is wrong with *piece* in itself; nothing if it can be."""
    if not 0 < piece.length <= LENGTH_LIMIT:
        return f"gives {piece.length} bytes"
    if piece.op is not Op.LITERAL:
        return _fault_of_range(piece, bases)
    plain = (piece.width, piece.base, piece.offset) == (0, 0, 0)
    return "" if plain else "is a literal with a base"


def _fault_of_range(piece: Piece, bases: int) -> str:
    end, width = piece.offset + piece.length, piece.width
    if piece.base >= bases:
        return f"refers to base {piece.base} of {bases}"
    if end > LENGTH_LIMIT:
        return f"ends at byte {end} of its base"
    if piece.op is Op.REFERENCE:
        return f"is a reference of width {width}" if width else ""
    if width not in WIDTHS or piece.length % width:
        return f"is a difference of {piece.length} bytes of width {width}"
    return ""


def _cut(pieces: Iterable[Piece]) -> Iterable[int]:
    """Yield the raw bytes of each slab of *pieces*."""
    for piece in pieces:
        for start in range(0, piece.slabs * SLAB, SLAB):
            yield min(SLAB, piece.length - start)
