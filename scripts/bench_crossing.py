"""Time and memory of a crossing against what an operator would type without airlift.

    python scripts/bench_crossing.py [--gb 3] [--rounds 3] [--folder DIR] [--write]

Every round runs every row once, one after the other, so that a noisy machine is noisy
for all; the table shows medians, and only its ratios mean anything. Peak memory is the
largest resident set of the process, from the kernel.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from corpus import build
from report import machine, publish

PASSPHRASE = "bench only"


@dataclass(frozen=True)
class Cost:
    """What one run of a row cost: seconds, CPU seconds, peak bytes of memory."""

    wall: float
    cpu: float
    rss: int


def measure(*commands: Sequence[str], cwd: Path, stdin: str = "") -> Cost:
    """Run *commands* one after the other; return their cost in all."""
    wall = cpu = 0.0
    rss = 0
    for command in commands:
        begin = time.monotonic()
        process = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert process.stdin
        process.stdin.write(stdin.encode())
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {status}")
        wall += time.monotonic() - begin
        cpu += usage.ru_utime + usage.ru_stime
        rss = max(rss, usage.ru_maxrss * 1024)
    return Cost(wall, cpu, rss)


class Bench:
    """The rows, in one folder."""

    def __init__(self, folder: Path, gigabytes: float) -> None:
        self.folder = folder
        # In a process of its own: a child's peak memory begins with its parent's.
        with ProcessPoolExecutor(1) as pool:
            wanted = int(gigabytes * 1e9)
            self.files = pool.submit(build, folder / f"mix-{wanted}", wanted).result()
        self.size = sum(path.stat().st_size for path in self.files)
        (folder / "phrase").write_text(PASSPHRASE)
        self.manifest = folder / "bench.toml"
        self.manifest.write_text(
            f'manifest = 1\n[[folder]]\nname = "bench/model"\npath = "{self.files[0].parent}"\n'
        )

    def airlift(self, side: str, *arguments: str) -> list[str]:
        """Return a command of airlift on the connected or the isolated side."""
        return [
            sys.executable,
            "-m",
            "airlift",
            *arguments,
            "--home",
            str(self.folder / side),
        ]

    def prepare(self) -> None:
        """Begin both sides anew; not timed."""
        for name in ("connected", "isolated", "medium", "tar", "out"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        phrase = ("--passphrase-file", str(self.folder / "phrase"))
        root = str(self.folder / "connected" / "root.json")
        init = ("trust", "init", "--site", "bench")
        measure(
            self.airlift("connected", *init, "--kdf", "low-memory", *phrase),
            self.airlift("isolated", *init, "--root", root, "--yes"),
            cwd=self.folder,
        )

    def rows(self) -> dict[str, Callable[[], Cost]]:
        """Return every row, in the order to run."""
        medium, tar = str(self.folder / "medium"), self.folder / "tar"
        phrase = ("--passphrase-file", str(self.folder / "phrase"))
        source = str(self.files[0].parent)
        out = str(self.folder / "out")
        sums = "cd '%s' && find . -type f | xargs sha256sum > %s/sums"
        export = ("export", str(self.manifest), "--to", medium, *phrase)

        def run(*commands: Sequence[str]) -> Cost:
            return measure(*commands, cwd=self.folder)

        def shell(text: str) -> Cost:
            return run(["bash", "-c", "set -o pipefail; " + text])

        return {
            "make: airlift export": lambda: run(self.airlift("connected", *export)),
            "make: tar, zstd -T0 -3, sha256sum": lambda: shell(
                f"{sums % (source, tar)}; tar -C '{source}' -cf - . | zstd -q -T0 -3 -o {tar}/x.tar.zst; sync {tar}/x.tar.zst"
            ),
            "check: airlift check": lambda: run(
                self.airlift("connected", "check", medium)
            ),
            "check: sha256sum -c of the volumes": lambda: shell(
                f"cd {medium} && sha256sum --quiet -c *SHA256SUMS"
            ),
            "take in: airlift import": lambda: run(
                self.airlift("isolated", "import", medium, "--yes")
            ),
            "take in: zstd -d, tar x, sha256sum -c": lambda: shell(
                f"zstd -q -dc {tar}/x.tar.zst | tar -C {out} -xf - && cd {out} && sha256sum --quiet -c {tar}/sums && sync -f ."
            ),
            "verify: airlift verify": lambda: run(self.airlift("isolated", "verify")),
            "verify: sha256sum -c of the files": lambda: shell(
                f"cd {source} && sha256sum --quiet -c {tar}/sums"
            ),
        }

    def sizes(self) -> dict[str, int]:
        """Return the bytes that travel, by way."""
        volumes = (self.folder / "medium").glob("*.tar")
        return {
            "airlift": sum(path.stat().st_size for path in volumes),
            "tar.zst": (self.folder / "tar" / "x.tar.zst").stat().st_size,
        }


def table(bench: Bench, costs: dict[str, list[Cost]]) -> str:
    """Return the results as Markdown."""
    lines = [
        "| step | wall s | MB/s | CPU s | peak MiB | ratio |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    names = list(costs)
    medians = {
        name: statistics.median(one.wall for one in runs)
        for name, runs in costs.items()
    }
    for index, name in enumerate(names):
        cpu = statistics.median(one.cpu for one in costs[name])
        rss = max(one.rss for one in costs[name]) / 2**20
        other = names[index + 1 if index % 2 == 0 else index - 1]
        ratio = f"{medians[other] / medians[name]:.2f}" if index % 2 == 0 else "1.00"
        rate = bench.size / medians[name] / 1e6
        lines.append(
            f"| {name} | {medians[name]:.2f} | {rate:.0f} | {cpu:.2f} | {rss:.0f} | {ratio} |"
        )
    for name, size in bench.sizes().items():
        lines.append(
            f"| bytes carried: {name} | | | | | {size / bench.size:.3f} of raw |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the rounds and print, or write, the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("corpus"))
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(given.folder.absolute(), given.gb)
    costs: dict[str, list[Cost]] = {}
    for number in range(given.rounds):
        bench.prepare()
        for name, row in bench.rows().items():
            cost = row()
            costs.setdefault(name, []).append(cost)
            print(
                f"{number + 1} {name}: {cost.wall:.2f} s, {cost.rss >> 20} MiB",
                file=sys.stderr,
            )
    text = (
        f"{len(bench.files)} model files, {bench.size / 1e9:.2f} GB; medians of "
        f"{given.rounds} rounds; {machine()}.\n\n{table(bench, costs)}"
    )
    publish("bench_crossing", text, write=given.write)


if __name__ == "__main__":
    main()
