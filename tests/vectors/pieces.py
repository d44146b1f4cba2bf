"""Vectors of parts with pieces (docs/format.md, 5.1): good ones, and every broken rule."""

import random
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from airlift.digest import Sha256
from airlift.format import head
from airlift.format.head import Codec, Op, PartHead, Piece, Slab
from airlift.format.packing import SLAB
from airlift.format.volume import Cut
from handmade import Run
from vectors.cases import FIRST, SECOND, Case, RecordCase
from vectors.sender import Recipes, Sender

_DRAWN = random.Random(8)


def _half(weight: float) -> bytes:
    """Return a bfloat16, cut off."""
    return struct.pack("<f", weight)[2:]


_WEIGHTS = [_DRAWN.gauss(0, 0.02) for _ in range(6000)]
_MOVED = [one * (1 + _DRAWN.gauss(0, 0.004)) for one in _WEIGHTS]
_SPECIAL = bytes.fromhex("0000 0080 807f 80ff c07f ffff 0100 0180".replace(" ", ""))
HALVES = b"old bf16" + b"".join(map(_half, _WEIGHTS)) + _SPECIAL * 2
NEW_HALVES = (
    b"a longer header of 32 bytes here"
    + b"".join(map(_half, _MOVED))
    + _SPECIAL[2:]
    + _SPECIAL
    + _SPECIAL[:2]
    + HALVES[8:1008]
)
SINGLES = b"old fp32" + struct.pack("<6000f", *_WEIGHTS)
NEW_SINGLES = b"new fp32" + struct.pack("<6000f", *_MOVED)
LONG = HALVES[8:] + bytes(SLAB) + SINGLES[8:]
BASE: Mapping[str, bytes] = {"halves.bin": HALVES, "singles.bin": SINGLES}
UPDATE: Mapping[str, bytes] = {"halves.bin": NEW_HALVES, "singles.bin": NEW_SINGLES}
RUNS: Mapping[str, Sequence[Run]] = {
    "halves.bin": [
        Run(32),
        Run(12_000 + 32, HALVES, 8, 2),
        Run(1000, HALVES, 8),
    ],
    "singles.bin": [Run(8), Run(24_000, SINGLES, 8, 4)],
}
SHARDS: Mapping[str, bytes] = {
    "1.bin": b"shard 1 of 2" + HALVES[6_008:] + SINGLES[8:4008],
    "2.bin": b"shard 2 of 2" + SINGLES[4008:] + HALVES[8:6_008],
}
SHARD_RUNS: Mapping[str, Sequence[Run]] = {
    "1.bin": [
        Run(12),
        Run(len(HALVES) - 6008, HALVES, 6008),
        Run(4000, SINGLES, 8),
    ],
    "2.bin": [
        Run(12),
        Run(len(SINGLES) - 4008, SINGLES, 4008),
        Run(6000, HALVES, 8),
    ],
}


def pieced(folder: Path) -> Iterator[Case]:
    """Yield deliveries with pieces that every reader must take, or must not."""
    sender = Sender(folder / "pieced", FIRST)
    base = Case(
        name="pieces-base",
        because="what the deliveries with pieces build on",
        volumes=sender.send({"acme/m": BASE}, FIRST).volumes(),
        root=sender.root,
        files={"acme/m": BASE},
    )
    yield base
    recipes = Recipes(runs=RUNS, needs=[HALVES, SINGLES])
    sent = sender.send({"acme/m": UPDATE}, SECOND, recipes=recipes)
    held = replace(
        base,
        name="pieces-held",
        because="literals, references, differences of 16 and 32 bits to held blobs",
        volumes=sent.volumes(),
        after=["pieces-base"],
        files={"acme/m": UPDATE},
    )
    yield held
    two = sent.volumes(Cut(0, 1))[::-1]
    because = "the same in two volumes, swapped, cut between two slabs of a part"
    yield replace(held, name="pieces-held-swapped", because=because, volumes=two)
    yield replace(
        held,
        name="pieces-base-missing",
        because="the delivery that it builds on never came",
        after=(),
        files=None,
        expect="incomplete",
    )
    recipes = Recipes(runs=SHARD_RUNS, needs=[HALVES, SINGLES])
    sent = sender.send({"acme/m": SHARDS}, SECOND, recipes=recipes)
    yield replace(
        held,
        name="pieces-resharded",
        because="the same numbers in other files: two short literals travel",
        volumes=sent.volumes(),
        files={"acme/m": SHARDS},
    )
    yield from _within(sender, base)
    yield from _hostile(sender, held)


def _within(sender: Sender, base: Case) -> Iterator[Case]:
    last = LONG[5:]
    files = {"a.bin": HALVES, "b.bin": SINGLES, "c.bin": LONG, "d.bin": last}
    runs = {
        "c.bin": [
            Run(len(HALVES) - 8, HALVES, 8),
            Run(SLAB),
            Run(len(SINGLES) - 8, SINGLES, 8),
        ],
        "d.bin": [Run(3), Run(len(last) - 3, LONG, 8)],
    }
    sent = sender.send({"acme/w": files}, SECOND, recipes=Recipes(runs=runs))
    yield replace(
        base,
        name="pieces-within",
        because="builds on blobs before it in the same delivery, one of them so made",
        volumes=sent.volumes(),
        files={"acme/w": files},
    )


@dataclass(frozen=True, kw_only=True)
class _Lie:
    because: str
    runs: Sequence[Run]
    data: bytes = NEW_SINGLES
    needs: Sequence[bytes] = (SINGLES,)
    order: Sequence[str] = ("new.bin",)
    edit: Callable[[bytes], bytes] | None = None


def _hostile(sender: Sender, held: Case) -> Iterator[Case]:
    good = RUNS["singles.bin"]
    later = [Run(8), Run(1000, HALVES, 0)]
    itself = [Run(8), Run(24_000, NEW_SINGLES, 8)]
    behind = [Run(8), Run(24_000, SINGLES, 9)]
    lies = {
        "not-needed": _Lie(
            because="builds on a blob that the site holds and nobody said it must",
            runs=good,
            needs=(),
        ),
        "behind": _Lie(because="a piece ends behind the end of its base", runs=behind),
        "itself": _Lie(because="builds on itself", runs=itself, needs=()),
        "later": _Lie(
            because="builds on a blob that travels after it",
            runs=later,
            data=b"8 bytes." + HALVES[:1000],
            needs=(),
            order=("new.bin", "old.bin"),
        ),
        "longer": _Lie(
            because="pieces give more than the packing list says",
            runs=good,
            edit=_longer,
        ),
        "otherwise": _Lie(
            because="comes out with another digest", runs=good, edit=_elsewhere
        ),
    }
    for name, lie in lies.items():
        files = {"new.bin": lie.data, "old.bin": HALVES}
        wanted = {path: files[path] for path in lie.order}
        runs = {"new.bin": lie.runs}
        sent = sender.send(
            {"acme/m": wanted},
            SECOND,
            carry=lie.order,
            edit=lie.edit,
            recipes=Recipes(runs=runs, needs=lie.needs),
        )
        yield replace(
            held,
            name=f"pieces-{name}",
            because=lie.because,
            volumes=sent.volumes(),
            expect="format",
            files=None,
        )


def _longer(data: bytes) -> bytes:
    """Return a head whose second piece gives an element more."""
    table = head.decode(data)
    first, second = table.pieces
    slabs = (table.slabs[0], replace(table.slabs[1], raw=second.length + 4))
    pieces = (first, replace(second, length=second.length + 4))
    return head.encode(replace(table, pieces=pieces, slabs=slabs))


def _elsewhere(data: bytes) -> bytes:
    """Return a head whose second piece begins elsewhere in its base."""
    table = head.decode(data)
    first, second = table.pieces
    return head.encode(replace(table, pieces=(first, replace(second, offset=4))))


_A, _B = Sha256("0a" * 32), Sha256("0b" * 32)
_LITERAL = Piece(Op.LITERAL, 0, 0, 9, 0)
_REFERENCE = Piece(Op.REFERENCE, 0, 0, 5, 100)
_DIFFERENCE = Piece(Op.DIFFERENCE, 2, 1, SLAB + 4, 7)
_SLABS = tuple(Slab(size, size, bytes(32)) for size in (9, SLAB, 4))
_TABLE = PartHead(Codec.RAW, _SLABS, (_A, _B), (_LITERAL, _REFERENCE, _DIFFERENCE))


def pieced_heads() -> Iterator[RecordCase]:
    """Yield heads with pieces, each but the first with one rule broken."""

    def last(piece: Piece) -> PartHead:
        return replace(_TABLE, pieces=(_LITERAL, _REFERENCE, piece))

    tables: Mapping[str, tuple[str, PartHead]] = {
        "good": ("a literal, a reference and a difference", _TABLE),
        "width-3": ("elements of three bytes", last(replace(_DIFFERENCE, width=3))),
        "half": ("ends inside an element", last(replace(_DIFFERENCE, width=8))),
        "empty": ("a piece of no bytes", last(replace(_DIFFERENCE, length=0))),
        "far": ("ends behind 2^53", last(replace(_DIFFERENCE, offset=1 << 53))),
        "no-base": ("a base that is not there", last(replace(_DIFFERENCE, base=2))),
        "unused": ("a base that is not used", last(replace(_DIFFERENCE, base=0))),
        "unsorted": ("bases that fall", replace(_TABLE, bases=(_B, _A))),
        "twice": ("a base twice", replace(_TABLE, bases=(_A, _A))),
        "no-pieces": ("bases and no pieces", replace(_TABLE, pieces=())),
        "no-bases": (
            "pieces and no bases",
            PartHead(Codec.RAW, _SLABS[:1], (), (_LITERAL,)),
        ),
        "no-slab": (
            "a reference and no slab",
            PartHead(Codec.RAW, (), (_A,), (_REFERENCE,)),
        ),
        "continues": (
            "a reference that goes on in a second one",
            replace(
                _TABLE,
                pieces=(
                    _LITERAL,
                    _REFERENCE,
                    replace(_REFERENCE, offset=105),
                    _DIFFERENCE,
                ),
            ),
        ),
        "literals": (
            "two literals in a row",
            replace(
                _TABLE,
                slabs=(*_SLABS[:1], *_SLABS),
                pieces=(_LITERAL, _LITERAL, _REFERENCE, _DIFFERENCE),
            ),
        ),
        "based-literal": (
            "a literal with an offset",
            replace(
                _TABLE, pieces=(replace(_LITERAL, offset=1), _REFERENCE, _DIFFERENCE)
            ),
        ),
        "wide-reference": (
            "a reference with a width",
            replace(
                _TABLE, pieces=(_LITERAL, replace(_REFERENCE, width=2), _DIFFERENCE)
            ),
        ),
        "shared-slab": (
            "a slab of two pieces",
            replace(
                _TABLE,
                slabs=(Slab(10, 10, bytes(32)), _SLABS[1], Slab(3, 3, bytes(32))),
            ),
        ),
        "short-first": (
            "a short slab before a long one",
            replace(_TABLE, slabs=(_SLABS[0], _SLABS[2], _SLABS[1])),
        ),
    }
    for name, (because, table) in tables.items():
        yield RecordCase(
            name=f"head-pieces-{name}",
            because=because,
            kind="head",
            data=head.encode(table),
            expect="ok" if name == "good" else "format",
        )
    data = bytearray(head.encode(_TABLE))
    data[-22] = 1
    yield RecordCase(
        name="head-pieces-reserved",
        because="a reserved byte of a piece",
        kind="head",
        data=bytes(data),
        expect="format",
    )
