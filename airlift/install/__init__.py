"""Direct installation: releases in the folders where runtimes look for them."""

from collections.abc import Mapping
from types import MappingProxyType

from airlift.install.folder import Folder
from airlift.install.hf_cache import HuggingFaceCache
from airlift.install.hf_local import HuggingFaceFolder
from airlift.install.layout import Target
from airlift.install.ollama_models import OllamaModels
from airlift.install.wheelhouse import Wheelhouse

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "hf-cache": HuggingFaceCache(),
        "hf-local": HuggingFaceFolder(),
        "ollama": OllamaModels(),
        "wheelhouse": Wheelhouse(),
        "folder": Folder(),
    }
)
"""What can be installed into, by its name on the command line; the only list."""
