"""Manifests, indexes and image configurations, read and written.

What is read comes from any registry and is bounded and strict: digests are SHA-256,
no object has a key twice, nothing is guessed. What is written is the same bytes for
the same content, because its digest is its name.

Source: OCI image specification 1.1, "Image Manifest", "Image Index", "Image
Configuration" and "Content Descriptors"; the Docker forms are the same under other
media types.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from airlift import naming
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
READ: Final = (INDEX, MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST)
"""Media types of the documents that ``read`` knows."""
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
EMPTY_BYTES: Final = b"{}"
FILE: Final = "application/octet-stream"
TITLE: Final = "org.opencontainers.image.title"
REVISION: Final = "org.opencontainers.image.revision"
LICENCES: Final = "org.opencontainers.image.licenses"

DOCUMENT_LIMIT: Final = 4 << 20
"""Most bytes of a manifest or index; what the distribution specification has
registries accept at least."""

_DESCRIPTORS: Final = 4096
_SIZE: Final = 1 << 50
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][!-~]{0,126}/[!-~]{1,127}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a document says of another piece of content.

    Attributes:
        media_type: What it is.
        digest: SHA-256 of its bytes.
        size: Bytes.
        platform: ``os/architecture[/variant]`` in an index; empty where unsaid.
        artifact_type: Of the artifact it describes; empty where unsaid.
        annotations: Free text by key.
    """

    media_type: str
    digest: Sha256
    size: int
    platform: str = ""
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    def shape(self) -> dict[str, Any]:
        """Return the descriptor as documents spell it."""
        shape: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": f"sha256:{self.digest}",
            "size": self.size,
        }
        if self.platform:
            keys = ("os", "architecture", "variant")
            shape["platform"] = dict(zip(keys, self.platform.split("/"), strict=False))
        if self.artifact_type:
            shape["artifactType"] = self.artifact_type
        if self.annotations:
            shape["annotations"] = dict(self.annotations)
        return shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A manifest or an index as it was read.

    Attributes:
        media_type: As it states it, or what its shape makes it.
        blobs: Configuration and layers of a manifest, each digest once.
        children: What an index lists.
        subject: What it refers to, if it does.
        artifact_type: Its ``artifactType``, else its configuration's media type.
        annotations: Free text by key.
    """

    media_type: str
    blobs: tuple[Descriptor, ...] = ()
    children: tuple[Descriptor, ...] = ()
    subject: Sha256 | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


def describe(
    data: bytes,
    media_type: str,
    *,
    platform: str = "",
    annotations: Mapping[str, str] | None = None,
) -> Descriptor:
    """Return the descriptor of *data*."""
    return Descriptor(
        media_type=media_type,
        digest=sha256(data),
        size=len(data),
        platform=platform,
        annotations=annotations or {},
    )


def parse_digest(text: str) -> Sha256 | None:
    """Return the SHA-256 that *text* (``sha256:...``) names, or None."""
    found = _DIGEST.fullmatch(text)
    return Sha256(found[1]) if found else None


# --- writing -----------------------------------------------------------------------


def manifest(
    config: Descriptor,
    layers: Sequence[Descriptor],
    *,
    artifact_type: str = "",
    annotations: Mapping[str, str] | None = None,
) -> bytes:
    """Return the bytes of an image manifest.

    Args:
        config: The configuration; ``EMPTY`` for an artifact without one.
        layers: In order.
        artifact_type: What the artifact is; empty for an image.
        annotations: Free text by key.
    """
    shape: dict[str, Any] = {"schemaVersion": 2, "mediaType": MANIFEST}
    if artifact_type:
        shape["artifactType"] = artifact_type
    shape["config"] = config.shape()
    shape["layers"] = [layer.shape() for layer in layers]
    if annotations:
        shape["annotations"] = dict(annotations)
    return _encode(shape)


def index(
    children: Sequence[Descriptor], *, annotations: Mapping[str, str] | None = None
) -> bytes:
    """Return the bytes of an image index."""
    shape: dict[str, Any] = {"schemaVersion": 2, "mediaType": INDEX}
    shape["manifests"] = [child.shape() for child in children]
    if annotations:
        shape["annotations"] = dict(annotations)
    return _encode(shape)


def config(diff_ids: Sequence[Sha256], *, architecture: str) -> bytes:
    """Return the configuration of a Linux image that only holds files.

    Args:
        diff_ids: Digests of the uncompressed layers, in order.
        architecture: As Go spells it: ``amd64``, ``arm64``.
    """
    return _encode(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{d}" for d in diff_ids]},
        }
    )


def _encode(shape: Mapping[str, Any]) -> bytes:
    return json.dumps(shape, ensure_ascii=False, separators=(",", ":")).encode()


# --- reading -----------------------------------------------------------------------


def read(data: bytes, *, name: str) -> Document:
    """Return what the manifest or index *data* says.

    Args:
        data: At most ``DOCUMENT_LIMIT`` bytes.
        name: What to call it in an error.

    Raises:
        FormatError: It is no manifest or index of schema version 2, or names content
            by another digest than SHA-256.
    """
    return _Reader(name).document(data)


class _Reader:
    """Reads one document; every refusal names it."""

    def __init__(self, name: str) -> None:
        self._name = naming.show(name)

    def document(self, data: bytes) -> Document:
        if len(data) > DOCUMENT_LIMIT:
            self._refuse(f"has {len(data)} bytes, the limit is {DOCUMENT_LIMIT}")
        try:
            top = json.loads(data, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            self._refuse(f"is not JSON: {naming.show(str(error))}")
        if not isinstance(top, dict) or top.get("schemaVersion") != 2:
            self._refuse("is no manifest: `schemaVersion` is not 2")
        lists = "manifests" in top
        if lists == ("layers" in top or "config" in top):
            self._refuse("is neither a manifest nor an index")
        read = self._index if lists else self._manifest
        return read(top)

    def _index(self, top: Mapping[str, Any]) -> Document:
        return Document(
            media_type=self._media_type(top, INDEX, (INDEX, DOCKER_INDEX)),
            children=self._descriptors(top, "manifests"),
            subject=self._subject(top),
            artifact_type=self._text(top, "artifactType"),
            annotations=self._annotations(top),
        )

    def _manifest(self, top: Mapping[str, Any]) -> Document:
        config = self._descriptor(top.get("config"), "config")
        layers = self._descriptors(top, "layers")
        blobs: dict[Sha256, Descriptor] = {}
        for one in (config, *layers):
            if blobs.setdefault(one.digest, one).size != one.size:
                self._refuse(f"states two sizes of sha256:{one.digest}")
        return Document(
            media_type=self._media_type(top, MANIFEST, (MANIFEST, DOCKER_MANIFEST)),
            blobs=tuple(blobs.values()),
            subject=self._subject(top),
            artifact_type=self._text(top, "artifactType") or config.media_type,
            annotations=self._annotations(top),
        )

    def _media_type(
        self, top: Mapping[str, Any], implied: str, known: Sequence[str]
    ) -> str:
        stated = self._text(top, "mediaType") or implied
        if stated not in known:
            self._refuse(f"has the media type `{naming.show(stated)}`")
        return stated

    def _subject(self, top: Mapping[str, Any]) -> Sha256 | None:
        if top.get("subject") is None:
            return None
        return self._descriptor(top["subject"], "subject").digest

    def _descriptors(self, top: Mapping[str, Any], key: str) -> tuple[Descriptor, ...]:
        listed = top.get(key)
        if not isinstance(listed, list) or len(listed) > _DESCRIPTORS:
            self._refuse(f"has no list of at most {_DESCRIPTORS} entries as `{key}`")
        return tuple(
            self._descriptor(one, f"{key}[{place}]") for place, one in enumerate(listed)
        )

    def _descriptor(self, value: object, place: str) -> Descriptor:
        if not isinstance(value, dict):
            self._refuse(f"has no object as `{place}`")
        digest = parse_digest(self._text(value, "digest"))
        if digest is None:
            self._refuse(f"does not name `{place}` by a SHA-256")
        size, media_type = value.get("size"), self._text(value, "mediaType")
        # bool is an int to Python.
        if type(size) is not int or not 0 <= size <= _SIZE:
            self._refuse(f"states no size of `{place}`")
        if _MEDIA_TYPE.fullmatch(media_type) is None:
            self._refuse(f"states no media type of `{place}`")
        return Descriptor(
            media_type=media_type,
            digest=digest,
            size=size,
            platform=self._platform(value.get("platform"), place),
            artifact_type=self._text(value, "artifactType"),
            annotations=self._annotations(value),
        )

    def _platform(self, value: object, place: str) -> str:
        if value is None:
            return ""
        if not isinstance(value, dict):
            self._refuse(f"has no object as the platform of `{place}`")
        words = [self._text(value, key) for key in ("os", "architecture", "variant")]
        words = words if words[2] else words[:2]
        if not all(_WORD.fullmatch(word) for word in words):
            self._refuse(f"states no platform of `{place}`")
        return "/".join(words)

    def _annotations(self, table: Mapping[str, Any]) -> Mapping[str, str]:
        found = table.get("annotations") or {}
        if not isinstance(found, dict):
            self._refuse("has annotations that are no object")
        if not all(isinstance(value, str) for value in found.values()):
            self._refuse("has an annotation that is no text")
        return found

    def _text(self, table: Mapping[str, Any], key: str) -> str:
        found = table.get(key)
        if found is not None and not isinstance(found, str):
            self._refuse(f"has something else than text as `{key}`")
        return found or ""

    def _refuse(self, problem: str) -> NoReturn:
        raise FormatError(f"{self._name} {problem}")  # noqa: EM102, TRY003 - joined here


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Readers differ on which of two equal keys counts; a client's is not ours.
    table = dict(pairs)
    if len(table) != len(pairs):
        problem = "an object has a key twice"
        raise ValueError(problem)
    return table
