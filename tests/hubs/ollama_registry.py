"""An Ollama registry on the loopback interface.

Manifests are ``text/plain``, as the real one's are. Routes and statuses are those that
Ollama's own client relies on.
"""

from collections.abc import Iterable

from hubs.registry import Registry, digest, path_of

__all__ = ["IMAGE", "OllamaRegistry", "digest", "path_of"]

IMAGE = "application/vnd.ollama.image"


class OllamaRegistry(Registry):
    """A registry of models; use as a context manager."""

    media_type = "text/plain; charset=utf-8"

    def push(self, name: str, layers: Iterable[tuple[str, bytes]]) -> bytes:
        """Put a model of (media type, bytes) *layers* there; return its manifest."""
        config = b'{"model_format":"gguf","architecture":"amd64","os":"linux"}'
        docker = "application/vnd.docker.distribution.manifest.v2+json"
        kind = "application/vnd.docker.container.image.v1+json"
        self.manifests[name] = self.image(layers, (kind, config), mediaType=docker)
        return self.manifests[name]
