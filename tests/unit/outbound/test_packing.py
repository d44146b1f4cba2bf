"""Packing: which blobs are coded, and where their slabs are cut."""

import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from airlift.artifact import ReleaseFile
from airlift.digest import sha256
from airlift.format import block
from airlift.format.head import Codec
from airlift.outbound.packing import Packed, Packer
from airlift.progress import Silent
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
    size = sum(part.size for part in blob.parts)
    return made, b"".join(packer.read(blob, 0, size))


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
