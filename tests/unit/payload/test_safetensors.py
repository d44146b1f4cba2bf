"""safetensors headers: read exactly, or refused with the reason (threats F3, F4)."""

import json
import random
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.errors import FormatError
from airlift.payload import safetensors
from airlift.payload.safetensors import BITS, Tensor


def made(header: object, body: int, *, pad: int = 0) -> tuple[bytes, int]:
    """Return the front of a file with this header, and the size of the file."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * pad
    return struct.pack("<Q", len(text)) + text, 8 + len(text) + body


def entry(start: int, stop: int, dtype: str = "U8", shape: object = None) -> Any:
    """Return a tensor's entry; of one dimension where no shape is given."""
    shape = [stop - start] if shape is None else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def test_tensors_come_in_the_order_of_their_bytes() -> None:
    """The order of keys means nothing; where bytes lie does."""
    header = {
        "late": entry(8, 14, "BF16", [3]),
        "__metadata__": {"format": "pt"},
        "early": entry(0, 8, "F32", [1, 2]),
        "none": entry(8, 8, "F32", [0, 7]),
        "scalar": entry(14, 18, "F32", []),
        "half": entry(18, 19, "F4", [2]),
    }
    front, size = made(header, 19, pad=3)
    at = len(front)
    assert safetensors.header_size(front[:8], name="m", size=size) == at
    assert safetensors.read(front, name="m", size=size) == (
        Tensor("early", "F32", (1, 2), at, at + 8),
        Tensor("none", "F32", (0, 7), at + 8, at + 8),
        Tensor("late", "BF16", (3,), at + 8, at + 14),
        Tensor("scalar", "F32", (), at + 14, at + 18),
        Tensor("half", "F4", (2,), at + 18, at + 19),
    )


def test_a_file_of_no_tensors_is_one() -> None:
    """The smallest header there is."""
    front, size = made(b"{}", 0)
    assert safetensors.read(front, name="m", size=size) == ()


@pytest.mark.parametrize(
    ("front", "size", "problem"),
    [
        (b"\x02\0\0", 3, "is cut short in its length"),
        (struct.pack("<Q", 1) + b"{", 9, "claims 1 bytes in a file of 9"),
        (struct.pack("<Q", 9) + b"{}", 10, "claims 9 bytes in a file of 10"),
        (
            struct.pack("<Q", 1 << 63),
            1 << 40,
            f"claims {1 << 63} bytes in a file of {1 << 40}",
        ),
        (
            struct.pack("<Q", 100_000_001),
            1 << 40,
            f"claims 100000001 bytes in a file of {1 << 40}",
        ),
    ],
)
def test_a_length_that_cannot_be_is_refused(
    front: bytes, size: int, problem: str
) -> None:
    """It is believed before anything else: memory is taken by it."""
    with pytest.raises(FormatError) as caught:
        safetensors.header_size(front, name="m", size=size)
    assert caught.value.problem == f"m: safetensors header {problem}"
    assert caught.value.hint == "the file is damaged or was tampered with"


@pytest.mark.parametrize(
    ("header", "body", "problem"),
    [
        (b" {}", 0, "is not the object of 11 bytes that it should be"),
        (b"[]", 0, "is not the object of 10 bytes that it should be"),
        (
            b'{"a":1,"a":1}',
            0,
            "is not strict JSON: a key is there twice",
        ),
        (b'{"a":1.5}', 0, "is not strict JSON: 1.5 is no whole number"),
        (b'{"a":NaN}', 0, "is not strict JSON: NaN is no whole number"),
        (
            b'{"a"}',
            0,
            "is not strict JSON: Expecting ':' delimiter: line 1 column 5 (char 4)",
        ),
        ({"__metadata__": {"a": 1}}, 0, "has metadata that is not text"),
        ({"__metadata__": []}, 0, "has metadata that is not text"),
        (
            {"a": {"dtype": "U8"}},
            0,
            "has tensor `a` without dtype, shape and data_offsets alone",
        ),
        (
            {"a": {**entry(0, 1), "x": 1}},
            1,
            "has tensor `a` without dtype, shape and data_offsets alone",
        ),
        ({"a\x1b": entry(0, 1, "Q8")}, 1, "has tensor `a\\x1b` of an unknown type"),
        (
            {"a": entry(0, 1, shape=[True])},
            1,
            "has tensor `a` whose shape or offsets are not sizes",
        ),
        (
            {"a": entry(0, 1, shape=[-1])},
            1,
            "has tensor `a` whose shape or offsets are not sizes",
        ),
        (
            {"a": entry(0, 1, shape="x")},
            1,
            "has tensor `a` whose shape or offsets are not sizes",
        ),
        (
            {"a": {**entry(0, 1), "data_offsets": [0, 1, 1]}},
            1,
            "has tensor `a` whose shape or offsets are not sizes",
        ),
        ({"a": entry(0, 1, shape=[1] * 65)}, 1, "has tensor `a` of 65 dimensions"),
        (
            {"a": entry(0, 0, "F32", [1 << 32, 1 << 32])},
            0,
            "has tensor `a` of an impossible shape",
        ),
        (
            {"a": entry(0, 0, "U8", [0, 1 << 62, 1 << 62])},
            1,
            "describes {0} bytes of a file of {1}",
        ),
        ({"a": entry(0, 7, "F32", [2])}, 7, "has tensor `a` of 7 bytes for 64 bits"),
        ({"a": entry(0, 1, "F4", [1])}, 1, "has tensor `a` of 1 bytes for 4 bits"),
        ({"a": entry(1, 2)}, 2, "has tensor `a` at byte {1}, expected {0}"),
        (
            {"a": entry(0, 2), "b": entry(1, 3)},
            3,
            "has tensor `b` at byte {1}, expected {2}",
        ),
        (
            {"a": entry(0, 1), "b": entry(2, 3)},
            3,
            "has tensor `b` at byte {2}, expected {1}",
        ),
        ({"a": entry(0, 1)}, 2, "describes {1} bytes of a file of {2}"),
        ({"a": entry(0, 2)}, 1, "describes {2} bytes of a file of {1}"),
    ],
)
def test_a_header_that_says_two_things_or_none_is_refused(
    header: object, body: int, problem: str
) -> None:
    """Duplicate keys, holes, overlaps, overflow: what other readers were fooled by."""
    front, size = made(header, body)
    with pytest.raises(FormatError) as caught:
        safetensors.read(front, name="m", size=size)
    said = problem.format(*range(len(front), len(front) + 3))
    assert caught.value.problem == f"m: safetensors header {said}"


def test_brackets_without_end_are_refused() -> None:
    """A parser that calls itself would end the process."""
    front, size = made(b'{"a":' + b"[" * 100_000, 0)
    with pytest.raises(FormatError, match="is not strict JSON: maximum recursion"):
        safetensors.read(front, name="m", size=size)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(BITS)), st.lists(st.integers(0, 9), max_size=4)
        ),
        max_size=12,
    )
)
def test_any_sound_header_is_read(tensors: list[tuple[str, list[int]]]) -> None:
    """Every type and shape, sizes of zero and of part of a byte left out."""
    header, position, expected = {}, 0, []
    for number, (dtype, shape) in enumerate(tensors):
        bits = BITS[dtype]
        for length in shape:
            bits *= length
        if bits % 8:
            continue
        header[f"t{number}"] = entry(position, position + bits // 8, dtype, shape)
        expected.append((f"t{number}", dtype, tuple(shape), bits // 8))
        position += bits // 8
    front, size = made(header, position)
    found = safetensors.read(front, name="m", size=size)
    assert sorted(
        (one.name, one.dtype, one.shape, one.stop - one.start) for one in found
    ) == sorted(expected)


def test_damaged_headers_are_refused_or_tile_the_file() -> None:
    """Twenty thousand changed ones: no other error, and never a tensor outside."""
    header = {
        "__metadata__": {"a": "b"},
        "a": entry(0, 8, "F32", [2]),
        "b": entry(8, 9),
    }
    front, size = made(header, 9)
    chance, refused = random.Random(7), 0
    for _ in range(20_000):
        changed = bytearray(front)
        for _ in range(chance.randrange(1, 4)):
            changed[chance.randrange(8, len(changed))] = chance.choice(
                b'0129{}[]",:ab\\ '
            )
        try:
            found = safetensors.read(bytes(changed), name="m", size=size)
        except FormatError:
            refused += 1
            continue
        ends = [len(front)] + [one.stop for one in found]
        assert [one.start for one in found] == ends[:-1]
        assert ends[-1] == size
    assert refused > 15_000
