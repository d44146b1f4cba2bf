"""Volumes: where a delivery's bytes lie (docs/format.md, "Volumes").

A volume is ``airlift/volume.json``, then every signed file, then a run of slabs with
the heads they need, then the end mark. Cut points lie between slabs, so that each
volume can be verified alone; they are chosen while writing and are not signed.

    cut = (part, slab): the next slab to travel, by index in the packing list.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from airlift.artifact import Json
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.format import canonical, framing
from airlift.format.dispatch import Dispatch
from airlift.format.fields import Fields
from airlift.format.head import PartHead, Slab
from airlift.format.packing import PackedBlob, PackingList, Part

FORMAT: Final = "airlift/volume/1"
LABEL: Final = "airlift/volume.json"
LABEL_LIMIT: Final = 1024
LIMIT: Final = 99_999
"""Most volumes of a delivery."""

MEDIUM: Final = "MEDIUM.txt"
"""What the name of a medium's note ends in."""
SIDECARS: Final = (
    "README.txt",
    "SHA256SUMS",
    "SHA256SUMS.sig",
    "SHA256SUMS.minisig",
    MEDIUM,
    "slip.html",
)
"""What the names of the files beside the volumes end in; no import needs them."""

DEFAULT_CAPACITY: Final = 2047 << 20
"""Bytes. A common virus scanner passes files of 2 GiB and more without looking."""

_MARGIN: Final = 16 << 20
MEDIA: Final[Mapping[str, int]] = {
    "default": DEFAULT_CAPACITY,
    "fat32": 2**32 - 1,
    "cd": 737_280_000 - _MARGIN,
    "dvd": 4_700_372_992 - _MARGIN,
    "dvd-dl": 8_543_666_176 - _MARGIN,
    "bd-25": 25_025_314_816 * 24 // 25,
    "bd-50": 50_050_629_632 * 24 // 25,
    "bd-100": 100_103_356_416 * 24 // 25,
}
"""Presets: the largest volume in bytes. CD and DVD leave 16 MiB for the disc's own
file system and the files beside the volume; Blu-ray leaves 4 % because burners
reserve spare areas by default."""


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """A place between slabs: the slab that comes next."""

    part: int
    slab: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a volume says of itself; a hint until it agrees with signed data.

    Attributes:
        site: From the dispatch record.
        sequence: From the dispatch record.
        dispatch: SHA-256 of the dispatch record.
        cutting: First 16 hexadecimal digits of the digest of all cut points: tells
            volumes of one cutting from those of another of the same delivery.
        ordinal: 1 for the first volume.
        count: Volumes of this cutting.
        first: Where this volume's slabs begin.
        end: Where they end.
    """

    site: str
    sequence: int
    dispatch: Sha256
    cutting: str
    ordinal: int
    count: int
    first: Cut
    end: Cut

    @property
    def file_name(self) -> str:
        """The name the volume is written under; never believed when read."""
        front = f"AIRLIFT-{self.site}-{self.sequence:06d}"
        return f"{front}.{self.ordinal:04d}-of-{self.count:04d}.tar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive slabs of one part inside one volume.

    Attributes:
        index: Of the part in the packing list.
        first: Index of the first slab of the run.
        slabs: The slabs of the run.
        whole: Whether it is all of the part.
    """

    index: int
    blob: PackedBlob
    part: Part
    first: int
    slabs: tuple[Slab, ...]
    whole: bool

    @property
    def size(self) -> int:
        """Stored bytes of the run."""
        return sum(slab.stored for slab in self.slabs)

    @property
    def name(self) -> str:
        """Name of its member: the part's digest, and the first slab of a piece."""
        suffix = "" if self.whole else f".{self.first:04d}"
        return f"blobs/sha256/{self.part.sha256}{suffix}"

    @property
    def head_name(self) -> str:
        """Name of its head's member."""
        assert self.part.head
        return f"blobs/sha256/{self.part.head.sha256}"


def encode_label(label: Label) -> bytes:
    """Return the bytes of ``airlift/volume.json``.

    The check makes any accidental change of an unsigned number visible at once.
    """
    fields: dict[str, Json] = {
        "format": FORMAT,
        "site": label.site,
        "sequence": label.sequence,
        "dispatch": label.dispatch,
        "cutting": label.cutting,
        "ordinal": label.ordinal,
        "count": label.count,
        "first": {"part": label.first.part, "slab": label.first.slab},
        "end": {"part": label.end.part, "slab": label.end.slab},
    }
    return canonical.encode({**fields, "check": sha256(canonical.encode(fields))})


def decode_label(data: bytes, *, name: str) -> Label:
    """Return the label that *data* states.

    Raises:
        FormatError: It is not a label, or its check fails.
    """
    top = Fields(canonical.decode(data, name=name, limit=LABEL_LIMIT), record=name)
    top.expect("format", FORMAT)
    first, end = top.table("first"), top.table("end")
    label = Label(
        site=top.text("site"),
        sequence=top.number("sequence", least=1),
        dispatch=top.sha256("dispatch"),
        cutting=top.text("cutting"),
        ordinal=top.number("ordinal", least=1),
        count=top.number("count", least=1),
        first=Cut(first.number("part"), first.number("slab")),
        end=Cut(end.number("part"), end.number("slab")),
    )
    # Re-encoding compares every field and the check in one go.
    if encode_label(label) != data:
        top.refuse("check", "does not fit the other fields", hint="copy the file again")
    if label.ordinal > label.count or label.count > LIMIT or label.first > label.end:
        top.refuse("ordinal", "contradicts the other fields")
    return label


def front_size(records: Mapping[str, bytes]) -> int:
    """Return how many bytes precede the slabs in a volume that carries *records*."""
    label = framing.footprint(LABEL_LIMIT)
    return label + sum(framing.footprint(len(data)) for data in records.values())


def cut(
    packing: PackingList,
    heads: Sequence[PartHead | None],
    *,
    front: int,
    capacity: int,
) -> tuple[Cut, ...]:
    """Return the cut points: where each volume ends, in order.

    Args:
        packing: What travels.
        heads: The head of each part in travelling order; None where it has none.
        front: Bytes before the slabs, from ``front_size``.
        capacity: Most bytes a volume file may have.

    Raises:
        RequestError: Not even one slab fits a volume of this capacity.
    """
    room = capacity - front - len(framing.END)
    ends: list[Cut] = []
    used = 0
    parts = list(packing.parts())
    largest = max(
        (
            _overhead(part) + slab.stored + framing.padding(slab.stored)
            for index, (_, part) in enumerate(parts)
            for slab in slabs_of(part, heads[index])
        ),
        default=0,
    )
    if largest > room:
        least = front + largest + len(framing.END)
        problem = f"a volume of {capacity} bytes is too small for this delivery"
        raise RequestError(problem, hint=f"choose --volume-size {least} or more")
    for index, (_, part) in enumerate(parts):
        run = 0  # stored bytes of this part in the current volume
        extra = _overhead(part)
        for number, slab in enumerate(slabs_of(part, heads[index])):
            after = extra + run + slab.stored + framing.padding(run + slab.stored)
            if used + after > room:
                ends.append(Cut(index, number))
                used = run = 0
            run += slab.stored
        used += extra + run + framing.padding(run) if run else 0
    ends.append(Cut(len(parts), 0))
    if len(ends) > LIMIT:
        problem = f"the delivery would take {len(ends)} volumes, the limit is {LIMIT}"
        raise RequestError(problem, hint="choose a larger --volume-size")
    return tuple(ends)


def _overhead(part: Part) -> int:
    head = framing.footprint(part.head.size) if part.head else 0
    return head + framing.RECORD


def slabs_of(part: Part, head: PartHead | None) -> tuple[Slab, ...]:
    """Return the slabs of *part*; a part without a head is one raw slab."""
    if head is not None:
        return head.slabs
    return (Slab(part.size, part.raw, b""),)


def spanned(
    packing: PackingList, first: Cut, end: Cut
) -> Iterator[tuple[int, PackedBlob, Part]]:
    """Yield the parts that have slabs between two cut points, with their index."""
    for index, (blob, part) in enumerate(packing.parts()):
        if index >= first.part and (index, 0) < (end.part, end.slab):
            yield index, blob, part


def run_of(
    index: int, blob: PackedBlob, part: Part, head: PartHead | None, label: Label
) -> Run | None:
    """Return the slabs of one part inside the volume *label*; None if there are none."""
    slabs = slabs_of(part, head)
    start = label.first.slab if index == label.first.part else 0
    stop = label.end.slab if index == label.end.part else len(slabs)
    if not start < stop <= len(slabs):
        return None
    return Run(
        index=index,
        blob=blob,
        part=part,
        first=start,
        slabs=slabs[start:stop],
        whole=(start, stop) == (0, len(slabs)),
    )


def labels(record: Dispatch, dispatch: Sha256, ends: Sequence[Cut]) -> list[Label]:
    """Return the label of each volume of a cutting."""
    points: list[Json] = [(end.part, end.slab) for end in ends]
    cutting = sha256(canonical.encode(points))[:16]
    starts = [Cut(0, 0), *ends[:-1]]
    return [
        Label(
            site=record.site,
            sequence=record.sequence,
            dispatch=dispatch,
            cutting=cutting,
            ordinal=ordinal,
            count=len(ends),
            first=first,
            end=end,
        )
        for ordinal, (first, end) in enumerate(zip(starts, ends, strict=True), 1)
    ]
