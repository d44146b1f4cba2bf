"""What an import works with: the delivery that arrives, the gate, and the desk."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from airlift.format import selection
from airlift.format.reading import Fault
from airlift.format.volume import Label
from airlift.inbound.media import Candidate, VolumeKey
from airlift.inbound.staging import Staging
from airlift.inbound.volume_file import ROOM
from airlift.progress import Progress
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from airlift.store.bulk import Buffers
from airlift.trust.delivery import VerifiedDelivery, VerifiedRelease
from airlift.trust.encryption_key import NO_KEYS, Opener

_NAMED: Final = 6
"""Names that are listed; more than that nobody reads out."""


@dataclass(slots=True, kw_only=True)
class Arrival:
    """A verified delivery and what of it is at hand.

    Attributes:
        delivery: The proof that this site believes it.
        candidates: The volumes of it that were found, in the order to read them.
        staging: What has arrived of it so far.
        faulty: What is wrong with volumes that were read, by volume.
        damaged: What is wrong with files that do not even say which volume they are.
        duplicates: Volumes that are there more than once.
        unstable: How many pieces of a volume were right only when they were read
            again, by what the volume is called.
        gone: Volumes that were being read, or were to be, when their medium was not
            there any more.
        buffers: Memory that slabs are read into.
    """

    delivery: VerifiedDelivery
    candidates: tuple[Candidate, ...]
    staging: Staging
    faulty: dict[VolumeKey, list[Fault]] = field(default_factory=dict)
    damaged: list[Fault] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    unstable: dict[str, int] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    buffers: Buffers = field(default_factory=lambda: Buffers(ROOM))

    def unresolved(self) -> list[Fault]:
        """Return the faults of what was read and no good copy made up for.

        What a medium refused is none once all content came, from whatever copies.
        """
        good, lacking = self.staging.volumes, bool(self.staging.missing())
        faults = [
            fault
            for key, several in self.faulty.items()
            if key not in good
            for fault in several
        ]
        # A file that is named like a volume and cannot say which one it is may be
        # any that was not read whole.
        if not self.every_volume_read():
            faults += self.damaged
        return [one for one in faults if lacking or not one.unread]

    def instabilities(self) -> list[str]:
        """Return a line about each medium that gave things right only when asked again."""
        return [
            f"unstable medium: {name}: {count} piece(s) were right only when read again"
            for name, count in self.unstable.items()
        ]

    def unread(self) -> list[Fault]:
        """Return the faults of media that refused something, needed or not."""
        every = [*self.damaged, *(one for few in self.faulty.values() for one in few)]
        return [one for one in every if one.unread]

    def every_volume_read(self) -> bool:
        """Say whether all volumes of some cutting were read without a fault."""
        read = [cutting for cutting, _ in self.staging.volumes]
        counts = {one.label.cutting: one.label.count for one in self.candidates}
        return any(read.count(cutting) == count for cutting, count in counts.items())

    def missing_volumes(self) -> tuple[str, ...]:
        """Return the file names of the volumes still needed, in order.

        Empty when nothing is missing, or when no volume was seen to count by.
        """
        if not (model := self.model()):
            return ()
        ordinals = self.missing_ordinals()
        return tuple(_renumbered(model.file_name, one, model.count) for one in ordinals)

    def missing_named(self) -> str:
        """Return what is still needed for a person: names, or numbers where many are."""
        names, model = self.missing_volumes(), self.model()
        if not (names and model):
            return "volumes that hold the rest"
        if len(names) <= _NAMED:
            return ", ".join(names)
        return f"volumes {selection.ranges(self.missing_ordinals())} of {model.count}"

    def missing_ordinals(self) -> tuple[int, ...]:
        """Return which volumes of the cutting of `model` are still needed, in order."""
        model = self.model()
        if not (model and (self.staging.missing() or self.unresolved())):
            return ()
        done = self.staging.volumes
        return tuple(
            ordinal
            for ordinal in range(1, model.count + 1)
            if (model.cutting, ordinal) not in done
        )

    def model(self) -> Label | None:
        """Return a label of the cutting that most of what was found is of."""
        labels = [one.label for one in self.candidates]
        if not labels:
            return None
        return max(
            labels, key=lambda one: sum(x.cutting == one.cutting for x in labels)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What the isolated side works with.

    Attributes:
        store: Where whole blobs go.
        registry: Where what is believed is recorded.
        incoming: Folder for deliveries that are not complete; below the home.
        keys: What opens volumes that are encrypted.
    """

    store: BlobStore
    registry: Registry
    incoming: Path
    keys: Opener = NO_KEYS

    @property
    def home(self) -> Path:
        """The isolated side's."""
        return self.incoming.parent


class Desk(Protocol):
    """The person, or the policy, that an import asks.

    Attributes:
        actor: Who it is, for the log.
        progress: Where they watch.
    """

    actor: str
    progress: Progress

    def admit(self, arrival: Arrival) -> None:
        """Look at a verified delivery before anything of it is taken in.

        Raises:
            RequestError: It is not wanted now.
        """
        ...

    def more(self, arrival: Arrival) -> Sequence[Candidate]:
        """Return volumes of the next medium; none when there is no more to come."""
        ...

    def holds(self, release: VerifiedRelease) -> str:
        """Say why a release must wait in quarantine; empty when it may go live."""
        ...


def _renumbered(file_name: str, ordinal: int, count: int) -> str:
    front = file_name.rsplit(".", 2)[0]
    return f"{front}.{ordinal:04d}-of-{count:04d}.tar"
