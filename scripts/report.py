"""Where benches write what they found: tables for people, figures for charts."""

import json
import os
import platform
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"

Row = Mapping[str, str | int | float | None]
"""One measurement by the names of its columns; sizes in bytes, times in seconds."""


def options(parser: ArgumentParser) -> None:
    """Add what every bench takes: where its table and its figures go, and how long."""
    parser.add_argument("--quick", action="store_true", help="small: does it all run?")
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


def tell(what: str, begun: float) -> None:
    """Say how far a bench is that began at *begun*, of ``time.monotonic``."""
    print(f"{what}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


def put(name: str, text: str, document: Path = DOCUMENT) -> None:
    """Put *text* between the two marks of the bench *name* in *document*.

    Raises:
        SystemExit: It has not two: what follows them would be lost.
    """
    mark = f"<!-- {name} -->"
    parts = document.read_text().split(mark)
    if len(parts) != 3:
        raise SystemExit(f"{document} has {len(parts) - 1} marks {mark}, not 2")
    document.write_text(f"{parts[0]}{mark}\n{text}\n{mark}{parts[2]}")


def report(name: str, text: str, rows: Sequence[Row], given: Namespace) -> None:
    """Print *text*; put it and *rows* where the options in *given* say.

    Args:
        name: The bench's, as its marks in the document have it.
        text: The table, as Markdown.
        rows: What charts are drawn from, one measurement each.
        given: Parsed by a parser with `options`.
    """
    print(text)
    if given.write:
        put(name, text)
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        figures = {"bench": name, "machine": machine(), "rows": list(rows)}
        given.json.write_text(json.dumps(figures, indent=1) + "\n")
