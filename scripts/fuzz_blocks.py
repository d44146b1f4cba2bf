"""Damages coded slabs and heads in a million ways; nothing but a refusal may come of it.

    python scripts/fuzz_blocks.py [--count 1000000] [--first 0] [--write] [--json FILE]

Each process may take 256 MiB of address space on top of what it began with, and is
ended with a traceback where 500 mutants take more than two minutes: a crash, a hang or
a claim that was believed ends the run with the numbers of the mutants that were on.
"""

import argparse
import faulthandler
import os
import resource
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import mutants
from report import Row, machine, options, report

ROOM = 256 << 20
BATCH = 500
SECONDS = 120


def limit() -> None:
    """Make this process one that may take no more than ``ROOM`` bytes more."""
    mutants.campaign(0, 64)  # everything is loaded and every context made
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def batch(start: int, stop: int) -> tuple[Counter[str], int]:
    """Return how mutants from *start* to *stop* ended, and peak bytes of memory."""
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    try:
        counts = Counter(mutants.campaign(start, stop))
    finally:
        faulthandler.cancel_dump_traceback_later()
    return counts, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(first: int, count: int, workers: int) -> tuple[Counter[str], int]:
    """Return how *count* mutants from *first* on ended, and peak bytes of memory.

    Raises:
        SystemExit: A process died; the message has the numbers it may have died of.
    """
    total: Counter[str] = Counter()
    most, stop = 0, first + count
    with ProcessPoolExecutor(workers, initializer=limit) as pool:
        starts = range(first, stop, BATCH)
        jobs = [pool.submit(batch, at, min(at + BATCH, stop)) for at in starts]
        for at, job in zip(starts, jobs, strict=True):
            try:
                counts, peak = job.result()
            except BrokenProcessPool:
                raise SystemExit(f"a process died of a mutant from {at} on") from None
            total, most = total + counts, max(most, peak)
    return total, most


def main() -> None:
    """Run the mutants and print, or write, what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0)
    options(parser)
    given = parser.parse_args()
    begun = time.monotonic()
    counts, peak = run(given.first, given.count, os.cpu_count() or 1)
    seconds = time.monotonic() - begun
    front = (
        f"{given.count:,} mutants from number {given.first} on, in {seconds:.0f} s, "
        f"at most {peak >> 20} MiB of memory; {machine()}."
    )
    rows: list[Row] = [{"what": key, "mutants": counts[key]} for key in sorted(counts)]
    lines = [front, "", "| what it was, what became of it | mutants |", "|---|--:|"]
    lines += [f"| {row['what']} | {row['mutants']:,} |" for row in rows]
    report("fuzz_blocks", "\n".join(lines), rows, given)


if __name__ == "__main__":
    main()
