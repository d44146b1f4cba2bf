"""A shelf that shows one caller what that caller may have, and nothing else.

Dialects look everything up on the shelf they are given, so none of them can forget
to ask.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from airlift.artifact import Kind, LiveRelease, ReleaseFile
from airlift.digest import Sha256
from airlift.serve.access.scope import Scopes
from airlift.serve.dialect import Shelf
from airlift.store.span import Span

_EVERY = frozenset(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """The releases shown while the live set is of one generation, by id."""

    generation: int
    releases: Mapping[Sha256, LiveRelease]


_NOTHING = _Shown(generation=-1, releases={})


class ScopedShelf:
    """What *scopes* cover of another shelf. Safe from any thread.

    Args:
        shelf: The whole.
        scopes: What may be had.
    """

    def __init__(self, shelf: Shelf, scopes: Scopes) -> None:
        self._shelf, self._scopes = shelf, scopes
        self._lock = threading.Lock()
        self._shown = _NOTHING

    def generation(self) -> int:
        """Return the number of the live set."""
        return self._shelf.generation()

    def releases(
        self, kinds: frozenset[Kind], name: str | None = None
    ) -> tuple[LiveRelease, ...]:
        """Return the live releases of *kinds* that are covered, of *name* if given."""
        return tuple(one for one in self._shelf.releases(kinds, name) if self._may(one))

    def names_like(self, kinds: frozenset[Kind], name: str) -> tuple[str, ...]:
        """Return covered live names of *kinds* equal to *name* ignoring case."""
        alike = self._shelf.names_like(kinds, name)
        return tuple(one for one in alike if self.releases(kinds, one))

    def files(self, release: Sha256) -> tuple[ReleaseFile, ...]:
        """Return the files of a covered live release, sorted by path."""
        return self._shelf.files(release) if release in self._ids() else ()

    def file(self, release: Sha256, path: str) -> ReleaseFile | None:
        """Return one file of a covered live release, or None."""
        return self._shelf.file(release, path) if release in self._ids() else None

    def holders(self, sha256: Sha256) -> frozenset[Sha256]:
        """Return the ids of the covered live releases that have the blob."""
        return self._shelf.holders(sha256) & self._ids().keys()

    def span(self, sha256: Sha256) -> Span | None:
        """Return where the blob lies; None unless a covered release has it."""
        return self._shelf.span(sha256) if self.holders(sha256) else None

    def read(self, sha256: Sha256, start: int, stop: int) -> bytes | None:
        """Return bytes of the blob; None unless a covered release has it."""
        return self._shelf.read(sha256, start, stop) if self.holders(sha256) else None

    def withheld(self, kinds: frozenset[Kind], name: str) -> bool:
        """Say whether *name* is live but not covered, ignoring case."""
        alike = self._shelf.names_like(kinds, name)
        return bool(alike) and not self.names_like(kinds, name)

    def _may(self, live: LiveRelease) -> bool:
        return self._scopes.covers(live.release.kind, live.release.name)

    def _ids(self) -> Mapping[Sha256, LiveRelease]:
        # The number is read before the set: a set that changes in between is kept
        # under the older number and read again next time.
        generation = self._shelf.generation()
        with self._lock:
            if self._shown.generation != generation:
                found = {one.id: one for one in self.releases(_EVERY)}
                self._shown = _Shown(generation=generation, releases=found)
            return self._shown.releases
