"""Ollama, whose pull is spoken by a double: no registry of packages holds the program."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from clients.matrix import GGUF_FILE, GGUF_NAME, Failed, Operation, Place
from clients.ollama_client import Ollama, PullError

MODEL = "application/vnd.ollama.image.model"


@dataclass(frozen=True, kw_only=True)
class OllamaPull:
    """``ollama pull`` of a plain GGUF."""

    name: str = "Ollama 0.32 (double)"
    resumes: bool = True
    holds: Mapping[str, bytes] = field(default_factory=lambda: {GGUF_NAME: GGUF_FILE})
    cannot: Mapping[Operation, str] = field(
        default_factory=lambda: MappingProxyType(
            {
                Operation.PREFIX: "asks below /v2/ of a host alone",
                Operation.AUTH: "signs with its key; see test_ollama",
            }
        )
    )

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Pull by quantisation; return the model's layer."""
        authority = str(place.authority) if place.authority else None
        client = Ollama(
            models=home / "models",
            insecure=place.url.startswith("http:"),
            context=ssl.create_default_context(cafile=authority),
        )
        try:
            manifest = client.pull(f"{place.host}/Acme/Tiny-GGUF:q8_0")
        except (PullError, OSError) as error:
            raise Failed(str(error)) from error
        return {GGUF_NAME: client.held(manifest)[MODEL]}


CLIENTS = (OllamaPull(),)
