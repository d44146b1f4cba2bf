"""A lot: what is to be written to media, and what goes with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airlift.format.dispatch import Dispatch
from airlift.format.volume import Label
from airlift.outbound.allotment import NO_SPARES, Sparing
from airlift.outbound.cutting import Cutter
from airlift.outbound.stock import Ware
from airlift.outbound.stowage import Stowages
from airlift.trust.keys import UnlockedKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What is to be stowed.

    Attributes:
        record: Of the delivery.
        cutter: Makes its volumes.
        labels: Of all volumes of the cutting.
        capacity: Most bytes of each.
        signers: Sign the digests of the volumes; none where that was done before.
        stowages: Where it is noted what lies where.
        spool: Folder where spares wait for a medium; what makes the volumes clears it.
        resume: The command that goes on after an end of any kind.
        code: What the site should print once it took all; may be empty.
        encrypted: Whether only the site can read the volumes.
        sparing: How many spares go with them.
    """

    record: Dispatch
    cutter: Cutter
    labels: Sequence[Label]
    capacity: int
    signers: Sequence[UnlockedKey]
    stowages: Stowages
    spool: Path
    resume: str
    code: str = ""
    encrypted: bool = False
    sparing: Sparing = NO_SPARES

    def ware(self, sparing: Sparing) -> Ware:
        """Return what so many spares of it are made of."""
        return Ware(
            cutter=self.cutter,
            labels=self.labels,
            sparing=sparing,
            folder=self.spool,
        )
