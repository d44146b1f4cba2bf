"""Every test vector: what is sent, what breaks which rule, and what a reader must say.

Made into files by ``scripts/make_vectors.py``. Each refusal breaks one rule and keeps
all others, so that a reader that forgot the rule takes it.
"""

import random
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import zstandard

from airlift.digest import sha256
from airlift.format import block, canonical, dispatch, head, volume
from airlift.format.volume import Cut
from vectors.sender import Coder, Sender, Sent

FIRST = "2026-01-05T08:00:00Z"
SECOND = "2026-01-12T08:00:00Z"
READ = "2026-01-20T00:00:00Z"
WEIGHTS = b"\x08\0\0\0\0\0\0\0{}      " + bytes(4 << 20) + bytes(range(256)) * 900
MODEL: Mapping[str, bytes] = {
    "config.json": b'{"hidden_size":4}',
    "empty.txt": b"",
    "model.safetensors": WEIGHTS,
    "sub/raw.bin": bytes(x * x % 251 for x in range(3000)),
}
NEWER = {**MODEL, "config.json": b'{"hidden_size":8}'}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A delivery to be written as a vector."""

    name: str
    because: str
    volumes: Sequence[bytes]
    root: bytes
    expect: str = "ok"
    site: str = "plant7"
    now: str = READ
    after: Sequence[str] = ()
    files: Mapping[str, Mapping[str, bytes]] | None = None
    invalid: Sequence[str] | None = None
    keys: Sequence[Mapping[str, str]] = ()


def good(folder: Path) -> Iterator[Case]:
    """Yield deliveries that every reader must take."""
    sender = Sender(folder / "good", FIRST)
    root = sender.root
    first = sender.send({"acme/m": MODEL}, FIRST)
    model = {"acme/m": MODEL}
    one = Case(
        name="first",
        because="one volume: raw, coded, empty and small files",
        volumes=first.volumes(),
        root=root,
        files=model,
    )
    yield one
    yield replace(
        one, name="repeat", because="taken before: changes nothing", after=["first"]
    )
    cut = first.part_of("model.safetensors")
    two = first.volumes(Cut(cut, 1))
    because = "the same delivery cut between two slabs of one part"
    yield replace(one, name="two-volumes", because=because, volumes=two)
    because = "volumes may come in any order"
    yield replace(one, name="volumes-swapped", because=because, volumes=two[::-1])
    second = sender.send({"acme/m": NEWER}, SECOND, carry=["config.json"])
    yield replace(
        one,
        name="second",
        because="carries one changed file; the others are held since the first",
        volumes=second.volumes(),
        after=["first"],
        files={"acme/m": NEWER},
    )
    empty = sender.send({}, SECOND)
    yield replace(
        one,
        name="empty",
        because="says that there is nothing new; two deliveries before it never came",
        volumes=empty.volumes(),
        files={},
    )
    sender.rotate(SECOND)
    turned = sender.send({"acme/n": MODEL}, SECOND)
    yield replace(
        one,
        name="two-roots",
        because="signed by keys of a second root, which those of the accepted one sign",
        volumes=turned.volumes(),
        files={"acme/n": MODEL},
    )


def changed(folder: Path) -> Iterator[Case]:
    """Yield a good delivery whose bytes were changed on the way."""
    sender = Sender(folder / "changed", FIRST)
    sent = sender.send({"acme/m": MODEL}, FIRST)
    (data,) = sent.volumes()
    name = sent.part_name("model.safetensors")
    slab, coded = data.index(name) + 512, data.index(b"ALHD")
    edits: Mapping[str, tuple[str, bytes]] = {
        "slab-flipped": ("one bit of a slab is another", flip(data, slab + 40)),
        "head-flipped": ("one bit of a head is another", flip(data, coded + 30)),
        "label-flipped": ("one bit of the label is another", flip(data, 560)),
        "header-flipped": (
            "a member's header has another mode",
            flip(data, slab - 409),
        ),
        "padding-flipped": ("a byte of padding is not zero", flip(data, -1030)),
        "end-flipped": ("a byte of the end mark is not zero", flip(data, -1)),
        "trailing-byte": ("a byte follows the end mark", data + b"\0"),
        "truncated": ("the last byte is missing", data[:-1]),
        "cut-short": ("it ends inside a slab", data[: slab + 10]),
    }
    for name_, (because, volume_) in edits.items():
        yield Case(
            name=name_,
            expect="format",
            because=because,
            volumes=[volume_],
            root=sender.root,
        )
    cut = sent.part_of("model.safetensors")
    yield Case(
        name="one-of-two",
        expect="incomplete",
        because="only the first of two volumes is here",
        volumes=sent.volumes(Cut(cut, 1))[:1],
        root=sender.root,
    )


def flip(data: bytes, at: int) -> bytes:
    """Return *data* with the lowest bit of one byte changed."""
    edited = bytearray(data)
    edited[at] ^= 1
    return bytes(edited)


def resigned(folder: Path) -> Iterator[Case]:
    """Yield deliveries that break a rule and are signed all the same."""
    sender = Sender(folder / "resigned", FIRST)
    sent = sender.send({"acme/m": MODEL}, FIRST)
    case = Case(name="", expect="format", because="", volumes=(), root=sender.root)
    listing, record = sent.records["records/packing.json"], sent.dispatch
    signed: Mapping[str, tuple[str, Sent]] = {
        "record-not-canonical": (
            "the packing list ends in a newline",
            sent.with_packing(listing + b"\n"),
        ),
        "record-key-twice": (
            "the packing list has a key twice",
            sent.with_packing(listing[:-1] + b',"format":"airlift/packing/1"}'),
        ),
        "record-unknown-key": (
            "the dispatch record has a key that format 1 does not know",
            sent.with_dispatch(record[:-1] + b',"x":1}'),
        ),
        "record-unknown-format": (
            "the packing list is of a format of the future",
            sent.with_packing(listing.replace(b"packing/1", b"packing/2")),
        ),
    }
    for name, (because, made) in signed.items():
        yield replace(case, name=name, because=because, volumes=made.volumes())
    for name, (because, coder, edit) in PACKED.items():
        site = Sender(folder / name, FIRST)
        made = site.send({"acme/m": MODEL}, FIRST, coder=coder, edit=edit)
        yield replace(
            case, name=name, because=because, volumes=made.volumes(), root=site.root
        )


def _same(data: bytes) -> bytes:
    return data


def _blocks(kind: int, mode: int, pack: Coder) -> Coder:
    """Return a coder of blocks of this kind, with planes that *pack* makes."""

    def code(raw: memoryview) -> bytes:
        out = b""
        for at in range(0, len(raw), 1 << 20):
            piece = raw[at : at + (1 << 20)]
            plane = pack(piece)
            out += bytes([kind, 1, 0, 0]) + len(piece).to_bytes(4, "little")
            out += bytes([mode]) + len(plane).to_bytes(4, "little") + plane
        return out

    return code


def _zstd(raw: memoryview, *, size: bool = True, checksum: bool = False) -> bytes:
    compressor = zstandard.ZstdCompressor(
        level=3, write_content_size=size, write_checksum=checksum
    )
    return compressor.compress(raw)


SKIPPABLE = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
PACKED: Mapping[str, tuple[str, Coder | None, Callable[[bytes], bytes]]] = {
    "head-unknown-version": (
        "a head of version 2, with the signed digest",
        None,
        lambda data: data[:4] + b"\2" + data[5:],
    ),
    "head-unknown-codec": (
        "a head of codec 2, with the signed digest",
        None,
        lambda data: data[:5] + b"\2" + data[6:],
    ),
    "block-unknown-kind": (
        "blocks of kind 4, with the right digests",
        _blocks(4, 2, _zstd),
        _same,
    ),
    "plane-unknown-mode": (
        "planes of mode 4, with the right digests",
        _blocks(0, 4, _zstd),
        _same,
    ),
    "zstd-skippable-before": (
        "a skippable frame before the zstd frame, with the right digests",
        _blocks(0, 2, lambda raw: SKIPPABLE + _zstd(raw)),
        _same,
    ),
    "zstd-skippable-behind": (
        "a skippable frame behind the zstd frame, with the right digests",
        _blocks(0, 2, lambda raw: _zstd(raw) + SKIPPABLE),
        _same,
    ),
    "zstd-checksum": (
        "a zstd frame with a checksum, with the right digests",
        _blocks(0, 2, lambda raw: _zstd(raw, checksum=True)),
        _same,
    ),
    "zstd-no-size": (
        "a zstd frame without its content size, with the right digests",
        _blocks(0, 2, lambda raw: _zstd(raw, size=False)),
        _same,
    ),
}


def mistrusted(folder: Path) -> Iterator[Case]:
    """Yield deliveries that nothing gives authority at the reader's."""
    sender = Sender(folder / "here", FIRST)
    stranger = Sender(folder / "stranger", FIRST, who="mallory")
    sent = sender.send({"acme/m": MODEL}, FIRST)
    extra = canonical.encode({"format": "airlift/release/1"})
    name = f"records/releases/{sha256(extra)}.json"
    kept = {k: v for k, v in sent.records.items() if k != "records/packing.json"}
    case = Case(
        name="wrong-site",
        expect="trust",
        because="it is for plant7",
        volumes=sent.volumes(),
        root=sender.root,
        site="plant8",
    )
    yield case
    case = replace(case, site="plant7")
    because, late = "every document has expired", "2036-01-01T00:00:00Z"
    yield replace(case, name="expired", because=because, now=late)
    because = "the reader accepted another root"
    yield replace(case, name="unknown-root", because=because, root=stranger.root)
    yield replace(
        case,
        name="extra-signed-file",
        because="a release document that the record does not name",
        volumes=sent.with_records({**sent.records, name: extra}).volumes(),
    )
    yield replace(
        case,
        name="missing-signed-file",
        expect="format",
        because="the packing list is missing",
        volumes=sent.with_records(kept).volumes(),
    )


def out_of_order(folder: Path) -> Iterator[Case]:
    """Yield deliveries that do not follow those taken before."""
    sender, twin = (Sender(folder / name, FIRST) for name in ("one", "twin"))
    first = sender.send({"acme/m": MODEL}, FIRST)
    second = sender.send({"acme/m": NEWER}, SECOND)
    other = twin.send({"acme/m": NEWER}, FIRST)
    after_other = twin.send({"acme/m": MODEL}, SECOND)
    case = Case(
        name="forked-history",
        expect="trust",
        because="follows another first delivery than the one taken",
        volumes=after_other.volumes(),
        root=sender.root,
        after=["first"],
    )
    yield case
    because, forked = "another first delivery than the one taken", other.volumes()
    yield replace(case, name="forked-delivery", because=because, volumes=forked)
    yield replace(
        case,
        name="second-alone",
        expect="ok",
        because="delivery 1 never came, and is not needed",
        volumes=second.volumes(),
        after=(),
        files={"acme/m": NEWER},
    )
    yield replace(
        case,
        name="older",
        because="delivery 1, which never came, after delivery 2",
        volumes=first.volumes(),
        after=["second-alone"],
    )


@dataclass(frozen=True, kw_only=True)
class RecordCase:
    """A record or a slab to be written as a vector."""

    name: str
    because: str
    kind: str
    data: bytes
    expect: str = "format"
    raw: int | None = None


def _numbers() -> Iterator[RecordCase]:
    """Yield slabs of each width of element, and what breaks their rules."""
    drawn = random.Random(5)
    for width, code in ((2, "e"), (4, "f"), (8, "d")):
        numbers = [drawn.gauss(0, 0.02) for _ in range(8000 // width)]
        raw = struct.pack(f"<{len(numbers)}{code}", *numbers)
        slab = block.encode_slab(memoryview(raw))
        case = RecordCase(
            name=f"slab-width-{width}",
            because=f"weights of {width} bytes",
            kind="slab",
            data=slab,
            expect="ok",
            raw=len(raw),
        )
        yield case
        yield replace(
            case,
            name=f"slab-width-{width}-odd",
            because="ends inside an element",
            data=slab[:4] + (len(raw) - 1).to_bytes(4, "little") + slab[8:],
            expect="format",
            raw=len(raw) - 1,
        )
        yield replace(
            case,
            name=f"slab-width-{width}-planes",
            because="has a plane less than its width",
            data=slab[:1] + bytes([width - 1]) + slab[2:],
            expect="format",
        )


def _two_values() -> Iterator[RecordCase]:
    """Yield slabs whose third plane has two values, and what breaks their rules."""
    drawn = random.Random(6)
    words = [drawn.getrandbits(32) & 0xFFFF8000 for _ in range(1003)]
    raw = struct.pack("<1003I", *words)
    table = struct.pack("<BBHI", 2, 4, 0, len(raw))
    planes = [
        bytes(word >> 23 & 0xFF for word in words),
        bytes(word >> 24 & 0x80 | word >> 16 & 0x7F for word in words),
        b"\0\x80"
        + sum((word >> 15 & 1) << n for n, word in enumerate(words)).to_bytes(
            126, "little"
        ),
        b"\0",
    ]
    for mode, plane in zip((1, 1, 3, 0), planes, strict=True):
        table += struct.pack("<BI", mode, len(plane))
    slab, at = table + b"".join(planes), len(table) + 2006
    changes: Mapping[str, tuple[str, bytes]] = {
        "": ("a plane of two values", slab),
        "-order": ("the greater first", slab[:at] + b"\x80\0" + slab[at + 2 :]),
        "-same": ("one value twice", slab[:at] + b"\x80\x80" + slab[at + 2 :]),
        "-spare": (
            "a bit of no element",
            slab[:-2] + bytes([slab[-2] | 0x80]) + slab[-1:],
        ),
        "-short": (
            "a byte too few",
            slab[:19] + struct.pack("<I", 127) + slab[23:-2] + slab[-1:],
        ),
    }
    for end, (because, data) in changes.items():
        yield RecordCase(
            name=f"slab-two-values{end}",
            because=because,
            kind="slab",
            data=data,
            expect="format" if end else "ok",
            raw=len(raw),
        )


def records(folder: Path) -> Iterator[RecordCase]:
    """Yield single records, good and bad."""
    sender = Sender(folder / "records", FIRST)
    sent = sender.send({"acme/m": MODEL}, FIRST)
    (document,) = sent.documents
    label = volume.encode_label(
        volume.labels(dispatch.decode(sent.dispatch), sha256(b""), [Cut(1, 0)])[0]
    )
    table = head.encode(head.PartHead(head.Codec.RAW, (head.Slab(9, 9, bytes(32)),)))
    listing = sent.records["records/packing.json"]
    bases: Mapping[str, bytes] = {
        "dispatch": sent.dispatch,
        "release": document,
        "packing": listing,
        "label": label,
        "head": table,
    }
    for kind, data in bases.items():
        case = RecordCase(name=f"{kind}-good", because="good", kind=kind, data=data)
        yield replace(case, expect="ok")
        because = "lacks its last byte"
        yield replace(case, name=f"{kind}-cut", because=because, data=data[:-1])
        because, longer = "has a byte too many", data + b" "
        yield replace(case, name=f"{kind}-longer", because=because, data=longer)
    slab = block.encode_slab(memoryview(bytes(70_000)))
    for name, data, because, expect in (
        ("slab-good", slab, "one block of one byte repeated", "ok"),
        ("slab-behind", slab + b"\0", "a byte behind the last block", "format"),
        ("slab-reserved", slab[:2] + b"\1" + slab[3:], "a reserved byte", "format"),
    ):
        case = RecordCase(name=name, because=because, kind="slab", data=data)
        yield replace(case, expect=expect, raw=70_000)
    yield from _numbers()
    yield from _two_values()
    bad: Mapping[str, tuple[str, bytes, str]] = {
        "dispatch-float": (
            "dispatch",
            sent.dispatch.replace(b'"sequence":1', b'"sequence":1.0'),
            "has a number that is no integer",
        ),
        "dispatch-keys-unsorted": (
            "dispatch",
            b'{"format":"airlift/dispatch/1",'
            + sent.dispatch[1:].replace(b'"format":"airlift/dispatch/1",', b""),
            "has its keys in another order",
        ),
        "dispatch-key-missing": (
            "dispatch",
            sent.dispatch.replace(b'"needs":[],', b""),
            "lacks the key of an empty array",
        ),
        "release-path-up": (
            "release",
            document.replace(b"config.json", b"../fig.json"),
            "has a file whose path leaves its folder",
        ),
        "packing-head-missing": (
            "packing",
            listing.replace(b'"raw":3000', b'"raw":2999'),
            "has a part of other raw bytes than stored, and no head",
        ),
        "head-slab-empty": (
            "head",
            table[:24] + bytes(8) + table[32:],
            "has a slab of no bytes",
        ),
    }
    for name, (kind, data, because) in bad.items():
        yield RecordCase(name=name, because=because, kind=kind, data=data)
