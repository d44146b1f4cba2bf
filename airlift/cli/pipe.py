"""The standard output as the place where volumes go."""

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from airlift.errors import RequestError

STANDARD: Final = Path("-")
"""As a path: the standard input or output."""


def standard_output(folder: Path, spares: int) -> BinaryIO | None:
    """Return the standard output if *folder* means it.

    Args:
        folder: As it was given.
        spares: How many spare volumes are wanted, which are made of volumes that can
            be read again.

    Raises:
        RequestError: Volumes cannot go there.
    """
    if folder != STANDARD:
        return None
    if sys.stdout.isatty():
        problem = "volumes would go to this terminal"
        raise RequestError(problem, hint="`airlift export MANIFEST --to - | PROGRAM`")
    if spares:
        problem = (
            "spares are made of volumes that can be read back, which a pipe cannot"
        )
        raise RequestError(problem, hint="leave --spare out, or write to a folder")
    # Unbuffered: what was not taken is then known to the byte.
    return io.FileIO(sys.stdout.fileno(), "w", closefd=False)


@contextlib.contextmanager
def told_apart(stream: BinaryIO | None) -> Iterator[None]:
    """Print to the standard error where volumes went to the standard output."""
    with contextlib.redirect_stdout(sys.stderr) if stream else contextlib.nullcontext():
        yield
