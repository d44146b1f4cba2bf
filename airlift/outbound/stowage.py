"""Stowage: which volumes of a delivery lie on which medium (beside the ledger).

One canonical JSON file a cutting, replaced as a whole after every volume, so that an
export to several media goes on wherever it was stopped, and so that lost volumes can
be made again: it holds the cut points, the digests, and the small files beside them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.format.volume import Cut, Label
from airlift.outbound import allotment
from airlift.outbound.allotment import NO_SPARES, Sparing
from airlift.outbound.drives import Drive
from airlift.outbound.ledger import VolumeNote
from airlift.store.durable import Disk, read_file

FORMAT: Final = "airlift/stowage/1"
_LIMIT: Final = 64 << 20
_SUFFIX: Final = ".stowage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Berth:
    """A medium, and what of the delivery lies on it.

    Attributes:
        number: 1 for the first medium of the delivery.
        drive: What the system said of it.
        folder: Where it was mounted, and the folder there.
        mount: The mount it was written on, as ``mounts.mount_of`` tells it.
        written: When it was last written.
        checked: When it was last read back on a fresh mount, and nothing was bad;
            empty until then, and again once it is written.
        lost: When somebody said it is lost; empty while it is not.
        files: The volumes and spares on it that count, by file name.
        bad: Those that were on it and did not read back as they were written.
    """

    number: int
    drive: Drive
    folder: str
    mount: str
    written: str
    checked: str = ""
    lost: str = ""
    files: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()

    def with_file(self, name: str, now: str) -> "Berth":
        """Return it with the file *name* written to it."""
        files = tuple(sorted({*self.files, name}))
        bad = tuple(one for one in self.bad if one != name)
        return replace(self, files=files, bad=bad, written=now, checked="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stowage:
    """Where one cutting of a delivery lies.

    Attributes:
        site: The delivery's site.
        sequence: Its number.
        cutting: Of the volumes, as in their labels.
        capacity: Most bytes a volume was allowed.
        ends: Where each volume ends, in order.
        files: Volumes and spares whose bytes are known, in order.
        beside: The small files that go with them to every medium, by name.
        pending: Names of volumes and spares that are to be written on some medium.
        berths: The media, in order of their numbers.
        sparing: How many spares it has; none too where they were made by an airlift
            that kept no note of that.
    """

    site: str
    sequence: int
    cutting: str
    capacity: int
    ends: tuple[Cut, ...]
    files: tuple[VolumeNote, ...] = ()
    beside: Mapping[str, str]
    pending: tuple[str, ...] = ()
    berths: tuple[Berth, ...] = ()
    sparing: Sparing = NO_SPARES

    def noted(self, name: str) -> VolumeNote | None:
        """Return what is known of the file *name*."""
        return next((one for one in self.files if one.name == name), None)

    def has(self, number: int) -> bool:
        """Say whether a medium has this number."""
        return any(one.number == number for one in self.berths)

    def holding(self, name: str) -> Iterator[Berth]:
        """Yield the media that are not lost and have the file *name*."""
        return (one for one in self.berths if name in one.files and not one.lost)

    def ordinals(self, names: Iterable[str]) -> tuple[int, ...]:
        """Return which volumes *names* are, in order; spares are none."""
        return allotment.volumes_of(names)

    def learned(self, notes: Iterable[VolumeNote]) -> "Stowage":
        """Return it with what is known of some files."""
        known = {one.name: one for one in (*self.files, *notes)}
        files = tuple(known[name] for name in sorted(known))
        return replace(self, files=files)

    def with_berth(self, berth: Berth) -> "Stowage":
        """Return it with *berth* new or in the place of the one of its number."""
        others = {one.number: one for one in self.berths} | {berth.number: berth}
        return replace(self, berths=tuple(others[one] for one in sorted(others)))

    def waiting(self, names: Iterable[str]) -> "Stowage":
        """Return it with *names* to be written besides what is.

        But for spares of which it is not known what they are made of.
        """
        known = (
            name
            for name in names
            if self.sparing.spares or not allotment.spares_of([name])
        )
        return replace(self, pending=tuple(sorted({*self.pending, *known})))

    def with_sparing(self, sparing: Sparing) -> "Stowage":
        """Return it with spares as *sparing* says, if it says that there are any.

        Other spares count no longer, and the small files are to name these.
        """
        if not sparing.spares or sparing == self.sparing:
            return self

        def volumes(names: Iterable[str]) -> tuple[str, ...]:
            return tuple(one for one in names if not allotment.spares_of([one]))

        return replace(
            self,
            sparing=sparing,
            files=tuple(one for one in self.files if volumes([one.name])),
            beside={},
            pending=volumes(self.pending),
            berths=tuple(
                replace(one, files=volumes(one.files), bad=volumes(one.bad))
                for one in self.berths
            ),
        )

    @property
    def fatal(self) -> tuple[int, ...]:
        """Numbers of the media whose loss the spares could not make up for.

        One medium at a time, of those that are not lost yet.
        """
        here = [one for one in self.berths if not one.lost]
        having = Counter(name for one in here for name in set(one.files))
        lacking = set(self.pending)
        return tuple(
            berth.number
            for berth in here
            if allotment.beyond(
                {*lacking, *(one for one in berth.files if having[one] == 1)},
                len(self.ends),
                self.sparing,
            )
        )

    def lose(self, number: int, now: str) -> "Stowage":
        """Return it with a medium lost, and what is on no other one to be written."""
        berths = tuple(
            replace(one, lost=now) if one.number == number else one
            for one in self.berths
        )
        known = replace(self, berths=berths)
        files = {name for one in berths if one.number == number for name in one.files}
        return known.waiting(name for name in files if not any(known.holding(name)))

    def done(self, name: str) -> "Stowage":
        """Return it with *name* no longer to be written."""
        left = tuple(one for one in self.pending if one != name)
        return replace(self, pending=left)


def begin(labels: Sequence[Label], capacity: int) -> Stowage:
    """Return the stowage of a cutting of which nothing is written.

    Args:
        labels: Of all its volumes.
        capacity: Most bytes of each.
    """
    first = labels[0]
    return Stowage(
        site=first.site,
        sequence=first.sequence,
        cutting=first.cutting,
        capacity=capacity,
        ends=tuple(one.end for one in labels),
        beside={},
    )


class Stowages:
    """All stowage, kept in the *folder* of the ledger."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, stowage: Stowage) -> None:
        """Keep *stowage* in the place of what was known of its cutting; durable.

        Raises:
            StoreError: The disk refuses.
        """
        path = self._path(stowage.site, stowage.sequence, stowage.cutting)
        disk = Disk()
        disk.make_folder(path.parent, mode=0o700)
        disk.write_file(path, canonical.encode(_encode(stowage)))

    def read(self, site: str, sequence: int, cutting: str) -> Stowage | None:
        """Return what is known of a cutting; None where nothing is.

        Raises:
            FormatError: The file is damaged.
            StoreError: It cannot be read.
        """
        path = self._path(site, sequence, cutting)
        return _decode(path) if path.exists() else None

    def of(self, site: str, sequence: int) -> tuple[Stowage, ...]:
        """Return the cuttings of a delivery, in no order that means anything."""
        paths = sorted((self._folder / site).glob(f"{sequence:06d}.*{_SUFFIX}"))
        return tuple(map(_decode, paths))

    def sequences(self, site: str) -> tuple[int, ...]:
        """Return the deliveries to *site* of which anything is known, in order."""
        paths = (self._folder / site).glob(f"*{_SUFFIX}")
        return tuple(sorted({int(one.name.split(".")[0]) for one in paths}))

    def _path(self, site: str, sequence: int, cutting: str) -> Path:
        return self._folder / site / f"{sequence:06d}.{cutting}{_SUFFIX}"


def _encode(one: Stowage) -> Json:
    ends: list[Json] = [{"part": end.part, "slab": end.slab} for end in one.ends]
    files: list[Json] = [
        {"name": file.name, "size": file.size, "sha256": file.sha256}
        for file in one.files
    ]
    sparing: Json = {
        "spares": one.sparing.spares,
        "per_medium": one.sparing.per_medium,
    }
    return {
        "format": FORMAT,
        "site": one.site,
        "sequence": one.sequence,
        "cutting": one.cutting,
        "capacity": one.capacity,
        "ends": ends,
        "files": files,
        "beside": dict(one.beside),
        "pending": one.pending,
        "berths": [_encode_berth(berth) for berth in one.berths],
        "sparing": sparing,
    }


def _encode_berth(one: Berth) -> Json:
    drive: Json = {
        "filesystem": one.drive.filesystem,
        "label": one.drive.label,
        "uuid": one.drive.uuid,
        "serial": one.drive.serial,
    }
    return {
        "number": one.number,
        "drive": drive,
        "folder": one.folder,
        "mount": one.mount,
        "written": one.written,
        "checked": one.checked,
        "lost": one.lost,
        "files": one.files,
        "bad": one.bad,
    }


def _decode(path: Path) -> Stowage:
    name = str(path)
    data = read_file(path, limit=_LIMIT)
    top = Fields(canonical.decode(data, name=name, limit=_LIMIT), record=name)
    top.expect("format", FORMAT)
    beside = top.table("beside")
    return Stowage(
        site=top.text("site"),
        sequence=top.number("sequence", least=1),
        cutting=top.text("cutting"),
        capacity=top.number("capacity"),
        ends=tuple(
            Cut(one.number("part"), one.number("slab")) for one in top.tables("ends")
        ),
        files=tuple(_note(one) for one in top.tables("files")),
        beside={key: beside.text(key) for key in beside.names()},
        pending=top.texts("pending"),
        berths=tuple(_berth(one) for one in top.tables("berths")),
        sparing=_sparing(top),
    )


def _sparing(top: Fields) -> Sparing:
    if not top.has("sparing"):
        return NO_SPARES  # written before spares could be made again
    told = top.table("sparing")
    return Sparing(
        spares=told.number("spares"), per_medium=told.number("per_medium", least=1)
    )


def _note(one: Fields) -> VolumeNote:
    digest: Sha256 = one.sha256("sha256")
    return VolumeNote(name=one.text("name"), size=one.number("size"), sha256=digest)


def _berth(one: Fields) -> Berth:
    drive = one.table("drive")
    return Berth(
        number=one.number("number", least=1),
        drive=Drive(
            filesystem=drive.text("filesystem"),
            label=drive.text("label"),
            uuid=drive.text("uuid"),
            serial=drive.text("serial"),
        ),
        folder=one.text("folder"),
        mount=one.text("mount"),
        written=one.text("written"),
        checked=one.text("checked"),
        lost=one.text("lost"),
        files=one.texts("files"),
        bad=one.texts("bad"),
    )
