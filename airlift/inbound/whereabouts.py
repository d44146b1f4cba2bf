"""Whereabouts: on which medium missing volumes should be, as media say of themselves.

The notes on media are not signed. They are remembered only for a delivery that was
verified, nothing but numbers is taken from them, and all they do is to help a person
to find the right stick.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from airlift.errors import AirliftError
from airlift.format import canonical, medium_note, selection
from airlift.format.fields import Fields
from airlift.format.medium_note import MediumNote
from airlift.format.volume import Label
from airlift.store.durable import Disk, read_file

FORMAT: Final = "airlift/whereabouts/1"
_NAME: Final = "media.json"
_LIMIT: Final = 16 << 20
_MOST: Final = 256
"""Notes that are remembered of a delivery: more sticks than anybody carries."""


class Whereabouts:
    """What media said of a delivery, kept in the *folder* of what came of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._notes = _load(folder / _NAME)

    def learn(self, notes: Iterable[MediumNote]) -> None:
        """Remember *notes*; a later one of the same medium replaces the earlier.

        Raises:
            StoreError: The disk refuses.
        """
        before = dict(self._notes)
        for one in notes:
            self._notes[one.cutting, one.number] = one
        if self._notes == before or len(self._notes) > _MOST:
            return
        texts = tuple(map(medium_note.encode, self._notes.values()))
        data = canonical.encode({"format": FORMAT, "notes": texts})
        Disk().write_file(self._folder / _NAME, data)

    def tell(self, label: Label, ordinals: Sequence[int]) -> str:
        """Say where volumes should be; empty where no note tells.

        Args:
            label: Of a volume of the same cutting.
            ordinals: Of the volumes.
        """
        wanted = set(ordinals)
        found = []
        for number, there in sorted(self._media(label).items()):
            if here := wanted & set(there):
                found.append(f"{selection.ranges(here)} on medium {number}")
                wanted -= here
        return ", ".join(found)

    def _media(self, label: Label) -> Mapping[int, tuple[int, ...]]:
        """Return the volumes on each medium, by what it says itself if it was seen."""
        whose = (label.site, label.sequence, label.cutting)
        mine = sorted(
            (
                one
                for one in self._notes.values()
                if (one.site, one.sequence, one.cutting) == whose
            ),
            # What was written last knows most.
            key=lambda one: one.number,
        )
        media: dict[int, tuple[int, ...]] = {}
        for one in mine:
            media.update(one.media)
        for one in mine:
            media[one.number] = one.media.get(one.number, ())
        return media


def _load(path: Path) -> dict[tuple[str, int], MediumNote]:
    """Return the notes at *path*; none where they cannot be read: a hint is lost."""
    try:
        data = read_file(path, limit=_LIMIT)
        top = Fields(
            canonical.decode(data, name=path.name, limit=_LIMIT), record=path.name
        )
        top.expect("format", FORMAT)
        notes = [medium_note.decode(text.encode()) for text in top.texts("notes")]
    except AirliftError:
        return {}
    return {(one.cutting, one.number): one for one in notes}
