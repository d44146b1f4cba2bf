"""How bad each sign is, and what it is called."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from airlift.audit.finding import Severity
from airlift.payload.signs import Rule

_CRITICAL, _HIGH, _MEDIUM = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM
_LOW, _INFO = Severity.LOW, Severity.INFO

RULES: Final[Mapping[Rule, tuple[Severity, str]]] = MappingProxyType(
    {
        Rule.PICKLE: (_LOW, "pickle: loading it runs what it says"),
        Rule.PICKLE_MALICIOUS: (_CRITICAL, "a scanner calls this pickle malicious"),
        Rule.PICKLE_GLOBAL: (_HIGH, "a pickle that imports more than weights need"),
        Rule.PICKLE_UNCLEAR: (_HIGH, "a pickle that a scanner could not clear"),
        Rule.PICKLE_UNSCANNED: (_HIGH, "a pickle that was not scanned"),
        Rule.DISGUISED: (_CRITICAL, "its name promises data, its bytes can act"),
        Rule.MALFORMED: (_HIGH, "weights whose header is not sound"),
        Rule.UNREAD: (_MEDIUM, "a file that could not be read wholly"),
        Rule.EXECUTABLE: (_HIGH, "a program"),
        Rule.SCRIPT: (_LOW, "a script"),
        Rule.PYTHON: (_MEDIUM, "Python code beside the model"),
        Rule.YAML_OBJECT: (_HIGH, "YAML that makes Python objects when loaded"),
        Rule.AUTO_MAP: (_MEDIUM, "its settings name code of the repository to import"),
        Rule.AUTO_MAP_ELSEWHERE: (
            _HIGH,
            "its settings name code of another repository",
        ),
        Rule.CUSTOM_PIPELINE: (
            _MEDIUM,
            "its settings name a pipeline's code to import",
        ),
        Rule.JSON_TWICE: (_LOW, "settings with a key twice: readers differ"),
        Rule.TEMPLATE_DUNDER: (_HIGH, "a chat template that reaches inside Python"),
        Rule.TEMPLATE_ATTR: (
            _HIGH,
            "a chat template that computes names of attributes",
        ),
        Rule.TEMPLATE_ATTRIBUTE: (
            _INFO,
            "a chat template that filters by an attribute",
        ),
        Rule.TEMPLATE_LOADS: (_MEDIUM, "a chat template that loads other templates"),
        Rule.TEMPLATE_UNPARSED: (_MEDIUM, "a chat template that cannot be parsed"),
        Rule.GGUF_TRAILING: (_MEDIUM, "bytes behind the last tensor"),
        Rule.GGUF_TEXT: (_LOW, "metadata with control characters or shell commands"),
        Rule.ARCHIVE: (_LOW, "an archive, which is not looked into"),
        Rule.KERAS: (_MEDIUM, "a Keras model: its layers may hold code"),
        Rule.KERAS_LAMBDA: (_HIGH, "a Keras model with a layer that is code"),
        Rule.TENSORFLOW: (_LOW, "a TensorFlow graph: it may read and write files"),
        Rule.ONNX_OUTSIDE: (_MEDIUM, "an ONNX model that names a file not beside it"),
        Rule.MISSING_SHARD: (_MEDIUM, "a part of the weights that is not there"),
        Rule.UPSTREAM_FLAGGED: (_HIGH, "upstream's own scanners flagged it"),
    }
)
"""Severity and title of each rule."""

TEMPLATES: Final = frozenset(rule for rule in Rule if rule.startswith("template-"))
"""The rules about chat templates."""
PICKLES: Final = frozenset(
    {
        Rule.PICKLE,
        Rule.PICKLE_MALICIOUS,
        Rule.PICKLE_GLOBAL,
        Rule.PICKLE_UNCLEAR,
        Rule.PICKLE_UNSCANNED,
    }
)
"""The rules of which every pickle has one at least."""
CODE: Final = frozenset({Rule.AUTO_MAP, Rule.AUTO_MAP_ELSEWHERE, Rule.CUSTOM_PIPELINE})
"""The rules about settings that name code."""


def severity(rule: Rule) -> Severity:
    """Return how bad a sign of *rule* is."""
    return RULES[rule][0]


def title(rule: Rule) -> str:
    """Return what a sign of *rule* is called, in one line."""
    return RULES[rule][1]
