"""Ollama's folder of models, while Ollama may be running.

Below ``$OLLAMA_MODELS``::

    blobs/sha256-HEX                    content
    manifests/HOST/NAMESPACE/MODEL/TAG  the manifest; this makes the model appear

Whatever lies at that depth below ``manifests`` is taken for a manifest, so nothing
unfinished may. Upstream's manifests are installed byte for byte; for a plain GGUF the
one is made that ``ollama pull`` would get from the server.

Source: Ollama 0.32, ``manifest/paths.go`` and ``server/images.go``.
"""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from airlift import naming
from airlift.artifact import Kind, Release, ReleaseFile
from airlift.errors import FormatError, RequestError
from airlift.install.layout import Blob, Layout, Name, Parcel, Text, View
from airlift.payload import gguf_facts, gguf_repo, ollama, ollama_names
from airlift.payload.gguf_facts import Facts
from airlift.payload.gguf_repo import GgufModel
from airlift.payload.ollama import Image, Layer

USUAL = "registry.ollama.ai"
"""The registry of names that are written without one: ``ollama run NAMESPACE/MODEL``."""
HUB = "hf.co"
"""The registry of the hub's repositories: ``ollama run hf.co/ORG/NAME:QUANT``."""


class OllamaModels:
    """The folder of models."""

    kinds = frozenset({Kind.OLLAMA, Kind.GGUF, Kind.MODEL, Kind.FOLDER})
    noun = "Ollama"

    def layout(self, parcel: Parcel, view: View, now: str) -> Layout:
        """Return the model's blobs, and a manifest for each of its tags."""
        if parcel.release.kind is Kind.OLLAMA:
            return _upstream(parcel)
        return _plain(parcel)


def _upstream(parcel: Parcel) -> Layout:
    release = parcel.release
    files = {file.path: file for file in release.files}
    place = _upstream_place(release)
    manifest = files.pop(ollama.MANIFEST)
    names = tuple(
        Blob(path=f"{place}/{tag}", sha256=manifest.sha256, size=manifest.size)
        for tag in parcel.refs
    )
    notes = tuple(f"ollama run {_command(place, tag)}" for tag in parcel.refs)
    if not names:
        problem = f"{naming.show(release.name)} has newer releases under all its tags"
        hint = "install the newest, or roll back first (`airlift rollback`)"
        raise RequestError(problem, hint=hint)
    blobs = tuple(
        Blob(path=file.path, sha256=file.sha256, size=file.size)
        for file in files.values()
    )
    return Layout(blobs=blobs, names=names, notes=notes)


def _upstream_place(release: Release) -> str:
    parts = release.name.split("/")
    if len(parts) == 2:
        return f"manifests/{USUAL}/{release.name}"
    stated = release.upstream.get("endpoint")
    host = urlsplit(stated).netloc if isinstance(stated, str) else ""
    return "/".join(("manifests", host or parts[0], *parts[1:]))


def _command(place: str, tag: str) -> str:
    """Return what stands after ``ollama run`` for the manifest *place*/*tag*."""
    name = place.removeprefix("manifests/").removeprefix(f"{USUAL}/")
    name = name.removeprefix(f"{ollama_names.LIBRARY}/")
    return naming.show(name if tag == gguf_repo.LATEST else f"{name}:{tag}")


# --- plain GGUF files ---------------------------------------------------------------


def _plain(parcel: Parcel) -> Layout:
    release = parcel.release
    host = USUAL if release.kind is Kind.FOLDER else HUB
    place = f"manifests/{host}/{ollama_names.pulled_as(release.name)}"
    blobs: dict[str, Blob] = {}
    names: list[Name] = []
    notes: list[str] = []
    models = gguf_repo.models(release.files)
    for tags, model in _tagged(models):
        try:
            image = _image(parcel, model)
        except FormatError as error:
            notes.append(f"not installed: {error.problem}")
            continue
        for layer in image.blobs:
            _add(layer, blobs, names)
        for tag in tags:
            names.append(_manifest(f"{place}/{tag}", image, parcel))
            notes.append(f"ollama run {_command(place, tag)}")
    if not blobs:
        shown = naming.show(release.name)
        problem = f"{shown} has no GGUF file that Ollama can run alone"
        hint = "; ".join(notes) or "Ollama runs GGUF files; see `airlift show`"
        raise RequestError(problem, hint=hint)
    # Contents made here come before the manifests that name them.
    names.sort(key=lambda one: one.path.startswith("manifests/"))
    return Layout(blobs=tuple(blobs.values()), names=tuple(names), notes=tuple(notes))


def _tagged(
    models: tuple[GgufModel, ...],
) -> Iterator[tuple[list[str], GgufModel]]:
    tags = gguf_repo.tags(models)
    for model in models:
        mine = [tag for tag in tags if gguf_repo.choose(models, tag) == (model,)]
        if mine:
            yield mine, model


def _image(parcel: Parcel, model: GgufModel) -> Image:
    if model.name.shards > 1:
        shown = naming.show(model.first.path)
        problem = (
            f"`{shown}` is one of {model.name.shards} shards, Ollama takes one file"
        )
        raise FormatError(problem, hint="choose another quantisation")

    def facts(file: ReleaseFile) -> Facts:
        def read(start: int, stop: int) -> bytes:
            return parcel.read(file, start, stop)

        name = f"`{naming.show(file.path)}`"
        return gguf_facts.of(gguf_facts.header(read, name=name, size=file.size))

    source = ollama.Source(
        facts=facts, text=lambda file: parcel.read(file, 0, file.size)
    )
    whole = ollama.layer_of(model.first, "model")
    return ollama.compose(model, parcel.tree, source, whole)


def _add(layer: Layer, blobs: dict[str, Blob], names: list[Name]) -> None:
    path = ollama.blob_path(layer.sha256)
    if layer.content is None:
        blobs[path] = Blob(path=path, sha256=layer.sha256, size=layer.size)
    elif all(one.path != path for one in names):
        names.append(Text(path=path, content=layer.content))


def _manifest(path: str, image: Image, parcel: Parcel) -> Text:
    def replaces(found: bytes) -> bool:
        # Ours is one whose model is, or was, among the files of this name.
        try:
            layers = json.loads(found)["layers"]
            digests = {str(one["digest"]).removeprefix("sha256:") for one in layers}
        except (ValueError, KeyError, TypeError):
            return False
        return not parcel.ours.isdisjoint(digests)

    return Text(path=path, content=image.manifest, replaces=replaces)
