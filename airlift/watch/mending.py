"""Rebuilding what did not arrive from the spares that did, without being asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from airlift.errors import FormatError, RequestError
from airlift.inbound import media
from airlift.inbound.media import Candidate
from airlift.progress import Progress
from airlift.repair import repairing
from airlift.store.durable import Disk
from airlift.trust.encryption_key import Opener
from airlift.watch.folder import Folder, Item, Mark, Verdict

_SOURCES = (Verdict.GOOD, Verdict.SPARE, Verdict.FAULTY, Verdict.STRAY)
"""What volumes may be rebuilt from: strays too, whose first bytes may be damaged."""


@dataclass(slots=True)
class Mending:
    """Attempts at deliveries, each made once with the same files.

    Attributes:
        home: Folder for what is rebuilt.
        tried: The files of the last attempt, by delivery.
    """

    home: Path
    tried: dict[str, frozenset[Mark]] = field(default_factory=dict)

    def worth_it(self, delivery: str, lost: int, folder: Folder) -> bool:
        """Say whether an attempt could do anything that the last one could not.

        Args:
            delivery: Which.
            lost: Volumes of which there is no file at all.
            folder: What has arrived.
        """
        spares = folder.of(delivery, Verdict.SPARE)
        marks = frozenset(one.mark for one in _files(delivery, folder))
        if not spares or lost > len(spares) or self.tried.get(delivery) == marks:
            return False
        self.tried[delivery] = marks
        return True

    def attempt(
        self, delivery: str, folder: Folder, keys: Opener, progress: Progress
    ) -> Sequence[Candidate]:
        """Return the volumes of a delivery that could be rebuilt.

        They lie in a folder of their own until `done`.

        Raises:
            StoreError: The disk is full or failing.
        """
        paths = [one.path for one in _files(delivery, folder)]
        made = self._folder(delivery)
        try:
            repairing.repair(paths, made, progress)
        except (RequestError, FormatError):
            return ()  # a file was taken away meanwhile, or is no spare after all
        # Not the folders below it: what is half rebuilt lies there.
        found = media.find(sorted(made.glob("*.tar")), keys).candidates
        wanted = folder.names_of(delivery)
        return [one for one in found if one.outside.dispatch in wanted]

    def done(self, names: Iterable[str]) -> None:
        """Delete what was rebuilt of a delivery, by whatever *names* it went."""
        for delivery in names:
            self.tried.pop(delivery, None)
            Disk().remove_tree(self._folder(delivery))

    def _folder(self, delivery: str) -> Path:
        return self.home / delivery[:32]


def _files(delivery: str, folder: Folder) -> list[Item]:
    return [
        one
        for one in folder.items.values()
        if one.verdict in _SOURCES
        and (folder.delivery_of(one) == delivery or one.verdict is Verdict.STRAY)
    ]
