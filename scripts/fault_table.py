"""The table of faults: what may go wrong, the tests that make it happen, what they say.

``scripts/fault_table.py`` runs the tests of the table and prints it; with ``--junit
FILE...`` it reads what earlier runs of pytest wrote instead. Exit code 1 if a fault is
not shown: a test of it failed, did not run, or was skipped without a word.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from faults import table  # noqa: E402 - found by the line above
from faults.rows import ROWS  # noqa: E402
from faults.table import Ran  # noqa: E402


def run(junit: Path, workers: int) -> None:
    """Run every test of the table; write the report to *junit*."""
    tests = [f"tests/{name}" for name in table.named()]
    words = [sys.executable, "-m", "pytest", "-q", "-n", str(workers)]
    words += ["--dist", "loadfile", f"--junit-xml={junit}", *tests]
    subprocess.run(words, cwd=ROOT, check=False, stdout=sys.stderr)


def show(ran: Sequence[Ran]) -> int:
    """Print the table; return how many faults are not shown."""
    unmet = {row.number: table.unmet(row, ran) for row in ROWS}
    print(f"{'#':>2}  {'passed':>6}  {'skipped':>7}  fault")
    for row in ROWS:
        count = table.counted(row, ran)
        line = f"{row.number:>2}  {count['passed']:>6}  {count['skipped']:>7}"
        print(f"{line}  {row.fault}")
        for name in row.tests:
            print(f"{'':>21}{name}")
        if unmet[row.number]:
            print(f"{'':>21}NOT SHOWN: {unmet[row.number]}")
    bad = [number for number, why in unmet.items() if why]
    only_skipped = [
        row.number
        for row in ROWS
        if not unmet[row.number] and not table.counted(row, ran)["passed"]
    ]
    mine = [one for one in ran if one.test in set(table.named())]
    outcomes = Counter(one.outcome for one in mine)
    print(
        f"{len(ROWS)} faults, {len(table.named())} tests with "
        f"{len(mine)} cases: {outcomes['passed']} passed, "
        f"{outcomes['skipped']} skipped, {outcomes['failed']} failed"
    )
    if only_skipped:
        print(f"only skipped here: {', '.join(map(str, only_skipped))}")
    for reason, times in sorted(
        Counter(one.reason for one in mine if one.reason).items()
    ):
        tests = {one.test for one in mine if one.reason == reason}
        where = [str(row.number) for row in ROWS if tests & set(row.tests)]
        print(f"skipped {times}, of fault {', '.join(where)}: {reason}")
    return len(bad)


def main() -> int:
    """Read the command line and act on it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--junit", type=Path, nargs="+", help="read these reports, run nothing"
    )
    parser.add_argument("-n", type=int, default=2, help="workers (default 2)")
    told = parser.parse_args()
    if told.junit:
        return min(1, show([one for path in told.junit for one in table.report(path)]))
    with tempfile.TemporaryDirectory() as folder:
        junit = Path(folder, "report.xml")
        run(junit, told.n)
        return min(1, show(table.report(junit)))


if __name__ == "__main__":
    sys.exit(main())
