"""Images and artifacts of container registries: exact documents and every blob.

KitOps ModelKits, Docker Model Runner's models, and any image. What an index lists is
carried with it, all of it or the platforms that were asked for; nothing is rewritten,
so signatures and digests hold on the other side.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, NoReturn
from urllib.parse import urlsplit

from airlift import naming
from airlift.artifact import Json, Pinned, PinnedFile, Wish
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError, SourceError
from airlift.fetch import Settings, newest
from airlift.fetch.registry import Place, Registries, inline
from airlift.format import ranges
from airlift.payload import oci, oci_name
from airlift.payload.oci import Descriptor, Document
from airlift.payload.oci_name import Reference
from airlift.sources.source import Source

DOCKER_REGISTRY: Final = "https://registry-1.docker.io"
"""Where ``docker.io`` really is; ``endpoints["oci"]`` overrides."""

_DOCUMENTS: Final = 1024
_DEPTH: Final = 4


class Oci(Source):
    """The source of images and artifacts.

    Args:
        settings: How to reach the network; ``endpoints["oci"]`` where names of
            ``docker.io`` are looked up, and how its own host is reached.
    """

    def __init__(self, settings: Settings) -> None:
        self._registries = Registries(settings)
        self._usual = settings.endpoints.get("oci", DOCKER_REGISTRY).rstrip("/")

    def resolve(self, wish: Wish) -> Pinned:
        """Pin *wish* to the document its tag points at now, or its digest names.

        Of a range of versions the newest tag is taken that fits.

        Raises:
            RequestError: The name is none, there is no such platform, or none fits.
            SourceError: The registry has no such thing, wants a login, or sends what
                is no manifest.
        """
        reference = oci_name.parse(wish.name)
        if problem := naming.name_problem(reference.served):
            raise RequestError(f"`{naming.show(reference.served)}` {problem}")  # noqa: EM102, TRY003 - joined here
        if wanted := ranges.text(wish.options, ranges.RANGE):
            tags = self._registries.tags(self._place(reference, wish))
            pin = partial(self._pin_tag, wish, reference)
            return newest.first_fit(tags, wanted, wish.name, pin)
        return self._pin(wish, reference)

    def _place(self, reference: Reference, wish: Wish) -> Place:
        return Place(
            registry=self._registry(reference.host),
            path=reference.path,
            shown=wish.name,
        )

    def _pin_tag(self, wish: Wish, reference: Reference, tag: str) -> Pinned:
        return self._pin(wish, replace(reference, tag=tag, digest=None))

    def _pin(self, wish: Wish, reference: Reference) -> Pinned:
        place = self._place(reference, wish)
        asked = f"sha256:{reference.digest}" if reference.digest else reference.tag
        data, top = self._registries.document(place, asked)
        platforms = _platforms(wish)
        tree = _Tree(place=place, platforms=platforms, registries=self._registries)
        tree.grow(top)
        documents = [_document("manifest.json", data, top), *tree.documents.values()]
        files = [*documents, *map(place.blob, tree.blobs.values())]
        size = sum(file.size or 0 for file in files)
        ranges.check_size(wish.options, size, wish.name)
        upstream: dict[str, Json] = {
            "endpoint": place.registry,
            "repository": place.path,
            "requested": asked,
        }
        if platforms:
            upstream["platform"] = platforms
        return Pinned(
            kind=wish.kind,
            name=reference.served,
            revision=sha256(data),
            files=tuple(sorted(files, key=lambda file: file.path)),
            refs=(reference.tag,) if reference.tag else (),
            upstream=upstream,
            licence=top.annotations.get(oci.LICENCES, ""),
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

    def _registry(self, host: str) -> str:
        usual = urlsplit(self._usual).netloc.casefold()
        if host.casefold() in (oci_name.DOCKER, usual):
            return self._usual
        return f"https://{host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    """What one document leads to, as it is found.

    Attributes:
        platforms: Wanted of an index; all where empty.
        documents: What indexes list, by digest.
        blobs: What manifests name, by digest.
    """

    place: Place
    platforms: tuple[str, ...]
    registries: Registries
    documents: dict[Sha256, PinnedFile] = field(default_factory=dict)
    blobs: dict[Sha256, Descriptor] = field(default_factory=dict)

    def grow(self, document: Document, depth: int = 0) -> None:
        """Add what *document* names, and what that names in turn."""
        for blob in document.blobs:
            if self.blobs.setdefault(blob.digest, blob).size != blob.size:
                self._refuse(f"has two sizes of sha256:{blob.digest}")
        for child in self._wanted(document):
            if child.digest in self.documents:
                continue
            if child.media_type not in oci.READ:
                self._refuse(f"lists a `{naming.show(child.media_type)}`")
            if depth == _DEPTH or len(self.documents) == _DOCUMENTS:
                self._refuse(f"lists more than {_DOCUMENTS} documents, or too deep")
            data, found = self.registries.document(self.place, f"sha256:{child.digest}")
            path = f"manifests/sha256-{child.digest}"
            self.documents[child.digest] = _document(path, data, found)
            self.grow(found, depth + 1)

    def _wanted(self, document: Document) -> tuple[Descriptor, ...]:
        if not self.platforms or not document.children:
            return document.children
        wanted = tuple(
            child
            for child in document.children
            if any(
                f"{child.platform}/".startswith(f"{platform}/")
                for platform in self.platforms
            )
        )
        if not wanted:
            there = sorted({child.platform for child in document.children} - {""})
            asked = ", ".join(self.platforms)
            problem = f"`{naming.show(self.place.shown)}` is not there for {asked}"
            hint = f"it is there for {', '.join(there) or 'no stated platform'}"
            raise RequestError(problem, hint=naming.show(hint))
        return wanted

    def _refuse(self, problem: str) -> NoReturn:
        shown = naming.show(self.place.shown)
        raise SourceError(f"`{shown}` {problem}")  # noqa: EM102, TRY003 - joined here


def _document(path: str, data: bytes, document: Document) -> PinnedFile:
    return inline(path, data, {"media-type": document.media_type})


def _platforms(wish: Wish) -> tuple[str, ...]:
    stated = wish.options.get("platform", ())
    assert isinstance(stated, tuple | list)
    return tuple(str(one) for one in stated)
