"""Planning: the recipe by which a new file is made of bases, where that is less.

    sections of the file -> the tensor or piece in a base that each may come from
                         -> compared -> runs -> a recipe, if it is worth one

The plan follows from the file, the bases and their order alone, whatever the index
knew before: a killed export plans the same again.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from airlift.artifact import Release, ReleaseFile
from airlift.digest import Sha256
from airlift.format.head import Op, Piece
from airlift.format.packing import SLAB
from airlift.outbound import recipe
from airlift.outbound.matching import (
    LEAST_DIFFERENCE,
    LEAST_REFERENCE,
    Matched,
    Matcher,
    Old,
    Run,
)
from airlift.outbound.opened import OpenedBlobs
from airlift.outbound.packing import CODED_FORMATS
from airlift.outbound.recipe import Recipe
from airlift.outbound.sections import (
    TENSORS,
    Mark,
    Read,
    Section,
    by_content,
    marks,
    tensors,
)
from airlift.registry.places import Place, Places

LEAST_FILE: Final = 256 << 10
"""Bytes below which a file travels whole: a recipe would cost as much."""
_WORTH: Final = 0.95
"""Of what travels without a base: what a recipe must come below."""
_PIECE_BYTES: Final = 64
"""Of a head: a piece with its slab."""
_LEAST: Final = {
    Op.LITERAL: 1,
    Op.REFERENCE: LEAST_REFERENCE,
    Op.DIFFERENCE: LEAST_DIFFERENCE,
}
"""Bytes from which a piece of its own pays."""
_OLDS: Final = 3
"""Predecessors of one name that are looked into, and places of one mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a file is made, and what that is worth by samples.

    Attributes:
        recipe: How.
        stored: Estimated bytes that travel.
        alone: Estimated bytes that would travel without it.
    """

    recipe: Recipe
    stored: int
    alone: int


@dataclass(frozen=True, slots=True)
class _Base:
    """A blob that may be referred to."""

    file: ReleaseFile
    owner: str
    here: bool
    number: int


class Planner:
    """Plans files against bases.

    Args:
        blobs: Reads both.
        index: Where marks of bases are kept.
        chunked: Whether files of unknown make are compared too, which means reading
            them and their likely bases whole.
    """

    def __init__(
        self, blobs: OpenedBlobs, index: Places, *, chunked: bool = False
    ) -> None:
        self._blobs, self._index, self._chunked = blobs, index, chunked
        self._bases: dict[Sha256, _Base] = {}
        self._names: defaultdict[tuple[str, str], list[Old]] = defaultdict(list)
        self._sections: dict[Sha256, tuple[Section, ...]] = {}
        self._tensor_sections: dict[Sha256, tuple[Section, ...]] = {}

    def offer(self, file: ReleaseFile, owner: Release, *, here: bool = False) -> None:
        """Let later files refer to *file*; among equals, what was offered first wins.

        Args:
            file: A file whose blob the connected store holds; others are ignored.
            owner: The release it is of.
            here: Whether it travels in the same delivery.
        """
        known = file.sha256 in self._bases or file.size < LEAST_FILE
        told = file.format in TENSORS or self._chunked
        if known or not told or not self._blobs.holds(file.sha256):
            return
        number = len(self._bases)
        self._bases[file.sha256] = _Base(file, owner.name, here, number)
        for section in self._tensors(file):
            old = Old(file.sha256, section.start, section.stop - section.start)
            self._names[section.name, section.dtype].append(old)

    def plan(self, file: ReleaseFile, owner: Release) -> Plan | None:
        """Return how *file* of *owner* is best made; None if best without any base.

        Raises:
            StoreError: The store cannot be read.
            RegistryError: The index cannot answer.
        """
        if file.size < LEAST_FILE or file.sha256 in self._bases:
            return None
        sections = self._cut(file)
        if not sections:
            return None
        found = tuple(marks(self._reader(file.sha256), sections))
        self._note(file.sha256, found)
        bases = self._ranked(owner)
        if not bases:
            return None
        coded = file.format in CODED_FORMATS
        work = _Work(Matcher(self._blobs, file.sha256, coded=coded), file.size)
        lacking = []
        for section in sections:
            olds = self._predecessors(section, bases)
            if not work.take(section, olds, sure=self._is_kin(olds, owner)):
                lacking.append(section)
        for piece, olds in self._search(lacking, found, bases):
            work.take(piece, olds, sure=True)
        return work.plan()

    def _cut(self, file: ReleaseFile) -> tuple[Section, ...]:
        if (sections := self._tensors(file)) or not self._chunked:
            return sections
        if file.sha256 not in self._sections:
            read = self._reader(file.sha256)
            self._sections[file.sha256] = by_content(read, file.size)
        return self._sections[file.sha256]

    def _tensors(self, file: ReleaseFile) -> tuple[Section, ...]:
        if file.sha256 not in self._tensor_sections:
            read = self._reader(file.sha256)
            found = tensors(read, file.size, file.format)
            self._tensor_sections[file.sha256] = found
        return self._tensor_sections[file.sha256]

    def _reader(self, blob: Sha256) -> Read:
        return lambda start, stop: self._blobs.read(blob, start, stop)

    # --- bases ------------------------------------------------------------------

    def _ranked(self, owner: Release) -> dict[Sha256, int]:
        """Return the bases with their ranks for a file of *owner*, the best first."""

        def closeness(base: _Base) -> tuple[int, int]:
            if base.owner == owner.name:
                return 0, base.number
            if base.owner in owner.base_models:
                return 1, base.number
            return (2 if base.here else 3), base.number

        # Chunks of everything that was ever sent would have to be read first.
        likely = (
            base
            for base in self._bases.values()
            if base.file.format in TENSORS or closeness(base)[0] < 3
        )
        ordered = sorted(likely, key=closeness)
        return {base.file.sha256: rank for rank, base in enumerate(ordered)}

    def _predecessors(self, section: Section, bases: Mapping[Sha256, int]) -> list[Old]:
        if not section.name:
            return []
        named = self._names.get((section.name, section.dtype), [])
        return sorted(named, key=lambda old: bases[old.blob])[:_OLDS]

    def _is_kin(self, olds: Sequence[Old], owner: Release) -> bool:
        """Say whether the first of *olds* is what *owner* or its base model was before.

        Elsewhere the same name means little: every model has its first layer, and the
        files of one release name theirs alike.
        """
        if not olds:
            return False
        base = self._bases[olds[0].blob]
        return not base.here and base.owner in (owner.name, *owner.base_models)

    # --- marks ------------------------------------------------------------------

    def _note(self, blob: Sha256, found: Iterable[Mark]) -> None:
        rows = [(one.digest, one.start, one.length) for one in found]
        self._index.add(blob, rows)

    def _fill(self, bases: Iterable[Sha256]) -> None:
        """Bring the marks of *bases* into the index that it does not have."""
        wanted = list(bases)
        known = self._index.known(wanted)
        for blob in wanted:
            if blob not in known:
                read = self._reader(blob)
                sections = self._cut(self._bases[blob].file)
                self._note(blob, marks(read, sections))

    def _search(
        self,
        lacking: Sequence[Section],
        found: Iterable[Mark],
        bases: Mapping[Sha256, int],
    ) -> Iterator[tuple[Section, list[Old]]]:
        """Yield pieces of sections without predecessors, and where their like lie."""
        if not lacking:
            return
        self._fill(bases)
        at = {one.start: one for one in found}
        pieces = [
            (replace(section, start=start, stop=start + at[start].length), at[start])
            for section in lacking
            for start in range(section.start, section.stop, SLAB)
            if start in at
        ]
        places = self._index.find([mark.digest for _, mark in pieces], bases)
        for piece, mark in pieces:
            alike = places.get(mark.digest, ())[:_OLDS]
            yield piece, [self._from(place) for place in alike]

    def _from(self, place: Place) -> Old:
        size = self._blobs.size(place.blob)
        return Old(place.blob, place.start, max(0, size - place.start))


class _Work:
    """The runs of one file, by where they begin."""

    def __init__(self, matcher: Matcher, size: int) -> None:
        self._matcher, self._size = matcher, size
        self._done: dict[int, tuple[int, Matched]] = {}

    def take(
        self, section: Section, olds: Sequence[Old], *, sure: bool = False
    ) -> bool:
        """Compare *section* with the best of *olds*; say whether it gave anything."""
        old = self._matcher.choose(section, olds, sure=sure)
        matched = self._matcher.match(section, old) if old else None
        if matched is None or not any(base for _, base in matched.runs):
            return False
        self._done[section.start] = (section.stop, matched)
        return True

    def plan(self) -> Plan | None:
        """Return the plan, if there is one that pays."""
        parts = list(self._parts())
        made = _without_scraps([run for part in parts for run in part.runs])
        stored = sum(one.stored for one in parts) + _PIECE_BYTES * len(made.pieces)
        alone = sum(one.alone for one in parts)
        if not made.bases or stored > _WORTH * alone:
            return None
        return Plan(recipe=made, stored=int(stored), alone=int(alone))

    def _parts(self) -> Iterator[Matched]:
        """Yield what was matched, in order, and literals between."""
        position = 0
        for start, (stop, matched) in sorted(self._done.items()):
            if start > position:
                yield self._matcher.alone(position, start)
            yield matched
            position = stop
        if position < self._size:
            yield self._matcher.alone(position, self._size)


def _without_scraps(runs: Sequence[Run]) -> Recipe:
    """Return the recipe of *runs*, what is too short to pay made literals."""
    joined = recipe.of((base for _, base in runs if base), runs)
    kept: list[Run] = []
    for piece in joined.pieces:
        if piece.length < _LEAST[piece.op]:
            kept.append((Piece(Op.LITERAL, 0, 0, piece.length, 0), None))
        else:
            base = None if piece.op is Op.LITERAL else joined.bases[piece.base]
            kept.append((piece, base))
    return recipe.of((base for _, base in kept if base), kept)
