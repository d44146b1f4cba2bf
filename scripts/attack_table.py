"""The table of attacks: what is tried, the tests that try it, what they say.

``scripts/attack_table.py`` runs the tests of the table and prints it; with ``--junit
FILE...`` it reads what earlier runs of pytest wrote instead. ``--write`` puts the table
into docs/security.md if all are shown. Exit code 1 if an attack is not shown to be answered: a test of it
failed, did not run, or was skipped without a word.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from attacks import table  # noqa: E402 - found by the line above
from attacks.rows import ROWS  # noqa: E402
from faults.table import Ran, report  # noqa: E402

DOCUMENT = ROOT / "docs" / "security.md"


def run(junit: Path, workers: int) -> None:
    """Run every test of the table; write the report to *junit*."""
    tests = [f"tests/{name}" for name in table.named()]
    words = [sys.executable, "-m", "pytest", "-q", "-n", str(workers)]
    words += ["--dist", "worksteal", f"--junit-xml={junit}", *tests]
    subprocess.run(words, cwd=ROOT, check=False, stdout=sys.stderr)


def show(ran: Sequence[Ran], *, write: bool) -> int:
    """Print the table, and write it where asked; return how many are not shown."""
    unmet = {row.number: table.unmet(row, ran) for row in ROWS}
    print(f"{'#':>4}  {'passed':>6}  {'skipped':>7}  attack: answer")
    for row in ROWS:
        count = table.counted(row, ran)
        line = f"{row.number:>4}  {count['passed']:>6}  {count['skipped']:>7}"
        print(f"{line}  {row.attack}: {row.answer}")
        if unmet[row.number]:
            print(f"{'':>23}NOT SHOWN: {unmet[row.number]}")
    bad = [number for number, why in unmet.items() if why]
    print(f"{len(ROWS) - len(bad)} of {len(ROWS)} attacks answered as the table says")
    if write and not bad:
        made = table.written(DOCUMENT.read_text(), table.document())
        DOCUMENT.write_text(made)
    return len(bad)


def main() -> int:
    """Read the command line and act on it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--junit", type=Path, nargs="+", help="read these reports, run nothing"
    )
    parser.add_argument("-n", type=int, default=2, help="workers (default 2)")
    parser.add_argument("--write", action="store_true", help="into docs/security.md")
    told = parser.parse_args()
    if told.junit:
        ran = [one for path in told.junit for one in report(path)]
        return min(1, show(ran, write=told.write))
    with tempfile.TemporaryDirectory() as folder:
        junit = Path(folder, "report.xml")
        run(junit, told.n)
        return min(1, show(report(junit), write=told.write))


if __name__ == "__main__":
    sys.exit(main())
