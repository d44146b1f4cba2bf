"""Recipes: how a blob is made of blobs that are there already (docs/format.md, 5).

A recipe covers a whole blob; its *portions* are the parts that travel. Where a part
ends follows from the pieces alone, so that the same recipe makes the same parts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from airlift.artifact import Json
from airlift.digest import Sha256, sha256
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.format.head import PIECED_SLABS, PIECES, Op, Piece
from airlift.format.packing import PART_LIMIT, SLAB

_FRONT = 4096
"""Bytes of the literal in front of a part that would have no slab."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What one slab holds.

    Attributes:
        start: Where its bytes begin in the blob.
        length: Decoded bytes, at most 4 MiB.
        width: Bytes of an element of a difference; 0 where the bytes are the blob's.
        base: The blob they differ from; None where ``width`` is 0.
        offset: Where as many bytes begin in the base.
    """

    start: int
    length: int
    width: int = 0
    base: Sha256 | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What one part of a blob is made of.

    Attributes:
        start: Where the part begins in the blob.
        raw: Bytes of the blob that it gives.
        bases: For its head; empty where the slabs alone give the part.
        pieces: For its head, likewise.
        cuts: Its slabs; at least one. Bytes between them come from bases alone.
    """

    start: int
    raw: int
    bases: tuple[Sha256, ...]
    pieces: tuple[Piece, ...]
    cuts: tuple[Cut, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a blob is made.

    Attributes:
        bases: Blobs that the pieces refer to, sorted, each once.
        pieces: Give the blob in order; ``base`` is an index of ``bases``.
    """

    bases: tuple[Sha256, ...]
    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """Bytes of the blob."""
        return sum(piece.length for piece in self.pieces)

    @property
    def carried(self) -> int:
        """Bytes that travel, before they are coded."""
        return sum(
            piece.length for piece in self.pieces if piece.op is not Op.REFERENCE
        )

    @property
    def digest(self) -> Sha256:
        """What names this recipe: equal recipes of one blob make equal parts."""
        return sha256(canonical.encode(self.as_table()))

    def as_table(self) -> dict[str, Json]:
        """Return it as a record."""
        pieces = (
            f"{one.op:d} {one.width} {one.base} {one.length} {one.offset}"
            for one in self.pieces
        )
        return {"bases": self.bases, "pieces": tuple(pieces)}

    def portions(self) -> Iterator[Portion]:
        """Yield what its parts are made of, in order.

        A part is closed when one more slab would pass 252 MiB of decoded bytes or
        4,096 slabs, or one more piece 8,192 pieces.
        """
        open_part = _Open(start=0)
        for piece in self.pieces:
            for step in _steps(piece):
                if not open_part.takes(step):
                    yield open_part.close(self.bases)
                    open_part = _Open(start=open_part.start + open_part.raw)
                open_part.add(step, self.bases)
        if open_part.pieces:
            yield open_part.close(self.bases)


def of(bases: Iterable[Sha256], runs: Iterable[tuple[Piece, Sha256 | None]]) -> Recipe:
    """Return the recipe of *runs*, in which pieces that continue each other are one.

    Args:
        bases: Blobs that runs name.
        runs: Each piece, whose ``base`` means nothing, and the blob it refers to.
    """
    order = tuple(sorted(set(bases)))
    numbers = {one: number for number, one in enumerate(order)}
    pieces: list[Piece] = []
    for piece, base in runs:
        _append(pieces, replace(piece, base=numbers[base] if base else 0))
    return Recipe(bases=order, pieces=tuple(pieces))


def from_table(entry: Fields) -> Recipe:
    """Return the recipe that ``as_table`` wrote.

    Raises:
        FormatError: It is not one.
    """
    try:
        rows = [[int(one) for one in row.split()] for row in entry.texts("pieces")]
        pieces = tuple(Piece(Op(row[0]), *row[1:]) for row in rows)
    except (ValueError, TypeError, IndexError):
        entry.refuse("pieces", "is not a list of pieces")
    return Recipe(bases=entry.sha256s("bases"), pieces=pieces)


def _steps(piece: Piece) -> Iterator[Piece]:
    """Cut a piece where parts may end: at its slabs; a reference nowhere."""
    step = piece.length if piece.op is Op.REFERENCE else SLAB
    for at in range(0, piece.length, step):
        length = min(step, piece.length - at)
        offset = 0 if piece.op is Op.LITERAL else piece.offset + at
        yield replace(piece, length=length, offset=offset)


def _append(pieces: list[Piece], piece: Piece) -> None:
    if pieces and piece.continues(pieces[-1]):
        length = pieces[-1].length + piece.length
        pieces[-1] = replace(pieces[-1], length=length)
    else:
        pieces.append(piece)


@dataclass(slots=True)
class _Open:
    """A part that still grows."""

    start: int
    raw: int = 0
    decoded: int = 0
    pieces: list[Piece] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)

    def takes(self, step: Piece) -> bool:
        joins = bool(self.pieces) and step.continues(self.pieces[-1])
        # One is set aside while there is no slab: a literal may have to be put in.
        room = PIECES if self.cuts or step.op is not Op.REFERENCE else PIECES - 1
        if not joins and len(self.pieces) >= room:
            return False
        if step.op is Op.REFERENCE:
            return True
        full = self.decoded + step.length > PART_LIMIT
        return not full and len(self.cuts) < PIECED_SLABS

    def add(self, step: Piece, bases: tuple[Sha256, ...]) -> None:
        if step.op is not Op.REFERENCE:
            at = self.start + self.raw
            base = bases[step.base] if step.width else None
            self.cuts.append(Cut(at, step.length, step.width, base, step.offset))
            self.decoded += step.length
        _append(self.pieces, step)
        self.raw += step.length

    def close(self, bases: tuple[Sha256, ...]) -> Portion:
        if not self.cuts:
            self._put_literal_in_front()
        used = sorted({one.base for one in self.pieces if one.op is not Op.LITERAL})
        numbers = {old: new for new, old in enumerate(used)}
        pieces = tuple(
            replace(one, base=numbers.get(one.base, 0)) for one in self.pieces
        )
        return Portion(
            start=self.start,
            raw=self.raw,
            bases=tuple(bases[one] for one in used),
            # What has no base is a plain part.
            pieces=pieces if used else (),
            cuts=tuple(self.cuts),
        )

    def _put_literal_in_front(self) -> None:
        first = self.pieces[0]
        length = min(_FRONT, first.length)
        rest = replace(
            first, length=first.length - length, offset=first.offset + length
        )
        literal = Piece(Op.LITERAL, 0, 0, length, 0)
        self.pieces[:1] = [literal, rest] if rest.length else [literal]
        self.cuts.append(Cut(self.start, length))
