"""Stowing: the volumes of a delivery go to several media, or to one after the other.

    pending volumes -> which fit where -> written, one thread a device -> noted, each
    as soon as it is durable -> the small files -> the next medium

What a medium that fails, fills up or is pulled did not get goes to the next. What is
noted as written was synced before; a run that ends anywhere goes on from the notes.
"""

import contextlib
import threading
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NoReturn

from airlift import naming
from airlift.crew import Stop, work
from airlift.digest import Sha256
from airlift.errors import (
    AirliftError,
    IncompleteError,
    MediumError,
    RequestError,
    StoreError,
)
from airlift.format import medium_note, selection
from airlift.format.dispatch import Dispatch
from airlift.format.medium_note import MediumNote
from airlift.format.volume import Label
from airlift.outbound import placing, sidecars, stowage
from airlift.outbound.berthing import Berthing, Place
from airlift.outbound.cutting import Cutter, WrittenVolume
from airlift.outbound.ledger import VolumeNote
from airlift.outbound.quay import Loading, Media, Wanted
from airlift.outbound.sidecars import Beside
from airlift.outbound.stowage import Stowage, Stowages
from airlift.progress import Advance, Progress
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
        resume: The command that goes on after an end of any kind.
        code: What the site should print once it took all; may be empty.
        encrypted: Whether only the site can read the volumes.
    """

    record: Dispatch
    cutter: Cutter
    labels: Sequence[Label]
    capacity: int
    signers: Sequence[UnlockedKey]
    stowages: Stowages
    resume: str
    code: str = ""
    encrypted: bool = False


class Stowing:
    """Stows one lot.

    Args:
        lot: What.
        media: Where.
        progress: Who wants to know.
    """

    def __init__(self, lot: Lot, media: Media, progress: Progress) -> None:
        first = lot.labels[0]
        found = lot.stowages.read(first.site, first.sequence, first.cutting)
        self._lot, self._media, self._quay = lot, media, media.quay
        self._progress = progress
        self._stowage = found or stowage.begin(lot.labels, lot.capacity)
        self._labels = {one.file_name: one for one in lot.labels}
        # Of a volume that is noted, nothing may be at hand to make it of.
        sizes = {one.name: one.size for one in self._stowage.files}
        self._sizes = {
            one.file_name: sizes.get(one.file_name) or lot.cutter.size(one)
            for one in lot.labels
        }
        self._berthing = Berthing(self._sizes, media.most)
        self._written: dict[str, WrittenVolume] = {}
        self._failures: list[str] = []
        self._largest = 0
        self._lock = threading.Lock()

    def stow(self, names: Iterable[str]) -> tuple[Stowage, list[WrittenVolume]]:
        """Write the volumes *names*, and all that were pending; return what is known.

        With the volumes that this run wrote.

        Raises:
            IncompleteError: Media failed or are used up; what was written is noted.
            RequestError, StoreError: A medium is not fit, or all of them are too
                small, and there is nobody to ask for another.
        """
        self._note(self._stowage.waiting(names))
        failed: set[Path] = set()
        filled: set[Path] = set()
        began = self._media.wait
        while self._stowage.pending:
            places = self._places(failed)
            orders = self._orders(places)
            if not began:
                self._check_room(places, orders)
                began = True
            if any(orders):
                self._tell(places, orders)
                self._write(places, orders)
                self._finish(places)
                failed |= {one.folder for one in places if one.failed}
                filled |= {one.folder for one in places if one.touched}
                continue
            self._complain([one for one in places if one.folder not in filled])
            self._ask()
            failed.clear()
            filled.clear()
        written = self._written
        return self._stowage, [written[one] for one in self._labels if one in written]

    def _note(self, known: Stowage) -> None:
        self._stowage = known
        self._lot.stowages.write(known)

    def _left(self) -> dict[str, int]:
        """Return the bytes of what is to be written, in order."""
        pending = set(self._stowage.pending)
        return {name: size for name, size in self._sizes.items() if name in pending}

    def _ordinals(self, names: Iterable[str]) -> tuple[int, ...]:
        return tuple(sorted(self._labels[name].ordinal for name in names))

    # --- which medium gets what --------------------------------------------------

    def _places(self, failed: Container[Path]) -> list[Place]:
        """Return the media that are in and fit, but for those that *failed*."""
        places: list[Place] = []
        taken = [one.number for one in self._stowage.berths]
        for folder in self._media.folders:
            if folder in failed:
                continue
            try:
                place = self._berthing.look(folder, self._stowage, taken)
            except AirliftError as error:
                if not self._media.wait:
                    raise
                self._quay.trouble(error.problem)
                continue
            self._miss(place)
            taken.append(place.berth.number)
            places.append(place)
            self._largest = max(self._largest, place.free)
        return places

    def _miss(self, place: Place) -> None:
        """Count what somebody deleted from a medium as not written.

        Sticks are used again; what was on this one would be on none.
        """
        number = place.berth.number
        before = next((b for b in self._stowage.berths if b.number == number), None)
        gone = set(before.files) - set(place.berth.files) if before else set()
        if not gone:
            return
        known = self._stowage.with_berth(place.berth)
        gone &= self._labels.keys()
        self._note(known.waiting(one for one in gone if not any(known.holding(one))))
        volumes = selection.ranges(self._ordinals(gone))
        self._quay.trouble(f"{place.shown} no longer has volumes {volumes}")

    def _orders(self, places: Sequence[Place]) -> list[list[str]]:
        """Return what each medium is to get: first what already lies on it."""
        left, here = self._left(), []
        for place in places:
            found = [name for name in left if (place.folder / name).exists()]
            for name in found:
                del left[name]
            here.append(found)
        more = placing.place(left, self._berthing.rooms(places))
        return [[*one, *two] for one, two in zip(here, more, strict=True)]

    def _check_room(
        self, places: Sequence[Place], orders: Sequence[Sequence[str]]
    ) -> None:
        """Refuse to begin where not everything fits and nobody can be asked."""
        left = self._without(orders)
        if not left:
            return
        names = ", ".join(
            f"{naming.show(str(one.folder))} ({one.free} bytes free)" for one in places
        )
        missing = selection.ranges(self._ordinals(left))
        problem = f"no room for volumes {missing}, {sum(left.values())} bytes: {names}"
        hint = (
            "name more media with --to, or be asked for them with --wait; "
            "nothing was written"
        )
        raise StoreError(problem, hint=hint)

    def _without(self, orders: Sequence[Sequence[str]]) -> dict[str, int]:
        ordered = {name for names in orders for name in names}
        return {name: n for name, n in self._left().items() if name not in ordered}

    def _wanted(self, left: Mapping[str, int], after: Iterable[int] = ()) -> Wanted:
        """Return what is asked for, for *left*, once the media *after* are filled."""
        known = [one.number for one in self._stowage.berths]
        number = max([*known, *after], default=0) + 1
        room = min(self._largest, self._media.most)
        more = placing.count(list(left.values()), room)
        return Wanted(
            site=self._lot.record.site,
            sequence=self._lot.record.sequence,
            number=number,
            count=number - 1 + more if more else 0,
            volumes=self._ordinals(left),
            size=sum(left.values()),
            least=min(left.values()),
            folders=self._media.folders,
        )

    # --- what a person is told ---------------------------------------------------

    def _tell(self, places: Sequence[Place], orders: Sequence[Sequence[str]]) -> None:
        plan = [
            Loading(
                number=place.berth.number,
                folder=place.folder,
                volumes=self._ordinals(names),
                size=sum(self._sizes[name] for name in names),
                free=place.free,
            )
            for place, names in zip(places, orders, strict=True)
            if names
        ]
        left = self._without(orders)
        after = [one.number for one in plan]
        self._quay.loading(plan, self._wanted(left, after) if left else None)

    def _complain(self, places: Sequence[Place]) -> None:
        least = min(self._left().values())
        for one in places:
            problem = (
                f"{one.shown} has {one.free} bytes free, "
                f"the smallest volume that is left needs {least}"
            )
            self._quay.trouble(problem)

    def _ask(self) -> None:
        """Ask for the next medium.

        Raises:
            IncompleteError: There is none.
        """
        left = self._left()
        if self._media.wait and self._quay.bring(self._wanted(left)):
            return
        record = self._lot.record
        missing = selection.ranges(self._ordinals(left))
        what = f"volumes {missing} of delivery {record.sequence} to {record.site}"
        problem = "; ".join([f"{what} are on no medium yet", *self._failures])
        hint = f"what was written counts; with another medium, {self._lot.resume}"
        raise IncompleteError(problem, hint=hint)

    # --- writing -----------------------------------------------------------------

    def _write(self, places: Sequence[Place], orders: Sequence[Sequence[str]]) -> None:
        """Write to all media at once, to folders of one device one after the other."""
        jobs = sorted(zip(places, orders, strict=True), key=_device)
        total = sum(self._sizes[name] for names in orders for name in names)
        stop = Stop()
        with self._progress.task("writing volumes", total) as advance:
            counted = self._counted(advance)
            tasks = [
                partial(self._fill, list(several), stop, counted)
                for _, several in groupby(jobs, key=_device)
            ]
            work(tasks, workers=len(tasks), stop=stop)

    def _counted(self, advance: Advance) -> Advance:
        def counted(done: int) -> None:
            with self._lock:
                advance(done)

        return counted

    def _fill(
        self, jobs: Sequence[tuple[Place, Sequence[str]]], stop: Stop, advance: Advance
    ) -> None:
        for place, names in jobs:
            with self._refusals(place):
                for name in names:
                    stop.check()
                    self._volume(place, name, advance)

    @contextlib.contextmanager
    def _refusals(self, place: Place) -> Iterator[None]:
        """Give up a medium that refuses, and nothing else."""
        try:
            yield
        except (MediumError, RequestError) as error:
            place.failed = error.problem
            self._failures.append(error.problem)
            self._quay.trouble(error.problem)

    def _volume(self, place: Place, name: str, advance: Advance) -> None:
        label, noted = self._labels[name], self._stowage.noted(name)
        expected = noted.sha256 if noted else None
        place.check_in()
        done = self._lot.cutter.put(label, place.folder, advance, expected)
        place.check_in(done.path)
        if expected and done.sha256 != expected:
            _differs(done, expected)
        note = VolumeNote(name=name, size=done.size, sha256=done.sha256)
        with self._lock:
            place.touched = True
            place.berth = place.berth.with_file(name, self._quay.now())
            known = self._stowage.learned([note]).with_berth(place.berth)
            self._note(known.done(name))
            self._written[name] = done

    # --- the small files ---------------------------------------------------------

    def _finish(self, places: Sequence[Place]) -> None:
        """Write the small files to the media, which may be taken out after that."""
        touched = [one for one in places if one.touched and not one.failed]
        if touched and not self._stowage.beside:
            self._sum_up()
        for place in touched:
            text = medium_note.encode(self._medium_note(place.berth.number))
            name = f"{sidecars.front(self._lot.record)}.{sidecars.MEDIUM}"
            try:
                sidecars.write(place.folder, {**self._stowage.beside, name: text})
            except StoreError as error:
                place.failed = error.problem
                self._quay.trouble(f"{place.shown}: {error.problem}")

    def _sum_up(self) -> None:
        """Make the small files, which name the digests of all volumes.

        Those that are not written yet are hashed now: the media that are in may be
        gone when they are.
        """
        known = self._stowage
        unknown = [one for name, one in self._labels.items() if not known.noted(name)]
        total = sum(self._sizes[one.file_name] for one in unknown)
        with self._progress.task("hashing the other volumes", total) as advance:
            notes = [
                VolumeNote(
                    name=one.file_name,
                    size=self._sizes[one.file_name],
                    sha256=self._lot.cutter.digest(one, advance),
                )
                for one in unknown
            ]
        known = known.learned(notes)
        ordered = [note for name in self._labels if (note := known.noted(name))]
        lot = self._lot
        beside = Beside(volumes=ordered, code=lot.code, encrypted=lot.encrypted)
        made = sidecars.make(lot.record, beside, lot.signers)
        self._note(replace(known, beside=made))

    def _medium_note(self, number: int) -> MediumNote:
        known = self._stowage
        return MediumNote(
            site=known.site,
            sequence=known.sequence,
            cutting=known.cutting,
            number=number,
            media={
                one.number: self._ordinals(self._labels.keys() & set(one.files))
                for one in known.berths
                if not one.lost
            },
        )


def _device(job: tuple[Place, Sequence[str]]) -> int:
    return job[0].device


def _differs(done: WrittenVolume, expected: Sha256) -> NoReturn:
    """Refuse a volume that is not the one that was made before."""
    done.path.unlink(missing_ok=True)
    problem = f"{done.path.name} comes out as {done.sha256}, it was {expected}"
    hint = "another airlift or zstd made it: use that one, or make a new delivery"
    raise StoreError(problem, hint=hint)
