"""What Ollama's folder of models holds."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from airlift import naming
from airlift.artifact import Kind, ReleaseFile
from airlift.digest import sha256
from airlift.errors import AirliftError, FormatError
from airlift.install import ollama_models
from airlift.install.check_folder import stale
from airlift.install.checking import Claim, Finding, What, need_folder, walk
from airlift.install.records import Known
from airlift.install.tree import Tree
from airlift.payload import gguf_facts, gguf_repo, ollama
from airlift.payload.gguf_facts import Facts
from airlift.payload.ollama import Image

_DEPTH = 4
"""Parts of a manifest's path: registry, namespace, model, tag."""


def claims(root: Path, known: Sequence[Known]) -> Iterator[Claim | Finding]:
    """Yield what the folder *root* (``$OLLAMA_MODELS``) holds, manifest by manifest.

    A blob's name is its digest, so each is checked, whoever brought it. Whether the
    model is the one that was signed is told by the manifest's bytes.

    Raises:
        StoreError: The disk cannot be read.
    """
    need_folder(root)
    asked = [one for one in known if one.asked]
    wanted = {one.id for one in asked}
    seen = set()
    folder = root / "manifests"
    for path in walk(folder) if folder.is_dir() else ():
        if path.count("/") + 1 != _DEPTH:
            continue
        content = Tree(folder).read(path) or b""
        found = _recognised(root, content, known)
        if asked and (found is None or found.id not in wanted):
            continue
        if found:
            seen.add(found.id)
        yield from _model(root, f"manifests/{path}", content, found)
    for one in asked:
        if one.id not in seen and one.release.kind in ollama_models.OllamaModels.kinds:
            problem = "no manifest of this release is here"
            yield Finding(
                what=What.MISSING, path="manifests", problem=problem, release=one.label
            )


def _model(
    root: Path, path: str, content: bytes, known: Known | None
) -> Iterator[Claim | Finding]:
    label = known.label if known else ""
    try:
        image = ollama.decode(content)
    except FormatError as error:
        yield Finding(what=What.DAMAGED, path=path, problem=error.problem)
        return
    if known:
        yield from stale(known, path)
        yield Finding(what=What.INTACT, path=path, release=label)
    else:
        problem = "this model is in none of the records"
        yield Finding(what=What.UNKNOWN, path=path, problem=problem)
    for layer in image.blobs:
        place = ollama.blob_path(layer.sha256)
        yield Claim(
            path=place,
            place=root / place,
            sha256=layer.sha256,
            good=What.INTACT if known else What.UNKNOWN,
            release=label,
            note="" if known else f"of {naming.show(path)}",
        )


def _recognised(root: Path, content: bytes, known: Sequence[Known]) -> Known | None:
    """Return the release whose manifest *content* is, a live one before others."""
    digest = sha256(content)
    best = sorted(known, key=lambda one: bool(one.stale))
    for one in best:
        if one.release.kind is Kind.OLLAMA and one.release.revision == digest:
            return one
    try:
        image = ollama.decode(content)
    except FormatError:
        return None
    held = {layer.sha256 for layer in image.layers}
    plain = ollama_models.OllamaModels.kinds - {Kind.OLLAMA}
    for one in best:
        files = one.release.files
        ours = one.release.kind in plain and any(f.sha256 in held for f in files)
        if ours and image.manifest in _composed(root, one, known):
            return one
    return None


def _composed(root: Path, one: Known, known: Sequence[Known]) -> Iterator[bytes]:
    """Yield the manifests that airlift makes of the GGUF files of a release.

    They are made of what lies here, whose bytes are compared with the records in
    turn: damage gives another manifest or is found in the blob.
    """
    files = {
        file.path: file
        for other in (*known, one)
        if other.release.revision == one.release.revision
        and other.release.name == one.release.name
        for file in other.release.files
    }
    for tree in (one.release.files, tuple(files[path] for path in sorted(files))):
        for model in gguf_repo.models(one.release.files):
            try:
                whole = ollama.layer_of(model.first, "model")
                source = _source(root)
                image: Image = ollama.compose(model, tree, source, whole)
            except (AirliftError, OSError):
                continue  # not installed, or so damaged that its blob tells
            yield image.manifest


def _source(root: Path) -> ollama.Source:
    def read(file: ReleaseFile, start: int, stop: int) -> bytes:
        with (root / ollama.blob_path(file.sha256)).open("rb") as blob:
            blob.seek(start)
            return blob.read(stop - start)

    def facts(file: ReleaseFile) -> Facts:
        header = gguf_facts.header(
            lambda start, stop: read(file, start, stop),
            name=naming.show(file.path),
            size=file.size,
        )
        return gguf_facts.of(header)

    return ollama.Source(facts=facts, text=lambda file: read(file, 0, file.size))
