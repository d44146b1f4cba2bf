"""What the name of a GGUF file says: quantisation, shard, and part in its repository.

Names are read as llama.cpp reads them: the quantisation is the last part of the name
before the shard number, ``mmproj`` begins or is in the name of a projector.
"""

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

_SHARD = re.compile(r"-(\d{5})-of-(\d{5})$", re.ASCII)
_QUANT = re.compile(
    r"(?:^|[-._])((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]+)*|TQ\d_\d|BF16|F16|FP16|F32|FP32"
    r"|(?:MX|NV)FP4(?:_[A-Z0-9]+)*))$",
    re.ASCII | re.IGNORECASE,
)
_ASIDE = re.compile(
    r"(?:^|[-._])(mmproj|imatrix)(?:[-._]|$)|^(mtp|eagle3)[-._]",
    re.ASCII | re.IGNORECASE,
)


class Role(Enum):
    """What a GGUF file is for, by its name."""

    MODEL = "model"
    PROJECTOR = "projector"
    """Turns images or sound into what the model beside it understands."""
    ASIDE = "aside"
    """Runs nothing alone: importance matrices, draft heads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufName:
    """A name, taken apart.

    Attributes:
        folder: Path of the folder, ``.`` for the root.
        stem: File name without ``.gguf`` and shard number.
        base: *stem* without its quantisation.
        quant: Upper case; empty where the name has none.
        shard: 1 and up.
        shards: How many the name says there are; 1 for a whole file.
        role: What the file is for.
    """

    folder: str
    stem: str
    base: str
    quant: str
    shard: int
    shards: int
    role: Role


def read(path: str) -> GgufName | None:
    """Return what the name at the end of *path* says, or None if it is no GGUF's."""
    place = PurePosixPath(path)
    if place.suffix.casefold() != ".gguf":
        return None
    split = _SHARD.search(place.stem)
    stem = place.stem[: split.start()] if split else place.stem
    quant = _QUANT.search(stem)
    return GgufName(
        folder=str(place.parent),
        stem=stem,
        base=stem[: quant.start()] if quant else stem,
        quant=quant[1].upper() if quant else "",
        shard=int(split[1]) if split else 1,
        shards=int(split[2]) if split else 1,
        role=_role(stem),
    )


def _role(stem: str) -> Role:
    found = _ASIDE.search(stem)
    if found is None:
        return Role.MODEL
    projects = found[1] is not None and found[1].casefold() == "mmproj"
    return Role.PROJECTOR if projects else Role.ASIDE
