"""Where artifacts come from: one file per source, and the table that lists them."""

import importlib
from collections.abc import Mapping
from typing import Final

from airlift.artifact import Kind
from airlift.errors import RequestError
from airlift.fetch import Settings
from airlift.sources.source import Source

SOURCES: Final[Mapping[Kind, str]] = {
    Kind.MODEL: "airlift.sources.huggingface:HuggingFace",
    Kind.DATASET: "airlift.sources.huggingface:HuggingFace",
    Kind.GGUF: "airlift.sources.gguf:Gguf",
    Kind.OLLAMA: "airlift.sources.ollama:Ollama",
    Kind.OCI: "airlift.sources.oci:Oci",
    Kind.WHEELS: "airlift.sources.wheels:Wheels",
    Kind.FOLDER: "airlift.sources.folder:Folder",
}
"""Kind to the class that is its source, made with ``Settings``.

By name, because each brings libraries of its own that others need not wait for.
"""


def connect(kind: Kind, settings: Settings) -> Source:
    """Return a source of *kind*.

    Raises:
        RequestError: This airlift has none, or its optional parts are missing.
    """
    module, _, name = SOURCES[kind].partition(":")
    try:
        source: Source = getattr(importlib.import_module(module), name)(settings)
    except ModuleNotFoundError as error:
        problem = f"`{kind.value}` needs the package `{error.name}`"
        raise RequestError(problem, hint="install `airlift[export]`") from error
    return source
