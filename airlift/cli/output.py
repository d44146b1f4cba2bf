"""What a person or a program is shown.

Data on standard output; progress and notes on standard error. Progress appears only
on a terminal and only once something has taken a second.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from tqdm import tqdm

from airlift.artifact import Json
from airlift.progress import Advance, Progress, Silent

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(count: int) -> str:
    """Return *count* bytes for a person: ``1.4 GB``, decimal units."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{count} B" if unit == 0 else f"{value:.3g} {_UNITS[unit]}"


def line(text: str = "") -> None:
    """Print one line of data."""
    click.echo(text)


def note(text: str) -> None:
    """Print one line that is not data."""
    click.echo(f"airlift: {text}", err=True)


def as_json(value: Json) -> None:
    """Print *value* as JSON, indented for people who look."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=True))


def table(rows: Sequence[Sequence[str]], *, head: Sequence[str]) -> None:
    """Print *rows* in aligned columns; nothing is ever cut off."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


class _Bars:
    """Progress as bars on a terminal."""

    @contextmanager
    def task(
        self, label: str, total: int | None, *, unit: str = "B"
    ) -> Iterator[Advance]:
        """Show one bar while the task is open."""
        in_bytes = unit == "B"
        with tqdm(
            total=total,
            desc=label,
            unit=unit if in_bytes else f" {unit}",
            unit_scale=in_bytes,
            delay=1,
            dynamic_ncols=True,
            file=sys.stderr,
        ) as bar:

            def advance(done: int) -> None:
                bar.update(done)

            yield advance


def progress(*, quiet: bool = False) -> Progress:
    """Return bars on a terminal, silence in a pipe or when *quiet*."""
    return Silent() if quiet or not sys.stderr.isatty() else _Bars()
