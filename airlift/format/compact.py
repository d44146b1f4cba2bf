"""Compact records: the smallest strict encoding (docs/format.md, "Compact records").

Deterministically encoded CBOR (RFC 8949, section 4.2.1), reduced to what a short message
needs: whole numbers from 0, byte and text strings, arrays, and maps whose keys are
numbers. Any CBOR tool reads it; this reader refuses every other spelling of the same
value, and every other type, so that nothing can hide in a choice of spelling.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn, TypeAlias

from airlift.errors import FormatError

Value: TypeAlias = "int | bytes | str | tuple[Value, ...] | Mapping[int, Value]"

NUMBER: Final = 2**53 - 1
DEPTH: Final = 4
_UINT, _BYTES, _TEXT, _ARRAY, _MAP = 0, 2, 3, 4, 5
_HINT: Final = "copy it again from its source"
_WIDTHS: Final = {24: ">B", 25: ">H", 26: ">I", 27: ">Q"}


def encode(value: Value) -> bytes:
    """Return the one encoding of *value*.

    Raises:
        ValueError: A number is negative or above 2**53 - 1: a programming error.
    """
    return b"".join(_spell(value))


def _spell(value: Value) -> Iterator[bytes]:
    if isinstance(value, int):
        yield _head(_UINT, value)
    elif isinstance(value, bytes):
        yield _head(_BYTES, len(value)) + value
    elif isinstance(value, str):
        octets = value.encode()
        yield _head(_TEXT, len(octets)) + octets
    elif isinstance(value, Mapping):
        yield _head(_MAP, len(value))
        # By key: among numbers, the order of their encodings is their own order.
        for key in sorted(value):
            yield _head(_UINT, key)
            yield from _spell(value[key])
    else:
        yield _head(_ARRAY, len(value))
        for one in value:
            yield from _spell(one)


def _head(kind: int, number: int) -> bytes:
    if not 0 <= number <= NUMBER:
        problem = f"{number} is not from 0 to 2**53 - 1"
        raise ValueError(problem)
    if number < 24:
        return bytes([kind << 5 | number])
    code = next(
        code
        for code, width in _WIDTHS.items()
        if number < 1 << 8 * struct.calcsize(width)
    )
    return bytes([kind << 5 | code]) + struct.pack(_WIDTHS[code], number)


def decode(data: bytes, *, name: str, limit: int) -> Value:
    """Return the value that *data* encodes; refuse every other encoding of it.

    Args:
        data: The whole record.
        name: What to call it in an error.
        limit: Most bytes it may have; checked first.

    Raises:
        FormatError: It is too long, cut off, followed by more, of another type, or in
            another spelling.
    """
    value, rest = split(data, name=name, limit=limit)
    if rest:
        problem = f"{name} goes on for {len(rest)} bytes after its end"
        raise FormatError(problem, hint=_HINT)
    return value


def split(data: bytes, *, name: str, limit: int) -> tuple[Value, bytes]:
    """Return the value that *data* begins with, and what follows; as ``decode``."""
    if len(data) > limit:
        problem = f"{name} has {len(data)} bytes, the limit is {limit}"
        raise FormatError(problem, hint=_HINT)
    reader = _Reader(data, name)
    value = reader.value(DEPTH)
    return value, reader.rest()


class _Reader:
    """Reads one value from the front of *data*, byte by byte."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self._name, self._at = data, name, 0

    def value(self, depth: int) -> Value:
        """Return the value here; *depth* more levels may be below."""
        if depth < 0:
            self._refuse("is nested too deeply")
        kind, number = self._head()
        if kind == _UINT:
            return number
        if kind == _BYTES:
            return self._take(number)
        if kind == _TEXT:
            return self._text(number)
        if kind == _ARRAY:
            return tuple(self.value(depth - 1) for _ in self._count(number))
        if kind != _MAP:
            self._refuse(f"has a value of the unknown type {kind}")
        return self._map(number, depth)

    def rest(self) -> bytes:
        """Return what has not been read."""
        return self._data[self._at :]

    def _map(self, count: int, depth: int) -> Mapping[int, Value]:
        found: dict[int, Value] = {}
        for _ in self._count(2 * count)[::2]:
            kind, key = self._head()
            if kind != _UINT or (found and key <= max(found)):
                self._refuse("has a map whose keys are not rising numbers")
            found[key] = self.value(depth - 1)
        return found

    def _text(self, length: int) -> str:
        try:
            return self._take(length).decode()
        except UnicodeDecodeError:
            self._refuse("has text that is not UTF-8")

    def _head(self) -> tuple[int, int]:
        first = self._take(1)[0]
        kind, number = first >> 5, first & 31
        if number < 24:
            return kind, number
        if number not in _WIDTHS:
            self._refuse("has a length that is not stated")
        width = _WIDTHS[number]
        (stated,) = struct.unpack(width, self._take(struct.calcsize(width)))
        if stated > NUMBER or len(_head(kind, stated)) != 1 + struct.calcsize(width):
            self._refuse("has a number that is not in its shortest form")
        return kind, stated

    def _count(self, count: int) -> range:
        # Each value has a byte at least: a short record cannot ask for a long loop.
        if count > len(self._data) - self._at:
            self._refuse("is cut off")
        return range(count)

    def _take(self, length: int) -> bytes:
        if length > len(self._data) - self._at:
            self._refuse("is cut off")
        self._at += length
        return self._data[self._at - length : self._at]

    def _refuse(self, problem: str) -> NoReturn:
        text = f"{self._name} {problem} (byte {self._at})"
        raise FormatError(text, hint=_HINT)
