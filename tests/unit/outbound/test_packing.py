"""Packing: which blobs are coded, and where their slabs are cut."""

import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from airlift.artifact import ReleaseFile
from airlift.digest import sha256
from airlift.errors import StoreError
from airlift.format import block, difference, volume
from airlift.format.head import Codec, Op, Piece
from airlift.format.packing import PackedBlob
from airlift.outbound import recipe
from airlift.outbound.packing import Packed, Packer
from airlift.outbound.recipe import Recipe
from airlift.outbound.slabs import CODED
from airlift.outbound.spool import Spool
from airlift.progress import Silent
from airlift.store import direct
from airlift.store.blobs import BlobStore

NUMBERS = np.random.default_rng(3).normal(0, 0.02, 2_500_000).astype("<f2").tobytes()


def safetensors(body: bytes, pad: int) -> bytes:
    """Return *body* as one tensor behind a header whose length is *pad* modulo 8."""
    entry = {"w": {"dtype": "F16", "shape": [1], "data_offsets": [0, len(body)]}}
    header = json.dumps(entry).encode()
    header += b" " * ((pad - len(header)) % 8)
    return struct.pack("<Q", len(header)) + header + body


def packed(folder: Path, content: bytes, kind: str) -> tuple[Packed, bytes]:
    """Pack *content* as a file of format *kind*; return that and its stored bytes."""
    store = BlobStore(folder / "store")
    store.add([content], expect=sha256(content))
    packer = Packer(store, folder / "spool")
    file = ReleaseFile(path="f", size=len(content), sha256=sha256(content), format=kind)
    made = packer.pack([file], Silent())
    (blob,) = made.listing.blobs
    return made, stored_bytes(packer, made, blob)


def stored_bytes(packer: Packer, made: Packed, blob: PackedBlob) -> bytes:
    """Return the stored bytes of *blob*, the only one of *made*."""
    slabs = [
        slab
        for part, table in zip(blob.parts, made.heads, strict=True)
        for slab in volume.slabs_of(part, table)
    ]
    opened, view, found = packer.open(blob, made.heads), direct.buffer(CODED), b""
    for number, slab in enumerate(slabs):
        opened.into(view, number, slab.stored)
        found += view[: slab.stored]
    opened.close()
    return found


@pytest.mark.parametrize("pad", range(8))
def test_numbers_are_coded_whole_wherever_they_begin(tmp_path: Path, pad: int) -> None:
    """Cut through their middle, weights look like noise and travel in full."""
    content = safetensors(NUMBERS, pad)
    made, stored = packed(tmp_path, content, "safetensors")
    (table,) = made.heads
    assert table is not None
    assert table.codec is Codec.BLOCKS
    lead = [pad] if pad else []
    assert [slab.raw for slab in table.slabs][: len(lead) + 1] == [*lead, 4 << 20]
    assert len(stored) < 0.87 * len(content)
    at, raw = 0, b""
    for slab in table.slabs:
        raw += block.decode_slab(memoryview(stored)[at : at + slab.stored], slab.raw)
        at += slab.stored
    assert raw == content


@pytest.mark.parametrize("left", [0, 4096, 2_000_000])
def test_slabs_that_a_power_cut_took_are_packed_again(
    tmp_path: Path, left: int
) -> None:
    """They are not synced: what counts as packed must be there in full length."""
    content = safetensors(NUMBERS, 0)
    made, stored = packed(tmp_path, content, "safetensors")
    (coded,) = (tmp_path / "spool").glob("*.coded")
    with coded.open("r+b") as file:
        file.truncate(left)
    assert packed(tmp_path, content, "safetensors") == (made, stored)


def test_only_what_memory_has_room_for_stays_in_the_page_cache(tmp_path: Path) -> None:
    """A model larger than memory must not push out all else on its way through."""
    spool = Spool(tmp_path, memory=10)
    begun = [spool.begin(name, size) for name, size in (("a", 6), ("b", 6), ("c", 4))]
    for one in begun:
        one.close()
    assert [one.cached for one in begun] == [True, False, True]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (random.Random(4).randbytes(6 << 20), "safetensors"),
        (b"text that shrinks " * 400_000, "text"),
        (NUMBERS[: 1 << 20], "safetensors"),
    ],
    ids=["noise", "text", "small"],
)
def test_what_is_not_worth_coding_travels_as_it_is(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    """A scan station can then open it; decoding noise would cost time for nothing."""
    made, stored = packed(tmp_path, content, kind)
    assert stored == content
    assert {table.codec for table in made.heads if table} <= {Codec.RAW}


def recipe_of(base: bytes) -> Recipe:
    """Return a recipe of pieces of every kind, each of a slab and a bit more."""
    of_base = sha256(base)
    long = (4 << 20) + 8192
    return recipe.of(
        [of_base],
        [
            (Piece(Op.REFERENCE, 0, 0, 1000, 24), of_base),
            (Piece(Op.LITERAL, 0, 0, long, 0), None),
            (Piece(Op.DIFFERENCE, 2, 0, long, 4096), of_base),
            (Piece(Op.REFERENCE, 0, 0, 70_001, 3), of_base),
        ],
    )


def made_of(base: bytes, made: Packed, stored: bytes) -> bytes:
    """Return the blob that the heads and stored slabs of *made* give."""
    decoded, at = b"", 0
    for table in made.heads:
        assert table is not None
        for slab in table.slabs:
            one = memoryview(stored)[at : at + slab.stored]
            decoded += block.decode_slab(one, slab.raw)
            at += slab.stored
    found, at = b"", 0
    for piece in (one for table in made.heads if table for one in table.pieces):
        there = base[piece.offset : piece.offset + piece.length]
        if piece.op is Op.REFERENCE:
            found += there
            continue
        some = decoded[at : at + piece.length]
        at += piece.length
        if piece.op is Op.DIFFERENCE:
            out = bytearray(some)
            difference.restore(some, there, out, piece.width)
            some = bytes(out)
        found += some
    return found


def test_a_blob_is_packed_by_its_recipe(tmp_path: Path) -> None:
    """Only what the far side lacks travels, and it gives the blob again."""
    long = (4 << 20) + 8192
    moved = np.frombuffer(NUMBERS[4096 : 4096 + long], "<u2") + np.uint16(1)
    front = NUMBERS[24:1024] + NUMBERS[-long:]
    content = front + moved.tobytes() + NUMBERS[3:70_004]
    store = BlobStore(tmp_path / "store")
    for one in (NUMBERS, content):
        store.add([one], expect=sha256(one))
    packer = Packer(store, tmp_path / "spool")
    file = ReleaseFile(
        path="f", size=len(content), sha256=sha256(content), format="safetensors"
    )
    recipes = {file.sha256: recipe_of(NUMBERS)}
    made = packer.pack([file], Silent(), recipes)
    (blob,) = made.listing.blobs
    stored = stored_bytes(packer, made, blob)
    assert made_of(NUMBERS, made, stored) == content
    assert [one and one.bases for one in made.heads] == [(sha256(NUMBERS),)]
    assert packer.pack([file], Silent(), recipes) == made
    # The same blob without a recipe is another packing.
    whole = packer.pack([file], Silent())
    assert [one and one.bases for one in whole.heads] == [()]


def test_rot_is_found_where_a_recipe_takes_no_bytes(tmp_path: Path) -> None:
    """The far side makes the whole blob: what is wrong here would be refused there."""
    store = BlobStore(tmp_path / "store")
    content = NUMBERS[24:1024] + NUMBERS[: 4 << 20]
    for one in (NUMBERS, content):
        store.add([one], expect=sha256(one))
    span = store.span(sha256(content))
    assert span is not None
    span.path.chmod(0o600)
    with span.path.open("r+b") as stream:
        stream.write(b"rot")
    of_base = sha256(NUMBERS)
    runs = [
        (Piece(Op.REFERENCE, 0, 0, 1000, 24), of_base),
        (Piece(Op.LITERAL, 0, 0, 4 << 20, 0), None),
    ]
    file = ReleaseFile(
        path="f", size=len(content), sha256=sha256(content), format="safetensors"
    )
    found = sha256(b"rot" + content[3:])
    with pytest.raises(StoreError) as caught:
        Packer(store, tmp_path / "spool").pack(
            [file], Silent(), {file.sha256: recipe.of([of_base], runs)}
        )
    assert str(caught.value) == (
        f"f: the store's bytes hash to {found}, expected {file.sha256}"
    )
    assert not list((tmp_path / "spool").glob("*.coded"))


def test_small_files_are_looked_at_too(tmp_path: Path) -> None:
    """Many are read at once; one of them that rotted or went must still be named."""
    store = BlobStore(tmp_path / "store")
    contents = [b"%d" % number * 100 for number in range(300)]
    store.add_small((sha256(one), one) for one in contents)
    files = [
        ReleaseFile(path=f"f{n}", size=len(one), sha256=sha256(one), format="text")
        for n, one in enumerate(contents)
    ]
    packer = Packer(store, tmp_path / "spool")
    made = packer.pack(files, Silent())
    assert [blob.sha256 for blob in made.listing.blobs] == [
        file.sha256 for file in files
    ]
    assert made.heads == (None,) * 300
    assert (
        stored_bytes(packer, packer.pack(files[7:8], Silent()), made.listing.blobs[7])
        == contents[7]
    )
    span = store.span(files[7].sha256)
    assert span is not None
    span.path.chmod(0o600)
    with span.path.open("r+b") as stream:
        stream.seek(span.offset)
        stream.write(b"rot")
    found = sha256(b"rot" + contents[7][3:])
    with pytest.raises(StoreError) as caught:
        packer.pack(files, Silent())
    assert str(caught.value) == (
        f"f7: the store's bytes hash to {found}, expected {files[7].sha256}"
    )
    gone = ReleaseFile(path="gone", size=4, sha256=sha256(b"gone"), format="text")
    with pytest.raises(StoreError) as caught:
        packer.pack([gone], Silent())
    assert str(caught.value) == f"gone: blob {gone.sha256} is not in the store"
