"""Covers of encrypted volumes: one form, and nothing in it that tells what is inside."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.digest import Sha256, sha256
from airlift.errors import FormatError
from airlift.format import canonical, cipher, cover, framing
from airlift.format.cipher import CHUNK, PLAIN, TAG, Cipher, Layout
from airlift.format.cover import Cover
from airlift.format.volume import Cut, Label

SECRET = bytes(range(32))
DISPATCH = Sha256("ab" * 32)
COVER = Cover(
    site="plant7",
    sequence=7,
    delivery=cover.blinded(SECRET, DISPATCH),
    cutting=cover.cutting_of(SECRET, [Cut(1, 0), Cut(2, 3)]),
    ordinal=1,
    count=2,
    size=70_000,
    suite="x25519",
    key_id=Sha256("cd" * 32),
    encapsulated=bytes(80),
    salt=cover.salt_of(SECRET, b"all that precedes the slabs"),
)
LABEL = Label(
    site="plant7",
    sequence=7,
    dispatch=DISPATCH,
    cutting=COVER.cutting,
    ordinal=1,
    count=2,
    first=Cut(0, 0),
    end=Cut(1, 0),
)


def test_keyed_digests_are_as_the_format_states_them() -> None:
    """Fixed numbers: another airlift, or another program, must derive the same."""
    assert COVER.delivery == (
        "de4224349683fd038c17ad654b861de8e0ad63a291a596d9296b3ebba8df4cf8"
    )
    assert COVER.cutting == "3a0562ce3d66a768"
    assert COVER.salt == (
        "cabca5574b31cc222217d837b990dd296661ff872fb9541d74277733e4fc6446"
    )
    assert cover.key_of(SECRET, b"cover").hex() == (
        "acc189e2513a92c56a5a1f5ccd7d836f69ee7f26d295c379b88237fad30ddffd"
    )


def test_a_cover_has_one_form() -> None:
    """What is read is what would be written, to the byte."""
    data = cover.encode(COVER)
    assert cover.decode(data, name="x") == COVER
    with pytest.raises(FormatError):
        cover.decode(data + b"\n", name="x")


@pytest.mark.parametrize(
    "change",
    [
        {"ordinal": 3},
        {"count": 100_000},
        {"size": 1 << 44},
        {"size": 0},
        {"site": "no site"},
        {"check": "0" * 64},
        {"encapsulated": "zz"},
        {"extra": 1},
        {"format": "airlift/encrypted/2"},
    ],
    ids=str,
)
def test_a_cover_out_of_form_is_refused(change: dict[str, object]) -> None:
    """Sizes and numbers of a stranger's file decide how much is read, and as what."""
    stated = json.loads(cover.encode(COVER)) | change
    if "check" not in change:
        stated.pop("check")
        stated["check"] = sha256(canonical.encode(stated))
    with pytest.raises(FormatError):
        cover.decode(canonical.encode(stated), name="x")


def test_a_cover_covers_one_label_alone() -> None:
    """A cover that says other numbers than the volume inside would be counted wrong."""
    assert COVER.covers(LABEL, SECRET)
    for other in (
        replace(LABEL, ordinal=2),
        replace(LABEL, count=3),
        replace(LABEL, sequence=8),
        replace(LABEL, site="plant8"),
        replace(LABEL, cutting="0" * 16),
        replace(LABEL, dispatch=Sha256("0" * 64)),
    ):
        assert not COVER.covers(other, SECRET)
    assert not COVER.covers(LABEL, bytes(32))


@given(st.integers(1, 5_000_000), st.integers(1, 200))
def test_chunks_and_framing_fill_the_file_to_the_byte(size: int, head: int) -> None:
    """Whoever reads and whoever writes must agree where each byte lies."""
    layout = Layout(head * framing.RECORD, size)
    at, held = layout.head, 0
    for chunk in range(layout.chunks):
        at += len(layout.header(chunk))
        assert layout.at(chunk) == at
        at += layout.stored(chunk)
        held += layout.stored(chunk) - TAG
    assert held == size
    assert layout.data_end == at
    assert layout.total == at + len(layout.tail)
    assert layout.total % framing.RECORD == 0
    assert layout.stored(layout.chunks - 1) > TAG


@given(st.integers(0, 1 << 42), st.integers(1, 20))
def test_what_room_promises_fits_and_no_more_would(capacity: int, head: int) -> None:
    """One byte too many, and a medium refuses the last volume of a day's work."""
    size = cipher.room(head * framing.RECORD, capacity)
    if size:
        assert Layout(head * framing.RECORD, size).total <= capacity
    assert Layout(head * framing.RECORD, size + 1).total > capacity


def test_a_chunk_opens_in_its_place_with_its_key_alone() -> None:
    """Moved, cut, flipped or under another key: nothing comes out."""
    one, plain = Cipher(SECRET), memoryview(b"some bytes")
    stored = memoryview(bytearray(100))
    length = one.encrypt(3, plain, stored)
    assert length == 26
    sealed = bytes(stored[:length])
    out = memoryview(bytearray(10))
    assert one.decrypt(3, sealed, out)
    assert bytes(out) == b"some bytes"
    assert not one.decrypt(4, sealed, out)
    assert not Cipher(bytes(32)).decrypt(3, sealed, out)
    for at in range(length):
        flipped = bytearray(sealed)
        flipped[at] ^= 1
        assert not one.decrypt(3, bytes(flipped), out)
    assert not one.decrypt(3, sealed[1:], out[1:])
    assert (PLAIN, CHUNK) == (65_520, 65_536)
