"""What lies in archives and in the formats of Keras, NumPy and ONNX.

Names are read from directories, and bytes are searched for what loaders look for;
nothing is extracted.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from airlift import naming
from airlift.artifact import ContentClass
from airlift.errors import FormatError
from airlift.payload import sniff_pickle, zip_directory
from airlift.payload.face import Read
from airlift.payload.file_facts import FileFacts
from airlift.payload.signs import DETAIL, Rule, Sign, sign

FORMATS: Final = frozenset({"zip", "npz", "keras", "onnx"})
"""Formats that are looked into here."""
SLICE: Final = 4 << 20
"""Bytes that are searched at a time."""
_CONFIG: Final = 16 << 20
"""Bytes of a Keras configuration that are read; those known have some hundred KB."""
_LISTED: Final = 12
_LAMBDA = re.compile(rb'"class_name"\s*:\s*"Lambda"')
_LOCATION: Final = b"\x0a\x08location\x12"
"""A ``StringStringEntryProto`` of key ``location``, up to its value's length.

Source: onnx.proto, ``TensorProto.external_data``."""
_OVERLAP: Final = 1 << 10
_LOCATIONS: Final = 10_000

Found = tuple[FileFacts, Iterable[Sign]]


def look(facts: FileFacts, name: str, size: int, read: Read) -> Found:
    """Return the facts and signs of a file of one of ``FORMATS``.

    Raises:
        FormatError: Its directory cannot be read, or can be read in two ways.
    """
    if facts.format == "onnx":
        return _onnx(facts, size, read)
    if facts.format == "keras" and read(0, min(4, size)) != b"PK\x03\x04":
        return facts, list(_lambdas(size, read))

    def at(offset: int, length: int) -> bytes:
        return read(offset, min(offset + length, size))

    members = zip_directory.members(at, size, name=name)
    if facts.format == "keras":
        return facts, list(_keras(members, (at, size, name)))
    if facts.format == "npz":
        return _arrays(facts, members, (at, size, name))
    listed = ", ".join(one.name for one in members[:_LISTED])
    return facts, (sign(Rule.ARCHIVE, f"{len(members)} members: {listed}"),)


_Archive = tuple[zip_directory.Read, int, str]


def _arrays(
    facts: FileFacts, members: tuple[zip_directory.Member, ...], archive: _Archive
) -> Found:
    """Tell arrays of numbers from arrays of objects, which are pickles."""
    read, size, name = archive
    zip_directory.check_layout(read, size, members, name=name)
    for member in members:
        parts = zip_directory.unpack(read, size, member, name=name)
        head = next(iter(parts), b"")
        if not head.startswith(b"\x93NUMPY") or not sniff_pickle.npy_is_plain(head):
            return facts, ()
    return replace(facts, content_class=ContentClass.DATA), ()


def _keras(
    members: tuple[zip_directory.Member, ...], archive: _Archive
) -> Iterator[Sign]:
    read, size, name = archive
    for member in members:
        if member.name != "config.json":
            continue
        if member.size > _CONFIG:
            yield sign(Rule.UNREAD, f"config.json of {member.size} bytes")
            continue
        data = b"".join(zip_directory.unpack(read, size, member, name=name))
        yield from _layers(data)


def _layers(data: bytes) -> Iterator[Sign]:
    try:
        left = [json.loads(data)]
    except (ValueError, RecursionError) as error:
        problem = f"config.json is not JSON: {naming.show(str(error)[:DETAIL])}"
        raise FormatError(problem) from None
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if part.get("class_name") == "Lambda":
                yield sign(Rule.KERAS_LAMBDA, "a layer that is Python code")
            left += part.values()
        elif isinstance(part, list):
            left += part


def _lambdas(size: int, read: Read) -> Iterator[Sign]:
    if any(_LAMBDA.search(window) for _, window in _windows(size, read)):
        yield sign(Rule.KERAS_LAMBDA, "a layer that is Python code")


def _onnx(facts: FileFacts, size: int, read: Read) -> Found:
    found: set[str] = set()
    for _, window in _windows(size, read):
        at = window.find(_LOCATION)
        while at >= 0 and len(found) < _LOCATIONS:
            start = at + len(_LOCATION)
            length = window[start : start + 1]
            # One byte of a varint: names of files are shorter than 128 bytes.
            count = length[0] if length and length[0] < 128 else _OVERLAP
            text = window[start + 1 : start + 1 + count].decode("utf-8", "replace")
            found.add(naming.show(text[:DETAIL]))
            at = window.find(_LOCATION, start)
    outside = tuple(sorted(found))
    signs = [sign(Rule.ONNX_OUTSIDE, one) for one in outside if _leaves(one)]
    return replace(facts, outside=outside), signs


def _leaves(path: str) -> bool:
    """Say whether *path* leads out of the folder of the model."""
    parts = path.replace("\\", "/").split("/")
    return ".." in parts or path.startswith(("/", "\\")) or ":" in parts[0]


def _windows(size: int, read: Read) -> Iterator[tuple[int, bytes]]:
    """Yield all bytes in windows that overlap, each with where it begins."""
    for start in range(0, size, SLICE):
        yield start, read(start, min(start + SLICE + _OVERLAP, size))
