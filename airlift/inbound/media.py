"""Finding volumes on media: by content, never by name, size or event.

Media may be read-only, hostile, or have been through scan stations and other systems;
whatever is not a regular file is not opened, and nothing is ever written.
"""

import io
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import FormatError, RequestError
from airlift.format import medium_note
from airlift.format.medium_note import MediumNote
from airlift.format.reading import Fault, VolumeError, read_label
from airlift.format.volume import MEDIUM, SIDECARS, Label
from airlift.inbound import decrypting, patience, spares
from airlift.inbound.decrypting import DecryptedFile, LockedError, OpenVolume
from airlift.inbound.spares import Spare
from airlift.inbound.volume_file import ROOM, VolumeFile
from airlift.store.bulk import Buffers, BulkFile
from airlift.trust.encryption_key import NO_KEYS, Opener

VolumeKey: TypeAlias = tuple[str, int]
"""Cutting and ordinal: which volume of a delivery."""

_DEPTH = 2
"""Folders below the one given that are looked into: sticks hold shallow trees."""


class GoneError(FormatError):
    """The medium of a volume is not there any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file that begins like a volume.

    Attributes:
        path: Where it lies.
        label: What it says of itself; where nothing here opens it, what its cover says.
        outside: What its cover says; the label itself where it is not encrypted.
        locked: Why nothing here opens it; empty where it can be read.
        keys: What opened it.
    """

    path: Path
    label: Label
    outside: Label
    locked: str = ""
    keys: Opener = NO_KEYS

    @property
    def key(self) -> VolumeKey:
        """Which volume of which cutting it says it is."""
        return self.label.cutting, self.label.ordinal

    @property
    def name(self) -> str:
        """What to call it: its path, safe to print."""
        return naming.show(str(self.path))

    @property
    def encrypted(self) -> bool:
        """Whether the medium holds it encrypted."""
        return bool(self.locked) or self.outside is not self.label

    def opened(
        self, buffers: Buffers | None = None
    ) -> AbstractContextManager[OpenVolume]:
        """Open it, as ``opened`` does."""
        return opened(self.path, buffers, self.keys)


@dataclass(slots=True)
class Found:
    """What lies on the media.

    Attributes:
        candidates: Files that begin like volumes, by path.
        faults: Files that are named like volumes and do not begin like one.
        strays: Other files, named and left alone.
        spares: Spare volumes, which `airlift repair` reads and no import does.
        unknown: Regular files that do not say they are any of this: strays, and
            volumes whose label is damaged.
        notes: What media say of where the other volumes are; hints only.
    """

    candidates: list[Candidate] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    spares: list[Spare] = field(default_factory=list)
    unknown: list[Path] = field(default_factory=list)
    notes: list[MediumNote] = field(default_factory=list)


def find(paths: Iterable[Path], keys: Opener = NO_KEYS) -> Found:
    """Look at every regular file at *paths* and in the folders among them.

    Args:
        paths: Files and folders.
        keys: What opens those that are encrypted.

    Raises:
        RequestError: A path does not exist or cannot be read at all.
    """
    found = Found()
    seen: set[tuple[int, int]] = set()
    for path in paths:
        for file, status in _files(path, 0, found):
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            _look(file, status, found, keys)
    return found


def group(candidates: Sequence[Candidate]) -> list[tuple[Sha256, list[Candidate]]]:
    """Return candidates by delivery, deliveries in the order of their sequence."""
    groups: dict[Sha256, list[Candidate]] = {}
    for one in candidates:
        groups.setdefault(one.label.dispatch, []).append(one)
    for several in groups.values():
        several.sort(key=lambda one: (one.label.cutting, one.label.ordinal, one.name))
    return sorted(groups.items(), key=lambda item: item[1][0].label.sequence)


@contextmanager
def opened(
    path: Path, buffers: Buffers | None = None, keys: Opener = NO_KEYS
) -> Iterator[OpenVolume]:
    """Open a regular file as a volume; links, pipes and devices are refused.

    Args:
        path: The file.
        buffers: Where memory for its slabs comes from; whose are given back there.
        keys: What opens it where it is encrypted.

    Raises:
        FormatError: It cannot be opened, or is not a regular file.
        LockedError: It is encrypted, and not to one of *keys*.
    """
    memory = buffers or Buffers(ROOM)
    with _as_it_is(path, memory) as source:
        yield decrypting.of_file(source, keys, memory)


@contextmanager
def _as_it_is(path: Path, buffers: Buffers) -> Iterator[VolumeFile]:
    name = naming.show(str(path))
    with _opened(path, name) as file, _bulk(path, name) as bulk:
        yield VolumeFile(file, bulk, name, buffers)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[io.FileIO]:
    try:
        # NONBLOCK: opening a FIFO left on a stick must not hang the import.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags)
    except OSError as error:
        raise _unopened(name, error) from error
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            problem = f"{name}: is not a regular file"
            raise FormatError(problem)
        yield file


def _bulk(path: Path, name: str) -> BulkFile:
    try:
        return BulkFile(path)
    except OSError as error:
        raise _unopened(name, error) from error


def _unopened(name: str, error: OSError) -> FormatError:
    problem = f"{name}: cannot be opened: {error.strerror}"
    if patience.is_gone(error):
        hint = "put the medium in again, mounted anywhere, and run the same command"
        return GoneError(problem, hint=hint)
    return FormatError(problem, hint="check the medium")


def fault_at(name: str, error: FormatError | LockedError) -> Fault:
    """Return *error*, which a file called *name* gave before it was read, as a fault."""
    if isinstance(error, VolumeError):
        return error.fault
    return Fault(
        volume=name,
        offset=0,
        problem=error.problem.removeprefix(f"{name}: "),
        unread=isinstance(error.__cause__, OSError),
    )


def _spare(path: Path, name: str) -> Spare | None:
    try:
        with _opened(path, name) as file:
            return spares.look(path, file)
    except FormatError:
        return None


def _note(path: Path, name: str) -> list[MediumNote]:
    """Return what a file says of where volumes are, if it is such a note."""
    if not path.name.upper().endswith(MEDIUM.upper()):
        return []
    try:
        with _opened(path, name) as file:
            return [medium_note.decode(file.read(medium_note.LIMIT + 1) or b"")]
    except (FormatError, OSError):
        return []


def _files(
    path: Path, depth: int, found: Found
) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what lies at *path* and below it, with what the system says of it."""
    try:
        if not depth and path.is_symlink():
            # Named by the operator: a link to a volume or a medium is theirs to follow.
            path = Path(os.path.realpath(path, strict=True))
        status = path.lstat()
        below = _listed(path, found) if stat.S_ISDIR(status.st_mode) else None
    except OSError as error:
        if depth:
            # Such as lost+found, which only root may open: no reason to refuse a stick.
            found.strays.append(f"{naming.show(str(path))} ({error.strerror})")
            return
        problem = f"cannot read {naming.show(str(path))}: {error.strerror}"
        raise RequestError(problem, hint="is the medium mounted?") from error
    if below is None:
        yield path, status
    elif depth <= _DEPTH:
        for entry in below:
            yield from _files(entry, depth + 1, found)


def _listed(path: Path, found: Found) -> list[Path]:
    """Return what lies in a folder, sorted; what of it can be had where it is damaged.

    Raises:
        OSError: Nothing of it can be had.
    """
    entries: list[Path] = []
    with os.scandir(path) as listing:
        while True:
            try:
                entries.append(path / next(listing).name)
            except StopIteration:
                break
            except OSError as error:
                if not entries:
                    raise
                name = naming.show(str(path))
                problem = f"the list of what lies in it breaks off: {error.strerror}"
                found.faults.append(
                    Fault(volume=name, offset=0, problem=problem, unread=True)
                )
                break
    return sorted(entries)


def _candidate(path: Path, keys: Opener) -> Candidate:
    """Return the volume that the file *path* begins like.

    Raises:
        FormatError: It does not, is damaged, or has another inside than its cover says.
    """
    buffers = Buffers(ROOM)
    with _as_it_is(path, buffers) as source:
        found = decrypting.look(source)
        if found is None:
            label = read_label(source)
            return Candidate(path=path, label=label, outside=label)
        shown = found[0]
        secret = keys.secret(shown)
        if secret is None:
            told, problem = shown.label, keys.problem(shown)
            return Candidate(
                path=path, label=told, outside=told, locked=problem, keys=keys
            )
        cipher = decrypting.unlocked(source, found, keys)
        place = decrypting.layout(found)
        inside = DecryptedFile(source, place, cipher, buffers)
        label = read_label(inside)
        if not shown.covers(label, secret):
            problem = "the cover is not of the volume inside"
            raise inside.error(problem, offset=0)
        return Candidate(path=path, label=label, outside=shown.label, keys=keys)


def _look(file: Path, status: os.stat_result, found: Found, keys: Opener) -> None:
    name = naming.show(str(file))
    if not stat.S_ISREG(status.st_mode):
        found.strays.append(f"{name} (not a regular file)")
        return
    try:
        found.candidates.append(_candidate(file, keys))
    except FormatError as error:
        if spare := _spare(file, name):
            found.spares.append(spare)
            return
        # In drop folders and on some media all names are of small letters.
        shown = file.name.upper()
        ours = shown.startswith("AIRLIFT-")
        if ours and shown.endswith(tuple(map(str.upper, SIDECARS))):
            found.notes += _note(file, name)
            return
        found.unknown.append(file)
        if not (ours and shown.endswith(".TAR")):
            found.strays.append(name)
            return
        fault = fault_at(name, error)
        if status.st_size == 0:
            problem = "is empty: copying it was interrupted"
            fault = Fault(volume=name, offset=0, problem=problem)
        found.faults.append(fault)
