"""The import journey: find, verify, unpack, record.

    media -> candidates -> one delivery verified -> slabs staged -> blobs in the store
          -> one transaction -> live

Signed metadata is verified before any slab is decoded; the store is touched only when
every blob is whole; the registry only when every blob is durable in the store.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.errors import (
    AirliftError,
    BaseMissingError,
    FormatError,
    IncompleteError,
    StoreError,
    TrustError,
)
from airlift.format.grounds import Grounds
from airlift.format.reading import (
    Fault,
    Front,
    VolumeStream,
    read_front,
)
from airlift.inbound import base, holding, log_check, secrecy
from airlift.inbound.arrival import Arrival, Desk, Gate
from airlift.inbound.media import Candidate
from airlift.inbound.staging import Staging
from airlift.inbound.taking import check_label, take_stream, take_volumes
from airlift.progress import Progress
from airlift.registry.held import Event, Held, Hold
from airlift.store.blobs import BlobStore
from airlift.trust import denials
from airlift.trust.delivery import VerifiedDelivery
from airlift.trust.verifier import verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What an import did.

    Attributes:
        arrival: The delivery and its volumes.
        repeat: Whether it had been recorded before, so that no record changed.
        restored: Whether a repeat brought blobs back that the store had lost.
        generation: The number of the live set afterwards.
        held: Why each release that waits in quarantine does.
        struck: What was live and is not any more: the delivery denies it.
    """

    arrival: Arrival
    repeat: bool
    restored: bool
    generation: int
    held: Mapping[Sha256, str]
    struck: tuple[Held, ...] = ()


def land(
    candidates: Sequence[Candidate],
    gate: Gate,
    desk: Desk,
    *,
    now: str,
    damaged: Sequence[Fault] = (),
) -> Landed:
    """Import one delivery from the volumes that claim to be of it.

    Args:
        candidates: Volumes that claim to be of one delivery.
        gate: Where it goes.
        desk: Who is asked.
        now: The time.
        damaged: Files on the media that are named like volumes and are none.

    Raises:
        TrustError: Nothing gives it authority here.
        FormatError: Volumes are damaged, and what they hold is needed.
        IncompleteError: Volumes are still to come; what came is kept.
        StoreError: The disk is full or fails; nothing half-done is visible.
    """
    claimed = candidates[0].label.sequence
    with gate.registry.exclusive("import"), refusals_logged(gate, desk, now, claimed):
        arrival = approach(candidates, gate, now=now)
        with closing(arrival.staging):
            arrival.damaged.extend(damaged)
            if needed(arrival, gate):
                desk.admit(arrival)
                forecast(arrival, gate.store)
                take_volumes(arrival, desk.progress)
                while arrival.staging.missing() and (more := desk.more(arrival)):
                    arrival.candidates = tuple(more)
                    take_volumes(arrival, desk.progress)
            return settle(arrival, gate, desk, now=now)


def land_stream(stream: BinaryIO, gate: Gate, desk: Desk, *, now: str) -> Landed:
    """Import one delivery from volumes that follow each other on *stream*.

    Args:
        stream: A pipe, a tape, the standard input; never seeked.
        gate: Where it goes.
        desk: Who is asked, once the first volume's signed files are believed.
        now: The time.

    Raises:
        TrustError, FormatError, IncompleteError, StoreError: As `land`; what verified
            before a fault is kept, and the rest may come as files.
    """

    def welcome(front: Front, source: VolumeStream) -> Arrival:
        arrival = begin(front, source, gate, now=now)
        if needed(arrival, gate):
            desk.admit(arrival)
            forecast(arrival, gate.store)
        return arrival

    with gate.registry.exclusive("import"), refusals_logged(gate, desk, now):
        arrival = take_stream(stream, welcome, desk.progress, gate.keys)
        with closing(arrival.staging):
            return settle(arrival, gate, desk, now=now)


def settle(arrival: Arrival, gate: Gate, desk: Desk, *, now: str) -> Landed:
    """Record a delivery of which everything has come.

    Raises:
        FormatError, IncompleteError: Something is missing; it is named.
    """
    delivery, restored = arrival.delivery, False
    held: Mapping[Sha256, Hold] = {}
    if needed(arrival, gate):
        deliver(arrival, desk.progress)
        restored = delivery.repeat
    if not delivery.repeat:
        held = holding.judge(delivery, gate, desk, now=now)
    live = frozenset(one.id for one in delivery.releases) - held.keys()
    struck = gate.registry.custody().struck(denials.decode(delivery.state.denials))
    generation = gate.registry.record(
        delivery, gate.store, live=live, now=now, actor=desk.actor, held=held
    )
    for told in _beside(arrival, desk, now, restored=restored):
        gate.registry.log(told)
    arrival.staging.clear()
    return Landed(
        arrival=arrival,
        repeat=delivery.repeat,
        restored=restored,
        generation=generation,
        held={one: hold.why for one, hold in held.items()},
        struck=struck,
    )


def _beside(
    arrival: Arrival, desk: Desk, now: str, *, restored: bool
) -> Iterator[Event]:
    """Yield what the log is to say of an import besides that it was done."""
    plain = Event(time=now, actor=desk.actor, action="import", outcome="warned")
    for line in arrival.instabilities():
        yield replace(plain, detail={"problem": line})
    delivery = arrival.delivery
    if delivery.graced:
        late: dict[str, Json] = {"delivery": delivery.id, "by": list(delivery.graced)}
        yield replace(plain, outcome="late", detail=late)
    if restored:
        yield Event(
            time=now,
            actor=desk.actor,
            action="restore",
            subject=f"delivery {delivery.dispatch.sequence}",
            detail={"delivery": delivery.id},
        )


def needed(arrival: Arrival, gate: Gate) -> bool:
    """Say whether anything of a delivery has to be taken in.

    Nothing of one that was recorded before, unless the store has lost blobs of its
    releases since: importing it again is how they come back.
    """
    delivery = arrival.delivery
    if not delivery.repeat:
        return True
    kept = {one.id for one in gate.registry.releases()}
    files = (
        file.sha256
        for one in delivery.releases
        if one.id in kept
        for file in one.release.files
    )
    return bool(gate.store.missing(files))


def approach(candidates: Sequence[Candidate], gate: Gate, *, now: str) -> Arrival:
    """Verify the signed files of a delivery from the first volume that has them whole.

    Raises:
        TrustError: Nothing gives this delivery authority here.
        FormatError: No volume has the signed files whole.
    """
    refusals: list[AirliftError] = []
    for one in candidates:
        try:
            with one.opened() as source:
                front = read_front(source)
                delivery = _believe(front, gate, source, now=now)
        except (FormatError, TrustError) as error:
            refusals.append(error)
            continue
        staging = stage(delivery, gate)
        return Arrival(delivery=delivery, candidates=tuple(candidates), staging=staging)
    # One good volume is enough; when none is, a lack of authority says more than
    # damage does.
    raise next((one for one in refusals if isinstance(one, TrustError)), refusals[0])


def stage(delivery: VerifiedDelivery, gate: Gate) -> Staging:
    """Open the staging area of a verified delivery that can be completed here."""
    if not delivery.repeat:
        log_check.refuse_other(gate.home, delivery.dispatch)
        base.check(delivery, gate.store, gate.registry)
    folder = gate.incoming / delivery.id
    return Staging(folder, delivery.id[:16], _grounds(delivery, gate.store), gate.store)


def _grounds(delivery: VerifiedDelivery, store: BlobStore) -> Grounds:
    """Return what the parts of a delivery may build on here."""

    def size(blob: Sha256) -> int | None:
        span = store.span(blob)
        return span.length if span else None

    needs = [one.sha256 for one in delivery.dispatch.needs]
    return Grounds(delivery.packing, needs, size)


def forecast(arrival: Arrival, store: BlobStore) -> int:
    """Return the bytes this import will write.

    Raises:
        StoreError: The store's file system has not that much room.
    """
    needed = arrival.staging.room()
    reserve = 64 << 20  # database, journal, directories
    if (free := store.free_bytes()) < needed + reserve:
        problem = f"the store has {free} bytes free, this delivery needs {needed}"
        hint = "make room (`airlift gc --dry-run` shows what can go), then import again"
        raise StoreError(problem, hint=hint)
    return needed


def begin(front: Front, source: VolumeStream, gate: Gate, *, now: str) -> Arrival:
    """Return the arrival that a volume's signed files announce, once believed.

    Raises:
        TrustError: Nothing gives them authority here; the volume is named.
        FormatError: A record cannot be read, or the label contradicts them.
    """
    delivery = _believe(front, gate, source, now=now)
    return Arrival(delivery=delivery, candidates=(), staging=stage(delivery, gate))


def _believe(
    front: Front, gate: Gate, source: VolumeStream, *, now: str
) -> VerifiedDelivery:
    state, approvals = gate.registry.trust_state(), gate.registry.custody().approvals()
    try:
        delivery = verify(front.records, state, now=now, approvals=approvals)
    except (TrustError, FormatError) as error:
        problem = f"{source.name}: {error.problem}"
        raise type(error)(problem, hint=error.hint) from error
    check_label(front, delivery, source)
    secrecy.check(delivery, source)
    return delivery


def deliver(arrival: Arrival, progress: Progress) -> None:
    """Move everything into the store, or say exactly what is missing.

    Raises:
        FormatError: Volumes are damaged, and what they hold is needed.
        IncompleteError: Volumes have not come yet.
    """
    staging = arrival.staging
    if staging.missing() or (staging.expecting() and arrival.unresolved()):
        staging.save()
        raise _not_complete(arrival)
    staging.deliver(arrival.buffers, progress)


def _not_complete(arrival: Arrival) -> AirliftError:
    names = arrival.missing_named()
    shaky = "".join(f"; {line}" for line in arrival.instabilities())
    gone = [f"{one}: its medium is not there any more" for one in arrival.gone[:1]]
    if faults := arrival.unresolved():
        problem = "; ".join([*map(str, faults), *gone])
        hint = f"what verified is kept; bring good copies of: {names}{shaky}"
        return FormatError(problem, hint=hint)
    if gone:
        hint = (
            "put it in again, mounted anywhere, and run the same command; what "
            f"verified is kept; still needed: {names}{shaky}"
        )
        return IncompleteError(gone[0], hint=hint)
    count = len(arrival.staging.missing())
    problem = f"{count} blob(s) have not come yet; needed: {names}"
    hint = "run `airlift import` again with the other media; what came is kept"
    return IncompleteError(problem, hint=hint + shaky)


@contextmanager
def refusals_logged(
    gate: Gate, desk: Desk, now: str, claimed: int = 0
) -> Iterator[None]:
    """Log that a delivery was refused, and why, before the operator is told.

    Args:
        gate: Where it was to go.
        desk: Who asked for it.
        now: The time.
        claimed: Its number, as a volume claims it; 0 where that is not known.
    """
    try:
        yield
    except (TrustError, FormatError, BaseMissingError) as error:
        base_missing = isinstance(error, BaseMissingError)
        gate.registry.log(
            Event(
                time=now,
                actor=desk.actor,
                action="import",
                outcome="refused",
                detail={
                    "problem": error.problem,
                    "reason": "base" if base_missing else error.word,
                    "sequence": claimed,
                },
            )
        )
        raise
