"""What a GGUF header says beside tensors: its templates, and what is odd about it."""

import re
from collections.abc import Iterator
from typing import Final

from airlift.payload.gguf import Header, Value
from airlift.payload.signs import Rule, Sign, sign

TEMPLATE: Final = "tokenizer.chat_template"
"""Key of the chat template; further ones follow a dot."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x9b]")
_SHELL = re.compile(
    r"\$\([^)]|\b(?:curl|wget)\b[^\n]*\|\s*(?:ba)?sh\b|<script\b|\brm -rf\b"
)
_LISTS: Final = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges")
"""Words of a vocabulary hold whatever text was there to learn from."""
_FEW: Final = 20


def templates(header: Header) -> Iterator[tuple[str, str]]:
    """Yield the chat templates by name."""
    for key, value in header.metadata.items():
        if key.startswith(TEMPLATE):
            name = key.removeprefix(TEMPLATE).removeprefix(".")
            for text in _texts(value):
                yield name or "default", text


def of(header: Header, size: int) -> Iterator[Sign]:
    """Yield the signs in a header of a file of *size* bytes."""
    # Writers fill up to the alignment behind the last tensor; more than that is
    # another file, or the end of one.
    spare = size - header.size
    alignment = header.number("general.alignment") or 32
    if header.tensors and spare >= alignment:
        yield sign(Rule.GGUF_TRAILING, f"{spare} bytes behind the last tensor")
    yield from _odd(header)


def _odd(header: Header) -> Iterator[Sign]:
    count = 0
    for key, value in header.metadata.items():
        if key.startswith((TEMPLATE, *_LISTS)) or count == _FEW:
            continue
        for text in _texts(value):
            odd = _CONTROL.search(text) or _SHELL.search(text)
            if odd or _CONTROL.search(key):
                count += 1
                shown = text[max(odd.start() - 20, 0) :][:80] if odd else ""
                yield sign(Rule.GGUF_TEXT, f"{key}: {shown}")
                break


def _texts(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _texts(one)
