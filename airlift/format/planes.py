"""Planes: the bytes of numbers sorted by what they mean (docs/format.md, "Blocks").

The exponents of trained weights take few values, their mantissas look like noise. Kept
apart, the exponents shrink to a third and the noise costs no time. A block of elements
of *w* bytes becomes *w* planes of one byte an element, most significant first:

    plane 0      bits 7 to 14 of the element's upper 16 bits
    plane 1      bit 15 and bits 0 to 6 of its upper 16 bits
    plane 2..    its lower bytes, falling

For bfloat16 and float32 plane 0 is the exponent and plane 1 the sign and the upper
mantissa; for float16 and float64 the cut differs by three bits and works as well.

numpy's calls here release the interpreter lock, so threads add up.
"""

from collections.abc import Sequence
from threading import local
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Lanes: TypeAlias = NDArray[np.uint16]

WIDTHS: Final = (1, 2, 4, 8)
"""Bytes of an element, and so planes, of each kind of block."""

_TOP_BITS: Final = np.int16(-0x7F81)  # 0x807f: the sign and the lowest seven bits


class _Scratch(local):
    """Working memory of one thread, grown to the largest block it has seen."""

    def __init__(self) -> None:
        self._held: dict[str, Lanes] = {}

    def lanes(self, name: str, size: int) -> Lanes:
        """Return *size* 16-bit numbers of any value."""
        held = self._held.get(name)
        if held is None or held.size < size:
            held = self._held[name] = np.empty(size, np.uint16)
        return held[:size]


_scratch = _Scratch()


def split(raw: Bytes, width: int) -> list[Bytes]:
    """Return the *width* planes of *raw*, whose length *width* divides."""
    if width == 1:
        return [raw]
    count = raw.size // width
    lanes = raw.view("<u2").reshape(count, width // 2)
    top = lanes[:, -1]
    exponents, rests, signs = (np.empty(count, np.uint8) for _ in range(3))
    np.right_shift(top, 7, out=exponents, casting="unsafe")
    np.copyto(rests, top, casting="unsafe")
    np.right_shift(top, 8, out=signs, casting="unsafe")
    np.bitwise_and(rests, 0x7F, out=rests)
    np.bitwise_and(signs, 0x80, out=signs)
    np.bitwise_or(rests, signs, out=rests)
    columns = raw.reshape(count, width)
    lower = [np.ascontiguousarray(columns[:, at]) for at in range(width - 3, -1, -1)]
    return [exponents, rests, *lower]


def join(planes: Sequence[Bytes], out: Bytes) -> None:
    """Write the elements that *planes* give into *out*, the inverse of ``split``.

    Args:
        planes: Of ``out.size // len(planes)`` bytes each, or of one byte that stands
            for as many.
        out: Aligned to an element.
    """
    width = len(planes)
    if width == 1:
        out[:] = planes[0]
        return
    count = out.size // width
    lanes = out.view("<u2").reshape(count, width // 2)
    if width == 2:
        _upper(planes[0], planes[1], lanes[:, 0])
        return
    lane = _scratch.lanes("lane", count)
    _upper(planes[0], planes[1], lane)
    lanes[:, -1] = lane
    for at in range(2, width, 2):
        high, low = planes[at], planes[at + 1]
        np.copyto(lane, high)
        np.left_shift(lane, 8, out=lane)
        np.bitwise_or(lane, low, out=lane)
        lanes[:, -1 - at // 2] = lane


def _upper(exponents: Bytes, rests: Bytes, out: Lanes) -> None:
    # Widening with the sign puts the sign bit where it belongs, and seven more.
    signed = out.view(np.int16)
    np.copyto(signed, rests.view(np.int8))
    np.bitwise_and(signed, _TOP_BITS, out=signed)
    shifted = _scratch.lanes("shifted", out.size)
    np.copyto(shifted, exponents)
    np.left_shift(shifted, 7, out=shifted)
    np.bitwise_or(out, shifted, out=out)
