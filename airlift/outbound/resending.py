"""Resending: lost volumes once more, byte for byte, on their way to a one-way link."""

from pathlib import Path

from airlift.errors import StoreError
from airlift.format.selection import Selection
from airlift.outbound import remaking, sidecars
from airlift.outbound.remaking import Archive
from airlift.outbound.stowage import Stowage
from airlift.progress import Progress
from airlift.store.durable import Disk


def remake(
    known: Stowage,
    chosen: Selection,
    archive: Archive,
    folder: Path,
    progress: Progress,
) -> list[Path]:
    """Write volumes of an earlier delivery, and what goes beside them, to *folder*.

    Unlike `remaking.reissue` it notes no medium: the folder is emptied once the link
    has taken them.

    Args:
        known: Of the cutting, as `remaking.find` returned it.
        chosen: Which volumes.
        archive: What they are made of.
        folder: Made if need be; whole volumes of an earlier run are kept.
        progress: Who wants to know.

    Returns:
        The volumes, in order.

    Raises:
        RequestError: There are no such volumes.
        StoreError: What they are made of is gone or changed, or the disk fails.
    """
    remade = remaking.remake(known, chosen, archive, progress)
    Disk().make_folder(folder, mode=0o700)
    paths = []
    total = sum(remade.cutter.size(label) for label in remade.wanted)
    with progress.task("writing volumes", total) as advance:
        for label in remade.wanted:
            noted = known.noted(label.file_name)
            expected = noted.sha256 if noted else None
            written = remade.cutter.put(label, folder, advance, expected)
            if expected and written.sha256 != expected:
                problem = f"{written.path.name} does not come out as it was written"
                hint = "another airlift or zstd made it: use that one, or export anew"
                raise StoreError(problem, hint=hint)
            paths.append(written.path)
    sidecars.write(folder, known.beside)
    remade.packer.clear()
    return paths
