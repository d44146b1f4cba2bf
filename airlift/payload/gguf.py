"""GGUF headers: strict, bounded, and never a byte of a tensor.

The header is hostile input: readers of it in C have been driven past the end of their
buffers by counts, lengths and offsets. Here every count is held against the bytes
there can be before anything is made of it, long arrays are stepped over instead of
kept, and every tensor must lie inside the file, aligned, apart from every other.

Source: ggml's docs/gguf.md, versions 2 and 3, little-endian.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from airlift import naming
from airlift.errors import FormatError

HEADER_LIMIT: Final = 256 << 20
"""Bytes a header may have: vocabularies of 300,000 tokens come to some 30 MB."""
KEPT: Final = 1024
"""Elements up to which an array's values are kept; of a longer one, only the shape."""

_U64 = struct.Struct("<Q")
_KEYS = 1 << 16
_TENSORS = 1 << 20
_KEY_NAME = 64 << 10
_TENSOR_NAME = 63  # ggml keeps 64 bytes with the final NUL
_DEPTH = 4
_DIMENSIONS = 4
_LARGEST = (1 << 63) - 1
_ALIGNMENT_LIMIT = 1 << 20
_BOOL, _STRING, _ARRAY = 7, 8, 9
_SCALARS: Final = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    _BOOL: struct.Struct("<B"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_LEAST = {_STRING: 8, _ARRAY: 12} | {kind: s.size for kind, s in _SCALARS.items()}

TENSOR_TYPES: Final[Mapping[int, tuple[int, int]]] = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    9: (32, 40),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    15: (256, 292),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    20: (32, 18),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    24: (1, 1),
    25: (1, 2),
    26: (1, 4),
    27: (1, 8),
    28: (1, 8),
    29: (256, 56),
    30: (1, 2),
    34: (256, 54),
    35: (256, 66),
    39: (32, 17),
    40: (64, 36),
    41: (128, 18),
}
"""ggml type number to elements and bytes of one block."""


class ShortError(FormatError):
    """The header goes on past the bytes given.

    Args:
        needed: How many bytes of the file are needed at least.
    """

    def __init__(self, problem: str, *, needed: int) -> None:
        super().__init__(problem, hint="the file is cut short")
        self.needed = needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """A long array that was stepped over.

    Attributes:
        type: Number of the type of its elements.
        count: How many it has.
    """

    type: int
    count: int


Value: TypeAlias = "int | float | bool | str | tuple[Value, ...] | Array"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One entry of the tensor list.

    Attributes:
        name: Unique in the file.
        shape: Elements along each dimension, fastest first.
        type: ggml type number.
        offset: From the start of the data, in bytes.
        size: Bytes.
    """

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a GGUF file says before its tensors.

    Attributes:
        version: 2 or 3.
        metadata: In the order of the file.
        tensors: In the order of the file.
        data: Where the tensors' bytes begin in the file.
        size: Bytes the file must have at least.
    """

    version: int
    metadata: Mapping[str, Value]
    tensors: tuple[Tensor, ...]
    data: int
    size: int

    def number(self, key: str) -> int | None:
        """Return the whole number at *key*, or None where there is none."""
        value = self.metadata.get(key)
        return None if isinstance(value, bool) or not isinstance(value, int) else value

    def text(self, key: str) -> str:
        """Return the string at *key*; empty where there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""


def read(prefix: bytes, *, name: str, size: int | None = None) -> Header:
    """Return the header that *prefix*, the first bytes of a GGUF file, holds.

    Args:
        prefix: From the start of the file; more than the header does no harm.
        name: What to call the file in an error.
        size: Bytes of the whole file; checked against its tensors where given.

    Raises:
        ShortError: The header is longer than *prefix* (and not longer than the
            file): give more bytes.
        FormatError: It is not GGUF 2 or 3, or contradicts itself or its file.
    """
    cursor = _Cursor(prefix, naming.show(name), size)
    if cursor.take(4, "magic") != b"GGUF":
        cursor.refuse("does not begin with `GGUF`")
    version = cursor.u32("version")
    if version not in (2, 3):
        hint = "big-endian and very old files must be converted again"
        cursor.refuse(f"has version {version}, expected 2 or 3", hint=hint)
    tensors = cursor.count("tensors", 24, _TENSORS)
    keys = cursor.count("keys", 13, _KEYS)
    metadata: dict[str, Value] = {}
    for _ in range(keys):
        key = cursor.name(_KEY_NAME)
        if key in metadata:
            cursor.refuse(f"has the key `{naming.show(key)}` twice")
        metadata[key] = cursor.value(cursor.u32(key), key, _DEPTH)
    alignment = _alignment(cursor, metadata)
    listed = tuple(_tensor(cursor, alignment) for _ in range(tensors))
    data = -(-cursor.at // alignment) * alignment
    least = _check_layout(cursor, listed, data)
    return Header(
        version=version, metadata=metadata, tensors=listed, data=data, size=least
    )


def _alignment(cursor: "_Cursor", metadata: Mapping[str, Value]) -> int:
    value = metadata.get("general.alignment", 32)
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not 0 < value <= _ALIGNMENT_LIMIT
        or value & (value - 1)
    ):
        cursor.refuse(f"has the alignment {value!r}, expected a power of two")
    return value


def _tensor(cursor: "_Cursor", alignment: int) -> Tensor:
    name = cursor.name(_TENSOR_NAME)
    shown = f"tensor `{naming.show(name)}`"
    dimensions = cursor.u32(shown)
    if dimensions > _DIMENSIONS:
        cursor.refuse(f"{shown} has {dimensions} dimensions, at most {_DIMENSIONS}")
    shape = tuple(cursor.u64(shown) for _ in range(dimensions))
    kind = cursor.u32(shown)
    offset = cursor.u64(shown)
    if kind not in TENSOR_TYPES:
        hint = "a newer airlift may know it"
        cursor.refuse(f"{shown} has the unknown type {kind}", hint=hint)
    elements = 1
    for length in shape:
        elements *= length
        if not length or elements > _LARGEST:
            cursor.refuse(f"{shown} has the impossible shape {shape}")
    block, block_bytes = TENSOR_TYPES[kind]
    if (shape[0] if shape else 1) % block:
        cursor.refuse(f"{shown} has rows that are not whole blocks of {block}")
    if offset % alignment:
        cursor.refuse(f"{shown} is not aligned to {alignment} bytes")
    size = elements // block * block_bytes
    return Tensor(name=name, shape=shape, type=kind, offset=offset, size=size)


def _check_layout(cursor: "_Cursor", tensors: tuple[Tensor, ...], data: int) -> int:
    """Refuse tensors that share bytes or a name; return the file's least size."""
    names = {tensor.name for tensor in tensors}
    if len(names) != len(tensors):
        cursor.refuse("has two tensors of one name")
    end = 0
    for tensor in sorted(tensors, key=lambda one: (one.offset, one.size)):
        shown = f"tensor `{naming.show(tensor.name)}`"
        if tensor.offset < end:
            cursor.refuse(f"{shown} lies over another one")
        end = tensor.offset + tensor.size
        if cursor.size is not None and data + end > cursor.size:
            problem = f"{shown} ends at byte {data + end} of {cursor.size}"
            cursor.refuse(problem, hint="the file is cut short or was tampered with")
    return data + end if tensors else cursor.at


class _Cursor:
    """A place in the prefix that cannot leave it."""

    def __init__(self, prefix: bytes, name: str, size: int | None) -> None:
        self.at = 0
        self.size = size
        self._prefix, self._name = prefix, name
        self._limit = HEADER_LIMIT if size is None else min(size, HEADER_LIMIT)

    def refuse(self, problem: str, *, hint: str = "") -> NoReturn:
        hint = hint or "the file is damaged or was tampered with: do not use it"
        text = f"{self._name}: GGUF header {problem}"
        raise FormatError(text, hint=hint)

    def take(self, length: int, what: str) -> bytes:
        start = self.at
        self.skip(length, what)
        return self._prefix[start : self.at]

    def skip(self, length: int, what: str) -> None:
        needed = self.at + length
        if needed > self._limit:
            problem = (
                f"has {length} bytes of `{naming.show(what)}`, past the file's end"
            )
            self.refuse(problem)
        if needed > len(self._prefix):
            problem = f"{self._name}: GGUF header goes on past byte {len(self._prefix)}"
            raise ShortError(problem, needed=needed)
        self.at = needed

    def u32(self, what: str) -> int:
        return int.from_bytes(self.take(4, what), "little")

    def u64(self, what: str) -> int:
        return int.from_bytes(self.take(8, what), "little")

    def count(self, what: str, least: int, limit: int) -> int:
        """Return a count of things of at least *least* bytes each."""
        count = self.u64(what)
        # Before anything is made: 2^60 of them must cost nothing.
        if count > limit or count * least > self._limit - self.at:
            self.refuse(f"claims {count} {what}, more than the file can hold")
        return count

    def name(self, limit: int) -> str:
        length = self.u64("name")
        if not 0 < length <= limit:
            self.refuse(f"has a name of {length} bytes, at most {limit}")
        try:
            return self.take(length, "name").decode()
        except UnicodeDecodeError:
            self.refuse("has a name that is not UTF-8")

    def value(self, kind: int, key: str, depth: int) -> Value:
        if kind == _STRING:
            text = self.take(self.u64(key), key)
            # A template or description with a stray byte is no reason to refuse.
            return text.decode(errors="replace")
        if kind == _ARRAY:
            return self._array(key, depth)
        scalar = _SCALARS.get(kind)
        if scalar is None:
            self.refuse(f"key `{naming.show(key)}` has the unknown type {kind}")
        value: int | float = scalar.unpack(self.take(scalar.size, key))[0]
        return self._flag(value, key) if kind == _BOOL else value

    def _flag(self, value: float, key: str) -> bool:
        if value not in (0, 1):
            self.refuse(f"key `{naming.show(key)}` is neither true nor false")
        return bool(value)

    def _array(self, key: str, depth: int) -> Value:
        kind = self.u32(key)
        shown = naming.show(key)
        if kind not in _LEAST or not depth:
            self.refuse(f"key `{shown}` has an array of type {kind}")
        count = self.count(f"elements of `{shown}`", _LEAST[kind], HEADER_LIMIT)
        if count <= KEPT:
            return tuple(self.value(kind, key, depth - 1) for _ in range(count))
        if kind == _ARRAY:
            self.refuse(f"key `{shown}` has {count} arrays")
        if kind == _STRING:
            self._skip_strings(count, key)
        else:
            self.skip(count * _LEAST[kind], key)
        return Array(type=kind, count=count)

    def _skip_strings(self, count: int, key: str) -> None:
        # A vocabulary has 260,000 of them, and a header is read more than once: by
        # ``skip`` alone that took longer than to hash the model.
        at, done, bound = self.at, 0, min(self._limit, len(self._prefix))
        while done < count and at + _U64.size <= bound:
            after: int = at + _U64.size + _U64.unpack_from(self._prefix, at)[0]
            if after > bound:
                break
            at, done = after, done + 1
        self.at = at
        for _ in range(count - done):  # says what is wrong with the first of them
            self.skip(self.u64(key), key)
