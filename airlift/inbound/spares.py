"""Spare volumes on media, known by content like everything else there."""

import io
from dataclasses import dataclass
from pathlib import Path

from airlift import naming
from airlift.errors import FormatError
from airlift.format import parity
from airlift.format.parity import HEAD, MAGIC, SpareLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class Spare:
    """A file that is a spare volume, whole or not."""

    path: Path
    label: SpareLabel


def look(path: Path, file: io.FileIO) -> Spare | None:
    """Return the spare volume that *file*, open at *path*, is; None if it is none.

    Either of its heads will do.
    """
    try:
        end = file.seek(0, io.SEEK_END)
    except OSError:
        return None
    for offset in (0, end - HEAD):
        try:
            file.seek(offset)
            data = file.read(HEAD)
            if data.startswith(MAGIC):
                label = parity.decode_head(data, name=naming.show(str(path)))
                return Spare(path=path, label=label)
        except (OSError, ValueError, FormatError):
            continue  # the other one may be whole
    return None
