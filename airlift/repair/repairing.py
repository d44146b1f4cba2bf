"""The repair journey: find spares and volumes, mend each group, name what is lacking.

    media, one at a time -> rows and sums in a scratch folder -> rebuilt volumes

What is rebuilt is an ordinary volume: the import verifies it as any other, so nothing
that a spare says needs to be believed.
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from airlift.errors import FormatError, RequestError
from airlift.format import parity
from airlift.format.parity import HEAD, SpareLabel
from airlift.inbound import media
from airlift.inbound.media import Found
from airlift.progress import Progress
from airlift.repair.mending import AtHand, Mender
from airlift.repair.outcome import Mended, conclude, tally
from airlift.repair.parts import Parts
from airlift.repair.reading import File, which
from airlift.repair.scratch import Scratch
from airlift.store.durable import Disk, names, read_file

SCRATCH: Final = ".airlift-repair"
"""Folder, in the one that rebuilt volumes go to, for what spans several media."""
_LABEL: Final = "label"


def repair(paths: Iterable[Path], folder: Path, progress: Progress) -> list[Mended]:
    """Rebuild damaged and lost volumes into *folder* from the media at *paths*.

    Called again with other media and the same folder it goes on.

    Raises:
        RequestError: No spare is there, now or before; or a path cannot be read.
        StoreError: The disk of *folder* is full or failing.
    """
    found = media.find(paths)
    labels = {parity.family(one): one for one in _labels(folder, found)}
    if not labels:
        problem = "no spare volume is there"
        hint = "begin with a medium that holds a spare; `airlift export --spare` makes them"
        raise RequestError(problem, hint=hint)
    Disk().make_folder(folder)
    mended = []
    for key in sorted(labels, key=lambda one: _rank(labels[one])):
        done = _mend(labels[key], found, folder / SCRATCH / key[:32], progress)
        mended.append(done)
        # A volume may be in groups of two exports, one with fewer spares.
        rebuilt = [one.path for one in done.outcomes if one.path]
        found.candidates += media.find(rebuilt).candidates
    if not names(folder / SCRATCH):
        Disk().remove_tree(folder / SCRATCH)
    return mended


def _rank(label: SpareLabel) -> tuple[int, str, str]:
    """Those that can repair the most come first."""
    return -label.spares, label.file_name, parity.family(label)


def _labels(folder: Path, found: Found) -> list[SpareLabel]:
    """Return the labels of spares at hand, and those that were met before."""
    labels = [one.label for one in found.spares]
    scratch = folder / SCRATCH
    for name in names(scratch) if scratch.exists() else ():
        with contextlib.suppress(FormatError):
            data = read_file(scratch / name / _LABEL, limit=HEAD, error=FormatError)
            labels.append(parity.decode_head(data, name=name))
    return labels


def _mend(
    label: SpareLabel, found: Found, scratch_folder: Path, progress: Progress
) -> Mended:
    """Do what can be done for one group now."""
    folder = scratch_folder.parent.parent
    disk = Disk()
    disk.make_folder(scratch_folder, mode=0o700)
    disk.write_file(scratch_folder / _LABEL, parity.encode_head(label))
    parts = Parts(label, scratch_folder, folder)
    with (
        contextlib.ExitStack() as opened,
        contextlib.closing(parts),
        Scratch(scratch_folder, label) as scratch,
    ):
        here = _at_hand(label, found, opened)
        mender = Mender(label, here, scratch, parts)
        _gather(mender, here, progress)
        if _lacks(label, scratch) and _recognise(found, here, scratch, opened):
            _gather(mender, here, progress)
        for item, one in enumerate(tally(label, scratch)):
            if one.rebuilding:
                mender.copy(item)
        parts.sync()
        scratch.sync()
        mended = conclude(label, scratch, parts)
    # What was rebuilt and is wrong is forgotten: kept, it would be so for ever.
    if mended.done or any(one.problem for one in mended.outcomes):
        disk.remove_tree(scratch_folder)
    return mended


def _lacks(label: SpareLabel, scratch: Scratch) -> bool:
    return any(one.lacking or one.rebuilding for one in tally(label, scratch))


def _gather(mender: Mender, here: AtHand, progress: Progress) -> None:
    files = [
        file
        for several in (*here.volumes.values(), *here.spares.values())
        for file in several
    ]
    total = sum(file.size() for file in files)
    with progress.task("reading media", total) as advance:
        mender.gather(advance)


def _at_hand(label: SpareLabel, found: Found, opened: contextlib.ExitStack) -> AtHand:
    """Return the files of a group, by what they say of themselves."""
    items = {one.ordinal: item for item, one in enumerate(label.volumes)}
    here = AtHand(volumes={}, spares={})
    for one in found.candidates:
        # What the medium shows: of encrypted volumes nothing else is needed.
        shown = one.outside
        mine = (shown.dispatch, shown.cutting) == (label.dispatch, label.cutting)
        if mine and shown.ordinal in items:
            files = here.volumes.setdefault(items[shown.ordinal], [])
            files.append(File(one.path, opened))
    family = parity.family(label)
    for spare in found.spares:
        if parity.family(spare.label) == family:
            files = here.spares.setdefault(spare.label.index - 1, [])
            files.append(File(spare.path, opened))
    return here


def _recognise(
    found: Found, here: AtHand, scratch: Scratch, opened: contextlib.ExitStack
) -> bool:
    """Add the files that are volumes of the group and cannot say so; say if any is."""
    recognised = False
    for path in found.unknown:
        file = File(path, opened)
        if (item := which(file, scratch)) is not None:
            here.volumes.setdefault(item, []).append(file)
            recognised = True
    return recognised
