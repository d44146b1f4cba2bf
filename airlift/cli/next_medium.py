"""The next medium of an import: which volumes it lacks, where they are, what to ask for."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from airlift.cli import consent, output
from airlift.errors import RequestError, StoreError
from airlift.format import selection
from airlift.format.medium_note import MediumNote
from airlift.format.selection import Selection
from airlift.inbound import media
from airlift.inbound.arrival import Arrival
from airlift.inbound.media import Candidate
from airlift.inbound.whereabouts import Whereabouts
from airlift.trust.encryption_key import NO_KEYS, Opener


class NextMedium:
    """What an import tells and asks of media.

    Args:
        paths: Where media are mounted.
        incoming: Where deliveries are kept that are not complete.
        keys: What opens volumes that are encrypted.
    """

    def __init__(
        self, paths: Sequence[Path], incoming: Path, keys: Opener = NO_KEYS
    ) -> None:
        self._paths, self._incoming, self._keys = paths, incoming, keys
        self._arrival: Arrival | None = None
        self._whereabouts: Whereabouts | None = None

    def forget(self) -> None:
        """Know of no delivery: the next one is about to be looked at."""
        self._arrival = self._whereabouts = None

    def begin(self, arrival: Arrival, notes: Iterable[MediumNote]) -> None:
        """Take up a delivery that was verified, and what its media say."""
        self._arrival = arrival
        self._whereabouts = Whereabouts(self._incoming / arrival.delivery.id)
        self._learn(notes)

    def _learn(self, notes: Iterable[MediumNote]) -> None:
        """Remember what media say of this delivery; a hint may be lost."""
        if not (self._arrival and self._whereabouts):
            return
        record = self._arrival.delivery.dispatch
        whose = (record.site, record.sequence)
        with contextlib.suppress(StoreError):
            self._whereabouts.learn(
                one for one in notes if (one.site, one.sequence) == whose
            )

    def hint(self) -> str:
        """Say where what is missing should be, and how it is asked for; empty if none is."""
        arrival = self._arrival
        model = arrival.model() if arrival else None
        if not (arrival and model and (ordinals := arrival.missing_ordinals())):
            return ""
        line = selection.encode(Selection(ordinals=ordinals, cutting=model.cutting))
        where = self._where()
        again = (
            f"what is lost is written again on the connected host: `airlift reissue "
            f"{model.site} {model.sequence} {line} --to FOLDER`"
        )
        return f"volumes {where}; {again}" if where else again

    def ask(self, arrival: Arrival) -> Sequence[Candidate]:
        """Ask for the next medium until one brings something; none when it is enough."""
        while True:
            for fault in (*arrival.unresolved(), *arrival.damaged):
                output.note(str(fault))
            arrival.damaged.clear()
            where = self._where()
            if where:
                output.note(f"volumes {where}")
            if not _inserted(arrival):
                return ()
            if found := self._find(arrival):
                return found

    def _where(self) -> str:
        arrival = self._arrival
        model = arrival.model() if arrival else None
        if not (arrival and model and self._whereabouts):
            return ""
        return self._whereabouts.tell(model, arrival.missing_ordinals())

    def _find(self, arrival: Arrival) -> Sequence[Candidate]:
        """Return what the medium that is in has of the delivery, if that is of any use."""
        try:
            found = media.find(self._paths, self._keys)
        except RequestError as error:
            output.note(error.problem)
            return ()
        self._learn(found.notes)
        mine = [
            one for one in found.candidates if one.label.dispatch == arrival.delivery.id
        ]
        fresh = [one for one in mine if one.key not in arrival.staging.volumes]
        if fresh:
            return mine
        if mine:
            has = selection.ranges(one.label.ordinal for one in mine)
            output.note(f"this medium has volumes {has} only, which have come")
        else:
            number = arrival.delivery.dispatch.sequence
            output.note(f"no volume of delivery {number} is there")
        return ()


def _inserted(arrival: Arrival) -> bool:
    """Ask for the next medium; return whether it is in."""
    model, ordinals = arrival.model(), arrival.missing_ordinals()
    what = f"volumes {selection.ranges(ordinals)} of {model.count}" if model else "more"
    return consent.inserted(f"the medium with {what}")
