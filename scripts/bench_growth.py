"""What a crossing costs as it grows: more bytes, more files.

    python scripts/bench_growth.py [--quick] [--folder DIR] [--write] [--json FILE]

The mixed corpus of `bench_crossing.py` in growing sizes; then one size in ever more
files, all bfloat16, so that only their number changes. Every size is carried, taken in
and verified once, beside the plain way as a peer. Seconds should grow as the bytes do,
and memory not at all. A size for which the disk has no room is skipped, and named.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from corpus import CACHE, MIX, build
from gap import Gap
from peers import versions
from report import Row, machine, options, report
from runs import Cost, measure, shell
from ways import ways

GB = 1_000_000_000
SIZES = tuple(int(gigabytes * GB) for gigabytes in (0.1, 0.5, 1, 2, 4, 8))
COUNTS = (1, 4, 16, 64)
COUNTED = GB
PEER_UP_TO = 2 * GB
"""The peer grows as its bytes do: its largest sizes are left out for time."""
ROOM = 4
"""Disk that a size needs, in its own bytes: files, store, spool and volumes."""

QUICK_SIZES = tuple(size // 20 for size in SIZES[:4])
QUICK_COUNTS, QUICK_COUNTED = (1, 8), GB // 20


@dataclass(frozen=True, slots=True)
class Task:
    """One crossing: what it belongs to, its bytes, its files and what they hold."""

    series: str
    size: int
    kinds: Sequence[str]
    count: int | None
    peer: bool


def tasks(*, quick: bool) -> Iterator[Task]:
    """Yield the crossings, the smallest first."""
    for size in QUICK_SIZES if quick else SIZES:
        yield Task("bytes", size, MIX, None, size <= PEER_UP_TO)
    counted = QUICK_COUNTED if quick else COUNTED
    for count in QUICK_COUNTS if quick else COUNTS:
        yield Task("files", counted, ("w_bf16.safetensors",), count, peer=False)


def crossings(task: Task, folder: Path) -> Iterator[Row]:
    """Yield a row for each step of *task*; *folder* is empty before and after.

    Args:
        task: What to carry.
        folder: On the disk to measure.
    """
    # In a process of its own: a child's peak memory begins with its parent's.
    with ProcessPoolExecutor(1) as pool:
        files = pool.submit(
            build, folder / "files", task.size, kinds=task.kinds, count=task.count
        ).result()
    source = files[0].parent
    rows = [("airlift", step, cost) for step, cost in _own(Gap(folder / "gap"), source)]
    if task.peer:
        rows += [("tar, zstd -3", step, cost) for step, cost in _peer(source, folder)]
    shutil.rmtree(folder)
    for way, step, cost in rows:
        yield {
            "series": task.series,
            "raw": task.size,
            "files": len(files),
            "way": way,
            "step": step,
            "wall": cost.wall,
            "cpu": cost.cpu,
            "rss": cost.rss,
        }


def _own(gap: Gap, source: Path) -> Iterator[tuple[str, Cost]]:
    gap.begin()
    yield "make", _synced(lambda: gap.run(gap.export(source)))
    shutil.rmtree(gap.folder / "connected")  # room for what is taken in
    yield "take in", _synced(lambda: gap.run(gap.take_in()))
    yield "verify", _synced(lambda: gap.run(gap.verify()))
    gap.end()


def _peer(source: Path, folder: Path) -> Iterator[tuple[str, Cost]]:
    way = next(ways(), None)
    if way is None:
        return
    env = {"SOURCE": str(source), "SUMS": str(folder / "sums")}
    for name in ("THERE", "OUT"):
        env[name] = str(folder / name.lower())
        (folder / name.lower()).mkdir()
    texts = {"make": way.make[1], "take in": next(iter(way.takes.values()))}
    for step, text in texts.items():
        yield step, _synced(partial(measure, shell(text), cwd=folder, env=env))


def _synced(run: Callable[[], Cost]) -> Cost:
    os.sync()
    return run()


def tables(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the results as lines of Markdown, a table for each series."""
    for series, unit in (("bytes", "GB"), ("files", "files")):
        yield f"| {unit} | way | step | wall s | CPU s | wall s per GB | peak MiB |"
        yield "|--:|---|---|--:|--:|--:|--:|"
        for row in rows:
            if row["series"] == series:
                raw, wall = (float(row[name] or 0) for name in ("raw", "wall"))
                size = f"{raw / GB:g}" if series == "bytes" else f"{row['files']}"
                yield (
                    f"| {size} | {row['way']} | {row['step']} | {wall:.1f} "
                    f"| {row['cpu']:.1f} | {wall / raw * GB:.1f} "
                    f"| {int(row['rss'] or 0) >> 20} |"
                )
        yield ""


def main() -> None:
    """Run every size that fits, and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=CACHE / "growth")
    options(parser)
    given = parser.parse_args()
    folder = given.folder.absolute()
    rows: list[Row] = []
    for task in tasks(quick=given.quick):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if shutil.disk_usage(folder).free < ROOM * task.size:
            print(f"skipped: {task}: the disk is too full", file=sys.stderr)
            continue
        for row in crossings(task, folder):
            rows.append(row)
            print(row, file=sys.stderr)
    way = next(ways(), None)
    peers = versions(way.tools) if way else "no peer"
    head = f"One crossing each; {peers}; {machine()}."
    report("bench_growth", "\n".join([head, "", *tables(rows)]), rows, given)


if __name__ == "__main__":
    main()
