"""The stock of spares: those of a delivery whose volumes lie on many media.

A spare is made of all volumes of its group at once, and those are on sticks that left the
drive. So they are made once more from the store, in step, compared with what was written;
the spare waits in the spool until a medium with room for it is in.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airlift.digest import Sha256
from airlift.errors import AirliftError, StoreError
from airlift.format.volume import Label
from airlift.outbound import allotment, hashing, putting, sparing
from airlift.outbound.allotment import Sparing
from airlift.outbound.cutting import Cutter
from airlift.outbound.ledger import VolumeNote
from airlift.outbound.sparing import Member, Read
from airlift.progress import Advance, Progress
from airlift.store import direct
from airlift.store.durable import Disk, failing

_CHUNK: Final = 4 << 20

Notes = Callable[[str], VolumeNote | None]
"""Returns what is known of a file by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ware:
    """What spares are made of, and where they wait.

    Attributes:
        cutter: Makes the volumes.
        labels: Of all volumes of the cutting.
        sparing: How many spares each group has.
        folder: Where spares wait; made if it is not there.
    """

    cutter: Cutter
    labels: Sequence[Label]
    sparing: Sparing
    folder: Path


class Stock:
    """Makes spares and puts them on media.

    Args:
        ware: What they are made of.
        sizes: Bytes of the volumes, by name, in order.
        progress: Who wants to know.

    Attributes:
        sizes: Bytes of each spare, by name, in order.
    """

    def __init__(
        self, ware: Ware, sizes: Mapping[str, int], progress: Progress
    ) -> None:
        self._ware, self._progress = ware, progress
        first = ware.labels[0]
        self.sizes = allotment.sizes(sizes, first.site, first.sequence, ware.sparing)

    def make(self, names: Iterable[str], noted: Notes) -> list[VolumeNote]:
        """Make the spares *names* that do not wait in the spool; return what they are.

        Args:
            names: Of spares.
            noted: Knows all volumes, and spares that were made before.

        Raises:
            StoreError: What they are made of is not what it was, or the disk of the
                spool is full or failing.
        """
        lacking = [one for one in names if not self._waits(one, noted(one))]
        count, wanted = len(self._ware.labels), self._ware.sparing
        groups = sorted({wanted.group_of(one, count) for one in lacking})
        if not groups:
            return []
        Disk().make_folder(self._ware.folder, mode=0o700)
        members = [self._members(group, noted) for group in groups]
        total = sum(one.size for several in members for one in several)
        notes: list[VolumeNote] = []
        with self._progress.task("making spares", total) as advance:
            for group, several in zip(groups, members, strict=True):
                made = sparing.write_group(
                    several, group, wanted, self._ware.folder, advance
                )
                notes += [
                    VolumeNote(
                        name=one.label.file_name, size=one.size, sha256=one.sha256
                    )
                    for one in made
                ]
        return notes

    def put(self, note: VolumeNote, folder: Path, advance: Advance) -> Path:
        """Write the spare *note* into *folder*, or keep it where it is there whole.

        Raises:
            MediumError: The medium is full, read-only or failing.
            StoreError: The spool gives other bytes back than were made.
        """
        path = folder / note.name
        if path.exists():
            with putting.refusing(path):
                if hashing.sha256_of(path, advance)[0] == note.sha256:
                    return path
                path.unlink()
        source = self._ware.folder / note.name
        found = putting.create(path, lambda out: _copy(source, out, advance))
        if found != note.sha256:
            Disk().unlink(source)
            with putting.refusing(path):
                path.unlink()
            problem = f"{source} does not read back as it was made"
            raise StoreError(problem, hint="run the same command again")
        return path

    def _waits(self, name: str, note: VolumeNote | None) -> bool:
        path = self._ware.folder / name
        with failing("look at", path):
            return note is not None and (
                path.exists() and path.stat().st_size == note.size
            )

    def _members(self, group: int, noted: Notes) -> list[Member]:
        """Return the volumes of a group, to be made once more."""
        ordinals = self._ware.sparing.groups(len(self._ware.labels))[group - 1]
        found = []
        for label in (self._ware.labels[one - 1] for one in ordinals):
            note = noted(label.file_name)
            assert note
            found.append(_member(self._ware.cutter, label, note))
        return found


def _member(cutter: Cutter, label: Label, note: VolumeNote) -> Member:
    def opened(stack: contextlib.ExitStack) -> Read:
        pieces = cutter.pieces(label)
        stack.callback(pieces.close)
        return _Flow(pieces).read

    return Member(
        label=label,
        size=note.size,
        sha256=note.sha256,
        open=opened,
        differs=lambda found: comes_out(note, found),
    )


def comes_out(note: VolumeNote, found: str) -> AirliftError:
    """Return what to raise where a file comes out as other bytes than before."""
    problem = f"{note.name} comes out as {found}, it was {note.sha256}"
    hint = "another airlift or zstd made it: use that one, or make a new delivery"
    return StoreError(problem, hint=hint)


class _Flow:
    """Pieces of bytes, read in lengths of the reader's choice."""

    def __init__(self, pieces: Iterator[bytes | memoryview]) -> None:
        self._pieces, self._left = pieces, memoryview(b"")

    def read(self, view: memoryview, length: int) -> int:
        """Copy the next *length* bytes to the front of *view*; return how many."""
        got = 0
        while got < length:
            if not self._left:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._left = memoryview(piece)
                continue
            some = self._left[: length - got]
            view[got : got + len(some)] = some
            got, self._left = got + len(some), self._left[len(some) :]
        return got


def _copy(source: Path, out: int, advance: Advance) -> Sha256:
    """Write the bytes of *source* to the file *out*; return their digest."""
    hasher, view, at = hashlib.sha256(), direct.buffer(_CHUNK), 0
    direct.past_cache(out)
    with failing("read", source):
        stream = source.open("rb", buffering=0)
    with stream:
        while True:
            with failing("read", source):
                got = direct.read_into(stream.fileno(), view, at, _CHUNK)
            if not got:
                return Sha256(hasher.hexdigest())
            hasher.update(view[:got])
            direct.write_from(out, view[:got], at)
            at += got
            advance(got)
