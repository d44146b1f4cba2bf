"""A repository as hub clients see it: live releases of one name, joined by commit.

A repository is read from the shelf whole, once per request, so that one answer never
mixes two states of the live set.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from airlift.artifact import Kind, LiveRelease, ReleaseFile
from airlift.serve.dialect import Shelf

KINDS = MappingProxyType(
    {
        "models": frozenset({Kind.MODEL, Kind.GGUF, Kind.FOLDER}),
        "datasets": frozenset({Kind.DATASET}),
        "spaces": frozenset[Kind](),
    }
)
"""The hub's type of repository to the kinds of release served as it."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PREFIX = re.compile(r"[0-9a-f]{7,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One commit of a repository: the releases made from it, newest first.

    Several where, say, a whole model and chosen GGUF files of the same commit were
    carried apart; their files are then served as one tree.

    Attributes:
        commit: As upstream states it.
        releases: Never empty.
        successor: The commit that took this one's place; empty while it is current.
    """

    commit: str
    releases: tuple[LiveRelease, ...]
    successor: str = ""

    @property
    def release(self) -> str:
        """The id of the newest release of this commit."""
        return self.releases[0].id

    def files(self, shelf: Shelf) -> tuple[ReleaseFile, ...]:
        """Return the union of the releases' files, sorted by path."""
        found: dict[str, ReleaseFile] = {}
        for live in reversed(self.releases):  # so that the newest release wins
            found.update((file.path, file) for file in shelf.files(live.id))
        return tuple(found[path] for path in sorted(found))

    def file(self, shelf: Shelf, path: str) -> ReleaseFile | None:
        """Return the file at *path* of the newest release that has it."""
        for live in self.releases:
            if file := shelf.file(live.id, path):
                return file
        return None

    @property
    def date(self) -> str:
        """Upstream's date of the commit, or when it was taken in: ``...ss.000Z``."""
        # Old hub clients parse dates with exactly this shape and no other.
        for live in self.releases:
            stated = live.release.upstream.get("modified")
            if isinstance(stated, str) and (match := _DATE.match(stated)):
                return f"{match[0]}.000Z"
        return self.releases[0].imported.replace("Z", ".000Z")

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        """What clients are to tell their user, each with a topic that is its own."""
        found = []
        for live in self.releases:
            stated = live.release.upstream.get("notice")
            if isinstance(stated, str) and stated:
                found.append((f"notice {live.id[:12]}", stated))
        if self.successor:
            name = self.releases[0].release.name
            text = (
                f"{name} at {self.commit[:12]} is superseded here by "
                f"{self.successor[:12]}; no branch or tag leads to it any more"
            )
            found.append((f"superseded {self.release[:12]}", text))
        return tuple(found)


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")


@dataclass(frozen=True, kw_only=True)
class Repo:
    """A repository: its canonical name and its live releases, newest first."""

    name: str
    releases: tuple[LiveRelease, ...]

    @cached_property
    def refs(self) -> dict[str, str]:
        """Every branch, tag and pull request served, with its commit, sorted.

        A ref is the commit of the newest release that claims it. ``main`` always
        exists: where none claims it, it is the newest release.
        """
        return {ref: live.release.revision for ref, live in self._claims.items()}

    @cached_property
    def tags(self) -> frozenset[str]:
        """Those of ``refs`` that upstream calls tags, as far as their release says."""
        found = set()
        for ref, live in self._claims.items():
            stated = live.release.upstream.get("tags")
            if isinstance(stated, list | tuple) and ref in stated:
                found.add(ref)
        return frozenset(found)

    @cached_property
    def _claims(self) -> dict[str, LiveRelease]:
        found: dict[str, LiveRelease] = {}
        for live in self.releases:
            for ref in live.release.refs:
                found.setdefault(ref.removeprefix("refs/heads/"), live)
        found.setdefault("main", self.releases[0])
        return dict(sorted(found.items()))

    def revision(self, name: str) -> Revision | None:
        """Return the commit that *name* means: full or short hash, branch or tag."""
        commit = self._commit(name)
        if commit is None:
            return None
        made = tuple(one for one in self.releases if one.release.revision == commit)
        successor = self._successor(commit)
        return Revision(commit=commit, releases=made, successor=successor)

    def _successor(self, commit: str) -> str:
        """Return the commit that took *commit*'s place, or nothing.

        What a branch or tag still leads to is current, however old: clients turn a
        tag into its commit first and then ask by commit.
        """
        if commit in self.refs.values():
            return ""
        # Counters of different kinds are not one sequence: chosen GGUF files of an
        # older commit may be the newest there are.
        newest: dict[Kind, str] = {}
        for live in self.releases:
            newest.setdefault(live.release.kind, live.release.revision)
        kinds = [r.release.kind for r in self.releases if r.release.revision == commit]
        later = [newest[kind] for kind in kinds]
        return "" if commit in later else later[0]

    def _commit(self, name: str) -> str | None:
        commits = {live.release.revision for live in self.releases}
        if _COMMIT.fullmatch(name):
            return name if name in commits else None
        plain = name.removeprefix("refs/heads/").removeprefix("refs/tags/")
        for ref in ("main" if plain == "HEAD" else plain, f"refs/tags/{plain}"):
            if ref in self.refs:
                return self.refs[ref]
        if _PREFIX.fullmatch(name):
            matching = [commit for commit in commits if commit.startswith(name)]
            return matching[0] if len(matching) == 1 else None
        return None


def find(shelf: Shelf, kinds: frozenset[Kind], name: str) -> Repo | None:
    """Return the repository *name*, or None.

    Like the hub, spelling decides only between names that differ in nothing else.
    """
    live = shelf.releases(kinds, name)
    if not live:
        alike = shelf.names_like(kinds, name)
        if len(alike) != 1:
            return None
        live = shelf.releases(kinds, alike[0])
    return _repo(live) if live else None


def every(shelf: Shelf, kinds: frozenset[Kind]) -> list[Repo]:
    """Return all repositories of *kinds*, sorted by name."""
    by_name: dict[str, list[LiveRelease]] = {}
    for live in shelf.releases(kinds):
        by_name.setdefault(live.release.name, []).append(live)
    return [_repo(tuple(by_name[name])) for name in sorted(by_name)]


def _repo(live: tuple[LiveRelease, ...]) -> Repo:
    # Counters of different kinds are not one sequence; the later fields only make
    # the order total, so that the same live set gives the same answers.
    newest = sorted(
        live,
        key=lambda one: (one.release.counter, one.imported, one.release.revision),
        reverse=True,
    )
    return Repo(name=newest[0].release.name, releases=tuple(newest))
