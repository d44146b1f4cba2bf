"""Heads of parts and what pieces give, written from section 5 of docs/format.md alone."""

import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import accumulate

from independent.record import need

SLAB = 4 << 20
_HEAD = struct.Struct("<4sBBHIIII")
_SLAB = struct.Struct("<II32s")
_PIECE = struct.Struct("<BBHIQQ")


@dataclass(frozen=True)
class Head:
    """A head: slabs (stored, raw, BLAKE3), bases, pieces (op, width, base, length,
    offset).
    """

    codec: int
    slabs: list[tuple[int, int, bytes]]
    bases: list[str]
    pieces: list[tuple[int, int, int, int, int]]

    @property
    def raw(self) -> int:
        """Bytes that the part gives."""
        if self.pieces:
            return sum(piece[3] for piece in self.pieces)
        return sum(raw for _, raw, _ in self.slabs)


def read_head(data: bytes) -> Head:
    """Return a head whose form is right (section 5)."""
    need(_HEAD.size <= len(data) <= 1 << 20, "the size of a head")
    magic, version, codec, zero, slabs, bases, pieces, zero2 = _HEAD.unpack_from(data)
    known = (magic, version) == (b"ALHD", 1) and codec in (0, 1)
    need(known, "a head for a newer reader")
    ends = [_HEAD.size, slabs * _SLAB.size, bases * 32, pieces * _PIECE.size]
    ends = list(accumulate(ends))
    need(len(data) == ends[3] and not (zero or zero2), "a head of another length")
    table_ = list(_SLAB.iter_unpack(data[: ends[1]][_HEAD.size :]))
    for stored, raw, _ in table_:
        good = stored == raw if codec == 0 else 0 < stored <= raw + 4096
        need(0 < raw <= SLAB and good, "a slab out of bounds")
    names = [data[at : at + 32].hex() for at in range(ends[1], ends[2], 32)]
    rows = list(_PIECE.iter_unpack(data[ends[2] :]))
    need(all(row[2] == 0 for row in rows), "a piece with reserved bytes")
    found = [(op, width, base, length, at) for op, width, _, base, length, at in rows]
    head = Head(codec, table_, names, found)
    if names or found:
        _check_pieces(head)
    return head


def _check_pieces(head: Head) -> None:
    """Check the rules of section 5.1 that are of the head alone."""
    need(1 <= len(head.slabs) <= 4096 and len(head.pieces) <= 8192, "too many")
    need(head.bases and head.bases == sorted(set(head.bases)), "bases out of order")
    used, last = set(), (-1, 0, 0, 0, 0)
    sizes: list[int] = []
    for op, width, base, length, offset in head.pieces:
        need(op in (0, 1, 2), "a piece for a newer reader")
        need(1 <= length <= 1 << 53 and offset + length <= 1 << 53, "a piece's length")
        need(width in ((2, 4, 8) if op == 2 else (0,)), "a piece's width")
        need(op < 2 or length % width == 0, "half an element")
        need(op or (base, offset) == (0, 0), "a literal with a base")
        need(base < len(head.bases), "a base that is not there")
        goes_on = last[:3] == (op, width, base) and last[4] + last[3] == offset
        need(not goes_on and not (op == 0 == last[0]), "a piece that goes on")
        if op:
            used.add(base)
        if op != 1:
            need(len(sizes) + length // SLAB <= 4096, "more bytes than slabs")
            sizes += [SLAB] * (length // SLAB) + [length % SLAB] * (length % SLAB > 0)
        last = (op, width, base, length, offset)
    need(len(used) == len(head.bases), "a base that is not used")
    need(sizes == [raw for _, raw, _ in head.slabs], "slabs that are not the pieces'")
    need(sum(sizes) <= 252 << 20, "slabs of too many bytes")


def build(
    head: Head, given: bytes, blobs: Mapping[str, bytes], before: Collection[str]
) -> bytes:
    """Return the raw bytes of a part (section 5.1)."""
    if not head.pieces:
        return given
    data, at = b"", 0
    for op, width, base, length, offset in head.pieces:
        old = b""
        if op:
            need(head.bases[base] in before, "a base that need not be there")
            old = blobs[head.bases[base]][offset : offset + length]
            need(len(old) == length, "a piece behind the end of its base")
        decoded = b"" if op == 1 else given[at : at + length]
        at += len(decoded)
        data += _restore(decoded, old, width) if op == 2 else decoded or old
    return data


def _restore(stored: bytes, old: bytes, width: int) -> bytes:
    """Return the elements that a difference makes of *old* (section 5.1)."""
    bits = 8 * width

    def numbers(data: bytes) -> list[int]:
        cut = (data[at : at + width] for at in range(0, len(data), width))
        return [int.from_bytes(one, "little") for one in cut]

    def order(number: int) -> int:
        return number ^ ((1 << bits - 1) - 1) if number >> bits - 1 else number

    out = b""
    for z, before in zip(numbers(stored), numbers(old), strict=True):
        d = -(z + 1) // 2 if z % 2 else z // 2
        new = order((order(before) + d) % (1 << bits))
        out += new.to_bytes(width, "little")
    return out
