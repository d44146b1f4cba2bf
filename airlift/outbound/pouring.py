"""Pouring: volumes follow each other into a pipe, a tape, a program; never seeked.

The bytes are those that ``cutting`` writes to files. Whoever reads them may stop at any
byte: a delivery counts as written only when all of it was taken.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from airlift.digest import Sha256
from airlift.errors import StoreError
from airlift.format.volume import Label
from airlift.outbound.cutting import Cutter, WrittenVolume
from airlift.progress import Advance, Progress


def pour(
    cutter: Cutter, labels: Sequence[Label], out: BinaryIO, progress: Progress
) -> list[WrittenVolume]:
    """Write every volume to *out*, in order; return them.

    Args:
        cutter: Has their bytes.
        labels: Of the volumes.
        out: Unbuffered; not closed.
        progress: Who wants to know.

    Raises:
        StoreError: Whoever reads went away, or *out* refuses; the volume and the byte
            in it are named.
    """
    total = sum(cutter.size(label) for label in labels)
    with progress.task("writing volumes", total) as advance:
        return [_volume(cutter, label, out, advance) for label in labels]


def _volume(
    cutter: Cutter, label: Label, out: BinaryIO, advance: Advance
) -> WrittenVolume:
    hasher, offset = hashlib.sha256(), 0
    for piece in cutter.pieces(label):
        hasher.update(piece)
        left = memoryview(piece)
        while left:
            try:
                # A pipe may take less than it is given.
                count = out.write(left)
            except OSError as error:
                raise _refused(error, label, offset) from error
            left = left[count:]
            offset += count
            advance(count)
    return WrittenVolume(
        label=label,
        path=Path("-"),
        size=offset,
        sha256=Sha256(hasher.hexdigest()),
        kept=False,
    )


def _refused(error: OSError, label: Label, offset: int) -> StoreError:
    gone = isinstance(error, BrokenPipeError)
    why = "whoever read the stream went away" if gone else f"{error.strerror}".lower()
    problem = f"volume {label.ordinal} of {label.count}: byte {offset}: {why}"
    hint = "run the same command again: it writes the same volumes, from the first on"
    return StoreError(problem, hint=hint)
