"""Checking: a written medium is read back before anybody carries it away.

Every write, sync and re-read of a fake or failing stick can succeed out of caches; only
bytes read after a fresh mount are on the medium. So caches are dropped where the system
allows it, and whether the medium was mounted anew since it was written is found out and
told, never assumed.
"""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from airlift import naming
from airlift.errors import FormatError, RequestError
from airlift.outbound import berthing, hashing, mounts
from airlift.outbound.ledger import Entry, VolumeNote
from airlift.outbound.stowage import Berth, Stowage
from airlift.progress import Advance, Progress

FAKE = "a medium that loses what it took, or mounts no more, has less room than it says"
"""The cause that nobody thinks of: capacity that is forged."""

_DROP = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What reading a medium back found.

    Attributes:
        good: Volumes whose bytes are those that were written.
        problems: A line for each volume that is not: what, where.
        missing: Volumes of the delivery that are not on this medium.
        fresh_mount: Whether it was mounted anew since it was written; None where
            that cannot be told.
        caches_dropped: Whether the system's caches were dropped before reading.
        bad: The file names of those that are not good.
        berth: The medium as it was known before; None where nothing is noted of the
            delivery's media.
    """

    good: tuple[VolumeNote, ...]
    problems: tuple[str, ...]
    missing: tuple[str, ...]
    fresh_mount: bool | None
    caches_dropped: bool
    bad: tuple[str, ...] = ()
    berth: Berth | None = None


def check(
    folder: Path, entry: Entry, progress: Progress, known: Stowage | None = None
) -> Checked:
    """Read the volumes of a delivery on the medium at *folder* back.

    Args:
        folder: Where the medium is mounted now.
        entry: What the ledger says was written.
        progress: Who wants to know.
        known: What is noted of its media, if anything is.

    Raises:
        RequestError: None of its volumes is there.
    """
    noted = known.files if known else entry.volumes
    here = [note for note in noted if (folder / note.name).exists()]
    if not here:
        problem = f"no volume of delivery {entry.record.sequence} is in {folder}"
        raise RequestError(
            problem, hint=f"is this the right medium, and mounted? {FAKE}"
        )
    dropped = _drop_caches([folder / note.name for note in here])
    good, bad, problems = [], [], []
    berth = berthing.berth_at(folder, known, returned=True) if known else None
    before = berth.mount if berth else entry.mount
    if known and berth and not known.has(berth.number):
        before = ""  # somebody else wrote it, nobody knows on which mount
    total = sum(note.size for note in here)
    with progress.task("reading back", total) as advance:
        for note in here:
            try:
                _compare(folder / note.name, note, advance)
                good.append(note)
            except (FormatError, OSError) as error:
                bad.append(note.name)
                problems.append(f"{note.name}: {_reason(error)}")
    names = {note.name for note in here}
    return Checked(
        good=tuple(good),
        problems=tuple(problems),
        missing=tuple(one.name for one in noted if one.name not in names),
        fresh_mount=mounts.is_fresh(mounts.mount_of(folder), before),
        caches_dropped=dropped,
        bad=tuple(bad),
        berth=berth,
    )


def cutting_on(folder: Path, cuttings: Sequence[Stowage]) -> Stowage | None:
    """Return the one of *cuttings* whose files lie in *folder*, by name and size.

    That of which most files do; None where none has any.
    """

    def fitting(one: Stowage) -> int:
        return sum(_size(folder / file.name) == file.size for file in one.files)

    def named(one: Stowage) -> int:
        return sum((folder / file.name).exists() for file in one.files)

    best = max(cuttings, key=lambda one: (fitting(one), named(one)), default=None)
    return best if best and named(best) else None


def noted(known: Stowage, found: Checked, folder: Path, now: str) -> Stowage:
    """Return what is known of the media once the one in *folder* was read back.

    What is bad there counts no longer; what is good there counts as checked only on a
    mount that is not the one it was written on.
    """
    assert found.berth
    good = tuple(one.name for one in found.good)
    berth = replace(
        found.berth,
        folder=naming.show(str(folder.absolute())),
        files=good,
        bad=found.bad,
        checked=now if found.fresh_mount and not found.bad else found.berth.checked,
    )
    if found.bad:
        berth = replace(berth, checked="")
    after = known.with_berth(berth)
    return after.waiting(name for name in found.bad if not any(after.holding(name)))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _drop_caches(paths: Sequence[Path]) -> bool:
    for path in paths:
        with contextlib.suppress(OSError), path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    try:
        # Also what other files keep of the same device; root only.
        _DROP.write_text("1")
    except OSError:
        return False
    return True


def _compare(path: Path, note: VolumeNote, advance: Advance) -> None:
    found, size = hashing.sha256_of(path, advance)
    if size != note.size:
        problem = f"has {size} bytes, {note.size} were written"
        raise FormatError(problem)
    if found != note.sha256:
        problem = f"hashes to {found}, expected {note.sha256}"
        raise FormatError(problem)


def _reason(error: FormatError | OSError) -> str:
    if isinstance(error, FormatError):
        return error.problem
    return f"cannot be read: {naming.show(error.strerror or str(error))}"


def slip(folder: Path, entry: Entry, checked: Checked, *, now: str, actor: str) -> str:
    """Return the packing slip of a medium: what is on it, and how it was checked."""
    record = entry.record
    fresh = {
        True: "yes",
        False: "NO, still the mount it was written on",
        None: "unknown",
    }
    lines = [
        f"airlift packing slip        delivery {record.sequence} to {record.site}",
        f"issued       {record.issued} by {record.operator}",
        f"written      {entry.written}",
        f"read back    {now} by {actor} at {folder}",
        *_medium(checked.berth),
        f"fresh mount  {fresh[checked.fresh_mount]}",
        f"caches       {'dropped' if checked.caches_dropped else 'dropped for these files only'}",
        "",
    ]
    lines += [
        f"good     {one.name}  {one.size} bytes  {one.sha256}" for one in checked.good
    ]
    lines += [f"BAD      {line}" for line in checked.problems]
    lines += [f"elsewhere {name}" for name in checked.missing]
    return "\n".join(lines) + "\n"


def _medium(berth: Berth | None) -> list[str]:
    if berth is None:
        return []
    shown = f"  ({berth.drive.shown()})" if berth.drive.shown() else ""
    return [f"medium       {berth.number}{shown}"]
