"""Vectors of encrypted volumes: what opens, and what breaks one rule of section 7.1.

Encapsulating draws chance, so what was encapsulated once is kept in ``sealed.json``; all
else follows from it, byte for byte. The keys protect nothing.
"""

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from airlift.digest import sha256
from airlift.format import cipher, cover, framing
from airlift.format.cipher import PLAIN, Cipher, Layout
from airlift.format.cover import Cover
from airlift.format.volume import Cut, Label
from airlift.trust.recipient import Recipient
from airlift.trust.suites import SUITES
from vectors.cases import FIRST, Case, flip
from vectors.running import FOLDER
from vectors.sender import SITE, Sender, Sent

SECRET = hashlib.sha256(b"airlift test secret").digest()
SMALL: Mapping[str, bytes] = {
    "config.json": b'{"hidden_size":4}',
    "noise.bin": random.Random(7).randbytes(1_000),
}
LARGE: Mapping[str, bytes] = {"noise.bin": random.Random(8).randbytes(55_000)}
"""Of two chunks, the second a short one."""
_SEALED = FOLDER / "sealed.json"
_LENGTHS = {"mlkem768-x25519": 64 + 32, "mlkem1024-p384": 64 + 48, "x25519": 32}


def private(suite: str, whose: str = SITE) -> bytes:
    """Return the private key of a site, the same for ever."""
    seed = f"airlift test key of {whose} for {suite}".encode()
    return hashlib.shake_256(seed).digest(_LENGTHS[suite])


def recipient(suite: str) -> Recipient:
    """Return the public half of the key of the site."""
    half = SUITES[suite].half(private(suite))
    return Recipient(site=SITE, suite=suite, public=half)


def keys(suite: str, whose: str = SITE) -> Sequence[Mapping[str, str]]:
    """Return what a vector says of the keys that its reader has."""
    return [{"suite": suite, "private": private(suite, whose).hex()}]


@dataclass(frozen=True)
class Covered:
    """An encrypted volume, and what it was made of."""

    cover: Cover
    inside: bytes

    @property
    def front(self) -> bytes:
        """The member that holds the cover."""
        return cover.member(cover.encode(self.cover))

    def file(self, *, under: Cover | None = None) -> bytes:
        """Return the file; with another cover in front where one is given."""
        shown = under or self.cover
        sealer = Cipher(cover.key_of(SECRET, cover.encode(shown)))
        front = cover.member(cover.encode(shown))
        layout, out = Layout(len(front), len(self.inside)), bytearray(front)
        for chunk in range(layout.chunks):
            out += layout.header(chunk)
            plain = memoryview(self.inside)[chunk * PLAIN : (chunk + 1) * PLAIN]
            room = memoryview(bytearray(len(plain) + cipher.TAG))
            sealer.encrypt(chunk, plain, room)
            out += room
        return bytes(out + layout.tail)


def covered(sent: Sent, suite: str, *cuts: Cut) -> list[Covered]:
    """Return the volumes of a delivery, encrypted to the site."""
    sealed = bytes.fromhex(json.loads(_SEALED.read_bytes())[suite])
    plain = sent.labels(*cuts)
    cutting = cover.cutting_of(SECRET, [one.end for one in plain])
    found = []
    for label in plain:
        inside = replace(label, cutting=cutting)
        data = sent.volume(inside)
        found.append(
            Covered(_cover(inside, data, (suite, sealed)), data),
        )
    return found


def _cover(label: Label, data: bytes, to: tuple[str, bytes]) -> Cover:
    front = data[: data.index(b"blobs/sha256/")]
    return Cover(
        site=label.site,
        sequence=label.sequence,
        delivery=cover.blinded(SECRET, label.dispatch),
        cutting=label.cutting,
        ordinal=label.ordinal,
        count=label.count,
        size=len(data),
        suite=to[0],
        key_id=recipient(to[0]).key_id,
        encapsulated=to[1],
        salt=cover.salt_of(SECRET, front),
    )


def encrypted(folder: Path) -> Iterator[Case]:
    """Yield encrypted deliveries, good and bad."""
    sender = Sender(folder / "encrypted", FIRST)
    sent = sender.send({"acme/m": SMALL}, FIRST)
    good = Case(
        name="",
        because="",
        volumes=(),
        root=sender.root,
        files={"acme/m": SMALL},
    )
    for suite in SUITES:
        yield replace(
            good,
            name=f"encrypted-{suite}",
            because=f"one volume encrypted to a key of {suite}",
            volumes=[one.file() for one in covered(sent, suite)],
            keys=keys(suite),
        )
    cut = Cut(sent.part_of("noise.bin"), 0)
    two = [one.file() for one in covered(sent, "x25519", cut)]
    good = replace(good, keys=keys("x25519"))
    because = "two volumes, and two keys of which the second opens them"
    both = [*keys("mlkem768-x25519"), *keys("x25519")]
    yield replace(good, name="encrypted-two", because=because, volumes=two, keys=both)
    because = "the second of two volumes came in the open"
    half = [two[0], sent.volumes(cut)[1]]
    yield replace(good, name="encrypted-half", because=because, volumes=half)
    yield replace(
        good,
        name="encrypted-elsewhere",
        because="the reader has another key",
        volumes=[one.file() for one in covered(sent, "x25519")],
        keys=keys("x25519", "plant8"),
        expect="trust",
    )
    yield from _refused(good, _spoiled(sent))
    yield from _large(folder, good)


def _large(folder: Path, good: Case) -> Iterator[Case]:
    """Yield a delivery of several chunks, and what was done to them."""
    sender = Sender(folder / "encrypted-large", FIRST)
    sent = sender.send({"acme/m": LARGE}, FIRST)
    (one,) = covered(sent, "x25519")
    good = replace(good, root=sender.root, files={"acme/m": LARGE})
    because = "two chunks, the second a short one"
    data = one.file()
    yield replace(good, name="encrypted-chunks", because=because, volumes=[data])
    layout = Layout(len(one.front), len(one.inside))
    assert layout.chunks == 2
    second, end = layout.at(1), layout.data_end
    alike = data[layout.at(0) :][: end - second]
    yield from _refused(
        good,
        {
            "chunk-flipped": ("one bit of the second chunk", flip(data, second + 9)),
            "chunks-alike": (
                "the front of the first chunk in place of the second",
                data[:second] + alike + data[end:],
            ),
        },
    )


def _refused(good: Case, spoiled: Mapping[str, tuple[str, bytes]]) -> Iterator[Case]:
    for name, (because, data) in spoiled.items():
        yield replace(
            good,
            name=f"encrypted-{name}",
            because=because,
            volumes=[data],
            expect="format",
        )


def _spoiled(sent: Sent) -> Mapping[str, tuple[str, bytes]]:
    (one,) = covered(sent, "x25519")
    data, told = one.file(), one.cover
    layout = Layout(len(one.front), len(one.inside))
    other = replace(told, count=2)
    digest = sha256(b"another delivery")
    another = replace(told, delivery=cover.blinded(SECRET, digest))
    text = cover.encode(told)
    at = data.index(text) + text.index(told.salt.encode())
    return {
        "tag-flipped": ("one bit of a tag", flip(data, layout.data_end - 1)),
        "cover-flipped": ("one bit of the salt in the cover", flip(data, at)),
        "cover-other": ("a cover of two volumes, one inside", one.file(under=other)),
        "cover-delivery": (
            "a cover of another delivery than the one inside",
            one.file(under=another),
        ),
        "cover-changed": (
            "another count in the cover, and its check right",
            cover.member(cover.encode(other)) + data[len(one.front) :],
        ),
        "header-flipped": (
            "the header of the chunks has another mode",
            flip(data, len(one.front) + 101),
        ),
        "padding-flipped": (
            "a byte behind the chunks is not zero",
            flip(data, layout.data_end),
        ),
        "end-flipped": ("a byte of the end mark is not zero", flip(data, -1)),
        "trailing-byte": ("a byte follows the end mark", data + b"\0"),
        "truncated": ("the last byte is missing", data[:-1]),
        "cut-short": ("it ends inside a chunk", data[: layout.data_end - 700]),
        "inside-flipped": (
            "one bit of a slab inside, encrypted as if it were right",
            _inside(one),
        ),
    }


def _inside(one: Covered) -> bytes:
    at = one.inside.rindex(b"ustar") - 257 + framing.RECORD + 20
    return replace(one, inside=flip(one.inside, at)).file()
