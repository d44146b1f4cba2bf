"""The quay: the person who brings media, and what they are told and asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from airlift.outbound import allotment

NO_LIMIT: Final = 2**62
"""Bytes: more than any medium has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """What one medium gets.

    Attributes:
        number: Of the medium.
        folder: Where it is mounted.
        volumes: Ordinals of the volumes that go there.
        size: Bytes of all that goes there.
        free: Bytes it has free.
        spares: Numbers of the spares that go there.
    """

    number: int
    folder: Path
    volumes: tuple[int, ...]
    size: int
    free: int
    spares: tuple[int, ...] = ()

    def shown(self) -> str:
        """Return which volumes and spares, for a person."""
        return allotment.told(self.volumes, self.spares)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A medium that is asked for.

    Attributes:
        site: Of the delivery.
        sequence: Of the delivery.
        number: The medium's.
        count: How many there will be, by the size of those so far; 0 where none was
            seen yet.
        volumes: Ordinals of the volumes that have no medium yet.
        size: Bytes of those, and of the spares.
        least: Bytes of the smallest of them: a medium with less is of no use.
        folders: Where it may be mounted.
        spares: Numbers of the spares that have no medium yet.
    """

    site: str
    sequence: int
    number: int
    count: int
    volumes: tuple[int, ...]
    size: int
    least: int
    folders: tuple[Path, ...]
    spares: tuple[int, ...] = ()

    def shown(self) -> str:
        """Return which volumes and spares, for a person."""
        return allotment.told(self.volumes, self.spares)


class Quay(Protocol):
    """Who brings media."""

    def now(self) -> str:
        """Return the time."""
        ...

    def loading(self, plan: Sequence[Loading], left: Wanted | None) -> None:
        """Say what is about to be written, and what will have no medium after that."""
        ...

    def trouble(self, problem: str) -> None:
        """Say that a medium failed, or does not do; the delivery goes on."""
        ...

    def bring(self, wanted: Wanted) -> bool:
        """Ask for a medium; return whether there is one now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """Several media, or one drive for one after the other.

    Attributes:
        folders: Where media are, or will be, mounted.
        quay: Who brings them.
        most: Bytes of files that one medium may have, whatever it has free.
        wait: Whether more media may be asked for.
    """

    folders: tuple[Path, ...]
    quay: Quay
    most: int = NO_LIMIT
    wait: bool = False

    @property
    def several(self) -> bool:
        """Whether this is more than writing everything into one folder."""
        return len(self.folders) > 1 or self.wait or self.most < NO_LIMIT
