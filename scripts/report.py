"""Where benches write what they found: between marks in docs/performance.md."""

import os
import platform
import time
from pathlib import Path

DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"


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
