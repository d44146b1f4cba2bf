"""Blocks and slabs: every byte accounted for, memory bounded."""

import random
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from airlift.errors import FormatError
from airlift.format import block

BYTES = st.binary(max_size=3000) | st.builds(
    lambda unit, times: unit * times,
    st.binary(min_size=1, max_size=8),
    st.integers(1, 999),
)


@given(BYTES)
def test_a_slab_reads_back(raw: bytes) -> None:
    """What was packed is what comes out."""
    stored = block.encode_slab(memoryview(raw))
    assert block.decode_slab(memoryview(stored), len(raw)) == raw


def test_a_full_slab_reads_back_and_text_shrinks() -> None:
    """Four blocks of 1 MiB, a constant one among them, one that cannot shrink."""
    text = b"".join(b"%d the quick brown fox\n" % n for n in range(100_000))
    noise = struct.pack("<Q", 0x9E3779B97F4A7C15) + bytes(range(256)) * 4096
    raw = (text[: 1 << 20] + bytes(1 << 20) + noise * 3)[: 4 << 20]
    stored = block.encode_slab(memoryview(raw))
    assert len(stored) < len(raw) // 2
    assert block.decode_slab(memoryview(stored), len(raw)) == raw


def weights(dtype: str, count: int, *, seed: int = 1) -> bytes:
    """Return *count* numbers as trained weights are spread, tensor by tensor."""
    drawn = np.random.default_rng(seed)
    parts = np.array_split(np.empty(count, np.float32), 8)
    spread = [drawn.normal(0, 0.01 * (n + 1), len(one)) for n, one in enumerate(parts)]
    numbers = np.concatenate(spread)
    if dtype == "bf16":
        bits = numbers.astype("<f4").view("<u4") + np.uint32(0x8000)
        return (bits >> np.uint32(16)).astype("<u2").tobytes()
    return numbers.astype(dtype).tobytes()


SHARES = {
    "bf16": (block.BlockKind.HALVES, 0.68),
    "<f2": (block.BlockKind.HALVES, 0.88),
    "<f4": (block.BlockKind.WORDS, 0.84),
    "<f8": (block.BlockKind.DOUBLES, 0.95),
}


@pytest.mark.parametrize("dtype", SHARES)
def test_weights_shrink_to_what_their_exponents_need(dtype: str) -> None:
    """The share that travels is what a gap costs; the kind is found from the bytes."""
    kind, share = SHARES[dtype]
    raw = weights(dtype, 1 << 20)[: 4 << 20]
    stored = block.encode_slab(memoryview(raw))
    assert stored[0] == kind
    assert len(stored) <= share * len(raw)
    assert block.decode_slab(memoryview(stored), len(raw)) == raw


@pytest.mark.parametrize("dtype", SHARES)
@pytest.mark.parametrize("start", [0, 1, 2, 3, 4])
def test_a_slab_decodes_in_place_wherever_that_is(dtype: str, start: int) -> None:
    """A writer hands over its own buffer; nothing before or behind is touched."""
    raw = weights(dtype, 100_003)
    stored = memoryview(block.encode_slab(memoryview(raw)))
    room = bytearray(b"\xa5" * (start + len(raw) + 9))
    block.decode_slab_into(stored, memoryview(room)[start : start + len(raw)])
    assert room == b"\xa5" * start + raw + b"\xa5" * 9


def test_bf16_numbers_in_fp32_cost_no_more_than_as_bf16() -> None:
    """Many published float32 models are bfloat16 inside: half of them is zero."""
    narrow = np.frombuffer(weights("bf16", 1 << 19), "<u2")
    wide = (narrow.astype("<u4") << np.uint32(16)).tobytes()
    assert len(block.encode_slab(memoryview(wide))) < 0.345 * len(wide)


def test_noise_is_stored_with_next_to_nothing_added() -> None:
    """A coder that grows its input costs space nobody planned for."""
    raw = random.Random(2).randbytes(4 << 20)
    assert len(block.encode_slab(memoryview(raw))) <= len(raw) + 64


@pytest.mark.parametrize("dtype", ["bf16", "<f4", "<f8"])
@pytest.mark.parametrize("odd", [1, 2, 3, 5, 7])
def test_a_blob_that_ends_inside_a_number_reads_back(dtype: str, odd: int) -> None:
    """Only a last block may; it is then bytes like any other."""
    raw = weights(dtype, 300_000)[:-odd]
    stored = block.encode_slab(memoryview(raw))
    assert block.decode_slab(memoryview(stored), len(raw)) == raw


@given(st.sampled_from(["bf16", "<f2", "<f4", "<f8"]), st.data())
@settings(max_examples=200, deadline=None)
def test_changed_planes_are_refused_or_give_the_stated_length(
    dtype: str, data: st.DataObject
) -> None:
    """Signed once, wrong for ever: a coder's mistake ends in an error, not a crash."""
    raw = weights(dtype, 2000)
    stored = bytearray(block.encode_slab(memoryview(raw)))
    # Half of the changes hit the header and the table, where lengths are.
    last = data.draw(st.sampled_from([47, len(stored) - 1]))
    stored[data.draw(st.integers(0, last))] ^= data.draw(st.integers(1, 255))
    try:
        found = block.decode_slab(memoryview(stored), len(raw))
    except FormatError:
        return
    assert len(found) == len(raw)


@settings(max_examples=400)
@given(BYTES, st.data())
def test_a_changed_slab_is_refused_or_gives_the_stated_length(
    raw: bytes, data: st.DataObject
) -> None:
    """No change of a coded slab crashes, or gives more or less than was stated."""
    stored = bytearray(block.encode_slab(memoryview(raw)))
    if not stored:
        return
    at = data.draw(st.integers(0, len(stored) - 1))
    stored[at] ^= data.draw(st.integers(1, 255))
    try:
        found = block.decode_slab(memoryview(stored), len(raw))
    except FormatError:
        return
    assert len(found) == len(raw)


PATTERNS = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda unit, times: unit * times,
        st.binary(min_size=1, max_size=24),
        st.integers(1, 20_000),
    ),
    st.builds(
        lambda dtype, count, odd: weights(dtype, count)[: -odd or None],
        st.sampled_from(["bf16", "<f2", "<f4", "<f8"]),
        st.integers(1, 20_000),
        st.integers(0, 7),
    ),
    st.builds(
        lambda n, seed: random.Random(seed).randbytes(n),
        st.integers(0, 99_999),
        st.integers(0, 9),
    ),
    st.builds(
        lambda two, n, seed: bytes(random.Random(seed).choices(two, k=n)),
        st.binary(min_size=2, max_size=2),
        st.integers(1, 99_999),
        st.integers(0, 9),
    ),
)


@given(st.lists(PATTERNS, max_size=4), st.integers(0, 7))
@settings(max_examples=300, deadline=None)
def test_whatever_the_bytes_they_come_back_and_cost_no_more_than_headers(
    parts: list[bytes], start: int
) -> None:
    """Numbers, text, noise, patterns, one byte, mixed and misaligned: one promise."""
    raw = b"".join(parts)
    held = memoryview(bytes(start) + raw)[start:]
    stored = block.encode_slab(held)
    blocks = -(-len(raw) // block.BLOCK)
    assert block.decode_slab(memoryview(stored), len(raw)) == raw
    assert len(stored) <= len(raw) + 48 * blocks
    assert stored == block.encode_slab(memoryview(raw))


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 1, (4 << 20) - 3, 4 << 20])
@pytest.mark.parametrize("shift", [0, 1, 3])
def test_noise_and_numbers_side_by_side_cost_no_more_than_headers(
    size: int, shift: int
) -> None:
    """The plan is made for a slab; a block it does not fit must not grow by it."""
    noise, numbers = random.Random(3).randbytes(size), weights("bf16", 1 << 20)
    raw = (noise[: size // 2 + shift] + numbers * 2)[:size]
    stored = block.encode_slab(memoryview(raw))
    assert block.decode_slab(memoryview(stored), size) == raw
    assert len(stored) <= size + size // 1000 + 48


def test_numbers_that_do_not_lie_at_their_multiples_read_back() -> None:
    """A file may put its numbers anywhere; cut through, they are noise, not an error."""
    raw = b"x" + weights("<f4", 500_000)
    stored = block.encode_slab(memoryview(raw))
    assert block.decode_slab(memoryview(stored), len(raw)) == raw
    assert len(stored) <= len(raw) + 96


def test_a_plane_of_two_values_takes_a_bit_an_element() -> None:
    """Published float32 weights with 16 bits of mantissa: chance matches cost half."""
    drawn = np.random.default_rng(4)
    words = drawn.integers(0, 1 << 32, 1 << 18, np.uint32) & np.uint32(0xFFFF8000)
    raw = words.tobytes()
    stored = block.encode_slab(memoryview(raw))
    # Two planes of noise, a bit an element, one constant; a header and its table.
    assert len(stored) == (2 << 18) + (2 + (1 << 15)) + 1 + 8 + 4 * 5
    assert block.decode_slab(memoryview(stored), len(raw)) == raw


def test_two_values_that_alternate_are_one_match_not_a_bit_each() -> None:
    """The cheaper way is asked for, not assumed."""
    raw = struct.pack("<2I", 0x3F800000, 0xBF000000) * (1 << 17)
    stored = block.encode_slab(memoryview(raw))
    assert len(stored) < 1000
    assert block.decode_slab(memoryview(stored), len(raw)) == raw


def test_more_than_a_slab_is_not_encoded() -> None:
    """A caller's mistake ends here, not in a part that no reader takes."""
    with pytest.raises(
        FormatError, match="slab of 4194305 bytes, the limit is 4194304"
    ):
        block.encode_slab(memoryview(bytes((4 << 20) + 1)))


def test_threads_code_side_by_side_as_one_does() -> None:
    """Working memory belongs to a thread: shared, planes of two slabs would mix."""
    slabs = [weights("bf16", 300_000, seed=seed) for seed in range(8)]
    alone = [block.encode_slab(memoryview(raw)) for raw in slabs]
    with ThreadPoolExecutor(4) as pool:
        coded = list(pool.map(block.encode_slab, map(memoryview, slabs * 3)))
        lengths = [len(raw) for raw in slabs * 3]
        back = list(pool.map(block.decode_slab, map(memoryview, coded), lengths))
    assert coded == alone * 3
    assert back == slabs * 3


@given(BYTES, st.binary(min_size=1, max_size=40))
def test_bytes_after_the_last_block_are_refused(raw: bytes, tail: bytes) -> None:
    """Bytes nobody reads are a place to hide things."""
    stored = block.encode_slab(memoryview(raw)) + tail
    with pytest.raises(FormatError):
        block.decode_slab(memoryview(stored), len(raw))


def framed(frame: bytes, raw_length: int) -> bytes:
    """Return a slab of one block whose one plane is *frame*."""
    return struct.pack("<BBHIBI", 0, 1, 0, raw_length, 2, len(frame)) + frame


def skippable(size: int) -> bytes:
    """Return a skippable frame of *size* bytes."""
    return struct.pack("<II", 0x184D2A50, size) + bytes(size)


RAW = bytes(range(256)) * 16
FRAME = zstandard.ZstdCompressor(write_content_size=True).compress(RAW)
NO_SIZE = zstandard.ZstdCompressor(write_content_size=False).compress(RAW)
BOMB = zstandard.ZstdCompressor().compress(bytes(64 << 20))

FRAMES = {
    "skippable frame in front": skippable(8) + FRAME,
    "skippable frame behind": FRAME + skippable(8),
    "two frames": FRAME + FRAME,
    "trailing byte": FRAME + b"\0",
    "truncated": FRAME[:-1],
    "no content size": NO_SIZE,
    "bomb": BOMB,
    "empty": b"",
    "not a frame": b"not a frame at all",
    "shorter than stated": zstandard.ZstdCompressor().compress(RAW[:-1]),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_only_one_plain_frame_of_the_stated_length_is_decoded(frame: bytes) -> None:
    """The library alone would skip, ignore or return short; bombs stay bounded."""
    with pytest.raises(FormatError):
        block.decode_slab(memoryview(framed(frame, len(RAW))), len(RAW))


def test_the_good_frame_of_the_table_above_is_decoded() -> None:
    """The refusals above are for their stated reasons."""
    assert block.decode_slab(memoryview(framed(FRAME, len(RAW))), len(RAW)) == RAW


@pytest.mark.parametrize("log", range(24, 32))
def test_a_window_beyond_8_mib_is_refused(log: int) -> None:
    """A frame may not make the reader allocate what it likes."""
    # Single-segment off, window descriptor of 2**log, content size in 8 bytes.
    header = b"\x28\xb5\x2f\xfd" + bytes([0xC0, (log - 10) << 3])
    frame = header + struct.pack("<Q", len(RAW)) + b"\x01\x00\x00"
    with pytest.raises(FormatError):
        block.decode_slab(memoryview(framed(frame, len(RAW))), len(RAW))


def test_an_unknown_kind_asks_for_a_newer_airlift() -> None:
    """A bundle of the future is refused by name, not misread."""
    stored = struct.pack("<BBHIBI", 9, 1, 0, 1, 1, 1) + b"x"
    with pytest.raises(FormatError) as caught:
        block.decode_slab(memoryview(stored), 1)
    assert (str(caught.value), caught.value.hint) == (
        "block of unknown kind 9",
        "a newer airlift is needed here",
    )


def test_a_slab_over_the_limit_is_refused_before_anything_is_read() -> None:
    """Memory is bounded by a constant, not by what a head says."""
    with pytest.raises(
        FormatError, match="slab of 4194305 bytes, the limit is 4194304"
    ):
        block.decode_slab(memoryview(b""), (4 << 20) + 1)
    with pytest.raises(
        FormatError, match="slab of 4194305 bytes, the limit is 4194304"
    ):
        block.decode_slab_into(memoryview(b""), memoryview(bytearray((4 << 20) + 1)))


@given(st.integers(0, 1 << 40))
def test_probes_lie_inside_the_blob(size: int) -> None:
    """The samples that decide for a blob exist."""
    offsets = block.probe_offsets(size)
    assert all(0 <= start <= stop <= size for start, stop in offsets)
    assert sum(stop - start for start, stop in offsets) <= 8 * 65536


@pytest.mark.parametrize("lead", [0, 3])
def test_a_vocabulary_in_front_of_noise_does_not_make_it_worth_coding(
    lead: int,
) -> None:
    """A quantised model begins with words; coding all of it saves next to nothing."""
    words = b"".join(b"token %d\n" % n for n in range(10_000))
    raw = memoryview(bytes(lead) + words + random.Random(1).randbytes(4 << 20))
    offsets = block.probe_offsets(len(raw), lead)
    assert not block.shrinks(block.plan(raw[start:stop] for start, stop in offsets))
    assert {(start - lead) % 8 for start, _ in offsets} == {0}
