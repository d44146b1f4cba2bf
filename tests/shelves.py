"""A shelf in memory whose blobs are real files, and the small world tests serve.

``MemoryShelf`` implements ``airlift.serve.dialect.Shelf``; ``contract/test_shelf.py``
holds it and the registry's own shelf to the same promises.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from airlift.artifact import Json, Kind, LiveRelease, Release, ReleaseFile
from airlift.digest import Sha256, git_blob_hasher, sha256
from airlift.format import release as documents
from airlift.store.span import Span

PACKED_BELOW = 4096
"""Smaller blobs share one pack file, so that offsets are never all zero."""
IMPORTED = "2026-03-01T12:00:00Z"


@dataclass(frozen=True, kw_only=True)
class Cargo:
    """A release to put on a shelf, with the bytes of its files by path."""

    release: Release
    contents: Mapping[str, bytes]
    imported: str = IMPORTED


def git_oid(content: bytes) -> str:
    """Return git's blob id of *content*."""
    hasher = git_blob_hasher(len(content))
    hasher.update(content)
    return hasher.hexdigest()


def cargo(
    kind: Kind,
    name: str,
    contents: Mapping[str, bytes],
    *,
    revision: str = "",
    counter: int = 1,
    refs: Sequence[str] = (),
    upstream: Mapping[str, Json] | None = None,
    facts: Mapping[str, Mapping[str, Json]] | None = None,
    imported: str = IMPORTED,
) -> Cargo:
    """Return a release of *contents*; files of 1,000 bytes and more are LFS files."""
    files = tuple(
        ReleaseFile(
            path=path,
            size=len(content),
            sha256=sha256(content),
            git_oid=git_oid(content) if len(content) < 1000 else None,
            facts=(facts or {}).get(path, {}),
        )
        for path, content in sorted(contents.items())
    )
    made = Release(
        kind=kind,
        name=name,
        revision=revision or hashlib.sha1(f"{name}{counter}".encode()).hexdigest(),
        counter=counter,
        files=files,
        refs=tuple(refs),
        upstream=upstream or {},
    )
    return Cargo(release=made, contents=contents, imported=imported)


class MemoryShelf:
    """A shelf whose records are in memory and whose blobs are files below *folder*."""

    def __init__(self, folder: Path, cargoes: Sequence[Cargo] = ()) -> None:
        self.folder = folder
        self._generation = 0
        self._live: dict[Sha256, LiveRelease] = {}
        self._files: dict[Sha256, dict[str, ReleaseFile]] = {}
        self._spans: dict[Sha256, Span] = {}
        self.add(*cargoes)

    def add(self, *cargoes: Cargo) -> None:
        """Make *cargoes* live, all at once."""
        for one in cargoes:
            release = Sha256(documents.identify(documents.encode(one.release)))
            for content in one.contents.values():
                self._keep(content)
            self._files[release] = {file.path: file for file in one.release.files}
            self._live[release] = LiveRelease(
                id=release,
                release=replace(one.release, files=()),
                imported=one.imported,
            )
        self._generation += 1

    def drop(self, name: str) -> None:
        """Take every release called *name* out of the live set."""
        for key in [k for k, v in self._live.items() if v.release.name == name]:
            del self._live[key], self._files[key]
        self._generation += 1

    def _keep(self, content: bytes) -> None:
        digest = sha256(content)
        if digest in self._spans:
            return
        pack = self.folder / "pack"
        path = pack if len(content) < PACKED_BELOW else self.folder / digest
        with path.open("ab") as file:
            offset = file.tell()
            file.write(content)
        self._spans[digest] = Span(path=path, offset=offset, length=len(content))

    def replace_span(self, sha256: Sha256, span: Span | None) -> None:
        """Pretend that the store keeps *sha256* at *span*, or lost it."""
        self._spans.pop(sha256, None)
        if span is not None:
            self._spans[sha256] = span

    def generation(self) -> int:
        """Return the number of the live set."""
        return self._generation

    def releases(
        self, kinds: frozenset[Kind], name: str | None = None
    ) -> tuple[LiveRelease, ...]:
        """Return live releases by kind, name and falling counter."""
        found = [
            live
            for live in self._live.values()
            if live.release.kind in kinds and name in (None, live.release.name)
        ]
        found.sort(
            key=lambda live: (
                live.release.kind,
                live.release.name,
                -live.release.counter,
            )
        )
        return tuple(found)

    def names_like(self, kinds: frozenset[Kind], name: str) -> tuple[str, ...]:
        """Return live names equal to *name* ignoring case, sorted."""
        names = {live.release.name for live in self.releases(kinds)}
        return tuple(sorted(n for n in names if n.casefold() == name.casefold()))

    def files(self, release: Sha256) -> tuple[ReleaseFile, ...]:
        """Return the files of *release*, sorted by path; none if it is not live."""
        held = self._files.get(release, {})
        return tuple(held[path] for path in sorted(held))

    def file(self, release: Sha256, path: str) -> ReleaseFile | None:
        """Return one file of *release*, or None."""
        return self._files.get(release, {}).get(path)

    def holders(self, sha256: Sha256) -> frozenset[Sha256]:
        """Return the ids of live releases with the blob."""
        return frozenset(
            release
            for release, held in self._files.items()
            if any(file.sha256 == sha256 for file in held.values())
        )

    def span(self, sha256: Sha256) -> Span | None:
        """Return where the blob lies, or None."""
        return self._spans.get(sha256)

    def read(self, sha256: Sha256, start: int, stop: int) -> bytes | None:
        """Return bytes of the blob, or None."""
        span = self.span(sha256)
        return None if span is None else span.read(start, stop)

    def withheld(self, kinds: frozenset[Kind], name: str) -> bool:
        """Say no: everything may be had by everyone."""
        return False
