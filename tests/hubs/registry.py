"""A registry of images, artifacts or models on the loopback interface.

Blobs redirect to a "CDN" under another host name, as the large ones do. With ``guarded``
nothing is given without a token, which a third server hands to anybody.

Source: OCI distribution specification 1.1; Docker's "Token Authentication
Specification".
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from hubs.faults import Answer, Asked, Fault, Loopback, Seen

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest(data: bytes) -> str:
    """Return the digest of *data* as registries write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def path_of(reference: str) -> str:
    """Return the path that a blob has in the artifact."""
    return f"blobs/{reference.replace(':', '-')}"


class Registry:
    """A registry; use as a context manager.

    Attributes:
        manifests: Bytes by ``repository:tag`` and ``repository@digest``; tests may
            change them.
        blobs: Bytes by digest.
        status: Answer everything with this where it is not 0.
        guarded: Whether a token is wanted for everything.
        refusing: Whether the token's server gives none.
        tokens: Those that are good; tests may take them away.
        listing: Whether tags are listed.
        page_size: Tags of one page, however many are asked for.
    """

    media_type = ""
    """What manifests are sent as; by what they state themselves where empty."""

    def __init__(self) -> None:
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.status = 0
        self.guarded = False
        self.refusing = False
        self.tokens: set[str] = set()
        self.listing = True
        self.page_size = 1000
        self.api = Loopback(self._route)
        # The same machine under another name: another host to every client.
        self.cdn = Loopback(self._object, host="localhost")
        self.auth = Loopback(self._token, host="localhost")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in (self.api, self.cdn, self.auth):
            server.close()

    @property
    def url(self) -> str:
        """The endpoint."""
        return self.api.url

    @property
    def host(self) -> str:
        """The endpoint's host and port."""
        return self.url.partition("://")[2]

    def image(
        self,
        layers: Iterable[tuple[str, bytes]],
        config: tuple[str, bytes],
        **more: Any,
    ) -> bytes:
        """Return a manifest of (media type, bytes) *layers*, and keep its blobs."""
        shape = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.layer(*config),
            "layers": [self.layer(kind, data) for kind, data in layers],
        }
        return json.dumps(shape | more, separators=(",", ":")).encode()

    def index(self, children: Mapping[str, bytes], **more: Any) -> bytes:
        """Return an index of manifests by platform (``os/architecture``)."""
        listed = [
            {
                "mediaType": json.loads(data)["mediaType"],
                "digest": digest(data),
                "size": len(data),
                "platform": _platform(platform.split("/")),
            }
            for platform, data in children.items()
        ]
        shape = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
        return json.dumps(shape | more, indent=3).encode()

    def put(self, repository: str, data: bytes, *tags: str) -> bytes:
        """Put a manifest or index there, under its digest and *tags*; return it."""
        for tag in tags:
            self.manifests[f"{repository}:{tag}"] = data
        self.manifests[f"{repository}@{digest(data)}"] = data
        return data

    def layer(self, kind: str, data: bytes) -> dict[str, Any]:
        """Keep a blob; return its descriptor."""
        self.blobs[digest(data)] = data
        return {"mediaType": kind, "digest": digest(data), "size": len(data)}

    def files(self, name: str) -> dict[str, bytes]:
        """Return what pinning all of *name* must give, by path."""
        repository = name.rpartition("@" if "@" in name else ":")[0]
        top, found = self.manifests[name], {}
        found["manifest.json"] = top
        waiting = [json.loads(top)]
        while waiting:
            shape = waiting.pop()
            for child in shape.get("manifests", ()):
                data = self.manifests[f"{repository}@{child['digest']}"]
                found[f"manifests/{child['digest'].replace(':', '-')}"] = data
                waiting.append(json.loads(data))
            for one in (*shape.get("layers", ()), *filter(None, [shape.get("config")])):
                found[path_of(one["digest"])] = self.blobs[one["digest"]]
        return found

    def break_file(self, path: str, fault: Fault) -> None:
        """Let *fault* happen to the bytes of *path* (``blobs/sha256-...``)."""
        self.cdn.faults[path] = fault

    def sent(self, path: str | None = None) -> int:
        """Return how many bytes of blobs (of *path*) were sent."""
        return self.cdn.sent(path)

    def seen(self) -> list[Seen]:
        """Return every request to any of the servers."""
        return [*self.api.seen, *self.cdn.seen, *self.auth.seen]

    def _route(self, asked: Asked) -> Answer:
        if self.status:
            return Answer(self.status)
        repository = "/".join(asked.parts[1:-2])
        bearer = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if self.guarded and bearer not in self.tokens:
            scope = f"repository:{repository}:pull"
            challenge = (
                f'Bearer realm="{self.auth.url}/token?a=1",service="{self.host}",'
                f'scope="{scope}"'
            )
            return Answer(401, {"WWW-Authenticate": challenge})
        return self._content(repository, asked)

    def _content(self, repository: str, asked: Asked) -> Answer:
        match asked.parts[-2:]:
            case ["manifests", reference]:
                return self._manifest(repository, reference)
            case ["tags", "list"] if self.listing:
                return self._tags(repository, asked)
            case ["blobs", reference] if reference in self.blobs:
                signed = f"{self.cdn.url}/{reference}?Signature=secret"
                return Answer(307, {"Location": signed})
        return Answer(404)

    def _tags(self, repository: str, asked: Asked) -> Answer:
        tags = sorted(
            name.removeprefix(f"{repository}:")
            for name in self.manifests
            if name.startswith(f"{repository}:")
        )
        last = asked.query.get("last", "")
        page = [tag for tag in tags if tag > last][: self.page_size]
        body = json.dumps({"name": repository, "tags": page}).encode()
        headers = {"Content-Type": "application/json"}
        if page and page[-1] != tags[-1]:
            path = f"/v2/{repository}/tags/list?n={self.page_size}&last={page[-1]}"
            headers["Link"] = f'<{path}>; rel="next"'
        return Answer(200, headers, body)

    def _manifest(self, repository: str, reference: str) -> Answer:
        joint = "@" if ":" in reference else ":"
        data = self.manifests.get(f"{repository}{joint}{reference}")
        if data is None:
            body = b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'
            return Answer(404, {"Content-Type": "application/json"}, body)
        kind = self.media_type or json.loads(data).get("mediaType", MANIFEST)
        return Answer(200, {"Content-Type": kind}, data)

    def _token(self, asked: Asked) -> Answer:
        wanted = {"a", "service", "scope"}
        if self.refusing or set(asked.query) != wanted:
            return Answer(401)
        token = f"token-{len(self.auth.seen)}"
        self.tokens.add(token)
        return Answer(200, {}, json.dumps({"token": token}).encode())

    def _object(self, asked: Asked) -> Answer:
        blob = self.blobs.get(asked.parts[-1])
        if blob is None or asked.query.get("Signature") != "secret":
            return Answer(403)
        return Answer(200, {}, blob, path_of(asked.parts[-1]))


def _platform(parts: Sequence[str]) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), parts, strict=False))
