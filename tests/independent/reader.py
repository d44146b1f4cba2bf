"""Volumes and what lies in them, written from sections 5 to 8 of docs/format.md alone."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import zstandard
from blake3 import blake3

from independent.covered import Key, uncovered
from independent.delivery import Delivery, Site, believe
from independent.framing import header
from independent.parts import Head, build, read_head
from independent.record import (
    RefusedError,
    canonical,
    digest,
    need,
    number,
    parse,
    sha256,
    table,
)
from independent.trust import Past

BLOCK = 1 << 20
MOST_FILES, MOST_BYTES = 100_000, 512 << 20
_BLOCK = struct.Struct("<BBHI")
_PLANE = struct.Struct("<BI")
WIDTHS = {0: 1, 1: 2, 2: 4, 3: 8}


@dataclass(frozen=True, kw_only=True)
class Read:
    """A delivery that was read in full.

    Attributes:
        delivery: What was believed.
        files: Bytes of every file by release name and path.
    """

    delivery: Delivery
    files: Mapping[str, Mapping[str, bytes]]

    def write(self, folder: Path) -> None:
        """Write the files of each release below *folder*."""
        for name, files in self.files.items():
            for path, data in files.items():
                target = folder / name / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)


def read(
    volumes: Sequence[Path],
    reader: Site,
    *,
    past: Past | None = None,
    held: Mapping[str, bytes] | None = None,
    keys: Sequence[Key] = (),
) -> Read:
    """Read one delivery out of its volume files.

    Args:
        volumes: Its files, in any order.
        reader: Who reads, by which root and clock.
        past: What the reader remembers of deliveries taken before.
        held: Blobs the reader holds already, by digest.
        keys: What the reader can decrypt with.

    Raises:
        RefusedError: Anything is wrong, or not all of it is here.
    """
    delivery: Delivery | None = None
    signed: Mapping[str, bytes] = {}
    found = _Found()
    for path in volumes:
        data, cover = uncovered(path.read_bytes(), keys)
        volume = _Volume(BytesIO(data))
        if cover:
            cover.check(volume.label)
        if delivery is None:
            delivery, signed = (
                believe(volume.files, reader, past or Past()),
                volume.files,
            )
        need(volume.files == signed, f"{path.name}: other signed files")
        volume.take(delivery, reader, found)
    need(delivery, "no volume", "incomplete")
    assert delivery
    blobs = dict(held or {})
    for one in delivery.needs:
        need(one in blobs, f"{one} is needed and not held", "incomplete")
    _join(delivery, found, blobs)
    files: dict[str, dict[str, bytes]] = {}
    for release in delivery.releases.values():
        files[release["name"]] = {}
        for one in release["files"]:
            need(one["sha256"] in blobs, f"{one['path']} has not come", "incomplete")
            data = blobs[one["sha256"]]
            need(len(data) == one["size"], f"{one['path']} has another size")
            files[release["name"]][one["path"]] = data
    return Read(delivery=delivery, files=files)


@dataclass
class _Found:
    """What volumes gave: decoded slabs by part and number, heads by part."""

    slabs: dict[tuple[int, int], bytes] = field(default_factory=dict)
    heads: dict[int, Head] = field(default_factory=dict)


def _join(delivery: Delivery, found: _Found, blobs: dict[str, bytes]) -> None:
    """Add the blobs of the packing list to *blobs*, all of them whole and right."""
    index, before = 0, set(delivery.needs)
    for blob in delivery.blobs:
        data = b""
        for part in blob["parts"]:
            numbers = sorted(slab for of, slab in found.slabs if of == index)
            head = found.heads.get(index)
            whole = not head or numbers == list(range(len(head.slabs)))
            need(whole, f"{part['sha256']} is not whole", "incomplete")
            given = b"".join(found.slabs[index, slab] for slab in numbers)
            data += build(head, given, blobs, before) if head else given
            index += 1
        need(len(data) == blob["size"], f"{blob['sha256']} is not whole", "incomplete")
        need(sha256(data) == blob["sha256"], f"{blob['sha256']} came out wrong")
        blobs[blob["sha256"]] = data
        before.add(blob["sha256"])


class _Volume:
    """One volume: its label and signed files are read at once, its slabs on demand."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        name, data = self._front_member(1024)
        need(name == "airlift/volume.json", "no label")
        self.label = read_label(data)
        self.files: dict[str, bytes] = {}
        self._read_files()

    def take(self, delivery: Delivery, reader: Site, found: _Found) -> None:
        """Add decoded slabs and heads; check all there is to the last byte."""
        label = self.label
        own = (delivery.dispatch, reader.name, delivery.sequence)
        need((label["dispatch"], label["site"], label["sequence"]) == own, "the label")
        parts = [part for blob in delivery.blobs for part in blob["parts"]]
        first, end = _cut(label["first"]), _cut(label["end"])
        for index, part in enumerate(parts):
            if index >= first[0] and (index, 0) < end:
                start = first[1] if index == first[0] else 0
                stop = end[1] if index == end[0] else None
                head = self._head(part) if part["head"] else None
                if head:
                    found.heads[index] = head
                for at, raw in self._part(part, head, start, stop):
                    found.slabs[index, at] = raw
        need(self._take(1024) == bytes(1024), "the end mark")
        need(not self._pushed and not self._stream.read(1), "bytes behind the end mark")

    def _read_files(self) -> None:
        total, last = 0, ""
        while True:
            self._pushed = self._take(512)
            if not self._pushed.startswith(b"airlift/"):
                return
            name, data = self._front_member(MOST_BYTES - total)
            total += 512 + len(data) + -len(data) % 512
            good = last < name and total <= MOST_BYTES and len(self.files) < MOST_FILES
            need(good, f"{name} is out of order or too much")
            last = name
            self.files[name.removeprefix("airlift/")] = data

    def _head(self, part: Mapping[str, Any]) -> Head:
        name, size = part["head"]["sha256"], part["head"]["size"]
        data = self._member(f"blobs/sha256/{name}", size)
        need(sha256(data) == name, "a head that is another")
        head = read_head(data)
        sums = (sum(one[0] for one in head.slabs), head.raw)
        need(sums == (part["size"], part["raw"]), "a head that contradicts")
        return head

    def _part(
        self, part: Mapping[str, Any], head: Head | None, start: int, stop: int | None
    ) -> Iterator[tuple[int, bytes]]:
        codec, table_ = 0, [(part["size"], part["raw"], b"")]
        if head:
            codec, table_ = head.codec, head.slabs
        stop = len(table_) if stop is None else stop
        need(start < stop <= len(table_), "cut points outside the part")
        size = sum(stored for stored, _, _ in table_[start:stop])
        whole = (start, stop) == (0, len(table_))
        suffix = "" if whole else f".{start:04d}"
        self._expect(header(f"blobs/sha256/{part['sha256']}{suffix}", size))
        for at, (stored, raw, check) in enumerate(table_[start:stop], start):
            data = self._take(stored)
            same = (
                blake3(data).digest() == check
                if check
                else sha256(data) == part["sha256"]
            )
            need(same, f"slab {at} of {part['sha256']} has another digest")
            yield at, decode(data, raw) if codec else data
        self._expect(bytes(-size % 512))

    def _front_member(self, limit: int) -> tuple[str, bytes]:
        found = self._take(512)
        try:
            name = found[:100].rstrip(b"\0").decode("ascii")
            size = int(found[124:135], 8)
        except ValueError:
            name, size = "", -1
        need(name and 0 <= size <= limit, "no header, or too large a member")
        need(header(name, size) == found, "a header in another form")
        data = self._take(size)
        self._expect(bytes(-size % 512))
        return name, data

    def _member(self, name: str, size: int) -> bytes:
        self._expect(header(name, size))
        data = self._take(size)
        self._expect(bytes(-size % 512))
        return data

    def _expect(self, expected: bytes) -> None:
        need(self._take(len(expected)) == expected, "framing that differs")

    _pushed: bytes = b""

    def _take(self, size: int) -> bytes:
        data = self._pushed + self._stream.read(size - len(self._pushed))
        self._pushed = b""
        need(len(data) == size, "the volume ends too soon")
        return data


def read_label(data: bytes) -> Mapping[str, Any]:
    """Return a label, its form and check checked (section 7)."""
    fields = {
        "format": str,
        "site": str,
        "sequence": int,
        "dispatch": str,
        "cutting": str,
        "ordinal": int,
        "count": int,
        "first": dict,
        "end": dict,
        "check": str,
    }
    label = table(parse(data, 1024), fields)
    need(label["format"] == "airlift/volume/1", "another format")
    others = {key: value for key, value in label.items() if key != "check"}
    need(sha256(canonical(others)) == label["check"], "the label's check fails")
    digest(label["dispatch"])
    number(label["ordinal"], 1, number(label["count"], 1, 99_999))
    number(label["sequence"], 1)
    need(_cut(label["first"]) <= _cut(label["end"]), "cut points that fall")
    return label


def _cut(value: Any) -> tuple[int, int]:
    cut = table(value, {"part": int, "slab": int})
    return number(cut["part"]), number(cut["slab"])


def decode(stored: bytes, raw: int) -> bytes:
    """Return the *raw* bytes of a slab of blocks (section 6)."""
    out, at = b"", 0
    while len(out) < raw:
        expected = min(BLOCK, raw - len(out))
        need(len(stored) >= at + _BLOCK.size, "a slab that ends too soon")
        kind, count, zero, length = _BLOCK.unpack_from(stored, at)
        need(kind in WIDTHS, "an unknown block")
        width = WIDTHS[kind]
        need((count, zero, length) == (width, 0, expected), "a block of another form")
        need(length % width == 0, "a block that ends inside an element")
        table_ = stored[at + _BLOCK.size :][: width * _PLANE.size]
        need(len(table_) == width * _PLANE.size, "a slab that ends too soon")
        at += _BLOCK.size + len(table_)
        planes = []
        for mode, size in _PLANE.iter_unpack(table_):
            payload = stored[at : at + size]
            need(len(payload) == size, "a plane that ends too soon")
            at += size
            planes.append(_plane(mode, payload, length // width))
        out += planes[0] if width == 1 else _elements(planes)
    need(at == len(stored), "bytes behind the last block")
    return out


def _elements(planes: list[bytes]) -> bytes:
    """Return the numbers that two or more planes give, little-endian."""
    first, second, *lower = (np.frombuffer(one, np.uint8) for one in planes)
    number = np.zeros(len(first), np.uint64)
    number |= (second.astype(np.uint64) & 0x80) << 8
    number |= first.astype(np.uint64) << 7
    number |= second & 0x7F
    for one in lower:
        number = (number << np.uint64(8)) | one
    return number.astype(f"<u{len(planes)}").tobytes()


def _plane(mode: int, payload: bytes, length: int) -> bytes:
    if mode == 2:
        return _frame(payload, length)
    if mode == 3:
        return _two_values(payload, length)
    need(len(payload) == {0: 1, 1: length}.get(mode, -1), "an unknown plane")
    return payload * length if mode == 0 else payload


def _two_values(payload: bytes, length: int) -> bytes:
    """Return the bytes that two values and a bit for each give."""
    need(len(payload) == 2 + (length + 7) // 8, "a plane of another length")
    low, high = payload[:2]
    need(low < high, "two values in another order")
    bits = int.from_bytes(payload[2:], "little")
    need(bits < 1 << length, "bits of no element")
    return bytes(high if digit == "1" else low for digit in f"{bits:0{length}b}"[::-1])


def _frame(payload: bytes, length: int) -> bytes:
    """Return what exactly one zstd frame gives; RFC 8878, section 3.1.1."""
    need(payload[:4] == b"\x28\xb5\x2f\xfd", "no zstd frame")
    try:
        frame = zstandard.get_frame_parameters(payload)
        plain = not frame.dict_id and not frame.has_checksum
        need(plain and frame.content_size == length, "a zstd frame of another form")
        decoder = zstandard.ZstdDecompressor(max_window_size=8 << 20).decompressobj()
        raw = decoder.decompress(payload)
        need(decoder.eof and not decoder.unused_data, "no single zstd frame")
    except zstandard.ZstdError as error:
        reason = f"no zstd frame: {error}"
        raise RefusedError(reason) from error
    need(len(raw) == length, "a zstd frame of another length")
    return raw
