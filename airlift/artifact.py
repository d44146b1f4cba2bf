"""The nouns: what is wanted, what was pinned, what a release is.

In the order they turn into each other: a ``Wish`` is resolved by a source into a
``Pinned`` artifact, whose bytes are fetched into the store, which makes a
``Release`` with every file's digest known. All are immutable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from airlift.digest import Sha256

Json: TypeAlias = (
    "str | int | bool | tuple[Json, ...] | list[Json] | Mapping[str, Json] | None"
)
"""What airlift's records hold: strict JSON without floats."""

NOTHING: Mapping[str, Json] = MappingProxyType({})


def _nothing() -> Mapping[str, Json]:
    # Python 3.11 refuses a mapping proxy, which has no hash there, as a default.
    return NOTHING


class Kind(StrEnum):
    """What sort of artifact, and so which source it comes from."""

    MODEL = "model"
    """A Hugging Face model repository at one commit."""
    DATASET = "dataset"
    """A Hugging Face dataset repository at one commit."""
    GGUF = "gguf"
    """Chosen GGUF files (all shards, projector) of a Hugging Face repository."""
    OLLAMA = "ollama"
    """An Ollama model: its manifest's exact bytes and every blob."""
    OCI = "oci"
    """An image or artifact of a container registry: exact manifests, every blob."""
    WHEELS = "wheels"
    """A closed set of wheels for stated Pythons and platforms."""
    FOLDER = "folder"
    """A plain folder, served as if it were a model repository."""


class ContentClass(StrEnum):
    """Whether the bytes of a file can make a program act (threats F1, F5, F6)."""

    DATA = "data"
    CODE = "code"
    PICKLE = "pickle"
    TEMPLATE = "template"
    PACKAGE = "package"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One entry of a manifest: what someone wants carried.

    Attributes:
        kind: Which source resolves it.
        name: ``org/model``, an Ollama name, or a name the manifest gives.
        options: The entry's other keys as the manifest states them, checked
            against the schema of this kind (docs/manifests.md).
    """

    kind: Kind
    name: str
    options: Mapping[str, Json] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """One file at an exact upstream revision.

    Attributes:
        path: Path inside the artifact; good by ``naming.path_problem``.
        size: Bytes; None where upstream does not say before the download.
        sha256: What the bytes must hash to; None where upstream states none.
        git_oid: Git blob id the bytes must have; None where upstream states none.
        location: Where its source reads it from (a URL or a local path). Not part
            of what is signed.
        facts: What upstream says of this file alone (a wheel's ``yanked``...).
    """

    path: str
    size: int | None
    sha256: Sha256 | None = None
    git_oid: str | None = None
    location: str = ""
    facts: Mapping[str, Json] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """An artifact at one exact revision, as its source resolved it.

    Attributes:
        kind: Which source made it and can read it.
        name: The name it is served under.
        revision: The full upstream commit or digest; 40 or 64 hex digits.
        files: Sorted by path.
        refs: Branches or tags this revision is to be served as.
        upstream: Where it came from: endpoint, repository, requested revision,
            upstream's own date. Signed with the release.
        licence: Upstream's licence tag, as it states it; empty if none.
        base_models: Upstream's ``base_model`` entries.
        notes: What whoever asked should know of how it was chosen, for people; a
            lock does not keep them.
    """

    kind: Kind
    name: str
    revision: str
    files: tuple[PinnedFile, ...]
    refs: tuple[str, ...] = ()
    upstream: Mapping[str, Json] = field(default_factory=_nothing)
    licence: str = ""
    base_models: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFile:
    """One file of a release, its digest known because its bytes were read.

    Attributes:
        path: Path inside the artifact.
        size: Bytes.
        sha256: Of the whole file.
        git_oid: Git blob id where upstream keeps the file in git itself, which is
            what Hugging Face clients expect as its ETag; None for LFS files.
        format: ``safetensors``, ``gguf``, ``json``, ``wheel``... by content.
        content_class: Whether it can make a program act.
        facts: As upstream states them for this file.
    """

    path: str
    size: int
    sha256: Sha256
    git_oid: str | None = None
    format: str = "other"
    content_class: ContentClass = ContentClass.DATA
    facts: Mapping[str, Json] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory:
    """A key, an authority of certificates, or an identity, behind an attestation.

    Attributes:
        name: Whose it is, in the words of who made the release; the identity.
        scheme: A signature scheme, ``x509`` for an authority, ``sigstore`` for an
            identity.
        key_id: Of the key; SHA-256 of the DER form of an authority's certificate, or
            of ``public`` of an identity.
        public: The key as TUF spells it; PEM of the certificate; a record of the
            identity, who knows it, and the trust root.
    """

    name: str
    scheme: str
    key_id: Sha256
    public: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """A signed statement about a release that travels with it.

    Attributes:
        sha256: Of the statement in its envelope, as it travels.
        size: Its bytes.
        at: When it was made, or was found right by who made the release,
            ``YYYY-MM-DDThh:mm:ssZ``; certificates have to be valid then.
        by: Who must have signed it, all of them; sorted by key id, at least one.
    """

    sha256: Sha256
    size: int
    at: str
    by: tuple[Signatory, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A signed document's content: one artifact at one exact revision.

    Attributes:
        counter: Rises by one with each release of this kind and name; a site
            refuses a fall, even under a stolen dispatch key (threats 2.4).
        attestations: Sorted by digest. They are of everything else here.
    """

    kind: Kind
    name: str
    revision: str
    counter: int
    files: tuple[ReleaseFile, ...]
    refs: tuple[str, ...] = ()
    upstream: Mapping[str, Json] = field(default_factory=_nothing)
    licence: str = ""
    base_models: tuple[str, ...] = ()
    attestations: tuple[Attested, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files, each path counted."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRelease:
    """A release that may be served now.

    Attributes:
        id: SHA-256 of its signed document.
        release: Its content without files (``files`` is empty here; ask the shelf).
        imported: When this site took it in, ``YYYY-MM-DDThh:mm:ssZ``.
    """

    id: Sha256
    release: Release
    imported: str
