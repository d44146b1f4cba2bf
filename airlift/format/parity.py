"""Spare volumes: how one is laid out (docs/format.md, "Spare volumes").

    head | rows | head

A row has the parity of one 64 KiB stripe of each volume of a group, and the tags of
those stripes. Every row checks itself, so that of a damaged spare each whole row is of
use. Nothing here is signed and nothing is believed: a rebuilt volume is verified by
the import like any other.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from blake3 import blake3

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.format.volume import LIMIT

FORMAT: Final = "airlift/spare/1"
MAGIC: Final = b"ALSP"
SUFFIX: Final = ".spare"

STRIPE: Final = 64 << 10
"""Bytes that are repaired together. With 1 MiB, 50 bad sectors in ten volumes of
100 MB hit one row twice eight times, with 64 KiB once."""
HEAD: Final = 64 << 10
"""Bytes of a head, at the front and again at the end: either will do."""
TAG: Final = 16
"""Bytes of BLAKE3 that tell a stripe from a damaged one; no authority rests on it."""
MOST: Final = 3
"""Most spares of a group: of more, not any choice makes up for any loss."""
WIDEST: Final = 200
"""Most volumes of a group; its head has room for the labels of 500."""
LARGEST: Final = 1 << 40
"""Bytes; no medium takes a larger volume, and a lie costs no more than this."""

_FRONT: Final = struct.Struct("<4sI")
_ROW: Final = struct.Struct("<Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected:
    """A volume that spares protect: its ordinal, size in bytes and SHA-256."""

    ordinal: int
    size: int
    sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class SpareLabel:
    """What a spare says of itself; a hint, never a reason to believe bytes.

    Attributes:
        site: As in the labels of the volumes.
        sequence: As in the labels of the volumes.
        dispatch: As in the labels of the volumes.
        cutting: As in the labels of the volumes.
        count: Volumes of the cutting.
        group: From 1; volume *o* is in group ``(o - 1) % groups + 1``.
        groups: Groups of the cutting.
        index: Of this spare in its group, from 1.
        spares: Spares of the group.
        volumes: The volumes of the group, in order.
    """

    site: str
    sequence: int
    dispatch: Sha256
    cutting: str
    count: int
    group: int
    groups: int
    index: int
    spares: int
    volumes: tuple[Protected, ...]

    @property
    def rows(self) -> int:
        """Rows of stripes: those of the largest volume."""
        return rows_of(max(one.size for one in self.volumes))

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return size_of([one.size for one in self.volumes])

    @property
    def file_name(self) -> str:
        """The name a spare is written under; never believed when read."""
        number = (self.group - 1) * self.spares + self.index
        total = self.groups * self.spares
        return file_name(self.site, self.sequence, number, total)

    def sibling(self, index: int) -> "SpareLabel":
        """Return the label of another spare of the group."""
        return replace(self, index=index)

    def volume_name(self, ordinal: int) -> str:
        """Return the file name of the volume *ordinal*."""
        front = f"AIRLIFT-{self.site}-{self.sequence:06d}"
        return f"{front}.{ordinal:04d}-of-{self.count:04d}.tar"


def file_name(site: str, sequence: int, number: int, total: int) -> str:
    """Return the name that spare *number* of *total* of a delivery is written under."""
    return f"AIRLIFT-{site}-{sequence:06d}.S{number:04d}-of-{total:04d}{SUFFIX}"


def rows_of(size: int) -> int:
    """Return how many stripes *size* bytes are."""
    return -(-size // STRIPE)


def row_size(volumes: int) -> int:
    """Return the bytes of a row over that many volumes."""
    return STRIPE + volumes * TAG + TAG


def row_at(label: SpareLabel, row: int) -> int:
    """Return at which byte of the file a row begins."""
    return HEAD + row * row_size(len(label.volumes))


def size_of(sizes: Sequence[int]) -> int:
    """Return the bytes of a spare for volumes of *sizes* bytes."""
    return 2 * HEAD + rows_of(max(sizes)) * row_size(len(sizes))


def groups_of(count: int, groups: int) -> list[range]:
    """Return the ordinals of each group; no group is wider than ``WIDEST``.

    Neighbours fall into different groups: a lost medium with *groups* volumes in a
    row is one loss in each.

    Args:
        count: Volumes, from 1.
        groups: How many groups are wanted, from 1.
    """
    number = group_count(count, groups)
    return [range(first, count + 1, number) for first in range(1, number + 1)]


def group_count(count: int, groups: int) -> int:
    """Return how many groups there are where *groups* are wanted for *count* volumes."""
    return min(count, max(groups, -(-count // WIDEST)))


def identity(label: SpareLabel) -> bytes:
    """Return the 32 bytes that tie a row to its spare."""
    return blake3(_spell(label)).digest()


def family(label: SpareLabel) -> Sha256:
    """Return what is equal for the spares of one group and nothing else."""
    return sha256(canonical.encode({**_fields(label), "index": 0}))


def tag(stripe: bytes | memoryview) -> bytes:
    """Return the tag of a whole stripe; a volume's last is filled up with zeros."""
    return blake3(stripe).digest(TAG)


def seal(named: bytes, row: int, parity: bytes | memoryview, tags: bytes) -> bytes:
    """Return what follows the parity in a row: the tags, and its check.

    Args:
        named: From `identity`.
        row: Index of the row.
        parity: ``STRIPE`` bytes.
        tags: One for each volume of the group, in order.
    """
    hasher = blake3(named + _ROW.pack(row))
    hasher.update(parity)
    hasher.update(tags)
    return tags + hasher.digest(TAG)


def opened(named: bytes, row: int, data: memoryview) -> tuple[memoryview, bytes] | None:
    """Return the parity and the tags of a row; None if it is not as it was written."""
    parity, tags = data[:STRIPE], bytes(data[STRIPE:-TAG])
    if len(data) <= STRIPE or seal(named, row, parity, tags)[-TAG:] != data[-TAG:]:
        return None
    return parity, tags


def encode_head(label: SpareLabel) -> bytes:
    """Return a head, zeros up to its ``HEAD`` bytes."""
    data = _spell(label)
    return (_FRONT.pack(MAGIC, len(data)) + data).ljust(HEAD, b"\0")


def decode_head(data: bytes, *, name: str) -> SpareLabel:
    """Return the label that a head states.

    Raises:
        FormatError: It is no head, or is damaged, or contradicts itself.
    """
    magic, length = _FRONT.unpack_from(data.ljust(_FRONT.size, b"\0"))
    if magic != MAGIC or length > HEAD - _FRONT.size:
        problem = f"{name} is not a spare volume"
        raise FormatError(problem)
    text = data[_FRONT.size : _FRONT.size + length]
    top = Fields(canonical.decode(text, name=name, limit=HEAD), record=name)
    top.expect("format", FORMAT)
    label = SpareLabel(
        site=top.text("site"),
        sequence=top.number("sequence", least=1),
        dispatch=top.sha256("dispatch"),
        cutting=top.text("cutting"),
        count=top.number("count", least=1),
        group=top.number("group", least=1),
        groups=top.number("groups", least=1),
        index=top.number("index", least=1),
        spares=top.number("spares", least=1),
        volumes=tuple(
            Protected(
                ordinal=one.number("ordinal", least=1),
                size=one.number("size", least=1),
                sha256=one.sha256("sha256"),
            )
            for one in top.tables("volumes")
        ),
    )
    # Compares every field, the check and the zeros behind in one go.
    if not naming.is_site(label.site) or encode_head(label) != data:
        top.refuse("check", "does not fit the other fields", hint="copy the file again")
    _check(label, top)
    return label


def _check(label: SpareLabel, top: Fields) -> None:
    """Refuse numbers that contradict each other, before anything is sized by them."""
    sound = (
        label.index <= label.spares <= MOST
        and label.group <= label.groups <= label.count <= LIMIT
        and label.groups >= -(-label.count // WIDEST)
    )
    ordinals = [one.ordinal for one in label.volumes]
    if not sound or ordinals != list(range(label.group, label.count + 1, label.groups)):
        top.refuse("group", "contradicts the other fields")
    if max(one.size for one in label.volumes) > LARGEST:
        top.refuse("volumes", f"has a volume of more than {LARGEST} bytes")


def _fields(label: SpareLabel) -> dict[str, Json]:
    volumes: list[Json] = [
        {"ordinal": one.ordinal, "size": one.size, "sha256": one.sha256}
        for one in label.volumes
    ]
    return {
        "format": FORMAT,
        "site": label.site,
        "sequence": label.sequence,
        "dispatch": label.dispatch,
        "cutting": label.cutting,
        "count": label.count,
        "group": label.group,
        "groups": label.groups,
        "index": label.index,
        "spares": label.spares,
        "volumes": volumes,
    }


def _spell(label: SpareLabel) -> bytes:
    fields = _fields(label)
    return canonical.encode({**fields, "check": sha256(canonical.encode(fields))})
