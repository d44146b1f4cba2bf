"""What is done with files of the folder that are over: deleted, or moved aside."""

from enum import Enum
from pathlib import Path
from typing import Final

from airlift import naming
from airlift.store.durable import Disk
from airlift.watch.folder import Item

QUARANTINE: Final = "quarantine"
"""Folder, in the one that is watched, for what is not any good."""
REASON: Final = ".reason.txt"


class Consume(Enum):
    """When volumes are deleted from the folder.

    Attributes:
        NEVER: Whoever brought them clears up.
        DELIVERY: All of a delivery, once it is recorded.
        VOLUME: Each as soon as it is staged, for folders too small for a delivery;
            what spares repair from is gone then.
    """

    NEVER = "never"
    DELIVERY = "delivery"
    VOLUME = "volume"


def delete(item: Item) -> None:
    """Delete a file of which everything is durable elsewhere.

    Raises:
        StoreError: The folder refuses.
    """
    Disk().unlink(item.path)


def move(item: Item, *, now: str) -> Path:
    """Move a file to the quarantine, beside a note that says why; return where to.

    Raises:
        StoreError: The folder refuses; the file is where it was then.
    """
    disk = Disk()
    folder = item.path.parent / QUARANTINE
    disk.make_folder(folder, mode=0o700)
    target = _free(folder, item.path.name)
    text = (
        f"{naming.show(item.path.name)}\n"
        f"moved here {now}\n"
        f"{item.mark.size} bytes\n"
        f"{item.verdict.value}: {item.reason}\n"
    )
    # The reason first: a file that nobody can explain is worse than a note alone.
    disk.write_file(target.with_name(target.name + REASON), text.encode(), mode=0o644)
    disk.rename(item.path, target)
    disk.sync_folder(folder)
    disk.sync_folder(item.path.parent)
    return target


def _free(folder: Path, name: str) -> Path:
    """Return a name in *folder* that nothing has."""
    number, target = 1, folder / name
    while target.exists() or target.with_name(target.name + REASON).exists():
        number += 1
        target = folder / f"{name}.{number}"
    return target
