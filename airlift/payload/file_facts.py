"""The facts of one file of a model: what it is, what it names, what is odd about it.

Facts depend on the bytes and on the last part of the name alone, so that they are
looked for once, however many releases name the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from airlift.artifact import ContentClass
from airlift.payload.signs import Sign

EDITION: Final = "2026-11-23"
"""The day the rules last changed; facts by older rules are looked for again."""
MOST: Final = 2**53 - 1
"""The largest number that is kept, as of records; a hostile header may claim more."""


def _none() -> Mapping[str, int]:
    return MappingProxyType({})


def _no_texts() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What a scanner of pickles made of a file.

    Attributes:
        name: Of the scanner.
        version: Of the scanner; empty where it is not installed.
        verdict: ``clean``, ``suspicious``, ``malicious``, ``unclear`` or ``absent``.
        notes: What it said, each on one line.
    """

    name: str
    version: str
    verdict: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What is known of one file.

    Attributes:
        format: As ``sniff`` calls it.
        content_class: Whether it can make a program act.
        architecture: Of a GGUF file, as llama.cpp names it; else empty.
        quantisation: Of a GGUF file, by its own word; else empty.
        tensors: How many it holds.
        parameters: Elements of tensors by the name of their type.
        templates: SHA-256 of each chat template by its name.
        auto_map: Classes that loaders would import by its word.
        pipelines: Classes that diffusers would import.
        shards: Files that tensors lie in, by its word.
        outside: Files that an ONNX model names for its tensors.
        globals: What a pickle imports, ``module.name``.
        scanned: What scanners of pickles said.
        signs: What somebody should know.
    """

    format: str
    content_class: ContentClass
    architecture: str = ""
    quantisation: str = ""
    tensors: int = 0
    parameters: Mapping[str, int] = field(default_factory=_none)
    templates: Mapping[str, str] = field(default_factory=_no_texts)
    auto_map: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()
    shards: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    globals: tuple[str, ...] = ()
    scanned: tuple[Scanned, ...] = ()
    signs: tuple[Sign, ...] = ()
