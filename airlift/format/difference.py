"""Differences of numbers: what training changed, exactly (docs/format.md, "Pieces").

Weights that were trained on move a little. The difference of their bit patterns, taken
in the order of the numbers they stand for, is then small, and zero where nothing
changed; its upper bytes shrink to almost nothing. Elements of *w* bytes are read as
little-endian unsigned integers *u* of *b* = 8 *w* bits:

    order(u)  = u                              where the highest bit of u is 0
              = u with all other bits flipped  where it is 1
    d         = order(new) - order(old)        modulo 2^b
    stored    = 2 d  for 0 <= d < 2^(b-1),  else 2 (2^b - d) - 1   ("zigzag")

As two's complement, ``order`` puts sign-magnitude numbers, which floats are, in their
order: across zero and across powers of two a step is 1, where an exclusive or would
turn many bits. Integer arithmetic throughout: every bit pattern comes back, NaN or not.

numpy's calls here release the interpreter lock, so threads add up.
"""

from threading import local
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from airlift.format.head import WIDTHS

Buffer: TypeAlias = bytes | bytearray | memoryview
Elements: TypeAlias = NDArray[Any]
"""Unsigned integers of 2, 4 or 8 bytes."""

_STEP: Final = 256 << 10
"""Bytes done at a time. A dozen passes go over each element: in steps that stay in the
second-level cache they cost half of what they do over whole slabs."""


class _Lane:
    """Working memory of one thread for elements of one width.

    The signed views are of the same bytes: shifting them to the right copies the sign.
    """

    def __init__(self, width: int) -> None:
        self.unsigned = np.dtype(f"<u{width}")
        self.signed = np.dtype(f"<i{width}")
        self.top = 8 * width - 1
        self.one = self.unsigned.type(1)
        self.spare = np.empty(_STEP // width, self.unsigned)
        self.other = np.empty(_STEP // width, self.unsigned)


class _Lanes(local):
    def __init__(self) -> None:
        self._held: dict[int, _Lane] = {}

    def of(self, width: int) -> _Lane:
        """Return this thread's working memory for elements of *width* bytes."""
        if width not in self._held:
            self._held[width] = _Lane(width)
        return self._held[width]


_lanes = _Lanes()


def difference(new: Buffer, old: Buffer, width: int) -> memoryview:
    """Return what turns *old* into *new*, as many bytes as each has.

    Args:
        new: Little-endian elements.
        old: As many.
        width: Bytes of an element: 2, 4 or 8.

    Raises:
        ValueError: These are not as many whole elements of such a width.

    Source: docs/format.md, "Pieces".
    """
    lane = _lane(width, len(new), len(old))
    ours, theirs = (np.frombuffer(one, lane.unsigned) for one in (new, old))
    out = np.empty(len(new) // width, lane.unsigned)
    for start in range(0, out.size, lane.spare.size):
        step = out[start : start + lane.spare.size]
        stop = start + step.size
        spare, ordered = lane.spare[: step.size], lane.other[: step.size]
        _order(theirs[start:stop], lane, ordered)
        _order(ours[start:stop], lane, step)
        np.subtract(step, ordered, out=step)
        np.right_shift(step.view(lane.signed), lane.top, out=spare.view(lane.signed))
        np.left_shift(step, lane.one, out=step)
        np.bitwise_xor(step, spare, out=step)
    return out.view(np.uint8).data


def restore(stored: Buffer, old: Buffer, out: Buffer, width: int) -> None:
    """Write into *out* the elements that *stored* makes of *old*.

    Args:
        stored: What ``difference`` gave.
        old: The elements it was taken against.
        out: As many bytes, writable; may be *stored* or *old* itself.
        width: Bytes of an element: 2, 4 or 8.

    Raises:
        ValueError: These are not as many whole elements of such a width.

    Source: docs/format.md, "Pieces".
    """
    lane = _lane(width, len(stored), len(old), len(out))
    zigzag, theirs, made = (
        np.frombuffer(one, lane.unsigned) for one in (stored, old, out)
    )
    for start in range(0, made.size, lane.spare.size):
        step = made[start : start + lane.spare.size]
        stop = start + step.size
        spare, new = lane.spare[: step.size], lane.other[: step.size]
        _order(theirs[start:stop], lane, new)
        np.bitwise_and(zigzag[start:stop], lane.one, out=spare)
        np.negative(spare, out=spare)
        np.right_shift(zigzag[start:stop], lane.one, out=step)
        np.bitwise_xor(step, spare, out=step)
        np.add(new, step, out=new)
        _order(new, lane, step)


def _order(numbers: Elements, lane: _Lane, out: Elements) -> None:
    """Write *numbers* into *out* in their order; its own inverse."""
    spare = lane.spare[: numbers.size]
    # All ones where the sign is set, then all but the sign.
    signs = spare.view(lane.signed)
    np.right_shift(numbers.view(lane.signed), lane.top, out=signs)
    np.right_shift(spare, lane.one, out=spare)
    np.bitwise_xor(numbers, spare, out=out)


def _lane(width: int, *sizes: int) -> _Lane:
    if width not in WIDTHS or len(set(sizes)) > 1 or sizes[0] % width:
        problem = f"{sizes} bytes in elements of {width}"
        raise ValueError(problem)
    return _lanes.of(width)
