"""New versions of a model, as publishers make them: what an update has to carry.

Every update is a function from tensors to the files of the next version. Weights move in
fp32, before they are rounded to the element type they travel in, as in training. "sigma"
is the standard deviation of each weight's move, in standard deviations of its tensor.
The same tensors give the same bytes, always: noise is seeded by the tensor's name.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpus import METADATA, rounded
from weights import Array, Tensors, same, write_safetensors

Change = Callable[[str, Array], Array]
"""From a tensor's name and its values in fp32 to the next version's values."""

ROUND: Mapping[str, Callable[[Array], Array]] = {"bf16": rounded, "fp32": same}
"""From fp32 to the element types that updates are measured in."""

VOCABULARY = ("word_embeddings.weight", "decoder/embeddings/weight")
NEW_ROWS = 64
LORA_RANK = 8
LORA_SIGMA = 1e-2


@dataclass(frozen=True, kw_only=True)
class Update:
    """One way in which a model changes.

    Attributes:
        name: As tables and folders say it.
        title: What happened to the model, for people.
        dtype: What it travels in, a key of `ROUND`.
        files: From the old version's tensors in fp32 to the new version's files.
        metadata: The free texts of the new files' headers.
    """

    name: str
    title: str
    dtype: str = "bf16"
    files: Callable[[Tensors], dict[str, Tensors]]
    metadata: Mapping[str, str]


# --- how tensors change ---------------------------------------------------------------


def moved(sigma: float) -> Change:
    """Return a change that moves every weight by Gaussian noise."""

    def change(name: str, array: Array) -> Array:
        noise = _random(name).standard_normal(array.shape, np.float32)
        after: Array = array + noise * np.float32(sigma * array.std())
        return after

    return change


def grown(name: str, array: Array) -> Array:
    """Return *array* with new rows if it embeds a vocabulary."""
    if not name.endswith(VOCABULARY):
        return array
    rows = _random(name).standard_normal((NEW_ROWS, array.shape[1]), np.float32)
    return np.concatenate([array, rows * array.std()])


def merged(name: str, array: Array) -> Array:
    """Return *array* with a low-rank product in the rows that make queries and values."""
    if not name.endswith("weight") or array.ndim != 2:
        return array
    if name.endswith(("query.weight", "value.weight")) or "attention/linear_0" in name:
        fused = array.shape[0] == 3 * array.shape[1]  # queries, keys and values in one
        parts = np.array_split(array, 3 if fused else 1)
        parts[0] = parts[0] + _low_rank(name + "/0", parts[0])
        if fused:
            parts[2] = parts[2] + _low_rank(name + "/2", parts[2])
        return np.concatenate(parts)
    return array


def _low_rank(name: str, array: Array) -> Array:
    random = _random(name)
    rows, columns = array.shape
    left = random.standard_normal((rows, LORA_RANK), np.float32)
    product = left @ random.standard_normal((LORA_RANK, columns), np.float32)
    return product * np.float32(LORA_SIGMA * array.std() / product.std())


def _random(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


# --- how files change -----------------------------------------------------------------


def whole(tensors: Tensors) -> dict[str, Tensors]:
    """Return one file of all tensors."""
    return {"model.safetensors": tensors}


def sharded(tensors: Tensors) -> dict[str, Tensors]:
    """Return three shards of about one size, their tensors from last to first."""
    total = sum(array.size for array in tensors.values())
    shards: list[Tensors] = [{}, {}, {}]
    done = 0
    for name, array in reversed(tensors.items()):
        shards[min(2, 3 * done // total)][name] = array
        done += array.size
    return {
        f"model-{number:05d}-of-00003.safetensors": shard
        for number, shard in enumerate(shards, 1)
    }


def each(change: Change) -> Callable[[Tensors], dict[str, Tensors]]:
    """Return an update in one file that applies *change* to every tensor."""
    return lambda tensors: whole(
        {name: change(name, array) for name, array in tensors.items()}
    )


def tail(change: Change) -> Callable[[Tensors], dict[str, Tensors]]:
    """Return an update that applies *change* to each model's last fifth of tensors."""

    def files(tensors: Tensors) -> dict[str, Tensors]:
        models: dict[str, list[str]] = {}
        for name in tensors:
            models.setdefault(name.split(".")[0], []).append(name)
        late = {name for names in models.values() for name in names[-len(names) // 5 :]}
        return whole(
            {
                name: change(name, array) if name in late else array
                for name, array in tensors.items()
            }
        )

    return files


def _all() -> Iterator[Update]:
    edited = {**METADATA, "description": "the same weights, described"}
    yield Update(name="metadata", title="metadata edit", files=whole, metadata=edited)
    for name, title, files in (
        ("reshard", "re-sharded, re-ordered", sharded),
        ("vocabulary", f"vocabulary +{NEW_ROWS} rows", each(grown)),
        ("tail", "last 20 % of layers, sigma 1e-2", tail(moved(1e-2))),
        ("lora", f"LoRA r{LORA_RANK} merged into q, v", each(merged)),
    ):
        yield Update(name=name, title=title, files=files, metadata=METADATA)
    for sigma in ("1e-4", "1e-3", "1e-2", "1e-1"):
        yield Update(
            name=f"sigma-{sigma}",
            title=f"all weights, sigma {sigma}",
            files=each(moved(float(sigma))),
            metadata=METADATA,
        )
    yield Update(
        name="fp32-sigma-1e-3",
        title="fp32, all weights, sigma 1e-3",
        dtype="fp32",
        files=each(moved(1e-3)),
        metadata=METADATA,
    )


UPDATES = tuple(_all())
"""Every update, in the order of the tables."""


def write_old(dtype: str, tensors: Tensors, folder: Path) -> list[Path]:
    """Write the version that every update of *dtype* begins from; return its files.

    Args:
        dtype: A key of `ROUND`.
        tensors: In fp32, none of them empty.
        folder: Made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.safetensors"
    write_safetensors(path, tensors, convert=ROUND[dtype], metadata=METADATA)
    return [path]


def write_new(update: Update, tensors: Tensors, folder: Path) -> list[Path]:
    """Write what *update* makes of *tensors* into *folder*; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    convert, paths = ROUND[update.dtype], []
    for name, part in update.files(tensors).items():
        paths.append(folder / name)
        write_safetensors(paths[-1], part, convert=convert, metadata=update.metadata)
    return paths
