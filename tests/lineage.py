"""Versions of a small model, and what a recipe carries of one and gives back."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from airlift.artifact import Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.format import block, head
from airlift.format.difference import difference, restore
from airlift.format.head import Codec, Op, PartHead, Slab
from airlift.outbound.recipe import Cut, Recipe
from updates import UPDATES, write_new, write_old
from weights import Tensors

HIDDEN = 256
LAYERS = 5
UPDATE = {one.name: one for one in UPDATES}


def tensors(seed: int = 1) -> Tensors:
    """Return a model of 3.4 million parameters in fp32, each tensor by its own noise."""
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"word_embeddings.weight": (2000, HIDDEN)}
    for layer in range(LAYERS):
        front = f"layers.{layer:02}"
        for name in ("query", "key", "value", "output"):
            shapes[f"{front}.{name}.weight"] = (HIDDEN, HIDDEN)
            shapes[f"{front}.{name}.bias"] = (HIDDEN,)
        shapes[f"{front}.up.weight"] = (2 * HIDDEN, HIDDEN)
        shapes[f"{front}.down.weight"] = (HIDDEN, 2 * HIDDEN)
    return {
        name: random.normal(0, 0.02 + 0.001 * number, shape).astype(np.float32)
        for number, (name, shape) in enumerate(shapes.items())
    }


def old_version(folder: Path, dtype: str = "bf16") -> dict[str, bytes]:
    """Return the files of the version that updates begin from, by their names."""
    return _read(write_old(dtype, tensors(), folder / "old"))


def new_version(name: str, folder: Path) -> dict[str, bytes]:
    """Return the files of the version after the update *name*."""
    return _read(write_new(UPDATE[name], tensors(), folder / name))


def _read(paths: list[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def release(
    name: str, files: Mapping[str, bytes], *, base_models: tuple[str, ...] = ()
) -> Release:
    """Return a release of *files*; their formats go by their endings."""
    listed = (
        ReleaseFile(
            path=path,
            size=len(data),
            sha256=sha256(data),
            format=path.rpartition(".")[2],
        )
        for path, data in sorted(files.items())
    )
    return Release(
        kind=Kind.MODEL,
        name=name,
        revision=sha256(name.encode())[:40],
        counter=1,
        files=tuple(listed),
        base_models=base_models,
    )


def _slab(cut: Cut, new: bytes, blobs: Mapping[Sha256, bytes]) -> memoryview:
    raw = memoryview(new)[cut.start : cut.start + cut.length]
    if cut.base is None:
        return raw
    base = memoryview(blobs[cut.base])[cut.offset : cut.offset + cut.length]
    return difference(raw, base, cut.width)


def carried(recipe: Recipe, new: bytes, blobs: Mapping[Sha256, bytes]) -> int:
    """Return the bytes of heads and stored slabs by which *new* travels."""
    total = 0
    for part in recipe.portions():
        stored = [len(block.encode_slab(_slab(cut, new, blobs))) for cut in part.cuts]
        slabs = tuple(
            Slab(size, cut.length, bytes(32))
            for size, cut in zip(stored, part.cuts, strict=True)
        )
        table = PartHead(Codec.BLOCKS, slabs, part.bases, part.pieces)
        total += len(head.encode(table)) + sum(stored)
    return total


def given_back(recipe: Recipe, new: bytes, blobs: Mapping[Sha256, bytes]) -> bytes:
    """Return what the far side makes of the pieces of *recipe*."""
    made, at = bytearray(), 0
    for piece in recipe.pieces:
        ours = memoryview(new)[at : at + piece.length]
        at += piece.length
        if piece.op is Op.LITERAL:
            made += ours
            continue
        base = memoryview(blobs[recipe.bases[piece.base]])
        theirs = base[piece.offset : piece.offset + piece.length]
        if piece.op is Op.REFERENCE:
            made += theirs
            continue
        out = bytearray(piece.length)
        step = difference(ours, theirs, piece.width)
        restore(step, theirs, memoryview(out), piece.width)
        made += out
    return bytes(made)
