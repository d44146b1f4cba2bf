"""Time and memory of a crossing against what an operator would type without airlift.

    python scripts/bench_crossing.py [--gb 1.18] [--rounds 3] [--folder DIR] [--write]

Real weights in six files: bf16, fp16, fp32, fp8 and two quantised GGUF; more than 1.18 GB
go on with the same weights, shuffled. Every round runs every row once, so that a noisy
machine is noisy for all; the table shows medians, ratios are taken within a round, and
only they mean anything. Dirty pages of one row are written before the next begins. Peak
memory is the largest resident set of a process, from the kernel.
"""

import argparse
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from corpus import CACHE, build
from gap import Gap, files_in
from peers import Peer, versions
from report import Row, machine, options, report
from runs import Cost, measure, median, ratio, shell
from ways import SUMS, Way, ways

STEPS = ("make", "check", "take in", "verify")
AIRLIFT = {
    "make": "airlift export",
    "check": "airlift check",
    "take in": "airlift import",
    "verify": "airlift verify",
}
Costs = dict[tuple[str, str], list[Cost]]
"""What rows cost in each round, by step and way."""


class Bench:
    """The rows, in one folder."""

    def __init__(self, folder: Path, gigabytes: float) -> None:
        self.folder = folder
        # In a process of its own: a child's peak memory begins with its parent's.
        with ProcessPoolExecutor(1) as pool:
            wanted = int(gigabytes * 1e9)
            made = pool.submit(build, folder / f"mix-{wanted}", wanted).result()
        self.source = made[0].parent
        self.size = sum(path.stat().st_size for path in made)
        self.count = len(made)
        self.ways = list(ways())
        self.gap = Gap(folder / "gap")
        self.costs: Costs = {}
        self.carried: dict[str, int] = {}
        self._there, self._out = folder / "there", folder / "out"
        self._places = {
            "SOURCE": str(self.source),
            "THERE": str(self._there),
            "STATE": str(folder / "state"),
            "OUT": str(self._out),
            "SUMS": str(folder / "sums"),
        }

    def round(self) -> None:
        """Run every row once."""
        self._own()
        for way in self.ways:
            self._other(way)

    def tools(self) -> list[Peer]:
        """Return the peers that have rows."""
        return [tool for way in self.ways for tool in way.tools]

    def _own(self) -> None:
        """Cross with airlift; volumes and files are hashed once as operators do it."""
        gap = self.gap
        gap.begin()
        self._note("make", AIRLIFT["make"], lambda: gap.run(gap.export(self.source)))
        self.carried[AIRLIFT["make"]] = gap.carried()
        self._note("check", AIRLIFT["check"], lambda: gap.run(gap.check()))
        sums = f"cd '{gap.medium}' && sha256sum --quiet -c *SHA256SUMS"
        self._shell("check", "sha256sum -c of the volumes", sums)
        self._note("take in", AIRLIFT["take in"], lambda: gap.run(gap.take_in()))
        self._note("verify", AIRLIFT["verify"], lambda: gap.run(gap.verify()))
        gap.end()
        measure(shell(SUMS), cwd=self.folder, env=self._places)
        sums = "cd $SOURCE && sha256sum --quiet -c $SUMS"
        self._shell("verify", "sha256sum -c of the files", sums)

    def _other(self, way: Way) -> None:
        _anew(self._there)
        _anew(self.folder / "state")
        title, text = way.make
        self._shell("make", title, text)
        self.carried[title] = sum(one.stat().st_size for one in files_in(self._there))
        for title, text in way.takes.items():
            _anew(self._out)
            self._shell("take in", title, text)
            shutil.rmtree(self._out)
        shutil.rmtree(self._there)

    def _shell(self, step: str, way: str, text: str) -> None:
        run = shell(text)
        self._note(step, way, lambda: measure(run, cwd=self.folder, env=self._places))

    def _note(self, step: str, way: str, run: Callable[[], Cost]) -> None:
        os.sync()
        cost = run()
        self.costs.setdefault((step, way), []).append(cost)
        told = f"{step}: {way}: {cost.wall:.2f} s, {cost.cpu:.2f} CPU s"
        print(told, f"{cost.rss >> 20} MiB", file=sys.stderr)


def _anew(folder: Path) -> None:
    """Make an empty *folder*, whatever a broken-off run has left there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def rows(bench: Bench) -> Iterator[Row]:
    """Yield one row for each step of each way, airlift's first."""
    for step in STEPS:
        own = bench.costs[step, AIRLIFT[step]]
        for (other, way), costs in bench.costs.items():
            if other == step:
                cost = median(costs)
                cpus = [a.cpu / b.cpu for a, b in zip(costs, own, strict=True)]
                yield {
                    "step": step,
                    "way": way,
                    "raw": bench.size,
                    "wall": cost.wall,
                    "cpu": cost.cpu,
                    "rss": cost.rss,
                    "ratio": ratio(costs, own),
                    "cpu_ratio": statistics.median(cpus),
                    "carried": bench.carried.get(way) if step == "make" else None,
                }


def table(bench: Bench) -> Iterator[str]:
    """Yield the results as lines of Markdown."""
    yield "| step | way | wall s | MB/s | CPU s | peak MiB | wall to airlift | CPU to airlift |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|"
    for row in rows(bench):
        wall, cpu = float(row["wall"] or 0), float(row["cpu"] or 0)
        yield (
            f"| {row['step']} | {row['way']} | {wall:.2f} | {bench.size / wall / 1e6:.0f} "
            f"| {cpu:.2f} | {int(row['rss'] or 0) >> 20} "
            f"| {row['ratio']:.2f} | {row['cpu_ratio']:.2f} |"
        )
    yield ""
    yield "| bytes carried | of raw |"
    yield "|---|--:|"
    for way, size in bench.carried.items():
        yield f"| {way} | {100 * size / bench.size:.1f} % |"


def main() -> None:
    """Run the rounds and print, or write, the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=1.18)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=CACHE / "crossing")
    options(parser)
    given = parser.parse_args()
    # An installed program has its bytecode; without it every start compiles all of it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if given.quick:
        given.gb, given.rounds = 0.1, 1
    given.folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(given.folder.absolute(), given.gb)
    for _ in range(given.rounds):
        bench.round()
    shutil.rmtree(bench.source)
    text = (
        f"{bench.count} model files, {bench.size / 1e9:.2f} GB; medians of {given.rounds} "
        f"rounds; {versions(bench.tools())}; {machine()}.\n\n" + "\n".join(table(bench))
    )
    report("bench_crossing", text, list(rows(bench)), given)


if __name__ == "__main__":
    main()
