"""What container tools pull: every model in two forms, and what was carried for them.

``artifacts/NAME`` is a model as an OCI artifact, ``images/NAME`` the same as an image,
and what came from a registry keeps its name, that registry's host first, its tags and
every byte.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from airlift.artifact import Kind, LiveRelease, ReleaseFile
from airlift.digest import Sha256
from airlift.errors import StoreError
from airlift.payload import oci
from airlift.serve.dialect import BlobBody, Request, Shelf
from airlift.serve.distribution import oci_artifact, oci_image
from airlift.serve.distribution.dialect import Content, Library, Manifest
from airlift.serve.distribution.oci_artifact import Artifact
from airlift.serve.distribution.oci_image import Image, Progress
from airlift.serve.distribution.oci_model import Models
from airlift.serve.http.bodies import HINT

KINDS = frozenset({Kind.OCI})
MANIFEST = "manifest.json"
"""Path of what a tag leads to; what an index lists is ``manifests/sha256-...``."""


def libraries(digests: Progress) -> tuple[Library, ...]:
    """Return all that container tools find below ``/v2/``, Ollama's names apart.

    Args:
        digests: Of the layers of images.
    """
    return (
        Models(oci_artifact.PREFIX, Artifact.of),
        Models(oci_image.PREFIX, partial(Image, digests=digests)),
        Carried(),
    )


class Carried:
    """What was carried from registries, as it was there, a ``Library``."""

    def find(self, name: str, shelf: Shelf) -> "_Carried | None":
        """Return the repository *name*, or None."""
        # Such names are lower case, whatever was typed.
        live = shelf.releases(KINDS, name.lower())
        return _Carried(name=name, shelf=shelf, live=live) if live else None

    def names(self, shelf: Shelf) -> Sequence[str]:
        """Return the names of all repositories."""
        return sorted({live.release.name for live in shelf.releases(KINDS)})

    def withheld(self, name: str, shelf: Shelf) -> bool:
        """Say whether *name* exists but not for this caller."""
        return shelf.withheld(KINDS, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Carried:
    """A repository as one request sees it; *live* has the newest release first."""

    name: str
    shelf: Shelf
    live: tuple[LiveRelease, ...]

    def tags(self) -> Sequence[str]:
        return sorted({ref for one in self.live for ref in one.release.refs})

    def manifest(self, reference: str, request: Request) -> Manifest | None:
        digest = oci.parse_digest(reference)
        for one in self.live:
            if digest is None:
                path = MANIFEST if reference in one.release.refs else ""
            elif digest == one.release.revision:
                path = MANIFEST
            else:
                path = f"manifests/sha256-{digest}"
            file = self.shelf.file(one.id, path) if path else None
            if file is not None:
                return self._document(one, file)
        return None

    def blob(self, digest: Sha256) -> Content | None:
        for one in self.live:
            if file := self.shelf.file(one.id, f"blobs/sha256-{digest}"):
                body = BlobBody(sha256=digest, size=file.size, etag=digest)
                return Content(body=body, release=one.id)
        return None

    def _document(self, one: LiveRelease, file: ReleaseFile) -> Manifest:
        body = self.shelf.read(file.sha256, 0, oci.DOCUMENT_LIMIT)
        if body is None:
            problem = f"blob {file.sha256} is missing from the store"
            raise StoreError(problem, hint=HINT)
        # Some documents do not state their type; what upstream sent was kept.
        stated = file.facts.get("media-type")
        media_type = stated if isinstance(stated, str) else oci.MANIFEST
        return Manifest(body=body, media_type=media_type, release=one.id)
