"""Stowing: the volumes of a delivery go to several media, or to one after the other.

    pending volumes -> which fit where -> written, one thread a device -> noted, each
    as soon as it is durable -> spares, made of all -> the small files -> the next medium

What a medium that fails, fills up or is pulled did not get goes to the next. What is
noted as written was synced before; a run that ends anywhere goes on from the notes.
"""

import contextlib
import threading
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from airlift import naming
from airlift.crew import Stop, work
from airlift.errors import (
    AirliftError,
    IncompleteError,
    MediumError,
    RequestError,
    StoreError,
)
from airlift.format import medium_note
from airlift.format.volume import Label
from airlift.outbound import (
    allotment,
    ordering,
    placing,
    sidecars,
    stock,
    stowage,
    summing,
)
from airlift.outbound.berthing import Berthing, Place
from airlift.outbound.cutting import WrittenVolume
from airlift.outbound.ledger import VolumeNote
from airlift.outbound.lot import Lot
from airlift.outbound.ordering import Apart
from airlift.outbound.quay import Loading, Media, Wanted
from airlift.outbound.stock import Stock
from airlift.outbound.stowage import Stowage
from airlift.progress import Advance, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Stowed:
    """What was done.

    Attributes:
        known: Where everything lies now.
        volumes: Those that this run wrote, in order.
        spares: Numbers of those that this run wrote.
    """

    known: Stowage
    volumes: tuple[WrittenVolume, ...]
    spares: tuple[int, ...]


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
        self._stowage = (found or stowage.begin(lot.labels, lot.capacity)).with_sparing(
            lot.sparing
        )
        self._labels = {one.file_name: one for one in lot.labels}
        # Of a volume that is noted, nothing may be at hand to make it of.
        sizes = {one.name: one.size for one in self._stowage.files}
        volumes = {
            one.file_name: sizes.get(one.file_name) or lot.cutter.size(one)
            for one in lot.labels
        }
        self._stock = Stock(lot.ware(self._stowage.sparing), volumes, progress)
        self._sizes = volumes | self._stock.sizes
        self._berthing = Berthing(self._sizes, media.most)
        self._written: dict[str, WrittenVolume | None] = {}
        self._failures: list[str] = []
        self._largest = 0
        self._lock = threading.Lock()

    @property
    def spares(self) -> tuple[str, ...]:
        """The names of the spares that the lot asks for."""
        return tuple(self._stock.sizes) if self._lot.sparing.spares else ()

    def stow(self, names: Iterable[str]) -> Stowed:
        """Write the volumes and spares *names*, and all that were pending.

        Raises:
            IncompleteError: Media failed or are used up; what was written is noted.
            RequestError, StoreError: A medium is not fit, or all of them are too
                small, and there is nobody to ask for another.
        """
        self._note(self._stowage.waiting(names))
        failed: set[Path] = set()
        filled: set[Path] = set()
        began = self._media.wait
        while self._left():
            places = self._places(failed)
            orders = self._orders(places)
            if not began:
                self._check_room(places, orders)
                began = True
            if any(orders):
                self._tell(places, orders)
                self._load(places, orders)
                self._finish(places)
                failed |= {one.folder for one in places if one.failed}
                filled |= {one.folder for one in places if one.touched}
                continue
            self._complain([one for one in places if one.folder not in filled])
            self._ask()
            failed.clear()
            filled.clear()
        written = (self._written.get(one) for one in self._labels)
        return Stowed(
            known=self._stowage,
            volumes=tuple(one for one in written if one),
            spares=allotment.spares_of(self._written),
        )

    def _note(self, known: Stowage) -> None:
        self._stowage = known
        self._lot.stowages.write(known)

    def _left(self) -> dict[str, int]:
        """Return the bytes of what is to be written, in order."""
        pending = set(self._stowage.pending)
        return {name: size for name, size in self._sizes.items() if name in pending}

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
        gone &= self._sizes.keys()
        self._note(known.waiting(one for one in gone if not any(known.holding(one))))
        self._quay.trouble(f"{place.shown} no longer has {allotment.shown(gone)}")

    def _orders(self, places: Sequence[Place]) -> list[list[str]]:
        """Return what each medium is to get."""
        sparing = self._stowage.sparing
        # Where another may still be brought, none is lost with what it protects.
        most = sparing.spares if self._media.wait else len(self._sizes)
        apart = Apart(sparing=sparing, count=len(self._labels), most=most)
        rooms = self._berthing.rooms(places)
        return ordering.orders(self._left(), places, rooms, apart)

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
        missing = allotment.shown(left)
        problem = f"no room for {missing}, {sum(left.values())} bytes: {names}"
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
            volumes=allotment.volumes_of(left),
            size=sum(left.values()),
            least=min(left.values()),
            folders=self._media.folders,
            spares=allotment.spares_of(left),
        )

    # --- what a person is told ---------------------------------------------------

    def _tell(self, places: Sequence[Place], orders: Sequence[Sequence[str]]) -> None:
        plan = [
            Loading(
                number=place.berth.number,
                folder=place.folder,
                volumes=allotment.volumes_of(names),
                size=sum(self._sizes[name] for name in names),
                free=place.free,
                spares=allotment.spares_of(names),
            )
            for place, names in zip(places, orders, strict=True)
            if names
        ]
        left = self._without(orders)
        after = [one.number for one in plan]
        self._quay.loading(plan, self._wanted(left, after) if left else None)

    def _complain(self, places: Sequence[Place]) -> None:
        left = self._left()
        least = min(left.values())
        for one in places:
            problem = (
                f"{one.shown} has {one.free} bytes free, "
                f"the smallest volume that is left needs {least}"
            )
            if not allotment.volumes_of(left) and one.free > least:
                problem = (
                    f"{one.shown} has volumes of the same groups as "
                    f"{allotment.shown(left)}, which would be lost with them"
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
        what = f"{allotment.shown(left)} of delivery {record.sequence} to {record.site}"
        problem = "; ".join([f"{what} are on no medium yet", *self._failures])
        hint = f"what was written counts; with another medium, {self._lot.resume}"
        raise IncompleteError(problem, hint=hint)

    # --- writing -----------------------------------------------------------------

    def _load(self, places: Sequence[Place], orders: Sequence[Sequence[str]]) -> None:
        """Write the volumes, and then the spares, which are made of all volumes."""
        volumes = [[one for one in names if one in self._labels] for names in orders]
        if any(volumes):
            self._write(places, volumes)
        spares = [[one for one in names if one not in self._labels] for names in orders]
        if wanted := [one for names in spares for one in names]:
            self._learn()
            self._stock.make(wanted, self._stowage.noted)
            self._write(places, spares)

    def _learn(self) -> None:
        """Find out what all volumes and spares are; the small files name their digests."""
        known, lot = self._stowage, self._lot
        known = summing.learn(known, lot, self._sizes, self._stock, self._progress)
        self._note(known)

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
                for name in () if place.failed else names:
                    stop.check()
                    self._file(place, name, advance)

    @contextlib.contextmanager
    def _refusals(self, place: Place) -> Iterator[None]:
        """Give up a medium that refuses, and nothing else."""
        try:
            yield
        except (MediumError, RequestError) as error:
            place.failed = error.problem
            self._failures.append(error.problem)
            self._quay.trouble(error.problem)

    def _file(self, place: Place, name: str, advance: Advance) -> None:
        noted = self._stowage.noted(name)
        place.check_in()
        if label := self._labels.get(name):
            note = self._volume(place, label, noted, advance)
        else:
            assert noted
            path = self._stock.put(noted, place.folder, advance)
            place.check_in(path)
            note = noted
        with self._lock:
            place.touched = True
            place.berth = place.berth.with_file(name, self._quay.now())
            known = self._stowage.learned([note]).with_berth(place.berth)
            self._note(known.done(name))
            self._written.setdefault(name, None)

    def _volume(
        self, place: Place, label: Label, noted: VolumeNote | None, advance: Advance
    ) -> VolumeNote:
        """Write a volume; return what it is."""
        expected = noted.sha256 if noted else None
        done = self._lot.cutter.put(label, place.folder, advance, expected)
        place.check_in(done.path)
        if noted and done.sha256 != noted.sha256:
            # It is not the one that was made before.
            done.path.unlink(missing_ok=True)
            raise stock.comes_out(noted, done.sha256)
        self._written[label.file_name] = done
        return VolumeNote(name=label.file_name, size=done.size, sha256=done.sha256)

    # --- the small files ---------------------------------------------------------

    def _finish(self, places: Sequence[Place]) -> None:
        """Write the small files to the media, which may be taken out after that."""
        touched = [one for one in places if one.touched and not one.failed]
        if touched and not self._stowage.beside:
            self._learn()
            self._note(summing.sum_up(self._stowage, self._lot))
        for place in touched:
            number = place.berth.number
            text = medium_note.encode(summing.note_of_medium(self._stowage, number))
            name = f"{sidecars.front(self._lot.record)}.{sidecars.MEDIUM}"
            try:
                sidecars.write(place.folder, {**self._stowage.beside, name: text})
            except StoreError as error:
                place.failed = error.problem
                self._quay.trouble(f"{place.shown}: {error.problem}")


def _device(job: tuple[Place, Sequence[str]]) -> int:
    return job[0].device
