"""What is live, counted and named: for the log and the figures."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from airlift.artifact import Kind
from airlift.serve.dialect import Shelf

_ALL = frozenset(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    generation: int
    names: Mapping[str, str]
    kinds: Mapping[Kind, int]


class LiveSet:
    """Reads what is live again only when the generation has changed."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._known = _Known(generation=-1, names={}, kinds={})

    def name(self, release: str) -> str:
        """Return the name of the live release with this id; empty for any other.

        Raises:
            RegistryError: The registry cannot answer.
        """
        return self._now().names.get(release, "") if release else ""

    def kinds(self) -> Mapping[Kind, int]:
        """Return how many releases of each kind are live, every kind named.

        Raises:
            RegistryError: The registry cannot answer.
        """
        return self._now().kinds

    def generation(self) -> int:
        """Return the number of the live set.

        Raises:
            RegistryError: The registry cannot answer.
        """
        return self._now().generation

    def _now(self) -> _Known:
        generation = self._shelf.generation()
        if self._known.generation != generation:
            # Should the set change in between, it is read again the next time.
            found = self._shelf.releases(_ALL)
            counts = Counter(one.release.kind for one in found)
            self._known = _Known(
                generation=generation,
                names={one.id: one.release.name for one in found},
                kinds={kind: counts[kind] for kind in Kind},
            )
        return self._known
