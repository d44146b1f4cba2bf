"""Coded slabs and heads of every kind and mode, and a million ways to damage them.

A mutant follows from its number alone, so that a failure can be made again. Half of
them are damaged blindly; half by someone who knows the format: a plane's frame is
exchanged, its header rewritten, and the lengths around it put right again, so that what
is reached lies behind the first check.
"""

import random
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import zstandard
from blake3 import blake3

from airlift.digest import sha256
from airlift.errors import FormatError
from airlift.format import block, difference, head
from airlift.format.head import Codec, Op, PartHead, Piece, Slab
from airlift.format.packing import SLAB, PackedBlob, Part
from airlift.format.slabs import StoredSlab, judge
from airlift.format.volume import Run

MAGIC = b"\x28\xb5\x2f\xfd"
HEADER = struct.Struct("<BBHI")
PLANE = struct.Struct("<BI")
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 1 << 20, SLAB, 0x7FFFFFFF, 0xFFFFFFFF)
GUARD = b"\xa5" * 64
"""What lies around the memory that is decoded into, and must stay."""


@dataclass(frozen=True, slots=True)
class Specimen:
    """Something sound: its kind, its stored bytes, and the raw bytes of a slab."""

    kind: str
    stored: bytes
    raw: bytes = b""


# --- sound ones -----------------------------------------------------------------------


def numbers(dtype: str, count: int) -> bytes:
    """Return *count* numbers as weights are spread; ``bf16`` or numpy's names."""
    drawn = np.random.default_rng(count).normal(0, 0.02, count)
    if dtype == "bf16":
        return (drawn.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return drawn.astype(dtype).tobytes()


def _slab(kind: str, raw: bytes) -> Specimen:
    return Specimen(kind, block.encode_slab(memoryview(raw)), raw)


def framed(payload: bytes, length: int) -> bytes:
    """Return a slab of one block of bytes whose one plane is *payload*, a frame."""
    return HEADER.pack(0, 1, 0, length) + PLANE.pack(2, len(payload)) + payload


@cache
def slabs() -> Sequence[Specimen]:
    """Return slabs of every kind of block and mode of plane, most of them small."""
    noise = random.Random(1)
    text = b"".join(b"%d the quick brown fox\n" % n for n in range(200))
    whole = numbers("<f4", 600)
    two = np.frombuffer(noise.randbytes(2400), "<u4") & np.uint32(0xFFFF8000)
    changed = bytearray(whole)
    changed[::64] = bytes(len(changed[::64]))
    delta = bytes(difference.difference(changed, whole, 4))
    wide = zstandard.ZstdCompressionParameters(window_log=23, write_content_size=1)
    far = zstandard.ZstdCompressor(compression_params=wide)
    return (
        *(_slab(name, numbers(name, 700)) for name in ("bf16", "<f2", "<f4", "<f8")),
        _slab("bf16 in fp32", (np.frombuffer(whole, "<u4") & 0xFFFF0000).tobytes()),
        _slab("text", text),
        _slab("noise", noise.randbytes(900)),
        _slab("a constant", bytes(1000)),
        _slab("one byte", b"x"),
        _slab("two values", two.tobytes()),
        _slab("odd length", numbers("bf16", 500)[:-1]),
        _slab("difference", delta),
        Specimen("widest window", framed(far.compress(text), len(text)), text),
        _slab("two blocks", bytes(1 << 20) + numbers("bf16", 400)),
        _slab("tables after tables", numbers("bf16", 300_000)),
    )


@cache
def heads() -> Sequence[Specimen]:
    """Return heads: of raw and of coded slabs, with and without pieces."""
    digest = bytes(range(32))
    bases = (sha256(b"a"), sha256(b"b"))
    pieces = (
        Piece(Op.LITERAL, 0, 0, SLAB + 9, 0),
        Piece(Op.REFERENCE, 0, 1, 1 << 40, 77),
        Piece(Op.DIFFERENCE, 4, 0, 4000, 8),
    )
    three = (Slab(9, SLAB, digest), Slab(20, 9, digest), Slab(70, 4000, digest))
    tables = (
        PartHead(Codec.RAW, (Slab(7, 7, digest),)),
        PartHead(Codec.BLOCKS, (Slab(99, SLAB, digest), Slab(30, 17, digest))),
        PartHead(Codec.BLOCKS, three, tuple(sorted(bases)), pieces),
    )
    return tuple(Specimen("head", head.encode(one)) for one in tables)


# --- blind damage ---------------------------------------------------------------------

Damage = Callable[[bytes, random.Random], bytes]


def flip(data: bytes, rng: random.Random) -> bytes:
    """Turn one to three bits, half the time near the front, where lengths are."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(min(len(data), rng.choice((48, len(data)))))
        changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def extreme(data: bytes, rng: random.Random) -> bytes:
    """Overwrite a number with one at the border of what it can be."""
    size = rng.choice((1, 2, 4, 8))
    at = rng.randrange(min(len(data), rng.choice((48, len(data)))))
    value = rng.choice(EXTREMES) & ((1 << 8 * size) - 1)
    return (data[:at] + value.to_bytes(size, "little") + data[at + size :])[: len(data)]


def nudge(data: bytes, rng: random.Random) -> bytes:
    """Make a number of four bytes a little more or less."""
    at = rng.randrange(max(1, min(len(data) - 4, rng.choice((48, len(data))))))
    value = int.from_bytes(data[at : at + 4], "little") + rng.choice((-2, -1, 1, 2))
    changed = (value & 0xFFFFFFFF).to_bytes(4, "little")
    return (data[:at] + changed + data[at + 4 :])[: len(data)]


def shorten(data: bytes, rng: random.Random) -> bytes:
    """Cut the end off."""
    return data[: rng.randrange(len(data))]


def insert(data: bytes, rng: random.Random) -> bytes:
    """Put bytes in between, or behind."""
    at = rng.choice((rng.randrange(len(data)), len(data)))
    return data[:at] + rng.randbytes(rng.choice((1, 4, 13, 300))) + data[at:]


def delete(data: bytes, rng: random.Random) -> bytes:
    """Take bytes out of the middle."""
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 5, 64)) :]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """Say something twice."""
    one, two = sorted((rng.randrange(len(data)), rng.randrange(len(data) + 1)))
    return data[:two] + data[one:]


BLIND: tuple[Damage, ...] = (flip, extreme, nudge, shorten, insert, delete, repeat)


def splice(one: bytes, other: bytes, rng: random.Random) -> bytes:
    """Begin as *one* and go on as *other*."""
    return one[: rng.randrange(len(one) + 1)] + other[rng.randrange(len(other)) :]


# --- damage by someone who knows --------------------------------------------------------


def _skippable(size: int) -> bytes:
    return struct.pack("<II", 0x184D2A50, size) + bytes(min(size, 64))


def _claim(frame: bytes, size: int, window: int) -> bytes:
    """Return *frame* with a header that states another content size and window."""
    rest = frame[zstandard.frame_header_size(frame) :]
    top = MAGIC + bytes([0xC0, window]) + struct.pack("<Q", size & (1 << 64) - 1)
    return top + rest


def _zeros(length: int, count: int) -> bytes:
    """Return a frame that claims *length* bytes and holds *count* times 128 KiB."""
    run = (1 << 1 | (128 << 10) << 3).to_bytes(3, "little") + b"\0"
    last = (1 | 1 << 1 | (128 << 10) << 3).to_bytes(3, "little") + b"\0"
    return MAGIC + b"\xc0\x68" + struct.pack("<Q", length) + run * count + last


def _frame(frame: bytes, length: int, rng: random.Random) -> bytes:
    """Return *frame* of *length* bytes, or another, in a form that must be refused."""
    claims = (0, 1, length - 1, length, length + 1, 1 << 32, 1 << 63, (1 << 64) - 1)
    choices: tuple[Callable[[], bytes], ...] = (
        lambda: _skippable(rng.choice((0, 8, 1 << 31))) + frame,
        lambda: frame + _skippable(rng.choice((0, 8, 1 << 31))),
        lambda: frame + frame,
        lambda: frame[: rng.randrange(len(frame))],
        lambda: frame + rng.randbytes(rng.choice((1, 2, 3, 9))),
        lambda: _claim(frame, rng.choice(claims), rng.randrange(256)),
        lambda: frame[:4] + bytes([rng.randrange(256)]) + frame[5:],
        lambda: _zeros(length, rng.choice((0, 1, 7, 4096))),
        lambda: MAGIC + b"\xc0\x68" + struct.pack("<Q", length) + bytes(3 * 4096),
        lambda: frame[:9] + flip(frame[9:], rng) if len(frame) > 10 else frame,
        lambda: b"\x37\xa4\x30\xec" + frame[4:],
        lambda: zstandard.ZstdCompressor(write_checksum=True).compress(bytes(length)),
        lambda: zstandard.ZstdCompressor().compress(bytes(8 << 20)),
    )
    return rng.choice(choices)()


def knowing(data: bytes, rng: random.Random) -> bytes:
    """Exchange a plane of a slab's first block, with its length put right."""
    kind, count, zero, length = HEADER.unpack_from(data)
    end = HEADER.size + count * PLANE.size
    table = [list(entry) for entry in PLANE.iter_unpack(data[HEADER.size : end])]
    payloads, at = [], end
    for _, size in table:
        payloads.append(data[at : at + size])
        at += size
    victim = rng.randrange(count)
    mode, payload = table[victim][0], payloads[victim]
    if rng.randrange(8) == 0:
        mode = rng.randrange(6)
    elif mode == 2:
        payload = _frame(payload, length // count, rng)
    else:
        payload = rng.choice(BLIND)(payload, rng)
    table[victim], payloads[victim] = [mode, len(payload)], payload
    if rng.randrange(8) == 0:
        kind, count = rng.choice(((0, 1), (1, 2), (2, 4), (3, 8), (4, 1), (1, 1)))
    top = HEADER.pack(kind, count, zero, length)
    entries = b"".join(PLANE.pack(*entry) for entry in table)
    return b"".join([top, entries, *payloads, data[at:]])


# --- the judgement ----------------------------------------------------------------------


def mutant(number: int) -> tuple[Specimen, bytes, int]:
    """Return the mutant of *number*: of what, its bytes, and the raw length asked for."""
    rng = random.Random(number)
    if rng.randrange(8) == 0:
        found = rng.choice(heads())
        changed = rng.choice(BLIND)(found.stored, rng)
        return found, changed, 0
    # The two large ones take a hundred times as long as the others.
    large = rng.randrange(64) == 0
    found = rng.choice(slabs()[-2:] if large else slabs()[:-2])
    way = rng.randrange(16)
    if way == 0:
        changed = splice(found.stored, rng.choice(slabs()[:-2]).stored, rng)
    elif way < 8:
        changed = rng.choice(BLIND)(found.stored, rng)
    else:
        changed = knowing(found.stored, rng)
    length = len(found.raw)
    if rng.randrange(16) == 0:
        length = rng.choice((0, 1, length - 1, length + 1, SLAB, SLAB + 1))
    return found, changed, length


def outcome(number: int) -> str:
    """Return what became of the mutant of *number*, in a few words.

    Raises:
        AssertionError: A byte outside was written, a head has two spellings, or the
            digest check takes the mutant.
    """
    found, changed, length = mutant(number)
    if found.kind == "head":
        return f"head: {_judge_head(found.stored, changed)}"
    if changed == found.stored and length == len(found.raw):
        return "slab: unchanged"
    if changed != found.stored:
        _refused_by_digest(found.stored, changed)
    room = bytearray(GUARD + bytes(length) + GUARD)
    inner = memoryview(room)[len(GUARD) : len(GUARD) + length]
    try:
        block.decode_slab_into(memoryview(changed), inner)
    except FormatError:
        word = "refused"
    else:
        word = "the same bytes" if inner == found.raw else "other bytes"
    assert room.startswith(GUARD)
    assert room.endswith(GUARD)
    return f"slab: {word}"


def _judge_head(sound: bytes, changed: bytes) -> str:
    if changed == sound:
        return "unchanged"
    assert sha256(changed) != sha256(sound)  # what a reader compares first
    try:
        table = head.decode(changed)
    except FormatError:
        return "refused"
    assert head.encode(table) == changed
    return "another"


def _refused_by_digest(sound: bytes, changed: bytes) -> None:
    """Have the reader's own check see *changed* where *sound* was signed."""
    fault = judge(_read(sound, changed), "v")
    assert fault is not None
    assert fault.problem.endswith("differ from their signed digest")


def _read(sound: bytes, found: bytes) -> StoredSlab:
    """Return *found* as a reader has it, where *sound* is what its head says."""
    slab = Slab(len(sound), len(sound), blake3(sound).digest())
    part = Part(sha256=sha256(b""), size=slab.stored, raw=slab.raw)
    blob = PackedBlob(sha256=sha256(b""), size=slab.raw, parts=(part,))
    run = Run(index=0, blob=blob, part=part, first=0, slabs=(slab,), whole=True)
    return StoredSlab(run=run, table=None, number=0, place=0, offset=0, data=found)


def campaign(start: int, stop: int) -> Mapping[str, int]:
    """Return how many mutants from *start* up to, not including, *stop* ended how.

    Whatever else than a refusal comes out of one is raised with its number.
    """
    counts: Counter[str] = Counter()
    for number in range(start, stop):
        try:
            counts[outcome(number)] += 1
        except Exception as error:
            error.add_note(f"mutant {number}")
            raise
    return counts
