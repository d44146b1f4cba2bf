"""The GGUF files of a repository, as models that Ollama can pull.

Nothing here is stored: manifests, and the small blobs they name, are made again from
the release's files whenever they are asked for.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property

from airlift import naming
from airlift.artifact import ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, StoreError
from airlift.payload import gguf_facts, gguf_repo, ollama
from airlift.payload.gguf_facts import Facts
from airlift.payload.gguf_repo import GgufModel
from airlift.payload.ollama import Image
from airlift.serve.dialect import BlobBody, JoinedBody, Shelf
from airlift.serve.distribution.dialect import Content, Manifest, Refused
from airlift.serve.http.bodies import HINT
from airlift.serve.hub.repos import Revision

_FACTS = 4096


class Headers:
    """What the headers of GGUF files say, each read once.

    A header with its vocabulary is some 10 MB and takes a fifth of a second to read;
    what is kept of it has a few hundred bytes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Sha256, Facts] = {}

    def facts(self, shelf: Shelf, file: ReleaseFile) -> Facts:
        """Return what the header of *file* says.

        Raises:
            FormatError: It is no sound GGUF file.
            StoreError: The store lacks it.
        """
        with self._lock:
            if file.sha256 in self._known:
                return self._known[file.sha256]
        header = gguf_facts.header(
            lambda start, stop: read(shelf, file, start, stop),
            name=f"`{naming.show(file.path)}`",
            size=file.size,
        )
        facts = gguf_facts.of(header)
        with self._lock:
            while len(self._known) >= _FACTS:
                del self._known[next(iter(self._known))]
            self._known[file.sha256] = facts
        return facts


class Plain:
    """The GGUF files of one revision, as Ollama's models."""

    def __init__(self, shelf: Shelf, revision: Revision, headers: Headers) -> None:
        self._shelf, self._revision = shelf, revision
        self._source = ollama.Source(
            facts=lambda file: headers.facts(shelf, file),
            text=lambda file: read(shelf, file, 0, file.size),
        )

    @cached_property
    def files(self) -> tuple[ReleaseFile, ...]:
        """All files of the revision."""
        return self._revision.files(self._shelf)

    @cached_property
    def models(self) -> tuple[GgufModel, ...]:
        """The models among them."""
        return gguf_repo.models(self.files)

    def manifest(self, reference: str, *, to_llama: bool) -> Manifest | Refused | None:
        """Return the manifest of a tag or digest."""
        if reference.startswith("sha256:"):
            return self._by_digest(reference.removeprefix("sha256:"))
        chosen = gguf_repo.choose(self.models, reference)
        if len(chosen) != 1:
            return self._unclear(reference, chosen)
        try:
            image = self._image(chosen[0])
        except FormatError as error:
            if not to_llama:
                return _refused(f"{error}; {error.hint}" if error.hint else str(error))
            image = None
        if to_llama:
            return self._out(_for_llama(image, chosen[0], self.files))
        assert image is not None
        return self._out(image.manifest)

    def blob(self, digest: Sha256) -> Content | None:
        """Return the file with *digest*, or the blob made of the files with it."""
        for file in self.files:
            if file.sha256 == digest:
                return content(file, self._revision.release)
        for layer in (one for image in self._images() for one in image.blobs):
            if layer.sha256 == digest and layer.content is not None:
                # Joined, not plain bytes: Ollama asks for ranges of the least blob.
                body = JoinedBody(pieces=(layer.content,), etag=digest)
                return Content(body=body, release=self._revision.release)
        return None

    def _by_digest(self, digest: str) -> Manifest | None:
        for image in self._images():
            if sha256(image.manifest) == digest:
                return self._out(image.manifest)
        return None

    def _images(self) -> Iterator[Image]:
        for model in self.models:
            try:
                yield self._image(model)
            except FormatError:
                continue  # it has no manifest, so nothing was ever named by one

    def _image(self, model: GgufModel) -> Image:
        """Return the image of *model*.

        Raises:
            FormatError: Ollama cannot take it; why is in the message.
        """
        if model.name.shards > 1:
            shown = naming.show(model.first.path)
            problem = f"`{shown}` is one of {model.name.shards} shards"
            raise FormatError(problem, hint=self._instead())
        whole = ollama.layer_of(model.first, "model")
        return ollama.compose(model, self.files, self._source, whole)

    def _instead(self) -> str:
        """Return what to do about shards, which the manifest has no place for."""
        tags = [
            naming.show(tag)
            for tag in gguf_repo.tags(self.models)
            if tag != gguf_repo.LATEST
            and gguf_repo.choose(self.models, tag)[0].name.shards == 1
        ]
        way = "run this one with `llama-server -hf`"
        if tags:
            return f"Ollama takes one file: pull {' or '.join(tags)}, or {way}"
        merged = "carry it merged by `llama-gguf-split --merge`"
        return f"Ollama takes one file: {merged}, or {way}"

    def _out(self, body: bytes) -> Manifest:
        release = self._revision.release
        return Manifest(body=body, media_type=ollama.MEDIA_TYPE, release=release)

    def _unclear(self, tag: str, chosen: Sequence[GgufModel]) -> Refused:
        name = naming.show(self._revision.releases[0].release.name)
        if not self.models:
            return _refused(f"{name} holds no GGUF file, which is what Ollama runs")
        shown = naming.show(tag)
        if chosen:
            paths = ", ".join(naming.show(one.first.path) for one in chosen)
            return _refused(f"{name} has {shown} of several models: {paths}")
        there = ", ".join(naming.show(one) for one in gguf_repo.tags(self.models))
        message = f"{name} has no {shown}; there are: {there}"
        return Refused(status=404, code="MANIFEST_UNKNOWN", message=message)


def _for_llama(
    image: Image | None, model: GgufModel, files: Sequence[ReleaseFile]
) -> bytes:
    """Return the manifest with the keys by which llama.cpp's relatives find files."""
    shape: dict[str, object] = {"schemaVersion": 2, "mediaType": ollama.MEDIA_TYPE}
    if image is not None:
        shape = json.loads(image.manifest)
    shape["ggufFile"] = _file(model.first)
    if projector := gguf_repo.projector(files, model):
        shape["mmprojFile"] = _file(projector)
    return json.dumps(shape, ensure_ascii=False, separators=(",", ":")).encode()


def _file(file: ReleaseFile) -> dict[str, object]:
    # With the prefix: ramalama takes nothing else for a digest.
    digest = f"sha256:{file.sha256}"
    return {"rfilename": file.path, "blobId": digest, "size": file.size}


# --- reading ------------------------------------------------------------------------------


def content(file: ReleaseFile, release: str) -> Content:
    """Return *file* as a blob of the release with this id."""
    body = BlobBody(sha256=file.sha256, size=file.size, etag=file.sha256)
    return Content(body=body, release=release)


def read(shelf: Shelf, file: ReleaseFile, start: int, stop: int) -> bytes:
    """Return bytes of *file*, at most 16 MiB.

    Raises:
        StoreError: The store lacks it.
    """
    found = shelf.read(file.sha256, start, stop)
    if found is None:
        problem = f"blob {file.sha256} is missing from the store"
        raise StoreError(problem, hint=HINT)
    return found


def _refused(message: str) -> Refused:
    # Not 404: Ollama shows its user the text of any other refusal.
    return Refused(status=400, code="UNSUPPORTED", message=message)
