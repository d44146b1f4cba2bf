"""Sections and chunks: where files are cut so that what is alike is found again."""

import random
import struct
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from airlift.outbound.chunks import LEAST, MOST, chunks
from airlift.outbound.sections import Read, Section, by_content, marks, tensors


def reader(data: bytes) -> Read:
    """Return a reader of *data*."""
    return lambda start, stop: data[start:stop]


def windows(data: bytes, size: int) -> list[bytes]:
    """Return *data* in windows of *size* bytes."""
    return [data[at : at + size] for at in range(0, len(data), size)]


NOISE = random.Random(5).randbytes(6_000_000)


def test_chunks_are_all_of_a_file_in_their_bounds() -> None:
    """No byte is lost between two, and none is of a size that costs too much."""
    found = list(chunks(windows(NOISE, 1 << 20)))
    assert [start for start, _ in found] == [0] + [stop for _, stop in found[:-1]]
    assert found[-1][1] == len(NOISE)
    sizes = [stop - start for start, stop in found]
    assert all(LEAST <= size <= MOST for size in sizes[:-1])
    assert 15 <= len(found) <= 60


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 1 << 20), st.integers(0, 3_000_000))
def test_chunks_do_not_depend_on_how_a_file_is_read(size: int, length: int) -> None:
    """The same content has the same chunks, whatever the windows of the reader."""
    data = NOISE[:length]
    assert list(chunks(windows(data, max(size, 1000)))) == list(chunks([data]))


def test_chunks_behind_an_insertion_are_the_same() -> None:
    """That is what they are for: only the chunk that grew is new."""
    changed = NOISE[:2_000_000] + b"put in" + NOISE[2_000_000:]
    old = {NOISE[start:stop] for start, stop in chunks([NOISE])}
    new = [changed[start:stop] for start, stop in chunks([changed])]
    assert sum(len(one) for one in new if one not in old) <= 2 * MOST


def test_chunks_of_zeros_are_of_the_least_size() -> None:
    """Every place is a cut there; neither a chunk a byte nor one of all."""
    found = list(chunks(windows(bytes(10 * LEAST + 5), 300_000)))
    assert found == [(at, at + LEAST) for at in range(0, 9 * LEAST, LEAST)] + [
        (9 * LEAST, 10 * LEAST + 5)
    ]


def test_chunks_of_what_never_cuts_are_of_the_most() -> None:
    """Text that repeats one word has no cut of its own."""
    data = b"\xff" * (3 * MOST + 7)
    found = list(chunks(windows(data, 4 << 20)))
    assert found == [
        (at, min(len(data), at + MOST)) for at in range(0, len(data), MOST)
    ]


def test_no_bytes_have_no_chunks() -> None:
    """An empty file."""
    assert list(chunks([])) == []


def safetensors(header: bytes, body: bytes) -> bytes:
    """Return a file."""
    return struct.pack("<Q", len(header)) + header + body


def test_sections_of_weights_are_their_tensors() -> None:
    """By name, type and width, tensors without bytes left out."""
    header = (
        b'{"b":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]},'
        b'"c":{"dtype":"C64","shape":[1],"data_offsets":[8,16]},'
        b'"z":{"dtype":"F64","shape":[0],"data_offsets":[16,16]},'
        b'"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}'
    )
    data = safetensors(header, bytes(16))
    at = 8 + len(header)
    assert tensors(reader(data), len(data), "safetensors") == (
        Section("a", "F8_E4M3", 0, at, at + 4),
        Section("b", "BF16", 2, at + 4, at + 8),
        Section("c", "C64", 4, at + 8, at + 16),
    )


def test_a_header_that_does_not_parse_makes_a_file_of_unknown_make() -> None:
    """It is carried all the same: what is odd here is refused elsewhere, or not."""
    for data in (b"", b"\x05\0\0", safetensors(b'{"a":1}', b""), NOISE[:100]):
        for word in ("safetensors", "gguf", "other"):
            assert tensors(reader(data), len(data), word) == ()


def test_sections_of_anything_else_follow_its_content() -> None:
    """Read whole, in slabs."""
    found = by_content(reader(NOISE), len(NOISE))
    assert [(one.start, one.stop) for one in found] == list(chunks([NOISE]))
    assert {(one.name, one.dtype, one.width) for one in found} == {("", "", 0)}


def test_every_four_mebibytes_of_a_section_have_a_mark() -> None:
    """Only what they begin with is read; bytes that are all alike have none."""
    body = np.arange(3 << 20, dtype=np.uint32).tobytes() + bytes(5 << 20)
    cut = 12 << 20
    sections = (
        Section("a", "U32", 4, 0, cut),
        Section("zeros", "U8", 0, cut, len(body)),
        Section("tiny", "U8", 0, 0, 4095),
    )
    found = list(marks(reader(body), sections))
    assert [(one.start, one.length) for one in found] == [
        (at, 4 << 20) for at in range(0, cut, 4 << 20)
    ]
    assert len({one.digest for one in found}) == 3
    moved = list(marks(reader(b"12345" + body), (Section("", "", 0, 5, cut + 5),)))
    assert [one.digest for one in moved] == [one.digest for one in found]
    assert all(a.start < b.start for a, b in pairwise(moved))
