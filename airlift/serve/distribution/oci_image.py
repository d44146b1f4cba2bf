"""A model as an ordinary image: its files below ``/models``, for volumes of pods.

A layer is a tar around files that lie in the store, streamed and never stored; its
digest comes from reading it once in the background. Until then clients are told how
far that is. Nodes of either architecture pull the same layers: only a configuration
of a few hundred bytes differs.

Source: OCI image specification 1.1, "Image Layer Filesystem Changeset".
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from airlift.artifact import ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.errors import RegistryError
from airlift.payload import oci, oci_layer
from airlift.payload.oci_layer import Member
from airlift.serve.dialect import Digests, JoinedBody, Piece, Shelf, Slice
from airlift.serve.distribution import oci_model
from airlift.serve.distribution.derived import recipe
from airlift.serve.distribution.dialect import Content, Manifest, Refused
from airlift.serve.hub import repos
from airlift.serve.hub.repos import Revision

PREFIX: Final = "images/"
FOLDER: Final = "models"
"""Where the files are in the image; what KServe and others look in."""
ARCHITECTURES: Final = ("amd64", "arm64")
LAYERS: Final = 100
"""Most layers of an image. Docker refuses more than 127, and overlay mounts of some
runtimes run out of room for their options not far above."""

_MEGABYTE = 10**6


class Progress(Digests, Protocol):
    """Digests that also say how far they are."""

    def done(self, body: JoinedBody) -> int:
        """Return how many bytes of *body* were read so far."""
        ...


def layers(shelf: Shelf) -> Iterator[JoinedBody]:
    """Yield every layer of every model on *shelf*, what was taken in last first."""
    models = repos.every(shelf, oci_model.KINDS)
    models.sort(key=lambda repo: repo.releases[0].imported, reverse=True)
    for repo in models:
        for revision in oci_model.revisions(repo):
            yield from _layers(oci_model.placed(revision, shelf))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Documents:
    """What describes an image once the digests of its layers are known."""

    index: bytes
    manifests: Mapping[Sha256, bytes]
    configs: Mapping[Sha256, bytes]
    layers: Mapping[Sha256, JoinedBody]


class Image:
    """One revision as an image.

    Args:
        revision: Of a model.
        shelf: Where its files are listed.
        digests: Of its layers.
    """

    def __init__(self, revision: Revision, shelf: Shelf, digests: Progress) -> None:
        self._release = revision.release
        self._annotations = oci_model.annotations(revision)
        self._layers = tuple(_layers(oci_model.placed(revision, shelf)))
        self._digests = digests
        self._known: _Documents | None = None

    def top(self, accept: str) -> Manifest | Refused:
        """Return the index, or a manifest for clients that cannot read one."""
        documents = self._documents()
        if documents is None:
            return self._later()
        if oci.INDEX in accept or oci.MANIFEST not in accept:
            return self._manifest(documents.index, oci.INDEX)
        return self._manifest(next(iter(documents.manifests.values())), oci.MANIFEST)

    def manifest(self, digest: Sha256) -> Manifest | Refused | None:
        """Return the index or the manifest with *digest*."""
        documents = self._documents()
        if documents is None:
            return self._later()
        if digest == sha256(documents.index):
            return self._manifest(documents.index, oci.INDEX)
        if body := documents.manifests.get(digest):
            return self._manifest(body, oci.MANIFEST)
        return None

    def blob(self, digest: Sha256) -> Content | None:
        """Return the layer or configuration with *digest*.

        Raises:
            RegistryError: The layers' digests are not known, so nobody can say yet
                whether there is one.
        """
        documents = self._documents()
        if documents is None:
            raise RegistryError(self._later().message)
        body = documents.layers.get(digest) or documents.configs.get(digest)
        return Content(body=body, release=self._release) if body else None

    def _manifest(self, body: bytes, media_type: str) -> Manifest:
        return Manifest(body=body, media_type=media_type, release=self._release)

    def _documents(self) -> _Documents | None:
        if self._known is None:
            # All are asked for before any is waited for.
            found = [self._digests.sha256(layer) for layer in self._layers]
            digests = [digest for digest in found if digest is not None]
            if len(digests) == len(found):
                self._known = self._describe(digests)
        return self._known

    def _describe(self, digests: Sequence[Sha256]) -> _Documents:
        described = [
            oci.Descriptor(media_type=oci.LAYER, digest=digest, size=layer.size)
            for digest, layer in zip(digests, self._layers, strict=True)
        ]
        manifests, configs, children = {}, {}, []
        for architecture in ARCHITECTURES:
            config = oci.config(digests, architecture=architecture)
            about = oci.describe(config, oci.CONFIG)
            configs[about.digest] = config
            body = oci.manifest(about, described, annotations=self._annotations)
            platform = f"linux/{architecture}"
            child = oci.describe(body, oci.MANIFEST, platform=platform)
            manifests[child.digest] = body
            children.append(child)
        return _Documents(
            index=oci.index(children, annotations=self._annotations),
            manifests=manifests,
            configs=configs,
            layers=dict(zip(digests, self._layers, strict=True)),
        )

    def _later(self) -> Refused:
        total = sum(layer.size for layer in self._layers) // _MEGABYTE
        done = sum(self._digests.done(layer) for layer in self._layers) // _MEGABYTE
        name = self._annotations[oci.TITLE]
        message = (
            f"the layers of {name} are being read for the first time: "
            f"{done:,} of {total:,} MB so far; ask again"
        )
        return Refused(status=429, code="TOOMANYREQUESTS", message=message)


def _layers(placed: Mapping[str, ReleaseFile]) -> Iterator[JoinedBody]:
    for paths in _shared_out({path: file.size for path, file in placed.items()}):
        members = [
            Member(path=f"{FOLDER}/{path}", size=placed[path].size) for path in paths
        ]
        files = {f"{FOLDER}/{path}": placed[path] for path in paths}
        pieces = tuple(_piece(piece, files) for piece in oci_layer.framed(members))
        yield JoinedBody(pieces=pieces, etag=recipe(pieces))


def _piece(piece: bytes | Member, files: Mapping[str, ReleaseFile]) -> Piece:
    if isinstance(piece, bytes):
        return piece
    return Slice(sha256=files[piece.path].sha256, start=0, stop=piece.size)


def _shared_out(sizes: Mapping[str, int]) -> list[list[str]]:
    """Return the paths of each layer: one, as far as ``LAYERS`` go round.

    Beyond that the layers come out about equally large, as clients fetch several at
    once.
    """
    if len(sizes) <= LAYERS:
        return [[path] for path in sorted(sizes)]
    shares: list[tuple[int, int, list[str]]] = [(0, n, []) for n in range(LAYERS)]
    for path in sorted(sizes, key=lambda path: (-sizes[path], path)):
        size, n, paths = shares[0]
        heapq.heapreplace(shares, (size + sizes[path], n, [*paths, path]))
    return [sorted(paths) for _, _, paths in sorted(shares, key=lambda one: one[1])]
