"""What runtimes are told of a GGUF model beside its bytes, taken from its header."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite, prod
from types import MappingProxyType
from typing import Final, TypeAlias

from airlift.errors import FormatError
from airlift.payload import gguf
from airlift.payload.gguf import Header

Read: TypeAlias = Callable[[int, int], bytes]
"""Gives the bytes of a file from a start up to a stop, or fewer."""

FIRST_LOOK: Final = 1 << 20
"""Bytes; holds all but the vocabulary of most headers."""

_GUESSED = 1024  # a flag of llama.cpp's that says the type was reckoned, not stated

FILE_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "F32",
        1: "F16",
        2: "Q4_0",
        3: "Q4_1",
        7: "Q8_0",
        8: "Q5_0",
        9: "Q5_1",
        10: "Q2_K",
        11: "Q3_K_S",
        12: "Q3_K_M",
        13: "Q3_K_L",
        14: "Q4_K_S",
        15: "Q4_K_M",
        16: "Q5_K_S",
        17: "Q5_K_M",
        18: "Q6_K",
        19: "IQ2_XXS",
        20: "IQ2_XS",
        21: "Q2_K_S",
        22: "IQ3_XS",
        23: "IQ3_XXS",
        24: "IQ1_S",
        25: "IQ4_NL",
        26: "IQ3_S",
        27: "IQ3_M",
        28: "IQ2_S",
        29: "IQ2_M",
        30: "IQ4_XS",
        31: "IQ1_M",
        32: "BF16",
        36: "TQ1_0",
        37: "TQ2_0",
        38: "MXFP4_MOE",
        39: "NVFP4",
        40: "Q1_0",
    }
)
"""``general.file_type`` to the name of the quantisation.

Source: ``enum llama_ftype`` of llama.h.
"""

# GGUF's names for recommended sampling, and Ollama's names for the same settings.
_SAMPLING = (
    ("temp", "temperature"),
    ("top_k", "top_k"),
    ("top_p", "top_p"),
    ("min_p", "min_p"),
    ("penalty_last_n", "repeat_last_n"),
    ("penalty_repeat", "repeat_penalty"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a header says of its model.

    Attributes:
        kind: ``model``, ``adapter``, ``mmproj``...; ``model`` where nothing is said.
        architecture: As llama.cpp names it.
        parameters: Elements of all tensors.
        file_type: Name of the quantisation, ``unknown`` where the number is new.
        sampling: Recommended settings under Ollama's names.
        licence: The licence as the header states it, a line each for name and link;
            empty if it states none.
    """

    kind: str
    architecture: str
    parameters: int
    file_type: str
    sampling: Mapping[str, int | float]
    licence: str


def of(header: Header) -> Facts:
    """Return what *header* says."""
    number = header.number("general.file_type")
    known = "unknown" if number is None else FILE_TYPES.get(number & ~_GUESSED)
    licence = (
        header.text("general.license.name") or header.text("general.license"),
        header.text("general.license.link"),
    )
    return Facts(
        kind=header.text("general.type") or "model",
        architecture=header.text("general.architecture"),
        parameters=sum(prod(tensor.shape) for tensor in header.tensors),
        file_type=known or "unknown",
        sampling=_sampling(header),
        licence="\n".join(part for part in licence if part),
    )


def _sampling(header: Header) -> Mapping[str, int | float]:
    found: dict[str, int | float] = {}
    for theirs, ours in _SAMPLING:
        value = header.metadata.get(f"general.sampling.{theirs}")
        if isinstance(value, float) and isfinite(value):
            # 32 bits: six digits are what whoever wrote `0.7` meant by it.
            found[ours] = float(f"{value:.6g}")
        elif isinstance(value, int) and not isinstance(value, bool):
            found[ours] = value
    return MappingProxyType(found)


def header(read: Read, *, name: str, size: int) -> Header:
    """Return the header of a file, reading little more of it than that.

    Args:
        read: Gives the file's bytes.
        name: What to call the file in an error.
        size: Bytes of the whole file.

    Raises:
        FormatError: It is no sound GGUF file.
    """
    prefix, wanted = b"", min(FIRST_LOOK, size)
    while True:
        while len(prefix) < wanted:
            piece = read(len(prefix), wanted)
            if not piece:
                problem = f"{name} ended at byte {len(prefix)} of {size}"
                raise FormatError(problem, hint="the file is cut short")
            prefix += piece
        try:
            return gguf.read(prefix, name=name, size=size)
        except gguf.ShortError as short:
            # Twice as much each time: a header of 32 MB takes six looks.
            wanted = min(max(short.needed, 2 * wanted), size)
