"""Ollama models: the manifest's exact bytes and every blob it names.

Ollama shows the digest of the manifest's bytes as the model's id, so they are kept
as they came and never written again by us. The manifest's bytes also stand in the
lock (as a ``data:`` location): registries keep no old manifests, and a tag that
moved since must not break an export that was already reviewed.

Source: the Docker registry HTTP API V2 as Ollama's registry speaks it.
"""

import base64
import binascii
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from urllib.parse import quote, urlsplit

from airlift import naming
from airlift.artifact import Json, Pinned, PinnedFile, Wish
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError, SourceError
from airlift.fetch import Door, RefusedError, Settings
from airlift.format.fields import Fields
from airlift.sources.source import Source

REGISTRY: Final = "https://registry.ollama.ai"
"""Where names without a registry are looked up; ``endpoints["ollama"]`` overrides."""
MANIFEST: Final = "manifest.json"
"""Path of the manifest in the artifact."""
MANIFEST_LIMIT: Final = 1 << 20
"""Most bytes of a manifest; known ones have about one thousand."""

_LAYERS: Final = 4096
_SIZE: Final = 1 << 50
_ACCEPT: Final = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
_NAME = re.compile(
    r"(?:(?:(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?)/)?"
    r"(?P<space>[A-Za-z0-9_][A-Za-z0-9_-]{0,79})/)?"
    r"(?P<model>[A-Za-z0-9_][A-Za-z0-9._-]{0,79})"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,79}))?",
    re.ASCII,
)
_DATA: Final = "data:application/json;base64,"


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A model's name in full.

    Attributes:
        registry: URL of the registry, without a slash at its end.
        path: ``namespace/model``.
        tag: ``latest`` where none was given.
        served: The name the artifact is served under: ``namespace/model``, with the
            registry before it where that is not the usual one, so that two
            registries' models of one name are never taken for each other.
    """

    registry: str
    path: str
    tag: str
    served: str


def parse_name(text: str, *, registry: str = REGISTRY) -> Name:
    """Return what ``[registry/][namespace/]model[:tag]`` means.

    Args:
        text: As written after ``ollama pull``.
        registry: URL of the registry that is meant where none is written.

    Raises:
        RequestError: It is no such name.
    """
    found = _NAME.fullmatch(text)
    if found is None:
        problem = f"`{naming.show(text)}` is not an Ollama model's name"
        hint = "write it as for `ollama pull`: [registry/][namespace/]model[:tag]"
        raise RequestError(problem, hint=hint)
    path = f"{found['space'] or 'library'}/{found['model']}"
    host = found["host"] or urlsplit(registry).netloc
    usual = host.casefold() == urlsplit(registry).netloc.casefold()
    return Name(
        registry=registry if usual else f"https://{host}",
        path=path,
        tag=found["tag"] or "latest",
        # A colon is no part of a file name; no host name has an underscore.
        served=path if usual else f"{host.replace(':', '_')}/{path}",
    )


class Ollama(Source):
    """The source of Ollama models.

    Args:
        settings: How to reach the network; ``endpoints["ollama"]`` where names
            without a registry are looked up.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._usual = settings.endpoints.get("ollama", REGISTRY).rstrip("/")
        self._doors: dict[str, Door] = {}
        self._lock = threading.Lock()

    def resolve(self, wish: Wish) -> Pinned:
        """Pin *wish* to the manifest its tag points at now.

        Raises:
            RequestError: The name is none.
            SourceError: The registry has no such model, wants a login, or sends a
                manifest that is not one of a single model.
        """
        name = parse_name(wish.name, registry=self._usual)
        data = self._manifest(wish, name)
        blobs = _blobs(data, wish.name)
        manifest = PinnedFile(
            path=MANIFEST,
            size=len(data),
            sha256=sha256(data),
            location=_DATA + base64.b64encode(data).decode(),
        )
        files = [manifest, *(_pin(blob, name) for blob in blobs.values())]
        return Pinned(
            kind=wish.kind,
            name=name.served,
            revision=sha256(data),
            files=tuple(sorted(files, key=lambda file: file.path)),
            refs=(name.tag,),
            upstream={
                "endpoint": name.registry,
                "repository": name.path,
                "requested": name.tag,
            },
        )

    @contextmanager
    def read(
        self, file: PinnedFile, *, start: int = 0, stop: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        """Open *file* from byte *start* to *stop*.

        Raises:
            SourceError: As ``Source.read`` promises.
        """
        if file.location.startswith(_DATA):
            piece = _inline(file)[start:stop]
            yield iter((piece,) if piece else ())
            return
        split = urlsplit(file.location)
        door = self._door(f"{split.scheme}://{split.netloc}")
        with door.stream(file.location, start, stop) as chunks:
            yield chunks

    def _door(self, home: str) -> Door:
        with self._lock:
            if home not in self._doors:
                self._doors[home] = Door(self._settings, homes=(home,))
            return self._doors[home]

    def _manifest(self, wish: Wish, name: Name) -> bytes:
        url = f"{name.registry}/v2/{quote(name.path)}/manifests/{quote(name.tag)}"
        try:
            reply = self._door(name.registry).get(
                url, {"accept": ", ".join(_ACCEPT)}, limit=MANIFEST_LIMIT
            )
        except RefusedError as error:
            _explain(wish, name, error)
        return reply.body


def _explain(wish: Wish, name: Name, error: RefusedError) -> NoReturn:
    shown, where = naming.show(wish.name), urlsplit(name.registry).netloc
    if error.status == 404:
        problem = f"`{shown}` is not at {where} (tag `{name.tag}`)"
        hint = f"check the name and the tag with `ollama pull {shown}`"
        raise SourceError(problem, hint=hint) from error
    if error.status in (401, 403):
        problem = f"{where} does not give `{shown}` without a login"
        hint = "airlift fetches public models; carry a private one as a folder"
        raise SourceError(problem, hint=hint) from error
    raise error


def _inline(file: PinnedFile) -> bytes:
    try:
        return base64.b64decode(file.location.removeprefix(_DATA), validate=True)
    except binascii.Error as error:
        problem = f"`{naming.show(file.path)}` of the lock is damaged: {error}"
        raise SourceError(problem, hint="lock again") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blob:
    digest: Sha256
    size: int
    media_type: str


def _pin(blob: _Blob, name: Name) -> PinnedFile:
    return PinnedFile(
        path=f"blobs/sha256-{blob.digest}",
        size=blob.size,
        sha256=blob.digest,
        location=f"{name.registry}/v2/{quote(name.path)}/blobs/sha256:{blob.digest}",
        facts={"media-type": blob.media_type},
    )


def _blobs(data: bytes, name: str) -> Mapping[Sha256, _Blob]:
    """Return the blobs that the manifest *data* names, each once."""
    record = f"the manifest of {naming.show(name)}"
    try:
        value: Any = json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        problem = f"{record} is not JSON: {naming.show(str(error))}"
        raise SourceError(problem, hint="a proxy may have answered instead") from error
    top = Fields(value, record=record, error=SourceError)
    if top.has("manifests"):
        top.refuse("manifests", "lists images for several platforms, not one model")
    if top.number("schemaVersion") != 2:
        top.refuse("schemaVersion", "is not 2")
    layers = [top.table("config"), *top.tables("layers")]
    if not 1 < len(layers) <= _LAYERS:
        top.refuse("layers", f"has {len(layers) - 1} entries")
    blobs: dict[Sha256, _Blob] = {}
    for layer in layers:
        blob = _read_blob(layer)
        if blobs.setdefault(blob.digest, blob).size != blob.size:
            layer.refuse("size", "is not what another layer says of the same blob")
    return blobs


def _read_blob(layer: Fields) -> _Blob:
    found = _DIGEST.fullmatch(layer.text("digest"))
    if found is None:
        layer.refuse("digest", "is not `sha256:` and 64 hexadecimal digits")
    size = layer.number("size")
    if size > _SIZE:
        layer.refuse("size", f"is {size}, which is no file's")
    media_type = layer.text("mediaType")
    return _Blob(digest=Sha256(found[1]), size=size, media_type=media_type)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    # Readers differ on which of two equal keys counts; Ollama's is not ours.
    table = dict(pairs)
    if len(table) != len(pairs):
        problem = "an object has a key twice"
        raise ValueError(problem)
    return table
