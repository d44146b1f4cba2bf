"""Fitting: how a delivery is cut so that every file fits where it goes."""

from dataclasses import dataclass

from airlift.digest import sha256
from airlift.format import dispatch, volume
from airlift.format.dispatch import Dispatch
from airlift.format.volume import Cut, Label
from airlift.outbound import allotment
from airlift.outbound.allotment import Sparing
from airlift.outbound.cutting import Cargo, Cutter
from airlift.outbound.veil import Veil


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What the files of a delivery have to fit.

    Attributes:
        capacity: Most bytes of each.
        sparing: How many spares are made of them.
        veil: How they are encrypted; None where they are not.
    """

    capacity: int
    sparing: Sparing
    veil: Veil | None = None


def fit(
    cargo: Cargo, record: Dispatch, cutter: Cutter, wanted: Fit
) -> tuple[list[Label], dict[str, int]]:
    """Return the labels of the volumes, and the bytes of every file to write.

    A spare is a little larger than the volumes it protects; it has to fit too, so they
    are made smaller by that much.

    Raises:
        RequestError: The capacity is too small.
    """
    capacity = wanted.capacity
    while True:
        labels = _cut(cargo, record, capacity, wanted.veil)
        sizes = {label.file_name: cutter.size(label) for label in labels}
        spares = allotment.sizes(sizes, record.site, record.sequence, wanted.sparing)
        over = max(spares.values(), default=0) - wanted.capacity
        if over <= 0:
            return labels, sizes | spares
        capacity -= over


def cut(
    cargo: Cargo, record: Dispatch, capacity: int, *, around: int = 0
) -> list[Label]:
    """Return the labels of the volumes that *cargo* takes at this capacity.

    Args:
        cargo: What they hold.
        record: Of the delivery.
        capacity: Most bytes of a file.
        around: Bytes of a file that are not of the volume inside.

    Raises:
        RequestError: The capacity is too small.
    """
    ends: tuple[Cut, ...] = volume.cut(
        cargo.listing,
        cargo.heads,
        front=volume.front_size(cargo.records) + around,
        capacity=capacity,
    )
    return volume.labels(record, sha256(dispatch.encode(record)), ends)


def _cut(
    cargo: Cargo, record: Dispatch, capacity: int, veil: Veil | None
) -> list[Label]:
    if veil is None:
        return cut(cargo, record, capacity)
    around = capacity - veil.room(capacity)
    return veil.labels(cut(cargo, record, capacity, around=around))
