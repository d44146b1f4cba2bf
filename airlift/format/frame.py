"""zstd frames: how a plane is coded, and the one form a reader takes.

A frame (RFC 8878) states its content size, needs a window of at most 8 MiB and has
neither dictionary nor checksum; nothing lies before or behind it.
"""

from threading import local
from typing import Final

import zstandard

from airlift.errors import FormatError

WINDOW_LOG: Final = 23
"""Largest zstd window a reader accepts, 8 MiB: bounds its memory (window bombs)."""

_MAGIC: Final = b"\x28\xb5\x2f\xfd"

# zstd's match finder made all but idle: what is left is a Huffman coder whose table is
# new every 128 KiB, inside an ordinary frame. On exponents it is smaller than levels 1
# to 9, at twice their speed both ways: short matches cost more than they save there.
_HUFFMAN: Final = zstandard.ZstdCompressionParameters(
    strategy=zstandard.STRATEGY_FAST,
    min_match=7,
    hash_log=6,
    window_log=17,
    target_length=0,
    write_content_size=True,
    write_checksum=False,
)


class _Contexts(local):
    """zstd contexts, which are not thread-safe, one set a thread."""

    def __init__(self) -> None:
        # No checksum: BLAKE3 of the slab covers the frame. The content size is in
        # the frame so that a decoder of another team can allocate.
        self.huffman = zstandard.ZstdCompressor(compression_params=_HUFFMAN)
        self.matches = zstandard.ZstdCompressor(
            level=3, write_checksum=False, write_content_size=True
        )
        self.glance = zstandard.ZstdCompressor(level=-1, write_checksum=False)
        self.reader = zstandard.ZstdDecompressor(max_window_size=1 << WINDOW_LOG)


_contexts = _Contexts()


def huffman(plane: memoryview) -> bytes:
    """Return *plane* as a frame of Huffman codes and next to no matches."""
    return _contexts.huffman.compress(plane)


def matches(plane: memoryview) -> bytes:
    """Return *plane* as a frame that finds what repeats."""
    return _contexts.matches.compress(plane)


def repeats(plane: memoryview) -> bool:
    """Say, at a sixth of the cost of ``matches``, whether it would find anything."""
    return len(_contexts.glance.compress(plane)) < len(plane) - len(plane) // 64


def decode(frame: memoryview, length: int) -> bytes:
    """Return the *length* bytes that *frame* holds.

    Raises:
        FormatError: It is not exactly one frame of the form above that gives exactly
            *length* bytes.
    """
    # The library would skip skippable frames, ignore trailing bytes and allocate
    # what the frame claims: look at the header first, and let exactly one frame
    # give exactly the length the block states.
    if bytes(frame[:4]) != _MAGIC:
        problem = "plane is not one zstd frame"
        raise FormatError(problem)
    try:
        parameters = zstandard.get_frame_parameters(frame)
        if parameters.dict_id or parameters.has_checksum:
            problem = "zstd frame has a dictionary or a checksum"
            raise FormatError(problem)
        if parameters.content_size != length:
            problem = f"zstd frame claims {parameters.content_size}, expected {length}"
            raise FormatError(problem)
        # The window bounds nothing here, as the frame is decoded in one go, but a
        # reader of another kind would have to keep it.
        if parameters.window_size > 1 << WINDOW_LOG:
            problem = f"zstd frame needs a window of {parameters.window_size} bytes"
            raise FormatError(problem)
        raw = _contexts.reader.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        problem = f"zstd frame cannot be decoded: {error}"
        raise FormatError(problem) from error
    if len(raw) != length:
        problem = f"zstd frame gave {len(raw)} bytes of {length}"
        raise FormatError(problem)
    return raw
