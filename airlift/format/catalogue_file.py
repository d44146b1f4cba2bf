"""A catalogue as one file: who signed it, then the document, compressed.

    airlift/catalogue-file/1 LF     24 bytes and a line feed
    length of the role, u32         big endian
    role                            metadata of the role `catalogue`, canonical JSON
    document                        one zstd frame, to the end of the file

The role names the digest and length of the *compressed* document, so nothing is
decompressed before its signature was checked. The id of a catalogue is that of the
document itself, and outlives whatever compressed it.

Source: docs/catalogue.md, "The file".
"""

import struct
from dataclasses import dataclass
from typing import Final

import zstandard

from airlift.errors import FormatError
from airlift.format import catalogue

MAGIC: Final = b"airlift/catalogue-file/1\n"
LIMIT: Final = 8 << 20
"""Bytes of a file; what a site is sent weekly has below 200 KB."""
ROLE_LIMIT: Final = 65_536
"""Bytes of the role: its signatures are most of it."""
LEVEL: Final = 19
"""80 KB instead of 91 KB at level 3, for 0.2 s of CPU once a week (catalogue of 430 KB)."""
_WINDOW: Final = 8 << 20
_LENGTH: Final = struct.Struct(">I")
_AGAIN: Final = "copy it again from its source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a catalogue's file holds.

    Attributes:
        role: Metadata that vouches for *document*.
        document: The document, compressed.
    """

    role: bytes
    document: bytes


def target_name(sequence: int) -> str:
    """Return what the role calls the compressed document of a catalogue."""
    return f"catalogue/{sequence}.json.zst"


def join(parts: Parts) -> bytes:
    """Return the bytes of the file that holds *parts*."""
    return b"".join([MAGIC, _LENGTH.pack(len(parts.role)), parts.role, parts.document])


def split(data: bytes, *, name: str) -> Parts:
    """Return what the file *data* holds; nothing in it is believed yet.

    Args:
        data: The whole file.
        name: What to call it in an error.

    Raises:
        FormatError: It is not a catalogue's file, or is too long.
    """
    if len(data) > LIMIT:
        problem = f"{name} has {len(data)} bytes, the limit is {LIMIT}"
        raise FormatError(problem, hint="this is not a catalogue airlift wrote")
    if not data.startswith(MAGIC):
        problem = f"{name} is not a catalogue"
        raise FormatError(problem, hint="`airlift catalogue build` writes them")
    begin = len(MAGIC) + _LENGTH.size
    if len(data) < begin:
        raise _short(name)
    (length,) = _LENGTH.unpack(data[len(MAGIC) : begin])
    if length > ROLE_LIMIT:
        problem = f"{name}: its role has {length} bytes, the limit is {ROLE_LIMIT}"
        raise FormatError(problem, hint=_AGAIN)
    end = begin + length
    if len(data) <= end:
        raise _short(name)
    return Parts(role=data[begin:end], document=data[end:])


def compress(document: bytes) -> bytes:
    """Return *document* as one zstd frame."""
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=False).compress(
        document
    )


def decompress(frame: bytes, *, name: str) -> bytes:
    """Return the document that *frame* holds.

    Args:
        frame: One zstd frame that states its content's size, and nothing behind it.
        name: What to call it in an error.

    Raises:
        FormatError: It is no such frame, or the document is larger than any may be;
            that is found out before memory is taken for it.
    """
    try:
        stated = zstandard.get_frame_parameters(frame)
        if not 0 < stated.content_size <= catalogue.LIMIT:
            problem = (
                f"{name} says it unpacks to {stated.content_size} bytes, the limit is"
                f" {catalogue.LIMIT}"
            )
            raise FormatError(problem, hint="this is not a catalogue airlift wrote")
        # At once, into memory of the stated size: a frame that holds more fails.
        reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        return reader.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        problem = f"{name} does not unpack: {error}"
        raise FormatError(problem, hint=_AGAIN) from error


def _short(name: str) -> FormatError:
    return FormatError(f"{name} ends early", hint=_AGAIN)
