"""The models in a repository of GGUF files, and which of them a tag means.

One repository holds one model many times, in as many quantisations, some of them in
shards. Clients name a quantisation, a file, or nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from airlift.artifact import ReleaseFile
from airlift.payload import gguf_names
from airlift.payload.gguf_names import GgufName, Role

LATEST: Final = "latest"
"""What clients ask for who name no quantisation."""

_USUAL = ("Q4_K_M", "Q8_0")
"""What llama.cpp and the hub take where none is named, the best first."""
_PROJECTORS = ("F16", "BF16", "F32")
"""Precisions of a projector, the best first: F16 is what every backend computes in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufModel:
    """One quantisation of one model.

    Attributes:
        name: What the file names say of it.
        files: Its shards in order, or its one file.
    """

    name: GgufName
    files: tuple[ReleaseFile, ...]

    @property
    def first(self) -> ReleaseFile:
        """The file that holds the metadata."""
        return self.files[0]

    @property
    def complete(self) -> bool:
        """Whether every shard that the names speak of is there."""
        return len(self.files) == self.name.shards


def models(files: Iterable[ReleaseFile]) -> tuple[GgufModel, ...]:
    """Return the models among *files*, sorted by the path of their first file."""
    found: dict[tuple[str, str, int], dict[int, tuple[GgufName, ReleaseFile]]] = {}
    for file in files:
        name = gguf_names.read(file.path)
        if name is not None and name.role is Role.MODEL:
            key = (name.folder, name.stem, name.shards)
            found.setdefault(key, {})[name.shard] = (name, file)
    made = [
        GgufModel(
            name=shards[min(shards)][0],
            files=tuple(shards[number][1] for number in sorted(shards)),
        )
        for shards in found.values()
    ]
    return tuple(sorted(made, key=lambda one: one.first.path))


def choose(models: Sequence[GgufModel], tag: str) -> tuple[GgufModel, ...]:
    """Return the models that *tag* means: none, one, or several that fit as well.

    A tag is a quantisation or a file's name, with or without ``.gguf``, in any case;
    ``latest`` is Q4_K_M, else Q8_0, else the first.
    """
    wanted = tag.casefold()
    if wanted == LATEST:
        for quant in _USUAL:
            if found := _of_quant(models, quant):
                return found
        return tuple(models[:1])
    # `UD-` marks a publisher's own recipe for a quantisation of the same name.
    return (
        _of_quant(models, tag)
        or _of_quant(models, f"UD-{tag}")
        or tuple(one for one in models if wanted in _names(one))
    )


def tags(models: Sequence[GgufModel]) -> tuple[str, ...]:
    """Return a tag for each model that has an unambiguous one, and ``latest``."""
    made = {one.name.quant or one.name.stem for one in models}
    single = {tag for tag in made if len(choose(models, tag)) == 1}
    if len(choose(models, LATEST)) == 1:
        single.add(LATEST)
    return tuple(sorted(single))


def projector(files: Iterable[ReleaseFile], model: GgufModel) -> ReleaseFile | None:
    """Return the projector to load beside *model*, or None where there is none.

    Of several, one in the model's folder, in the precision that suits most backends.
    """

    def rank(one: tuple[GgufName, ReleaseFile]) -> tuple[bool, int, str]:
        name, file = one
        order = [*_PROJECTORS, name.quant]
        precision = order.index(name.quant.replace("FP", "F", 1))
        return name.folder != model.name.folder, precision, file.path

    found = [
        (name, file)
        for file in files
        if (name := gguf_names.read(file.path)) and name.role is Role.PROJECTOR
    ]
    return min(found, key=rank)[1] if found else None


def _of_quant(models: Sequence[GgufModel], quant: str) -> tuple[GgufModel, ...]:
    return tuple(one for one in models if one.name.quant == quant.upper())


def _names(model: GgufModel) -> set[str]:
    file = PurePosixPath(model.first.path)
    return {one.casefold() for one in (file.name, file.stem, model.name.stem)}
