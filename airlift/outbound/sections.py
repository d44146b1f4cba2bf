"""Sections: the places of a file at which it is cut to be compared.

Of weights these are the tensors, by name, wherever in the file they lie; of anything
else, chunks that follow its content. A header that does not parse makes a file one of
unknown make: what is read here decides how well a file is matched, never what it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from blake3 import blake3

from airlift.errors import FormatError
from airlift.format.packing import SLAB
from airlift.outbound.chunks import chunks
from airlift.payload import gguf_facts, safetensors

Read: TypeAlias = Callable[[int, int], bytes]
"""Called with a start and a stop; returns exactly the bytes between."""

TENSORS: Final = frozenset({"safetensors", "gguf"})
"""Formats, as releases name them, whose tensors can be told."""

_SAMPLE: Final = 16 << 10
"""Bytes of a piece that its mark is made of: 0.4 % of it is read, not all. A mark
only proposes; the bytes themselves are compared before anything refers to them."""
_LEAST_MARKED: Final = 4 << 10
_WINDOW: Final = 1 << 20
_GGUF_WIDTHS: Final = {0: 4, 1: 2, 24: 0, 25: 2, 26: 4, 27: 8, 28: 8, 30: 2}
"""Bytes of an element by ggml's type number; quantised blocks have none."""


@dataclass(frozen=True, slots=True)
class Section:
    """A run of bytes that means one thing.

    Attributes:
        name: Of the tensor; empty where nothing has a name.
        dtype: Of its elements, in the words of its container.
        width: Bytes of an element that a difference can be taken of, or 0.
        start: Where it begins in the file.
        stop: Where it ends.
    """

    name: str
    dtype: str
    width: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A fingerprint of a piece of at most 4 MiB: what may be the same elsewhere.

    Attributes:
        digest: 16 bytes of BLAKE3 over the first 16 KiB.
        start: Where the piece begins in the file.
        length: Its bytes.
    """

    digest: bytes
    start: int
    length: int


def tensors(read: Read, size: int, word: str) -> tuple[Section, ...]:
    """Return the tensors of a file in the order of their bytes; none if none are told.

    Args:
        read: Gives its bytes.
        size: How many it has.
        word: Its format, as its release names it.
    """
    try:
        if word == "safetensors":
            return _of_safetensors(read, size)
        if word == "gguf":
            return _of_gguf(read, size)
    except FormatError:
        pass  # of unknown make
    return ()


def by_content(read: Read, size: int) -> tuple[Section, ...]:
    """Return the chunks of a file of unknown make; all of it is read."""
    windows = (read(at, min(size, at + _WINDOW)) for at in range(0, size, _WINDOW))
    return tuple(Section("", "", 0, start, stop) for start, stop in chunks(windows))


def marks(read: Read, sections: tuple[Section, ...]) -> Iterator[Mark]:
    """Yield the marks of *sections*, one for each 4 MiB of a section.

    Bytes that are all alike get none: they shrink to nothing, and are everywhere.
    """
    for section in sections:
        for start in range(section.start, section.stop, SLAB):
            stop = min(section.stop, start + SLAB)
            if stop - start < _LEAST_MARKED:
                continue
            sample = read(start, min(stop, start + _SAMPLE))
            if sample.count(sample[:1]) < len(sample):
                digest = blake3(sample).digest(length=16)
                yield Mark(digest, start, stop - start)


def _of_safetensors(read: Read, size: int) -> tuple[Section, ...]:
    data = safetensors.header_size(read(0, min(size, 8)), name="file", size=size)
    found = safetensors.read(read(0, data), name="file", size=size)
    return tuple(
        Section(one.name, one.dtype, _width(one.dtype), one.start, one.stop)
        for one in found
        if one.stop > one.start
    )


def _width(dtype: str) -> int:
    width = safetensors.BITS[dtype] // 8
    if dtype == "C64":
        return 4
    return width if width in (2, 4, 8) else 0


def _of_gguf(read: Read, size: int) -> tuple[Section, ...]:
    header = gguf_facts.header(read, name="file", size=size)
    found = [
        Section(
            one.name,
            f"ggml {one.type}",
            _GGUF_WIDTHS.get(one.type, 0),
            header.data + one.offset,
            header.data + one.offset + one.size,
        )
        for one in header.tensors
    ]
    return tuple(sorted(found, key=lambda one: one.start))
