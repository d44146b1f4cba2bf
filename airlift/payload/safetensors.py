"""safetensors headers: strict, bounded, and never a byte of a tensor.

What is read here only guides how a file is cut, and still it is hostile input: every
number is held against the file's size before anything is made of it. The reference
reader takes a key that is there twice and text before the header's brace, although
the format's own text forbids both; here either makes the file no safetensors file.

Source: safetensors, README, "Format"; the rules are those of its text.
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from airlift import naming
from airlift.errors import FormatError

HEADER_LIMIT: Final = 100_000_000
"""Most bytes of the JSON, by the format's own text."""

BITS: Final[Mapping[str, int]] = {
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 8),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
}
"""Bits of an element by the name of its type."""

_LENGTH = struct.Struct("<Q")
_METADATA: Final = "__metadata__"
_KEYS: Final = {"dtype", "shape", "data_offsets"}
_LARGEST: Final = (1 << 63) - 1
_DIMENSIONS: Final = 64


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor.

    Attributes:
        name: Unique in the file.
        dtype: A key of ``BITS``.
        shape: Elements along each dimension.
        start: Where its bytes begin in the file.
        stop: Where they end.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def header_size(prefix: bytes, *, name: str, size: int) -> int:
    """Return the bytes in front of the tensors' own, the length field among them.

    Args:
        prefix: The first 8 bytes of the file, or more.
        name: What to call the file in an error.
        size: Bytes of the whole file.

    Raises:
        FormatError: No header of that length can be in the file.
    """
    if len(prefix) < _LENGTH.size or size < _LENGTH.size:
        _refuse(name, "is cut short in its length")
    (length,) = _LENGTH.unpack_from(prefix)
    if not 2 <= length <= min(HEADER_LIMIT, size - _LENGTH.size):
        _refuse(name, f"claims {length} bytes in a file of {size}")
    return _LENGTH.size + int(length)


def read(front: bytes, *, name: str, size: int) -> tuple[Tensor, ...]:
    """Return the tensors in the order of their bytes.

    Args:
        front: The first ``header_size`` bytes of the file.
        name: What to call the file in an error.
        size: Bytes of the whole file.

    Raises:
        FormatError: It is not a safetensors header, or does not say in one way what
            each byte of the file is.
    """
    data = header_size(front, name=name, size=size)
    if len(front) != data or front[_LENGTH.size : _LENGTH.size + 1] != b"{":
        _refuse(name, f"is not the object of {data} bytes that it should be")
    table = _decode(front[_LENGTH.size :], name)
    metadata = table.pop(_METADATA, {})
    if not isinstance(metadata, dict) or any(
        not isinstance(one, str) for one in metadata.values()
    ):
        _refuse(name, "has metadata that is not text")
    tensors = [_tensor(key, entry, data, name) for key, entry in table.items()]
    tensors.sort(key=lambda one: (one.start, one.stop))
    _check_tiling(tensors, data, size, name)
    return tuple(tensors)


def _decode(text: bytes, name: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            problem = "a key is there twice"
            raise ValueError(problem)
        return found

    def refused(number: str) -> NoReturn:
        problem = f"{number[:20]} is no whole number"
        raise ValueError(problem)

    try:
        found = json.loads(
            text.decode(),
            object_pairs_hook=unique,
            parse_float=refused,
            parse_constant=refused,
        )
    except (ValueError, RecursionError) as error:
        _refuse(name, f"is not strict JSON: {naming.show(str(error))}")
    assert isinstance(found, dict)  # it begins with a brace
    return found


def _tensor(key: str, entry: Any, data: int, name: str) -> Tensor:
    shown = f"tensor `{naming.show(key[:200])}`"
    if not isinstance(entry, dict) or entry.keys() != _KEYS:
        _refuse(name, f"has {shown} without dtype, shape and data_offsets alone")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        _refuse(name, f"has {shown} of an unknown type")
    if not _sizes(shape) or not _sizes(offsets) or len(offsets) != 2:
        _refuse(name, f"has {shown} whose shape or offsets are not sizes")
    if len(shape) > _DIMENSIONS:
        _refuse(name, f"has {shown} of {len(shape)} dimensions")
    begin, end = offsets
    bits = math.prod(shape) * BITS[dtype]
    # Python's numbers do not overflow; a reader of another kind would.
    if max(shape, default=0) > _LARGEST or not 0 <= bits <= _LARGEST:
        _refuse(name, f"has {shown} of an impossible shape")
    if end - begin != bits // 8 or bits % 8:
        _refuse(name, f"has {shown} of {end - begin} bytes for {bits} bits")
    return Tensor(key, dtype, tuple(shape), data + begin, data + end)


def _sizes(found: Any) -> bool:
    # A bool is an int to Python, and `true` is no size.
    return isinstance(found, list) and all(
        type(one) is int and 0 <= one <= _LARGEST for one in found
    )


def _check_tiling(tensors: list[Tensor], data: int, size: int, name: str) -> None:
    """Check that tensors fill the file: a hole could hide another file (F8)."""
    position = data
    for tensor in tensors:
        if tensor.start != position:
            shown = f"tensor `{naming.show(tensor.name[:200])}`"
            _refuse(name, f"has {shown} at byte {tensor.start}, expected {position}")
        position = tensor.stop
    if position != size:
        _refuse(name, f"describes {position} bytes of a file of {size}")


def _refuse(name: str, problem: str) -> NoReturn:
    text = f"{naming.show(name)}: safetensors header {problem}"
    raise FormatError(text, hint="the file is damaged or was tampered with")
