"""What a volume holds, slab by slab, on one thread."""

from collections.abc import Collection
from dataclasses import dataclass

from airlift.digest import Sha256
from airlift.format import slabs
from airlift.format.grounds import Grounds
from airlift.format.packing import PackedBlob, PackingList
from airlift.format.reading import Fault, VolumeStream
from airlift.format.volume import Label


@dataclass(frozen=True)
class GoodSlab:
    """A slab that was what was signed.

    Attributes:
        blob: Which blob it is of.
        place: Where its raw bytes lie among those of its part.
        raw: They.
    """

    blob: PackedBlob
    place: int
    raw: bytes


def unloaded(
    source: VolumeStream,
    label: Label,
    packing: PackingList,
    needs: Collection[Sha256] = (),
) -> list[GoodSlab | Fault]:
    """Return every good slab and every fault of what is left of *source*, in order."""
    found: list[GoodSlab | Fault] = []
    for item in slabs.walk(source, label, Grounds(packing, needs)):
        if isinstance(item, Fault):
            found.append(item)
        elif fault := slabs.judge(item, source.name):
            found.append(fault)
        else:
            raw = bytearray(item.slab.raw)
            if item.coded:
                slabs.restore(item, memoryview(raw), source.name)
            else:
                raw[:] = item.data
            found.append(GoodSlab(item.blob, item.place, bytes(raw)))
    return found
