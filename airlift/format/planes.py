"""Planes: the bytes of numbers sorted by what they mean (docs/format.md, "Blocks").

The exponents of trained weights take few values, their mantissas look like noise. Kept
apart, the exponents shrink to a third and the noise costs no time. A block of elements
of *w* bytes becomes *w* planes of one byte an element, most significant first:

    plane 0      bits 7 to 14 of the element's upper 16 bits
    plane 1      bit 15 and bits 0 to 6 of its upper 16 bits
    plane 2..    its lower bytes, falling

For bfloat16 and float32 plane 0 is the exponent and plane 1 the sign and the upper
mantissa; for float16 and float64 the cut differs by three bits and works as well.

numpy's calls here release the interpreter lock, so threads add up. They do so only
where calls are few: passes over whole blocks are half again as fast on two threads as
passes in strips that fit the second cache, though on one thread those win.
"""

from collections.abc import Sequence
from threading import local
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from airlift.errors import FormatError

Bytes: TypeAlias = NDArray[np.uint8]
Lane: TypeAlias = NDArray[np.uint16]
Words: TypeAlias = NDArray[np.unsignedinteger[Any]]

WIDTHS: Final = (1, 2, 4, 8)
"""Bytes of an element, and so planes, of each kind of block."""

_TOP_BITS: Final = np.int16(-0x7F81)  # 0x807f: the sign and the lowest seven bits

_SHIFT: Final = np.uint16(1 << 7)


class _Scratch(local):
    """Working memory of one thread, grown to the largest block it has seen.

    Kept, because fresh memory costs a page fault for every 4 KiB: as much time as the
    passes themselves.
    """

    def __init__(self) -> None:
        self._held: dict[str, Lane] = {}

    def lane(self, name: str, size: int) -> Lane:
        """Return *size* 16-bit numbers of any value."""
        held = self._held.get(name)
        if held is None or held.size < size:
            held = self._held[name] = np.empty(size, np.uint16)
        return held[:size]


_scratch = _Scratch()


def split(raw: Bytes, width: int, room: Bytes) -> list[Bytes]:
    """Return the *width* planes of *raw*, whose length *width* divides.

    Args:
        raw: The elements, little-endian.
        width: One of ``WIDTHS``.
        room: As long as *raw*; the planes are views of it. For width 1 it is left
            alone and *raw* itself is the plane.
    """
    if width == 1:
        return [raw]
    found = list(room.reshape(width, raw.size // width))
    _split(raw.view(f"<u{width}"), found)
    return found


def _split(words: Words, planes: Sequence[Bytes]) -> None:
    lane = _lane(words, len(planes) // 2 - 1)
    exponents, rests = planes[0], planes[1]
    signs = _scratch.lane("shifted", words.size).view(np.uint8)[: words.size]
    np.right_shift(lane, 7, out=exponents, casting="unsafe")
    np.copyto(rests, lane, casting="unsafe")
    np.right_shift(lane, 8, out=signs, casting="unsafe")
    np.bitwise_and(rests, 0x7F, out=rests)
    np.bitwise_and(signs, 0x80, out=signs)
    np.bitwise_or(rests, signs, out=rests)
    # Many float32 models are bfloat16 inside; asking costs a tenth of cutting them.
    if len(planes) == 4 and not int(np.bitwise_or.reduce(words)) & 0xFFFF:
        planes[2].fill(0)
        planes[3].fill(0)
        return
    for at in range(2, len(planes), 2):
        lane = _lane(words, (len(planes) - at) // 2 - 1)
        np.right_shift(lane, 8, out=planes[at], casting="unsafe")
        np.copyto(planes[at + 1], lane, casting="unsafe")


def _lane(words: Words, number: int) -> Lane:
    """Return 16 bits of each of *words*, counted from the lowest lane."""
    if words.dtype.itemsize == 2:
        return words.view(np.uint16)
    lane = _scratch.lane("lane", words.size)
    np.right_shift(words, 16 * number, out=lane, casting="unsafe")
    return lane


def join(planes: Sequence[Bytes], out: Bytes) -> None:
    """Write the elements that *planes* give into *out*, the inverse of ``split``.

    Args:
        planes: Of ``out.size // len(planes)`` bytes each, or of one byte that stands
            for as many.
        out: Best aligned to an element.
    """
    width = len(planes)
    if width == 1:
        out[:] = planes[0]
        return
    words: Words = out.view(f"<u{width}")
    if width == 2:
        _upper(planes[0], planes[1], words.view(np.uint16))
        return
    lane = _scratch.lane("lane", words.size)
    _upper(planes[0], planes[1], lane)
    np.copyto(words, lane)
    for at in range(2, width, 2):
        np.left_shift(words, 16, out=words)
        high, low = planes[at], planes[at + 1]
        if high.size == low.size == 1:
            np.bitwise_or(words, int(high[0]) << 8 | int(low[0]), out=words)
            continue
        np.copyto(lane, high)
        np.left_shift(lane, 8, out=lane)
        np.bitwise_or(lane, low, out=lane)
        np.bitwise_or(words, lane, out=words)


def _upper(exponents: Bytes, rests: Bytes, out: Lane) -> None:
    # Widening with the sign puts the sign bit where it belongs, and seven more.
    signed = out.view(np.int16)
    np.copyto(signed, rests.view(np.int8))
    np.bitwise_and(signed, _TOP_BITS, out=signed)
    shifted = _scratch.lane("shifted", out.size)
    np.multiply(exponents, _SHIFT, out=shifted)
    np.bitwise_or(out, shifted, out=out)


def pack(plane: Bytes) -> bytes | None:
    """Return *plane* as two values and a bit an element, if it has two values.

    None where it has more, or where one of them is so rare that a frame is smaller.
    """
    # Sixty-four bytes tell most planes from one of two values, at next to no cost.
    if plane.size < 64 or len(set(plane[:64].tobytes())) > 2:
        return None
    low, high = plane.min(), plane.max()
    bits = plane == high
    upper = np.count_nonzero(bits)
    lower = np.count_nonzero(plane == low)
    if upper + lower != plane.size or min(upper, lower) < plane.size // 8:
        return None
    return bytes([low, high]) + np.packbits(bits, bitorder="little").tobytes()


def unpack(payload: Bytes, length: int) -> Bytes:
    """Return the plane of *length* bytes that ``pack`` made *payload* of.

    Raises:
        FormatError: It is not the one spelling of such a plane.
    """
    low, high = payload[:2].tolist() if payload.size > 2 else (0, 0)
    spare = -length % 8
    if (
        payload.size != 2 + (length + spare) // 8
        or low >= high
        or payload[-1] >> (8 - spare)
    ):
        problem = f"plane of two values has {payload.size} bytes for {length}"
        raise FormatError(problem)
    plane = np.unpackbits(payload[2:], count=length, bitorder="little")
    np.multiply(plane, high - low, out=plane)
    np.add(plane, low, out=plane)
    return plane
