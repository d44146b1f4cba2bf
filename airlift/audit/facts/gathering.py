"""Facts of the files of releases: from the registry, and looked for where it has none.

What was looked for is kept at once, a few hundred files at a time, so that an audit which
is interrupted has not worked in vain. Where this user may not write, or somebody else
does, facts are still told; the next audit looks again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from airlift.artifact import ContentClass, Json, ReleaseFile
from airlift.audit.facts import pickles, record
from airlift.audit.site import Site
from airlift.errors import FormatError, RegistryError, StoreError
from airlift.payload import file_facts, file_look, portrait
from airlift.payload.face import Role, role_of
from airlift.payload.file_facts import FileFacts
from airlift.progress import Progress, Silent
from airlift.registry.blob_facts import BlobFacts, Key
from airlift.registry.held import Held
from airlift.store.span import Span

_BATCH: Final = 200
"""Files whose facts are kept together: losing them costs seconds."""


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
        if role is not role_of(file.path, {}):
            # A registry says what it is for; its name says nothing, or something else.
            name = f"{role.value}:{name}"
        key = (file.sha256, name)
        found[file.path] = Wanted(key=key, size=file.size, role=role)
    return found


def gather(
    site: Site, files: Iterable[Wanted], progress: Progress | None = None
) -> Gathered:
    """Return the facts of *files*.

    Raises:
        RegistryError: The registry cannot answer.
    """
    each = {one.key: one for one in files}
    with BlobFacts(site.home) as kept:
        known = _known(kept, each)
        looking = _Looking(site, kept)
        missing = [one for key, one in sorted(each.items()) if key not in known]
        looking.look(missing, progress or Silent())
    return Gathered(
        facts={**known, **looking.facts},
        problems=looking.problems,
        looked=len(looking.facts),
    )


def _known(kept: BlobFacts, each: Mapping[Key, Wanted]) -> dict[Key, FileFacts]:
    found = kept.known([blob for blob, _ in each], (_plain(), _full()))
    known = {}
    for key in found.keys() & each.keys():
        try:
            known[key] = record.from_table(found[key])
        except FormatError:
            continue  # a later airlift's: it is looked for again
    return known


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

    def __init__(self, site: Site, kept: BlobFacts) -> None:
        self.facts: dict[Key, FileFacts] = {}
        self.problems: dict[Key, str] = {}
        self._site, self._kept, self._keeps = site, kept, True

    def look(self, files: Sequence[Wanted], progress: Progress) -> None:
        """Look into *files*, and keep what was found."""
        left = iter(files)
        with progress.task("looking into files", len(files), unit="files") as advance:
            while some := tuple(islice(left, _BATCH)):
                fresh: dict[Key, tuple[str, Mapping[str, Json]]] = {}
                for one in some:
                    if (found := self._one(one)) is not None:
                        self.facts[one.key] = found
                        rules = _full() if found.scanned else _plain()
                        fresh[one.key] = (rules, record.table(found))
                    advance(1)
                self._keep(fresh)

    def _one(self, one: Wanted) -> FileFacts | None:
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

    def _keep(self, fresh: Mapping[Key, tuple[str, Mapping[str, Json]]]) -> None:
        if not self._keeps or not fresh:
            return
        try:
            self._kept.keep(fresh, now=self._site.clock.system)
        except RegistryError:
            # Somebody imports, or this user may only read.
            self._keeps = False


def look(one: Wanted, span: Span) -> FileFacts:
    """Return the facts of a file that lies at *span*.

    Raises:
        StoreError: It cannot be read.
    """
    found = file_look.look(one.key[1], one.size, span.read, one.role)
    if found.content_class is not ContentClass.PICKLE:
        return found
    scanned, imported = pickles.scan(span, found.format)
    found = replace(found, scanned=scanned, globals=imported)
    return replace(found, signs=tuple(sorted({*found.signs, *pickles.signs(found)})))
