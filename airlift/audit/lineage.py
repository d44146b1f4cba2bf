"""From what models were made, as far as what is held and what is watched says."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from airlift.audit.site import Site
from airlift.payload import licence_facts
from airlift.payload.licence_facts import Rank

DEPTH: Final = 16
"""Generations that are followed: upstream's word may go round in circles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """A model that another was made from.

    Attributes:
        name: Upstream's name of it.
        licence: As upstream states it; empty where it states none, or nobody knows.
        known: Whether it is held here or watched by the newest catalogue.
    """

    name: str
    licence: str
    known: bool

    @property
    def rank(self) -> Rank:
        """How much its licence asks for."""
        return licence_facts.rank(self.licence)


class Family:
    """Who was made from whom, at one site.

    Args:
        site: Its releases and its newest catalogue are asked.
    """

    def __init__(self, site: Site) -> None:
        self._known: dict[str, tuple[str, tuple[str, ...]]] = {}
        for item in site.made.items if site.made else ():
            self._known[item.name] = (item.licence, item.base_models)
        # What is held says what holds for its bytes; the newest of each name last.
        for one in reversed(site.releases):
            release = one.release
            self._known[release.name] = (release.licence, release.base_models)

    def above(self, name: str, parents: Iterable[str]) -> tuple[Ancestor, ...]:
        """Return all that *name* was made from, the nearest first, each once."""
        found: dict[str, Ancestor] = {}
        level = [one for one in parents if one != name]
        for _ in range(DEPTH):
            below: list[str] = []
            for one in level:
                if one in found or one == name:
                    continue
                licence, more = self._known.get(one, ("", ()))
                known = one in self._known
                found[one] = Ancestor(name=one, licence=licence, known=known)
                below += more
            level = below
        return tuple(found.values())


def label(one: Ancestor) -> str:
    """Return an ancestor for a person: ``org/base (mit)``."""
    if not one.known:
        return f"{one.name} (not known here)"
    return f"{one.name} ({one.licence or 'none stated'})"
