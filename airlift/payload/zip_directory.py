"""A strict reader of ZIP directories: one archive, one meaning.

A ZIP says everything twice, in front of each member and in the directory at the end,
and readers differ in whom they believe: that is how a wheel shows one content to a
scanner and installs another. Here both must agree on every field, members must lie
one behind the other without a byte between them, and names must be unique; anything
else is refused.

Source: PKWARE APPNOTE 6.3.9, sections 4.3 and 4.4.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from airlift import naming
from airlift.errors import FormatError

Read: TypeAlias = Callable[[int, int], bytes]
"""Called with an offset and a length; returns exactly the bytes there."""

ENTRIES: Final = 200_000
"""Most members of an archive; the largest wheels have some 20,000."""
DIRECTORY: Final = 64 << 20
"""Most bytes of a directory that are read into memory."""

STORED: Final = 0
DEFLATED: Final = 8

_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_FULL: Final = 0xFFFFFFFF
_ENCRYPTED: Final = 0x2041  # bits 0, 6 and 13: any form of encryption
_DESCRIPTOR: Final = 0x0008
_UTF8: Final = 0x0800
_UNICODE_PATH: Final = 0x7075  # an extra field that gives a second name
_DESCRIPTOR_BYTES: Final = 24
_PIECE: Final = 1 << 20
_ALLOWED: Final = 0x0006 | _DESCRIPTOR | _UTF8  # 1 and 2: how hard deflate tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of an archive, as both of its descriptions say.

    Attributes:
        name: As stored; ends in ``/`` for a folder.
        offset: Where its local header begins.
        packed: Bytes as stored.
        size: Bytes unpacked.
        crc: CRC-32 of the unpacked bytes.
        method: ``STORED`` or ``DEFLATED``.
        flags: General purpose bits.
    """

    name: str
    offset: int
    packed: int
    size: int
    crc: int
    method: int
    flags: int


def over(data: bytes) -> Read:
    """Return a reader of an archive held in memory."""

    def read(offset: int, length: int) -> bytes:
        return data[offset : offset + length]

    return read


def members(read: Read, size: int, *, name: str) -> tuple[Member, ...]:
    """Return the members of an archive in the order of its directory.

    Only the end of the archive is read; ``check_layout`` compares the rest with it.

    Args:
        read: Random access to the archive.
        size: Its length in bytes.
        name: What to call it in an error.

    Raises:
        FormatError: The directory is not one, or can be read in two ways.
    """
    archive = _Archive(read, size, name)
    start, length, count = archive.directory()
    data = archive.take(start, length)
    found, at = [], 0
    for _ in range(count):
        member, at = archive.central(data, at)
        found.append(member)
    if at != length:
        archive.refuse(f"has {length - at} bytes behind the last directory entry")
    _refuse_twice(archive, found)
    return tuple(found)


def check_layout(
    read: Read, size: int, listed: tuple[Member, ...], *, name: str
) -> None:
    """Check that *listed* members fill the archive, each as its own header says.

    Raises:
        FormatError: A local header differs from the directory, or bytes lie before,
            between or behind the members.
    """
    archive = _Archive(read, size, name)
    end, _, _ = archive.directory()
    in_place = sorted(listed, key=lambda one: one.offset)
    if (first := in_place[0].offset if listed else end) != 0:
        archive.refuse(f"has {first} bytes before its first member")
    ends = [member.offset for member in in_place[1:]] + [end]
    for member, following in zip(in_place, ends, strict=True):
        archive.check_gap(member, following)


def unpack(read: Read, size: int, member: Member, *, name: str) -> Iterator[bytes]:
    """Yield the bytes of *member*, checked against its size and CRC at the end.

    Never yields more than ``member.size`` bytes, whatever the packed bytes say.

    Raises:
        FormatError: The packed bytes are not what the directory says.
    """
    archive = _Archive(read, size, name)
    at, left = archive.data_of(member), member.packed
    decoder = zlib.decompressobj(-15) if member.method == DEFLATED else None
    crc, done = 0, 0
    while left and done <= member.size:
        packed = archive.take(at, min(left, _PIECE))
        at, left = at + len(packed), left - len(packed)
        for chunk in _inflated(archive, decoder, packed, member.size - done + 1):
            crc, done = zlib.crc32(chunk, crc), done + len(chunk)
            yield chunk if done <= member.size else b""
    whole = decoder is None or (decoder.eof and not decoder.unused_data)
    if not whole or done != member.size or crc != member.crc or left:
        shown = naming.show(member.name)
        archive.refuse(f"does not unpack to the size and CRC it states: `{shown}`")


def _inflated(
    archive: "_Archive", decoder: "zlib._Decompress | None", packed: bytes, most: int
) -> Iterator[bytes]:
    if decoder is None:
        yield packed
        return
    try:
        while most > 0:
            wanted = min(_PIECE, most)
            chunk = decoder.decompress(packed, wanted)
            packed, most = decoder.unconsumed_tail, most - len(chunk)
            yield chunk
            # A full chunk may leave output behind after all input went in.
            if not packed and len(chunk) < wanted:
                return
    except zlib.error as error:
        archive.refuse(f"has a member that does not unpack: {error}")


def _refuse_twice(archive: "_Archive", found: list[Member]) -> None:
    names: set[str] = set()
    for member in found:
        if (name := member.name.removesuffix("/")) in names:
            archive.refuse(f"has `{naming.show(name)}` twice")
        names.add(name)
    files = {member.name for member in found if not member.name.endswith("/")}
    for name in names:
        parts = name.split("/")
        for folder in ("/".join(parts[:n]) for n in range(1, len(parts))):
            if folder in files:
                archive.refuse(f"has `{naming.show(folder)}` as file and as folder")


class _Archive:
    """Where an archive's records lie and what they say."""

    def __init__(self, read: Read, size: int, name: str) -> None:
        self._read, self._size, self._name = read, size, naming.show(name)

    def refuse(self, problem: str) -> NoReturn:
        text = f"{self._name} {problem}"
        raise FormatError(text, hint="get it again from its source, or do without it")

    def take(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self._size:
            self.refuse(f"points outside itself, to {offset} + {length} bytes")
        data = self._read(offset, length)
        if len(data) != length:
            self.refuse(f"ends early: {len(data)} of {length} bytes at {offset}")
        return data

    def directory(self) -> tuple[int, int, int]:
        """Return offset and length of the directory, and how many entries it has."""
        at = self._size - _END.size
        end = _END.unpack(self.take(at, _END.size))
        if end[0] != b"PK\x05\x06" or end[7]:
            self.refuse("does not end in a ZIP end record without comment")
        disks, here, total, length, start = (*end[1:3],), *end[3:7]
        if 0xFFFF in (here, total) or _FULL in (length, start):
            at, here, total, length, start = self._end64(
                at, (here, total, length, start)
            )
        if disks != (0, 0) or here != total or start + length != at:
            self.refuse("has an end record that does not fit its directory")
        if total > ENTRIES or length > DIRECTORY:
            self.refuse(f"has {total} members in a directory of {length} bytes")
        return start, length, total

    def _end64(
        self, at: int, small: tuple[int, int, int, int]
    ) -> tuple[int, int, int, int, int]:
        locator = _LOCATOR.unpack(self.take(at - _LOCATOR.size, _LOCATOR.size))
        at -= _LOCATOR.size + _END64.size
        end = _END64.unpack(self.take(at, _END64.size))
        large = end[6:10]
        agree = all(s in (n, 0xFFFF, _FULL) for s, n in zip(small, large, strict=True))
        if (
            locator != (b"PK\x06\x07", 0, at, 1)
            or end[:2] != (b"PK\x06\x06", _END64.size - 12)
            or end[4:6] != (0, 0)
            or not agree
        ):
            self.refuse("has two end records that disagree")
        return (at, *large)

    def central(self, data: bytes, at: int) -> tuple[Member, int]:
        """Return the member at *at* in the directory *data*, and where the next is."""
        if at + _CENTRAL.size > len(data):
            self.refuse("has a directory that ends early")
        fields = _CENTRAL.unpack_from(data, at)
        flags, method, crc, packed, size = (*fields[3:5], *fields[7:10])
        lengths, mode, offset = fields[10:13], fields[15] >> 28, fields[16]
        ends = [at + _CENTRAL.size + sum(lengths[:n]) for n in range(4)]
        if fields[0] != b"PK\x01\x02" or ends[3] > len(data) or lengths[2]:
            self.refuse("has a directory entry that is malformed or has a comment")
        name = self._decoded(data[ends[0] : ends[1]], flags)
        size, packed, offset = self._wide(
            data[ends[1] : ends[2]], (size, packed, offset)
        )
        self._check(name, flags, method)
        if fields[13] or mode not in (0, 4, 8):
            self.refuse(f"has a member that is no plain file: `{naming.show(name)}`")
        if (method == STORED and size != packed) or (size and name.endswith("/")):
            self.refuse(f"has a size that cannot be for `{naming.show(name)}`")
        member = Member(
            name=name,
            offset=offset,
            packed=packed,
            size=size,
            crc=crc,
            method=method,
            flags=flags,
        )
        return member, ends[3]

    def _decoded(self, raw: bytes, flags: int) -> str:
        try:
            return raw.decode("utf-8" if flags & _UTF8 else "ascii")
        except UnicodeDecodeError:
            self.refuse(f"has a member name in no known coding: {raw!r}")

    def _check(self, name: str, flags: int, method: int) -> None:
        shown = naming.show(name)
        parts = name.removesuffix("/").split("/")
        if flags & _ENCRYPTED:
            self.refuse(f"has an encrypted member: `{shown}`")
        if method not in (STORED, DEFLATED) or flags & ~_ALLOWED:
            self.refuse(f"has a member in a method readers differ on: `{shown}`")
        if any(part in ("", ".", "..") for part in parts) or shown != name:
            self.refuse(f"has a member with an unsafe name: `{shown}`")
        if "\\" in name or ":" in parts[0]:
            self.refuse(f"has a member with an unsafe name: `{shown}`")

    def _wide(self, extra: bytes, small: tuple[int, ...]) -> tuple[int, ...]:
        """Return *small* with each saturated number replaced by its 64-bit one."""
        wide, at = b"", 0
        while at < len(extra):
            if at + 4 > len(extra):
                self.refuse("has an extra field that ends early")
            tag, length = struct.unpack_from("<2H", extra, at)
            if at + 4 + length > len(extra) or tag == _UNICODE_PATH:
                self.refuse("has an extra field that is malformed or a second name")
            if tag == 1:
                if wide:
                    self.refuse("has the sizes of a member three times")
                wide = extra[at + 4 : at + 4 + length]
            at += 4 + length
        numbers = iter(struct.unpack(f"<{len(wide) // 8}Q", wide[: len(wide) // 8 * 8]))
        return tuple(next(numbers, n) if n == _FULL else n for n in small)

    def data_of(self, member: Member) -> int:
        """Return where the bytes of *member* begin; its local header must agree."""
        local = _LOCAL.unpack(self.take(member.offset, _LOCAL.size))
        rest = self.take(member.offset + _LOCAL.size, local[9] + local[10])
        name = self._decoded(rest[: local[9]], member.flags)
        size, packed = self._wide(rest[local[9] :], (local[8], local[7]))
        told = (member.crc, member.packed, member.size)
        later = member.flags & _DESCRIPTOR and (local[6], packed, size) == (0, 0, 0)
        if (
            (local[0], local[2], local[3])
            != (b"PK\x03\x04", member.flags, member.method)
            or name != member.name
            or ((local[6], packed, size) != told and not later)
        ):
            shown = naming.show(member.name)
            self.refuse(f"describes `{shown}` in two ways that disagree")
        return member.offset + _LOCAL.size + len(rest)

    def check_gap(self, member: Member, following: int) -> None:
        """Refuse bytes between *member* and what follows it at *following*."""
        at = self.data_of(member) + member.packed
        shown = naming.show(member.name)
        if not 0 <= following - at <= _DESCRIPTOR_BYTES:
            self.refuse(f"has {following - at} bytes of no member behind `{shown}`")
        gap = self.take(at, following - at)
        if gap not in (_descriptors(member) if member.flags & _DESCRIPTOR else (b"",)):
            self.refuse(f"has bytes behind `{shown}` that do not describe it")


def _descriptors(member: Member) -> list[bytes]:
    """Return the four spellings of what may follow a streamed member."""
    told = []
    for shape, largest in (("<3I", _FULL), ("<I2Q", 1 << 63)):
        if max(member.packed, member.size) <= largest:
            plain = struct.pack(shape, member.crc, member.packed, member.size)
            told += [plain, b"PK\x07\x08" + plain]
    return told
