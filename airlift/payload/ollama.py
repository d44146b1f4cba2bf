"""Ollama's manifests: reading upstream's, and making one for a plain GGUF model.

A manifest names a small configuration and layers: the model, its projector, licences,
parameters... What is made here is made again byte for byte from the same files, by any
airlift on any day: Ollama shows the manifest's digest as the model's id.

Source: Ollama 0.32, ``manifest/manifest.go`` and ``types/model/config.go``.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, Final

from airlift import naming
from airlift.artifact import ReleaseFile
from airlift.digest import Sha256, is_sha256, sha256
from airlift.errors import FormatError
from airlift.payload import gguf_repo
from airlift.payload.gguf_facts import Facts
from airlift.payload.gguf_repo import GgufModel

MANIFEST: Final = "manifest.json"
"""Path of the manifest in a release of an upstream Ollama model."""
MEDIA_TYPE: Final = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE: Final = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE: Final = "application/vnd.ollama.image."
TEXT_LIMIT: Final = 1 << 20
"""Bytes of a licence, template or list of parameters that becomes a layer."""

_LICENCE = re.compile(
    r"(?:LICEN[CS]E|COPYING|NOTICE|USE_POLICY)(?:[-_.][A-Za-z0-9._-]*)?", re.IGNORECASE
)
_LICENCES = 8

# Architectures whose conversations Ollama itself writes and reads: the name of the part
# of it that does. It sets these on `ollama create` and does not find them after a pull.
_BUILT_IN = MappingProxyType(
    {
        "gemma4": "gemma4",
        "laguna": "laguna",
        "nemotron_h": "nemotron-3-nano",
        "nemotron_h_moe": "nemotron-3-nano",
        "nemotron_h_omni": "nemotron-3-nano",
    }
)
_STOPS = MappingProxyType({"gemma4": ["<turn|>"]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A blob that a manifest names.

    Attributes:
        media_type: What it is for.
        sha256: Of its bytes.
        size: Bytes.
        content: Its bytes where they are made here; None where a file has them.
    """

    media_type: str
    sha256: Sha256
    size: int
    content: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A model as Ollama keeps it.

    Attributes:
        manifest: The exact bytes.
        media_type: Of the manifest.
        config: The blob that describes the model.
        layers: The other blobs, in the manifest's order.
    """

    manifest: bytes
    media_type: str
    config: Layer
    layers: tuple[Layer, ...]

    @property
    def blobs(self) -> tuple[Layer, ...]:
        """Every blob, the configuration first."""
        return (self.config, *self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How the making of a manifest looks into files.

    Attributes:
        facts: Returns what the header of a GGUF file says.
        text: Returns the bytes of a small file.
    """

    facts: Callable[[ReleaseFile], Facts]
    text: Callable[[ReleaseFile], bytes]


def blob_path(digest: Sha256) -> str:
    """Return the path of a blob in a release of an upstream Ollama model."""
    return f"blobs/sha256-{digest}"


# --- upstream's manifests -------------------------------------------------------------


def decode(manifest: bytes) -> Image:
    """Return what upstream's *manifest* names.

    Raises:
        FormatError: It is not a manifest of one model.
    """
    try:
        shape: Any = json.loads(manifest)
        config = _decode_layer(shape["config"])
        layers = tuple(_decode_layer(one) for one in shape["layers"])
        media_type = str(shape.get("mediaType", MEDIA_TYPE))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        problem = f"an Ollama manifest is damaged: {naming.show(str(error))}"
        raise FormatError(problem, hint="export the model again") from error
    return Image(manifest=manifest, media_type=media_type, config=config, layers=layers)


def _decode_layer(shape: Mapping[str, Any]) -> Layer:
    digest, size = str(shape["digest"]).removeprefix("sha256:"), shape["size"]
    if not is_sha256(digest) or not isinstance(size, int):
        problem = "a layer lacks its digest or size"
        raise ValueError(problem)
    return Layer(media_type=str(shape["mediaType"]), sha256=Sha256(digest), size=size)


# --- manifests made here ----------------------------------------------------------------


def compose(
    model: GgufModel, files: Sequence[ReleaseFile], source: Source, whole: Layer
) -> Image:
    """Return the image of *model*, which lies among *files*, as Ollama wants it.

    Args:
        model: What was chosen.
        files: All files of the repository.
        source: Looks into them.
        whole: The layer of the model's own bytes; ``layer_of`` where it is one file.

    Raises:
        FormatError: The model's header is not sound, or it is no model by itself.
    """
    facts = source.facts(model.first)
    if facts.kind != "model":
        shown = naming.show(model.first.path)
        problem = f"`{shown}` is of type `{naming.show(facts.kind)}`, not a model"
        raise FormatError(problem, hint="choose another file as the tag")
    projector = gguf_repo.projector(files, model)
    families = [facts.architecture]
    layers = [whole]
    if projector is not None:
        families.append(source.facts(projector).architecture)
        layers.append(layer_of(projector, "projector"))
    layers += _texts(files, source, facts)
    return encode(_made(CONFIG_TYPE, _config(facts, families)), layers)


def layer_of(file: ReleaseFile, kind: str) -> Layer:
    """Return the layer that *file* is, byte for byte."""
    media_type = f"{LAYER_TYPE}{kind}"
    return Layer(media_type=media_type, sha256=file.sha256, size=file.size)


def encode(config: Layer, layers: Sequence[Layer]) -> Image:
    """Return the image of these blobs with its manifest."""
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MEDIA_TYPE,
            "config": _shape(config),
            "layers": [_shape(layer) for layer in layers],
        }
    )
    return Image(
        manifest=manifest, media_type=MEDIA_TYPE, config=config, layers=tuple(layers)
    )


def _shape(layer: Layer) -> dict[str, object]:
    return {
        "mediaType": layer.media_type,
        "digest": f"sha256:{layer.sha256}",
        "size": layer.size,
    }


def _config(facts: Facts, families: Sequence[str]) -> bytes:
    shape: dict[str, object] = {
        "model_format": "gguf",
        "model_family": facts.architecture,
        "model_families": list(dict.fromkeys(families)),
        "model_type": human_number(facts.parameters),
        "file_type": facts.file_type,
    }
    if built_in := _BUILT_IN.get(facts.architecture):
        shape |= {"renderer": built_in, "parser": built_in}
    return _json(shape | {"architecture": "amd64", "os": "linux"})


def _texts(
    files: Sequence[ReleaseFile], source: Source, facts: Facts
) -> Iterator[Layer]:
    """Yield the small layers: what the repository's root holds, else the header."""
    root = {file.path: file for file in files if file.size <= TEXT_LIMIT}
    for kind in ("template", "system"):
        if kind in root:
            yield layer_of(root[kind], kind)
    if "params" in root and _is_object(source.text(root["params"])):
        yield layer_of(root["params"], "params")
    elif parameters := _parameters(facts):
        yield _made(f"{LAYER_TYPE}params", _json(parameters))
    licences = {
        file.sha256: layer_of(file, "license")
        for path, file in root.items()
        if _LICENCE.fullmatch(path) and PurePosixPath(path).suffix != ".gguf"
    }
    yield from list(licences.values())[:_LICENCES]
    if facts.licence and not licences:
        yield _made(f"{LAYER_TYPE}license", f"{facts.licence}\n".encode())


def _parameters(facts: Facts) -> dict[str, object]:
    stops = _STOPS.get(facts.architecture)
    return dict(facts.sampling) | ({"stop": stops} if stops else {})


def _is_object(text: bytes) -> bool:
    # Ollama would pull anything and then fail at each start of the model.
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _made(media_type: str, content: bytes) -> Layer:
    return Layer(
        media_type=media_type,
        sha256=sha256(content),
        size=len(content),
        content=content,
    )


def _json(shape: object) -> bytes:
    # One spelling for ever: another order or space would be another id.
    return json.dumps(
        shape, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def human_number(count: int) -> str:
    """Return *count* as Ollama prints numbers of parameters: ``8.0B``, ``134.52M``.

    Source: Ollama, ``format/format.go``.
    """
    for unit, letter, places in ((10**9, "B", 1), (10**6, "M", 2)):
        if count >= unit:
            return f"{count / unit:.{0 if count % unit == 0 else places}f}{letter}"
    return f"{count / 1000:.0f}K" if count >= 1000 else str(count)
