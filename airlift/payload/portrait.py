"""The portrait of a revision: its files, what is stated of them, and their faces.

Made alike of what a source pinned and of a signed release, so that the two compare.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from airlift.artifact import (
    NOTHING,
    ContentClass,
    Json,
    Kind,
    Pinned,
    PinnedFile,
    Release,
    ReleaseFile,
)
from airlift.digest import Sha256
from airlift.payload import ollama, sniff
from airlift.payload.face import Face, Role, is_readable, role_of

_MODELS: Final = (".gguf", ".safetensors")
_METADATA: Final = ".metadata"
_SHARD = re.compile(r"-\d{5}-of-\d{5}(?=\.)", re.ASCII)


def _nothing() -> Mapping[str, Json]:
    return NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a portrait.

    Attributes:
        path: What people call it: its path; the name of a layer of Ollama, whose path
            is its digest.
        size: Bytes; None where upstream does not say.
        sha256: None where upstream states none.
        git_oid: None where upstream states none.
        role: What it is for.
        content_class: Whether it can make a program act; by name where it was not read.
        facts: What upstream says of it.
        face: What it says of itself; None where it was not read.
    """

    path: str
    size: int | None
    sha256: Sha256 | None
    git_oid: str | None
    role: Role
    content_class: ContentClass
    facts: Mapping[str, Json] = field(default_factory=_nothing)
    face: Face | None = None

    @property
    def group(self) -> str:
        """The path without the number of a shard: what several files make up."""
        return _SHARD.sub("", self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """A revision of an artifact.

    Attributes:
        members: Its files by ``Member.path``.
        upstream: What upstream says of the whole.
    """

    kind: Kind
    name: str
    revision: str
    members: Mapping[str, Member]
    refs: tuple[str, ...] = ()
    upstream: Mapping[str, Json] = field(default_factory=_nothing)
    licence: str = ""
    base_models: tuple[str, ...] = ()


def of(artifact: Pinned | Release, faces: Mapping[str, Face]) -> Portrait:
    """Return the portrait of *artifact*.

    Args:
        artifact: What was pinned, or a release with its files.
        faces: Of files that were read, by path inside the artifact.
    """
    names = labels(artifact.files)
    members = {
        names[file.path]: _member(artifact.kind, file, names, faces)
        for file in artifact.files
    }
    return Portrait(
        kind=artifact.kind,
        name=artifact.name,
        revision=artifact.revision,
        members=members,
        refs=artifact.refs,
        upstream=artifact.upstream,
        licence=artifact.licence,
        base_models=artifact.base_models,
    )


def labels(files: Iterable[PinnedFile | ReleaseFile]) -> Mapping[str, str]:
    """Return what people call each of *files*, by path."""
    found: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for file in files:
        media_type = file.facts.get("media-type")
        name = file.path
        if isinstance(media_type, str) and media_type.startswith(ollama.LAYER_TYPE):
            name = media_type.removeprefix(ollama.LAYER_TYPE)
            seen[name] += 1
            name = f"{name}-{seen[name]}" if seen[name] > 1 else name
        found[file.path] = name
    return found


def is_same(old: Member, new: Member) -> bool:
    """Say whether both have the same bytes, as far as what is stated of them tells."""
    if old.sha256 is not None and new.sha256 is not None:
        return old.sha256 == new.sha256
    return old.git_oid is not None and old.git_oid == new.git_oid


def same_paths(old: Portrait, new: Portrait) -> frozenset[str]:
    """Return the paths at which both have the same bytes."""
    both = old.members.keys() & new.members.keys()
    same = {path for path in both if is_same(old.members[path], new.members[path])}
    # The metadata of a wheel is part of it; an index may state no digest of it.
    aside = {
        path
        for path in both - same
        if path.endswith(_METADATA) and path.removesuffix(_METADATA) in same
        if new.members[path].sha256 is None
    }
    return frozenset(same | aside)


def pairs(old: Iterable[str], new: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield which of *old* groups became which of *new*, by name; empty for none.

    A model in one file that has another name by now is still that model: where one of
    its format went and one came, they are a pair.
    """
    gone, come = set(old) - set(new), set(new) - set(old)
    yield from ((name, name) for name in sorted(set(old) & set(new)))
    for ending in _MODELS:
        was, now = (
            [name for name in names if name.endswith(ending)] for names in (gone, come)
        )
        if len(was) == len(now) == 1:
            yield was[0], now[0]
            gone -= set(was)
            come -= set(now)
    yield from ((name, "") for name in sorted(gone))
    yield from (("", name) for name in sorted(come))


def role(kind: Kind, file: PinnedFile | ReleaseFile) -> Role:
    """Return what *file* of an artifact of *kind* is for."""
    if kind in (Kind.OLLAMA, Kind.OCI) and file.path == ollama.MANIFEST:
        return Role.CARD  # it names the other files; what differs is seen in them
    return role_of(file.path, file.facts)


def is_read(kind: Kind, file: PinnedFile | ReleaseFile) -> bool:
    """Say whether what *file* of an artifact of *kind* says is worth reading.

    What is neither weights, settings nor a template is read for one thing alone:
    whether it can make a program act. That of images and wheels is their purpose, and
    datasets have thousands of files.
    """
    known = role(kind, file)
    if kind in (Kind.WHEELS, Kind.OCI) or not is_readable(file.path, file.size, known):
        return False
    if known is Role.OTHER:
        return kind in (Kind.MODEL, Kind.GGUF, Kind.FOLDER)
    return True


def _member(
    kind: Kind,
    file: PinnedFile | ReleaseFile,
    names: Mapping[str, str],
    faces: Mapping[str, Face],
) -> Member:
    face = faces.get(file.path)
    if face is not None:
        content_class = face.content_class
    elif isinstance(file, ReleaseFile):
        content_class = file.content_class
    else:
        content_class = sniff.sniff(file.path, b"", b"")[1]
    return Member(
        path=names[file.path],
        size=file.size,
        sha256=file.sha256,
        git_oid=file.git_oid,
        role=role(kind, file),
        content_class=content_class,
        facts=file.facts,
        face=face,
    )
