"""Where benches write what they found: tables for people, figures for charts."""

import json
import os
import platform
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"

Row = Mapping[str, str | int | float | None]
"""One measurement by the names of its columns; sizes in bytes, times in seconds."""


def options(parser: ArgumentParser) -> None:
    """Add what every bench takes: where its table and its figures go."""
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    parser.add_argument("--json", type=Path, metavar="FILE", help="figures for charts")


def machine() -> str:
    """Return the machine and the day, as every table states them."""
    parts = (
        platform.machine(),
        f"{os.cpu_count()} cores",
        f"load {os.getloadavg()[0]:.1f}",
    )
    return ", ".join(
        (*parts, f"Python {platform.python_version()}", time.strftime("%Y-%m-%d"))
    )


def publish(name: str, text: str, *, write: bool) -> None:
    """Print *text*; put it between the marks of the bench *name* where asked to."""
    print(text)
    if write:
        mark = f"<!-- {name} -->"
        front, _, rest = DOCUMENT.read_text().partition(mark)
        _, _, back = rest.partition(mark)
        DOCUMENT.write_text(f"{front}{mark}\n{text}\n{mark}{back}")


def report(name: str, text: str, rows: Sequence[Row], given: Namespace) -> None:
    """Publish *text*, and keep *rows* where the options in *given* say.

    Args:
        name: The bench's, as its marks in the document have it.
        text: The table, as Markdown.
        rows: What charts are drawn from, one measurement each.
        given: Parsed by a parser with `options`.
    """
    publish(name, text, write=given.write)
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        figures = {"bench": name, "machine": machine(), "rows": list(rows)}
        given.json.write_text(json.dumps(figures, indent=1) + "\n")
