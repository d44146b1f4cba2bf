"""The face of a file: what it says of itself, without a byte of a tensor.

Headers of weights, chat templates, settings and whether it can make a program act; all
that a person compares between two versions, read from little more than the first bytes.
The same on both sides of the gap: whoever has the bytes says how to read them.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from airlift import naming
from airlift.artifact import ContentClass, Json
from airlift.errors import FormatError
from airlift.payload import gguf, gguf_facts, ollama, safetensors, settings, sniff

Read: TypeAlias = Callable[[int, int], bytes]
"""Gives the bytes of a file from a start up to a stop."""

TEXT_LIMIT: Final = 1 << 20
"""Bytes of a text that is read: templates and settings have some ten thousand."""
TOKENIZER_LIMIT: Final = 32 << 20
"""Bytes of a tokenizer that is read: those of 260,000 tokens have some 17 MB."""

_LICENCE = re.compile(
    r"(LICEN[CS]E|COPYING|NOTICE|USE_POLICY)([-_.][A-Za-z0-9._-]*)?", re.IGNORECASE
)
_LICENCE_STARTS = frozenset("LCNUlcnu")
_TEMPLATE_KEY = "tokenizer.chat_template"
GGML: Final[Mapping[int, str]] = MappingProxyType(
    {
        **dict(enumerate(("F32", "F16", "Q4_0", "Q4_1"))),
        **dict(enumerate(("Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K"), start=6)),
        **dict(enumerate(("Q4_K", "Q5_K", "Q6_K", "Q8_K"), start=12)),
        **dict(enumerate(("IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S"), start=16)),
        **dict(enumerate(("IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS"), start=20)),
        **dict(
            enumerate(("I8", "I16", "I32", "I64", "F64", "IQ1_M", "BF16"), start=24)
        ),
        34: "TQ1_0",
        35: "TQ2_0",
        39: "MXFP4",
        40: "NVFP4",
        41: "Q1_0",
    }
)
"""ggml type number to its name. Source: ``enum ggml_type`` of ggml.h."""


class Role(StrEnum):
    """What a file is for, by its name or by what its registry says of it."""

    WEIGHTS = "weights"
    SETTINGS = "settings"
    TEMPLATE = "template"
    LICENCE = "licence"
    CARD = "card"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: the name of its type, and elements along each dimension."""

    dtype: str
    shape: tuple[int, ...]


def _no_texts() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """What a file says of itself.

    Attributes:
        format: As ``sniff`` calls it.
        content_class: Whether it can make a program act.
        tensors: By name; None where it holds none that are read.
        settings: Values as compact JSON by dotted path.
        templates: Texts of chat templates by name; ``default`` where it has none.
        problem: Why it could not be read as what its name says; empty if it could.
    """

    format: str
    content_class: ContentClass
    tensors: Mapping[str, Tensor] | None = None
    settings: Mapping[str, str] = field(default_factory=_no_texts)
    templates: Mapping[str, str] = field(default_factory=_no_texts)
    problem: str = ""


def role_of(path: str, facts: Mapping[str, Json]) -> Role:
    """Return what the file at *path* is for.

    Args:
        path: Inside the artifact.
        facts: What upstream says of it: ``media-type`` names the layers of Ollama.
    """
    media_type = facts.get("media-type")
    if isinstance(media_type, str) and media_type.startswith(ollama.LAYER_TYPE):
        word = media_type.removeprefix(ollama.LAYER_TYPE)
        return _LAYERS.get(word, Role.OTHER)
    name = path.rpartition("/")[2]
    _, dot, ending = name.rpartition(".")
    # By its first letter: of 100,000 names, nearly none is worth the whole look.
    if name[:1] in _LICENCE_STARTS and _LICENCE.fullmatch(name):
        return Role.LICENCE
    return _ENDINGS.get(ending.casefold(), Role.OTHER) if dot else Role.OTHER


_LAYERS: Final = {
    **dict.fromkeys(("model", "projector", "adapter"), Role.WEIGHTS),
    **dict.fromkeys(("template", "system"), Role.TEMPLATE),
    "license": Role.LICENCE,
    "params": Role.SETTINGS,
}
_ENDINGS: Final = {
    **dict.fromkeys(("safetensors", "gguf"), Role.WEIGHTS),
    **dict.fromkeys(("jinja", "jinja2", "j2"), Role.TEMPLATE),
    **dict.fromkeys(("md", "rst", "txt", "png", "jpg", "gif"), Role.CARD),
    "json": Role.SETTINGS,
}


def is_readable(path: str, size: int | None, role: Role) -> bool:
    """Say whether ``look`` reads what a file of *role* says, or only its class."""
    if role in (Role.CARD, Role.LICENCE) or size is None:
        return False
    if role in (Role.SETTINGS, Role.TEMPLATE):
        whole = path.rsplit("/", maxsplit=1)[-1].startswith("tokenizer")
        return size <= (TOKENIZER_LIMIT if whole else TEXT_LIMIT)
    return True


def look(path: str, size: int, read: Read, role: Role) -> Face:
    """Return the face of a file.

    Args:
        path: Its path inside the artifact.
        size: Bytes of it.
        read: Gives its bytes.
        role: What ``role_of`` says of it.
    """
    head = read(0, min(size, sniff.HEAD))
    tail = b""
    if size > sniff.HEAD and role not in (Role.WEIGHTS, Role.SETTINGS):
        tail = read(size - sniff.HEAD, size)
    word, content_class = sniff.sniff(path, head, tail)
    plain = Face(format=word, content_class=content_class)
    try:
        if word == "safetensors":
            return _of_safetensors(plain, head, size, read, path)
        if word == "gguf":
            return _of_gguf(plain, size, read, path)
        if role in (Role.SETTINGS, Role.TEMPLATE):
            rest = read(len(head), size) if size > len(head) else b""
            return _of_text(plain, path, head + rest, role)
    except FormatError as error:
        return replace(plain, problem=error.problem)
    return plain


def _of_safetensors(plain: Face, head: bytes, size: int, read: Read, path: str) -> Face:
    length = safetensors.header_size(head, name=path, size=size)
    front = head[:length]
    if length > len(head):
        front += read(len(head), length)
    tensors = safetensors.read(front, name=path, size=size)
    return replace(
        plain,
        tensors={one.name: Tensor(one.dtype, one.shape) for one in tensors},
    )


def _of_gguf(plain: Face, size: int, read: Read, path: str) -> Face:
    header = gguf_facts.header(read, name=path, size=size)
    templates, told = {}, {}
    for key, value in header.metadata.items():
        if key.startswith(_TEMPLATE_KEY) and isinstance(value, str):
            name = key.removeprefix(_TEMPLATE_KEY).removeprefix(".")
            templates[name or "default"] = value
        else:
            told[key] = settings.shown(_plain(value))
    return replace(
        plain,
        tensors={
            one.name: Tensor(GGML.get(one.type, str(one.type)), one.shape)
            for one in header.tensors
        },
        settings=told,
        templates=templates,
    )


def _plain(value: gguf.Value) -> Any:
    if isinstance(value, gguf.Array):
        return f"{value.count} values of type {value.type}"
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _of_text(plain: Face, path: str, data: bytes, role: Role) -> Face:
    text = data.decode("utf-8", "replace")
    if role is Role.TEMPLATE:
        stem = path.rsplit("/", maxsplit=1)[-1].rpartition(".")[0]
        name = "default" if stem in ("", "chat_template") else stem
        return replace(plain, templates={name: text})
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        problem = f"{path} is not JSON: {naming.show(str(error))}"
        raise FormatError(problem) from None
    templates = {}
    if isinstance(value, dict) and "chat_template" in value:
        templates = _templates(value.pop("chat_template"))
    return replace(plain, settings=settings.flat(value), templates=templates)


def _templates(stated: Any) -> dict[str, str]:
    """Return the templates that a tokenizer's configuration states.

    Source: transformers, "Chat templates": one text, or a list of named ones.
    """
    if isinstance(stated, str):
        return {"default": stated}
    listed = stated if isinstance(stated, list) else []
    return {
        str(one.get("name", "default")): str(one.get("template", ""))
        for one in listed
        if isinstance(one, dict)
    }
