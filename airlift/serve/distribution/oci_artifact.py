"""A model as an OCI artifact: one layer for each file, and each layer is the file.

What ``oras pull`` and other readers of artifacts turn back into the model's files, by
the titles of the layers.

Source: OCI image specification 1.1, "Guidelines for Artifact Usage".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from airlift.artifact import ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.payload import oci
from airlift.payload.oci import Descriptor
from airlift.serve.dialect import BlobBody, Shelf
from airlift.serve.distribution import oci_model
from airlift.serve.distribution.dialect import Content, Manifest, Refused
from airlift.serve.hub.repos import Revision

PREFIX: Final = "artifacts/"
TYPE: Final = "application/vnd.airlift.model.v1"
"""The ``artifactType`` of what is made here."""

_EMPTY: Final = oci.describe(oci.EMPTY_BYTES, oci.EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One revision as an artifact."""

    document: Manifest
    digest: Sha256
    files: Mapping[Sha256, ReleaseFile]

    @classmethod
    def of(cls, revision: Revision, shelf: Shelf) -> Self:
        """Put *revision* into this form."""
        placed = oci_model.placed(revision, shelf)
        body = oci.manifest(
            _EMPTY,
            [_layer(path, file) for path, file in placed.items()],
            artifact_type=TYPE,
            annotations=oci_model.annotations(revision),
        )
        return cls(
            document=Manifest(
                body=body, media_type=oci.MANIFEST, release=revision.release
            ),
            digest=sha256(body),
            files={file.sha256: file for file in placed.values()},
        )

    def top(self, accept: str) -> Manifest | Refused:
        """Return the manifest."""
        if len(self.document.body) > oci.DOCUMENT_LIMIT:
            count = len(self.files)
            message = f"{count} files are more than a manifest may list: use the hub"
            return Refused(status=404, code="MANIFEST_UNKNOWN", message=message)
        return self.document

    def manifest(self, digest: Sha256) -> Manifest | Refused | None:
        """Return the manifest if it has *digest*."""
        return self.top("") if digest == self.digest else None

    def blob(self, digest: Sha256) -> Content | None:
        """Return the file with *digest*, or the empty configuration."""
        release = self.document.release
        if file := self.files.get(digest):
            body = BlobBody(sha256=digest, size=file.size, etag=digest)
            return Content(body=body, release=release)
        if digest == _EMPTY.digest:
            return Content(body=oci.EMPTY_BYTES, release=release)
        return None


def _layer(path: str, file: ReleaseFile) -> Descriptor:
    stated = file.facts.get("media-type")
    return Descriptor(
        media_type=stated if isinstance(stated, str) else oci.FILE,
        digest=file.sha256,
        size=file.size,
        annotations={oci.TITLE: path},
    )
