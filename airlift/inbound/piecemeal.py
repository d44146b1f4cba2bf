"""Taking a delivery in piece by piece, as its volumes arrive over hours or days.

Where `landing.land` ends with an error while something is missing, this says what: for
whoever waits for the rest without being asked, such as a watched folder.
"""

from contextlib import closing
from dataclasses import dataclass

from airlift.format.volume import Label
from airlift.inbound import landing
from airlift.inbound.arrival import Arrival, Desk, Gate
from airlift.inbound.landing import Landed, refusals_logged
from airlift.inbound.media import Candidate
from airlift.inbound.taking import take_volumes
from airlift.trust.delivery import VerifiedDelivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What came of taking some volumes of one delivery in.

    Attributes:
        delivery: Which this site believes.
        model: A label of the cutting that volumes are counted by.
        landed: What the import did, once nothing is missing.
        missing: Ordinals of the volumes still needed, of the cutting of *model*.
        fault: What is wrong with the volume that was taken; empty if nothing is.
        gone: Whether its medium went away meanwhile, so that nothing is known of it.
        warnings: Lines about a medium that gave it right only when asked again.
    """

    delivery: VerifiedDelivery
    model: Label
    landed: Landed | None
    missing: tuple[int, ...]
    fault: str
    gone: bool
    warnings: tuple[str, ...]


def take(
    candidate: Candidate, gate: Gate, desk: Desk, *, now: str, hold: bool = False
) -> Piece:
    """Take one volume in; import its delivery if nothing of it is missing any more.

    What verified is durable on return: no file is needed again for it.

    Args:
        candidate: The volume.
        gate: Where it goes.
        desk: Who is asked.
        now: The time.
        hold: Keep the delivery from being recorded, even if it is complete.

    Raises:
        TrustError: Nothing gives it authority here.
        FormatError: It has not even the signed files whole.
        IncompleteError: It builds on what is not here.
        StoreError: The disk is full or fails; nothing half-done is visible.
        RegistryError: Another process is writing, or the registry fails.
    """
    claimed = candidate.label.sequence
    with gate.registry.exclusive("watch"), refusals_logged(gate, desk, now, claimed):
        arrival = landing.approach((candidate,), gate, now=now)
        with closing(arrival.staging):
            if landing.needed(arrival, gate):
                desk.admit(arrival)
                landing.forecast(arrival, gate.store)
                take_volumes(arrival, desk.progress)
                arrival.staging.save()
                if hold or arrival.missing_ordinals():
                    return _piece(arrival, None)
            return _piece(arrival, landing.settle(arrival, gate, desk, now=now))


def _piece(arrival: Arrival, landed: Landed | None) -> Piece:
    model = arrival.model()
    assert model
    faults = [one for several in arrival.faulty.values() for one in several]
    return Piece(
        delivery=arrival.delivery,
        model=model,
        landed=landed,
        missing=() if landed else arrival.missing_ordinals(),
        fault=f"byte {faults[0].offset}: {faults[0].problem}" if faults else "",
        gone=bool(arrival.gone),
        warnings=tuple(arrival.instabilities()),
    )
