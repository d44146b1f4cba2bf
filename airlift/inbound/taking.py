"""Taking volumes in: every volume at hand is read, and what verifies is staged."""

import contextlib
from collections.abc import Callable
from typing import BinaryIO

from airlift.errors import FormatError
from airlift.format.reading import (
    Fault,
    Front,
    VolumeStream,
    fault_of,
    read_front,
)
from airlift.inbound import decrypting, media, secrecy
from airlift.inbound.arrival import Arrival
from airlift.inbound.decrypting import LockedError
from airlift.inbound.media import Candidate, GoneError, VolumeKey
from airlift.inbound.unloading import Unloading
from airlift.progress import Advance, Progress
from airlift.trust.delivery import VerifiedDelivery
from airlift.trust.encryption_key import NO_KEYS, Opener


def take_volumes(arrival: Arrival, progress: Progress) -> None:
    """Read every volume at hand that is still needed; note every fault.

    What verifies is kept even of a volume that is damaged elsewhere.
    """
    staging = arrival.staging
    if not staging.expecting():
        return
    _forget_if_lost(arrival)
    arrival.gone.clear()
    taken: set[VolumeKey] = set()
    with progress.task("importing", staging.bytes_missing()) as advance:
        for one in arrival.candidates:
            if one.key in taken:
                arrival.duplicates.append(one.name)
            elif one.key not in staging.volumes:
                faults = _take_file(one, arrival, advance)
                if faults:
                    arrival.faulty.setdefault(one.key, []).extend(faults)
                elif one.key in staging.volumes:
                    taken.add(one.key)


def _take_file(one: Candidate, arrival: Arrival, advance: Advance) -> list[Fault]:
    """Read one volume; return what is wrong with it.

    Nothing is, for all that is known, where its medium is not there any more: that is
    noted in the arrival, and the volume is read again when it is.
    """
    with contextlib.ExitStack() as stack:
        try:
            source = stack.enter_context(one.opened(arrival.buffers))
        except GoneError:
            arrival.gone.append(one.name)
            return []
        except (FormatError, LockedError) as error:
            return [media.fault_at(one.name, error)]
        faults = _take(source, None, arrival, advance, alone=True)
        if source.doubts:
            arrival.unstable[one.name] = source.doubts
        if source.gone:
            arrival.gone.append(one.name)
            return []
        return faults


def _forget_if_lost(arrival: Arrival) -> None:
    """Read noted volumes again where the store has lost what they brought."""
    if arrival.staging.missing() and arrival.every_volume_read():
        arrival.staging.volumes.clear()


def take_stream(
    stream: BinaryIO,
    begin: Callable[[Front, VolumeStream], Arrival],
    progress: Progress,
    keys: Opener = NO_KEYS,
) -> Arrival:
    """Read volumes that follow each other on *stream*, which is never seeked.

    Args:
        stream: A pipe, a tape, the standard input.
        begin: Given the first front: verifies it, asks whoever must be asked, and
            returns the arrival (``begin`` does the work).
        progress: Who wants to know.
        keys: What opens volumes that are encrypted.

    Raises:
        FormatError, TrustError: The first volume's signed files are not whole, or
            nothing gives them authority. Later faults are noted in the arrival.
    """
    source = decrypting.of_stream(VolumeStream(stream, "volume 1 of the stream"), keys)
    front: Front | None = read_front(source)
    assert front
    arrival = begin(front, source)
    number = 1
    with progress.task("importing", arrival.staging.bytes_missing()) as advance:
        # A new volume is never guessed inside a broken one: a fault ends the stream.
        while not (faults := _take(source, front, arrival, advance)):
            if source.at_end():
                break
            number += 1
            following = source.next(f"volume {number} of the stream")
            try:
                source, front = decrypting.of_stream(following, keys), None
            except (FormatError, LockedError) as error:
                faults = [media.fault_at(following.name, error)]
                break
        arrival.damaged.extend(faults)
    return arrival


def _take(
    source: VolumeStream,
    front: Front | None,
    arrival: Arrival,
    advance: Advance,
    *,
    alone: bool = False,
) -> list[Fault]:
    """Read one volume to its end; return what is wrong with it.

    Args:
        source: The volume.
        front: Its signed files, if they were read already.
        arrival: Where what it holds goes.
        advance: Told of raw bytes taken.
        alone: Whether the stream must end where the volume does.
    """
    delivery, staging = arrival.delivery, arrival.staging
    try:
        front = front or read_front(source)
        check_label(front, delivery, source)
        _check_records(front, delivery, source)
        if problem := secrecy.problem(delivery, source):
            raise source.error(problem, offset=0)
    except FormatError as error:
        return [fault_of(source, error)]
    unloading = Unloading(source, front.label, staging, arrival.buffers)
    faults = unloading.run(advance)
    if alone and not faults and not source.at_end():
        problem = "bytes follow the end of the volume"
        fault = Fault(volume=source.name, offset=source.offset, problem=problem)
        faults.append(fault)
    if not faults:
        staging.volumes.add((front.label.cutting, front.label.ordinal))
    staging.save()
    return faults


def check_label(front: Front, delivery: VerifiedDelivery, source: VolumeStream) -> None:
    """Compare a volume's label with the signed dispatch record.

    Raises:
        FormatError: It is of another delivery, or damaged.
    """
    label, record = front.label, delivery.dispatch
    signed = (delivery.id, record.site, record.sequence)
    if (label.dispatch, label.site, label.sequence) != signed:
        problem = f"the label is not of delivery {record.sequence} to {record.site}"
        raise source.error(problem, offset=0)


def _check_records(
    front: Front, delivery: VerifiedDelivery, source: VolumeStream
) -> None:
    """Compare a volume's signed files with those that were verified."""
    mine, theirs = front.records, delivery.records
    for name in sorted(mine.keys() | theirs.keys()):
        if mine.get(name) != theirs.get(name):
            problem = f"airlift/{name} differs from what was verified"
            raise source.error(problem)
