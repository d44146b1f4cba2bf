"""Ollama models: the manifest's exact bytes and every blob it names.

Ollama shows the digest of the manifest's bytes as the model's id, so they are kept
as they came and never written again by us.

Source: the Docker registry HTTP API V2 as Ollama's registry speaks it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from airlift import naming
from airlift.artifact import Pinned, PinnedFile, Wish
from airlift.digest import sha256
from airlift.errors import RequestError, SourceError
from airlift.fetch import Settings, newest
from airlift.fetch.registry import Place, Registries, inline
from airlift.format import ranges
from airlift.sources.source import Source

REGISTRY: Final = "https://registry.ollama.ai"
"""Where names without a registry are looked up; ``endpoints["ollama"]`` overrides."""
MANIFEST: Final = "manifest.json"
"""Path of the manifest in the artifact."""
MANIFEST_LIMIT: Final = 1 << 20
"""Most bytes of a manifest; known ones have about one thousand."""

_NAME = re.compile(
    r"(?:(?:(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?)/)?"
    r"(?P<space>[A-Za-z0-9_][A-Za-z0-9_-]{0,79})/)?"
    r"(?P<model>[A-Za-z0-9_][A-Za-z0-9._-]{0,79})"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,79}))?",
    re.ASCII,
)


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
        self._registries = Registries(settings)
        self._usual = settings.endpoints.get("ollama", REGISTRY).rstrip("/")

    def resolve(self, wish: Wish) -> Pinned:
        """Pin *wish* to the manifest its tag points at now.

        Of several ``tags`` the largest is taken that fits, of a range of versions the
        newest.

        Raises:
            RequestError: The name is none, or no tag fits.
            SourceError: The registry has no such model, wants a login, or sends a
                manifest that is not one of a single model.
        """
        name = parse_name(wish.name, registry=self._usual)
        if wanted := ranges.text(wish.options, ranges.RANGE):
            tags = self._registries.tags(_place(name, wish))
            pin = partial(self._pin_sized, wish, name)
            return newest.first_fit(tags, wanted, wish.name, pin)
        if tags := ranges.texts(wish.options, ranges.TAGS):
            return self._largest(wish, name, tags)
        return self._pin_sized(wish, name, name.tag)

    def _largest(self, wish: Wish, name: Name, tags: tuple[str, ...]) -> Pinned:
        room = ranges.room(wish.options)
        found = [self._pin(wish, replace(name, tag=tag)) for tag in tags]
        fitting = [one for one in found if room is None or _size(one) <= room]
        if not fitting:
            ranges.check_size(wish.options, min(map(_size, found)), wish.name)
        return max(fitting, key=lambda one: (_size(one), one.refs))

    def _pin_sized(self, wish: Wish, name: Name, tag: str) -> Pinned:
        pinned = self._pin(wish, replace(name, tag=tag))
        ranges.check_size(wish.options, _size(pinned), wish.name)
        return pinned

    def _pin(self, wish: Wish, name: Name) -> Pinned:
        place = _place(name, wish)
        data, document = self._registries.document(
            place, name.tag, limit=MANIFEST_LIMIT
        )
        if len(document.blobs) < 2:
            shown = naming.show(wish.name)
            problem = f"the manifest of {shown} is not that of one model"
            hint = "carry what is no model of Ollama's as `[[oci]]`"
            raise SourceError(problem, hint=hint)
        files = [inline(MANIFEST, data), *map(place.blob, document.blobs)]
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
        with self._registries.read(file, start, stop) as chunks:
            yield chunks


def _place(name: Name, wish: Wish) -> Place:
    return Place(registry=name.registry, path=name.path, shown=wish.name)


def _size(pinned: Pinned) -> int:
    return sum(file.size or 0 for file in pinned.files)
