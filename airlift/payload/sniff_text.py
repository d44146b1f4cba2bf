"""What a text file can make a program do: code, templates, JSON that names code."""

import json
import re
from typing import Final

from airlift.artifact import ContentClass

Finding = tuple[str, ContentClass]

_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_TEMPLATES: Final = (".jinja", ".jinja2", ".j2")
_TOLD = re.compile(rb"auto_map|custom_pipelines|chat_template|\\")
"""What JSON that names code or templates has in it: the words, or escapes."""
_NAMES_CODE = re.compile(rb'"(auto_map|custom_pipelines)"\s*:\s*[{\["]')
_NAMES_TEMPLATE = re.compile(rb'"chat_template"\s*:\s*[{\["]')
_YAML_OBJECT = re.compile(rb"!!python/|tag:yaml\.org,2002:python/")


def is_text(head: bytes) -> bool:
    """Say whether *head* begins a file of UTF-8 text."""
    try:
        # A character may be cut at the end of what we see.
        head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return False
    return _CONTROL.search(head) is None


def text(name: str, head: bytes, tail: bytes) -> Finding | None:
    """Return what a text file is; None where it is not text.

    Args:
        name: Last part of its path, case folded.
        head: Its first bytes.
        tail: Its last bytes; empty where *head* is all of it.
    """
    if not is_text(head):
        return None
    finding = "text", ContentClass.DATA
    if head.startswith(b"#!"):
        finding = "script", ContentClass.CODE
    elif name.endswith(_TEMPLATES) or name.startswith("chat_template"):
        finding = "jinja", ContentClass.TEMPLATE
    elif _JSON.match(head):
        finding = "json", _json(name, head, tail)
    elif _YAML_OBJECT.search(head + tail):
        finding = "yaml", ContentClass.CODE
    return finding


def _json(name: str, head: bytes, tail: bytes) -> ContentClass:
    value: object = None
    # Both ends are never joined where they seem to overlap: what repeats itself
    # would hide what lies between.
    if not tail:
        # Most small files are without, and decoding costs as much as all other looks.
        if not _TOLD.search(head):
            return ContentClass.DATA
        try:
            value = json.loads(head)
        except (ValueError, RecursionError):
            value = None
    if isinstance(value, dict | list):
        return _named(value)
    if _NAMES_CODE.search(head) or _NAMES_CODE.search(tail):
        return ContentClass.CODE
    if _NAMES_TEMPLATE.search(head) or _NAMES_TEMPLATE.search(tail):
        return ContentClass.TEMPLATE
    return _unseen(name) if tail else ContentClass.DATA


def _unseen(name: str) -> ContentClass:
    """Return what the middle of a long JSON file of this name may hold.

    transformers reads ``auto_map`` and ``chat_template`` from these names. Large
    tokenizer configurations are common and hold templates; those that name code come
    with that code, which is found by itself.
    """
    if name == "tokenizer_config.json":
        return ContentClass.TEMPLATE
    return ContentClass.CODE if name.endswith("config.json") else ContentClass.DATA


def _named(value: object) -> ContentClass:
    """Return the class of decoded JSON: by keys at any depth, however escaped."""
    found, left = ContentClass.DATA, [value]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left += part
        elif isinstance(part, dict):
            # A vocabulary may hold these words as tokens; those have numbers.
            told = {key for key, inner in part.items() if isinstance(inner, _TELLING)}
            if told & {"auto_map", "custom_pipelines"}:
                return ContentClass.CODE
            if "chat_template" in told:
                found = ContentClass.TEMPLATE
            left += part.values()
    return found


# A list begins with a value or ends: a vocabulary's first line may be `[PAD]`.
_JSON = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:\{|\[\s*(?:[\]\[{\"0-9-]|true|false|null|NaN|Infinity|$))"
)
_TELLING = (str, list, dict)
