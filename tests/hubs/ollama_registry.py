"""An Ollama registry on the loopback interface.

Blobs redirect to a "CDN" under another host name, as the real one's do; manifests are
``text/plain``. Routes and statuses are those that Ollama's own client relies on.
"""

import hashlib
import json
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from hubs.faults import Answer, Asked, Fault, Loopback, Seen

IMAGE = "application/vnd.ollama.image"


def digest(data: bytes) -> str:
    """Return the digest of *data* as registries write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class OllamaRegistry:
    """A registry; use as a context manager.

    Attributes:
        manifests: Bytes by ``namespace/model:tag``; tests may change them.
        blobs: Bytes by digest.
        status: Answer everything with this where it is not 0.
    """

    def __init__(self) -> None:
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.status = 0
        self.api = Loopback(self._route)
        # The same machine under another name: another host to every client.
        self.cdn = Loopback(self._object, host="localhost")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.api.close()
        self.cdn.close()

    @property
    def url(self) -> str:
        """The endpoint."""
        return self.api.url

    def push(self, name: str, layers: Iterable[tuple[str, bytes]]) -> bytes:
        """Put a model of (media type, bytes) *layers* there; return its manifest."""
        config = b'{"model_format":"gguf","architecture":"amd64","os":"linux"}'
        manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": self._layer(
                "application/vnd.docker.container.image.v1+json", config
            ),
            "layers": [self._layer(kind, data) for kind, data in layers],
        }
        self.manifests[name] = json.dumps(manifest, separators=(",", ":")).encode()
        return self.manifests[name]

    def files(self, name: str) -> dict[str, bytes]:
        """Return what pinning *name* must give, by path."""
        manifest = self.manifests[name]
        decoded = json.loads(manifest)
        named = {layer["digest"] for layer in [decoded["config"], *decoded["layers"]]}
        blobs = {path_of(one): self.blobs[one] for one in named}
        return {"manifest.json": manifest, **blobs}

    def break_file(self, path: str, fault: Fault) -> None:
        """Let *fault* happen to the bytes of *path* (``blobs/sha256-...``)."""
        self.cdn.faults[path] = fault

    def sent(self, path: str | None = None) -> int:
        """Return how many bytes of blobs (of *path*) were sent."""
        return self.cdn.sent(path)

    def seen(self) -> list[Seen]:
        """Return every request to either server."""
        return [*self.api.seen, *self.cdn.seen]

    def _layer(self, kind: str, data: bytes) -> dict[str, Any]:
        self.blobs[digest(data)] = data
        return {"mediaType": kind, "digest": digest(data), "size": len(data)}

    def _route(self, asked: Asked) -> Answer:
        if self.status:
            return Answer(self.status)
        match asked.parts:
            case ["v2", space, model, "manifests", tag]:
                return self._manifest(f"{space}/{model}:{tag}")
            case ["v2", _, _, "blobs", reference] if reference in self.blobs:
                signed = f"{self.cdn.url}/{reference}?Signature=secret"
                return Answer(307, {"Location": signed})
        return Answer(404)

    def _manifest(self, name: str) -> Answer:
        manifest = self.manifests.get(name)
        if manifest is None:
            body = b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'
            return Answer(404, {"Content-Type": "application/json"}, body)
        return Answer(200, {"Content-Type": "text/plain; charset=utf-8"}, manifest)

    def _object(self, asked: Asked) -> Answer:
        blob = self.blobs.get(asked.parts[-1])
        if blob is None or asked.query.get("Signature") != "secret":
            return Answer(403)
        return Answer(200, {}, blob, path_of(asked.parts[-1]))


def path_of(reference: str) -> str:
    """Return the path that a blob has in the artifact."""
    return f"blobs/{reference.replace(':', '-')}"
