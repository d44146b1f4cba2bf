"""Facts of the files of releases: from the registry, and looked for where it has none.

What was looked for is kept as it is found, some seconds of work at a time, so that an
audit which is interrupted has not worked in vain. Where this user may not write, or
somebody else does, facts are still told; the next audit looks again.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from airlift.artifact import ContentClass, Json, Kind, ReleaseFile
from airlift.audit.facts import pickles, record
from airlift.audit.site import Site
from airlift.errors import FormatError, RegistryError, StoreError
from airlift.payload import file_facts, file_look, portrait
from airlift.payload.face import Read, Role, role_of
from airlift.payload.file_facts import FileFacts
from airlift.progress import Progress, Silent
from airlift.registry.blob_facts import BlobFacts, Key
from airlift.registry.held import Held
from airlift.store.durable import FLAGS, let_go
from airlift.store.span import Span

_OTHERWISE: Final = frozenset({Kind.OLLAMA, Kind.OCI})
"""Kinds of which the name of a file alone does not say what it is for."""
LOT: Final = 20_000
"""Work after which facts are kept, in small files: losing it costs seconds."""
SCANNED: Final = 200
"""What a pickle is in small files: two processes of their own look at it."""
_BYTES: Final = 8 << 10
"""Of a file that is parsed, as many bytes as are the work of a small file."""
_PARSED: Final = 4 << 20
"""Most bytes of a file that are counted: of weights only the header is parsed."""
_NOTHING: Final = ("format", "class")
"""All that is kept of a file that says nothing."""
_Told = tuple[FileFacts, Mapping[str, Json]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file whose facts are wanted.

    Attributes:
        key: Its bytes, and the name it is looked at by.
        size: Bytes.
        role: What it is for.
    """

    key: Key
    size: int
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What is known of files.

    Attributes:
        facts: Of each file.
        problems: Why a file could not be looked into.
        looked: How many were looked into now.
    """

    facts: Mapping[Key, FileFacts]
    problems: Mapping[Key, str]
    looked: int


def wanted(held: Held, files: Sequence[ReleaseFile]) -> Mapping[str, Wanted]:
    """Return what is wanted of each of the *files* of a release, by path."""
    labels = portrait.labels(files)
    found = {}
    for file in files:
        role = portrait.role(held.release.kind, file)
        name = labels[file.path].rsplit("/", maxsplit=1)[-1]
        if (file.facts or held.release.kind in _OTHERWISE) and role is not role_of(
            file.path, {}
        ):
            # A registry says what it is for; its name says nothing, or something else.
            name = f"{role.value}:{name}"
        key = (file.sha256, name)
        found[file.path] = Wanted(key=key, size=file.size, role=role)
    return found


def gather(
    site: Site,
    files: Iterable[Wanted],
    progress: Progress | None = None,
    *,
    lot: int = LOT,
) -> Gathered:
    """Return the facts of *files*.

    Args:
        site: Open.
        files: Which.
        progress: Gets one task, in files.
        lot: Work after which what was found is kept, in small files.

    Raises:
        RegistryError: The registry cannot answer.
    """
    each = {one.key: one for one in files}
    with BlobFacts(site.home) as kept:
        known = _known(kept, each)
        looking = _Looking(site, kept, lot)
        missing = [one for key, one in each.items() if key not in known]
        looking.look(missing, progress or Silent())
    return Gathered(
        facts={**known, **looking.facts},
        problems=looking.problems,
        looked=len(looking.facts),
    )


def _known(kept: BlobFacts, each: Mapping[Key, Wanted]) -> dict[Key, FileFacts]:
    found = kept.known([blob for blob, _ in each], (_plain(), _full()), _read)
    return {
        key: facts
        for key in found.keys() & each.keys()
        if (facts := found[key]) is not None
    }


def _read(told: Mapping[str, Json]) -> FileFacts | None:
    """Return facts as they were kept; None of a later airlift's: looked for again."""
    try:
        return record.from_table(told)
    except FormatError:
        return None


def _plain() -> str:
    """Return the rules by which files are looked into that are no pickles."""
    return f"airlift {file_facts.EDITION}"


def _full() -> str:
    """Return the rules by which pickles are: another scanner looks again."""
    told = (
        f"{name} {version or 'absent'}" for name, version in pickles.versions().items()
    )
    return ", ".join((_plain(), *told))


class _Looking:
    """One pass over files that nothing is known of."""

    def __init__(self, site: Site, kept: BlobFacts, lot: int) -> None:
        self.facts: dict[Key, FileFacts] = {}
        self.problems: dict[Key, str] = {}
        self._site, self._kept, self._keeps = site, kept, True
        self._fresh: dict[Key, tuple[str, Mapping[str, Json]]] = {}
        self._lot, self._work = lot, 0
        self._rules = _plain()
        self._plain: dict[tuple[str, ContentClass], _Told] = {}

    def look(self, files: Sequence[Wanted], progress: Progress) -> None:
        """Look into *files*, and keep what was found."""
        spans = self._site.store.spans(one.key[0] for one in files)
        # Packs are read from front to back, whatever the names of what is in them.
        order = sorted(files, key=lambda one: _place(spans.get(one.key[0])))
        with (
            contextlib.closing(_Packs()) as packs,
            progress.task("looking into files", len(files), unit="files") as advance,
        ):
            for one in order:
                if (found := self._one(one, spans.get(one.key[0]), packs)) is not None:
                    self._note(one, found)
                advance(1)
            self._keep()

    def _one(self, one: Wanted, span: Span | None, packs: "_Packs") -> FileFacts | None:
        if span is not None:
            with contextlib.suppress(StoreError):
                return look(one, span, packs.reader(span))
        # A collection may have moved it to another pack since it was looked for.
        blob = one.key[0]
        try:
            span = self._site.store.span(blob)
            if span is None:
                self.problems[one.key] = "it is not in the store"
                return None
            return look(one, span)
        except StoreError as error:
            self.problems[one.key] = error.problem
        return None

    def _note(self, one: Wanted, found: FileFacts) -> None:
        self.facts[one.key] = found
        rules = _full() if found.scanned else self._rules
        self._fresh[one.key] = (rules, self._table(found))
        self._work += 1 + min(one.size, _PARSED) // _BYTES
        self._work += SCANNED if found.scanned else 0
        if self._work >= self._lot:
            self._keep()

    def _table(self, found: FileFacts) -> Mapping[str, Json]:
        """Return facts as they are kept: one table for all files that say nothing."""
        known = self._plain.get((found.format, found.content_class))
        if known and known[0] == found:
            return known[1]
        told = record.table(found)
        if len(told) == len(_NOTHING):
            self._plain[found.format, found.content_class] = found, told
        return told

    def _keep(self) -> None:
        fresh, self._fresh, self._work = self._fresh, {}, 0
        if not self._keeps:
            return
        try:
            self._kept.keep(fresh, now=self._site.clock.system)
        except RegistryError:
            # Somebody imports, or this user may only read.
            self._keeps = False


class _Packs:
    """The pack that small files are read from, one after the other, opened once."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._fd = -1

    def reader(self, span: Span) -> Read:
        """Return what reads *span*; all of it at once where it is a small file's."""
        if not span.offset:
            return span.read
        try:
            if span.path != self._path:
                self.close()
                self._fd = os.open(span.path, os.O_RDONLY | FLAGS)
                self._path = span.path
            data = os.pread(self._fd, span.length, span.offset)
        except OSError:
            return span.read  # says what is wrong with it
        whole = len(data) == span.length
        return (lambda start, stop: data[start:stop]) if whole else span.read

    def close(self) -> None:
        """Close it. May be called twice."""
        fd, self._fd, self._path = self._fd, -1, None
        if fd >= 0:
            let_go(fd)


def _place(span: Span | None) -> tuple[str, int]:
    return (str(span.path), span.offset) if span else ("", 0)


def look(one: Wanted, span: Span, read: Read | None = None) -> FileFacts:
    """Return the facts of a file that lies at *span*.

    Args:
        one: Which.
        span: Where.
        read: Gives its bytes; None to read them there.

    Raises:
        StoreError: It cannot be read.
    """
    found = file_look.look(one.key[1], one.size, read or span.read, one.role)
    if found.content_class is not ContentClass.PICKLE:
        return found
    scanned, imported = pickles.scan(span, found.format)
    found = replace(found, scanned=scanned, globals=imported)
    return replace(found, signs=tuple(sorted({*found.signs, *pickles.signs(found)})))
