"""Planes: cut and joined exactly, at every width, over every border of a strip."""

import numpy as np
import pytest

from airlift.errors import FormatError
from airlift.format import planes

COUNTS = [0, 1, 2, 63, (32 << 10) + 1, (128 << 10) - 1, (128 << 10) + 5]


def noise(size: int) -> planes.Bytes:
    """Return *size* random bytes."""
    return np.random.default_rng(size).integers(0, 256, size, np.uint8)


@pytest.mark.parametrize("width", planes.WIDTHS)
@pytest.mark.parametrize("count", COUNTS)
def test_planes_join_to_what_was_split(width: int, count: int) -> None:
    """Strips end anywhere; no element may fall between two."""
    raw, out = noise(width * count), np.zeros(width * count, np.uint8)
    planes.join(planes.split(raw, width, np.empty_like(raw)), out)
    assert out.tobytes() == raw.tobytes()


def test_each_plane_has_the_bits_the_format_says() -> None:
    """Another reader follows the document, not this code."""
    element = 0b1_01010110_1100111_0001001000110100
    raw = np.frombuffer(element.to_bytes(4, "little"), np.uint8)
    found = planes.split(raw, 4, np.empty(4, np.uint8))
    assert [int(one[0]) for one in found] == [0b01010110, 0b1_1100111, 0x12, 0x34]


@pytest.mark.parametrize("lower", [0, 1, 0x8000])
def test_lower_halves_are_zero_only_where_they_are(lower: int) -> None:
    """The short way for bfloat16 in float32 must not swallow the one odd number."""
    words = np.zeros(70_000, "<u4") + np.uint32(0x3F800000)
    words[69_999] |= np.uint32(lower)
    raw = words.view(np.uint8)
    out = np.empty_like(raw)
    planes.join(planes.split(raw, 4, np.full_like(raw, 0xA5)), out)
    assert out.tobytes() == raw.tobytes()


@pytest.mark.parametrize("width", [2, 4, 8])
@pytest.mark.parametrize("constant", range(1, 256))
def test_any_planes_may_be_one_byte_for_all(width: int, constant: int) -> None:
    """A constant plane stands for as many bytes as the others have."""
    count = 5
    alike = np.zeros(width * count, np.uint8)
    every = [noise(count + at)[:count] for at in range(width)]
    for at in range(width):
        if constant >> at & 1:
            every[at] = np.full(count, at * 31 + 1, np.uint8)
    planes.join(every, alike)
    short = np.zeros(width * count, np.uint8)
    cut = [one[:1] if constant >> at & 1 else one for at, one in enumerate(every)]
    planes.join(cut, short)
    assert short.tobytes() == alike.tobytes()


@pytest.mark.parametrize("size", [64, 65, 71, 72, 4099])
@pytest.mark.parametrize("values", [(0, 128), (0, 255), (254, 255)])
def test_two_values_are_packed_and_unpacked(size: int, values: tuple[int, int]) -> None:
    """A bit an element and two bytes, whatever the values and the length."""
    plane = np.random.default_rng(size).choice(np.array(values, np.uint8), size)
    packed = planes.pack(plane)
    assert packed is not None
    assert len(packed) == 2 + -(-size // 8)
    found = planes.unpack(np.frombuffer(packed, np.uint8), size)
    assert found.tobytes() == plane.tobytes()


def test_planes_of_other_than_two_values_are_not_packed() -> None:
    """Also where the third value comes late, and where one of two is rare."""
    late = np.tile(np.array([1, 2], np.uint8), 5000)
    late[-1] = 3
    rare = np.zeros(10_000, np.uint8)
    rare[:64:4] = 1
    short = np.array([1, 2] * 31, np.uint8)
    given = (late, rare, short, noise(5000), np.zeros(5000, np.uint8))
    assert [planes.pack(one) for one in given] == [None] * 5


BAD = {
    "too short": (b"\x01\x02\xff", 9),
    "too long": (b"\x01\x02\xff\x00", 8),
    "one value": (b"\x02\x02\xff", 8),
    "falling": (b"\x02\x01\xff", 8),
    "a spare bit": (b"\x01\x02\xff", 7),
    "values alone": (b"\x01\x02", 0),
    "nothing": (b"", 0),
}


@pytest.mark.parametrize(("payload", "length"), BAD.values(), ids=BAD)
def test_two_values_have_one_spelling(payload: bytes, length: int) -> None:
    """Bits and orders that nobody reads are a place to hide things."""
    with pytest.raises(FormatError) as caught:
        planes.unpack(np.frombuffer(payload, np.uint8), length)
    assert str(caught.value) == (
        f"plane of two values has {len(payload)} bytes for {length}"
    )
