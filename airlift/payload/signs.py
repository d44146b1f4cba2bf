"""Signs that a file could do more than hold data, each named by a rule.

A sign is what was seen; how bad it is, is said by whoever reports it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from airlift import naming

DETAIL: Final = 300
"""Characters of a detail that are kept: upstream wrote it, a person reads it."""


class Rule(StrEnum):
    """What a sign is a sign of."""

    PICKLE = "pickle"
    """It can run code when it is loaded; nothing of the kind was found in it."""
    PICKLE_MALICIOUS = "pickle-malicious"
    PICKLE_GLOBAL = "pickle-global"
    PICKLE_UNCLEAR = "pickle-unclear"
    PICKLE_UNSCANNED = "pickle-unscanned"
    DISGUISED = "disguised"
    MALFORMED = "malformed"
    UNREAD = "unread"
    EXECUTABLE = "executable"
    SCRIPT = "script"
    PYTHON = "python"
    YAML_OBJECT = "yaml-object"
    AUTO_MAP = "auto-map"
    AUTO_MAP_ELSEWHERE = "auto-map-elsewhere"
    CUSTOM_PIPELINE = "custom-pipeline"
    JSON_TWICE = "json-twice"
    TEMPLATE_DUNDER = "template-dunder"
    TEMPLATE_ATTR = "template-attr"
    TEMPLATE_ATTRIBUTE = "template-attribute"
    TEMPLATE_LOADS = "template-loads"
    TEMPLATE_UNPARSED = "template-unparsed"
    GGUF_TRAILING = "gguf-trailing"
    GGUF_TEXT = "gguf-text"
    ARCHIVE = "archive"
    KERAS = "keras"
    KERAS_LAMBDA = "keras-lambda"
    TENSORFLOW = "tensorflow-graph"
    ONNX_OUTSIDE = "onnx-outside"
    MISSING_SHARD = "missing-shard"
    UPSTREAM_FLAGGED = "upstream-flagged"


@dataclass(frozen=True, slots=True, order=True)
class Sign:
    """One sign.

    Attributes:
        rule: What it is a sign of.
        detail: What was seen, on one line that is safe to show.
    """

    rule: Rule
    detail: str


def sign(rule: Rule, detail: str) -> Sign:
    """Return a sign with *detail*, which may come from outside, bounded and shown."""
    return Sign(rule, naming.show(detail[:DETAIL]))
