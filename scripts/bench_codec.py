"""Sizes and speeds of airlift's block codec beside the coders people know.

    python scripts/bench_codec.py [--rounds 5] [--slabs 48] [--quick] [--write] [--json FILE]

Real weights in seven element types and containers, and a wheel. Sizes are of whole
files (of three slabs for zstd -19); speeds of a sample in memory of slabs of 4 MiB
spread over the file, on one thread and on two. Each coder runs in a process of its own;
in a round each runs once, so that a noisy machine is noisy for all. Medians; only
ratios mean anything. Sizes are checked: the bench ends with 1 where one is not met.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

import coders
from airlift.format import planes
from corpus import CACHE, files, wheels
from peers import environment, versions
from report import Row, machine, options, report

OWN = "airlift"
SLOW = "zstd -19"
BLOCK = 128 << 10
"""Symbols of a Huffman table, and so of the bound."""

NAMES = {
    "w_bf16.safetensors": ("bf16", 2),
    "w_fp16.safetensors": ("fp16", 2),
    "w_fp32.safetensors": ("fp32", 4),
    "w_f8.safetensors": ("fp8", 1),
    "w_fp32_from_bf16.safetensors": ("bf16 in fp32", 4),
    "gemma3-270m-q4_k_m.gguf": ("GGUF Q4_K_M", 1),
    "smollm2-135m-q4_1.gguf": ("GGUF Q4_1", 1),
}
"""What the files of the corpus hold: its name here, bytes of an element."""

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A file to be coded."""

    name: str
    path: Path
    width: int


class Worker:
    """A coder in a process of its own, in its own environment."""

    def __init__(self, coder: str, python: str) -> None:
        self.coder = coder
        self._process = subprocess.Popen(
            [python, coders.__file__, coder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)

    def measure(self, subject: Subject, *, slabs: int, threads: int) -> Figures:
        """Return what coding *slabs* slabs of *subject*, or with 0 all of it, took."""
        assert self._process.stdin
        assert self._process.stdout
        task = {
            "path": str(subject.path),
            "width": subject.width,
            "slabs": slabs,
            "threads": threads,
        }
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.coder} failed at {subject.name}")
        found: Figures = json.loads(answer)
        return found


def subjects() -> list[Subject]:
    """Return what is coded: the corpus and a wheel."""
    made = files()
    found = [
        Subject(name=name, path=made[file], width=width)
        for file, (name, width) in NAMES.items()
    ]
    (wheel,) = (one for one in wheels(CACHE / "wheels") if "torchcrepe" in one.name)
    return [*found, Subject(name="a wheel", path=wheel, width=1)]


def pythons() -> dict[str, str]:
    """Return the Python of each coder that can run here."""
    found = {OWN: sys.executable, "memory copy": sys.executable}
    if own := environment("zipnn"):
        found |= dict.fromkeys(coders.PIECES, own.path)
    if shared := environment("blosc2"):
        found |= dict.fromkeys(("zstd -3", SLOW, "LZ4", "Blosc2"), shared.path)
    return {name: found[name] for name in coders.CODERS if name in found}


# --- the bound ------------------------------------------------------------------------


def bound(path: Path) -> float:
    """Return the share of 16-bit numbers that their exponents' entropy leaves.

    Exponents (8 bits) by their own distribution in each 128 KiB of them, order 0; all
    other bits as they are.
    """
    stored = raw = 0.0
    for slab in coders.cut(str(path), 0, coders.SLAB):
        whole = np.frombuffer(slab[: len(slab) & -2], np.uint8)
        exponents = planes.split(whole, 2, np.empty_like(whole))[0]
        for start in range(0, exponents.size, BLOCK):
            stored += _entropy(exponents[start : start + BLOCK]) / 8
        stored += len(slab) - exponents.size
        raw += len(slab)
    return stored / raw


def _entropy(symbols: planes.Bytes) -> float:
    """Return the order-0 entropy of *symbols* in bits, for all of them."""
    counts = np.bincount(symbols, minlength=256)
    shares = counts[counts > 0] / symbols.size
    return float(-(shares * np.log2(shares)).sum()) * symbols.size


# --- the rounds -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one coder did with one file: its share, and each round by threads."""

    share: float
    rounds: Mapping[int, Sequence[Figures]]

    def rate(self, step: str, threads: int) -> float:
        """Return the median raw bytes a second of *step*, a key of the figures."""
        runs = self.rounds[threads]
        return statistics.median(one["raw"] / one[step] for one in runs)


def run(
    subject: Subject, where: Mapping[str, str], *, rounds: int, slabs: int
) -> dict[str, Result]:
    """Return what every coder does with *subject*."""
    runs: dict[str, dict[int, list[Figures]]] = {name: {1: [], 2: []} for name in where}
    shares = {}
    with ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(name, python)) for name, python in where.items()
        ]
        for worker in workers:
            count = min(slabs, 3) if worker.coder == SLOW else 0
            whole = worker.measure(subject, slabs=count, threads=1)
            shares[worker.coder] = whole["stored"] / whole["raw"]
            if worker.coder == SLOW:  # minutes a round
                runs[SLOW] = {1: [whole], 2: [whole]}
        for number in range(rounds):
            for worker in workers:
                for threads in (1, 2):
                    if worker.coder != SLOW:
                        found = worker.measure(subject, slabs=slabs, threads=threads)
                        runs[worker.coder][threads].append(found)
            print(f"{subject.name}: round {number + 1}", file=sys.stderr)
    return {
        name: Result(share=shares[name], rounds=found) for name, found in runs.items()
    }


def faster(result: Result, own: Result, step: str, threads: int) -> float:
    """Return how many times as fast *own* is: the median over rounds of ratios."""
    pairs = zip(result.rounds[threads], own.rounds[threads], strict=False)
    return statistics.median(
        (mine["raw"] / mine[step]) / (other["raw"] / other[step])
        for other, mine in pairs
    )


# --- what comes of it -----------------------------------------------------------------


def table(subject: Subject, results: Mapping[str, Result]) -> list[str]:
    """Return the rows of one file as Markdown."""
    own, lines = results[OWN], []
    for name, result in results.items():
        ratios = [
            "" if name in (OWN, SLOW) else f"{faster(result, own, step, 2):.2f}"
            for step in ("encode_s", "decode_s")
        ]
        rates = [
            f"{result.rate(f'{step}_cpu_s', 1) / 1e9:.2f}"
            for step in ("encode", "decode")
        ]
        walls = [
            "" if name == SLOW else f"{result.rate(f'{step}_s', 2) / 1e9:.2f}"
            for step in ("encode", "decode")
        ]
        cells = [subject.name, name, f"{result.share:.2%}", *rates, *walls, *ratios]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def promises(
    found: Mapping[str, Mapping[str, Result]], least: float
) -> list[tuple[str, float, float]]:
    """Return what is promised of sizes: what, the figure, its limit."""
    half = found["bf16"]
    wanted = [
        ("bf16 to the bound", half[OWN].share / least, 1.005),
        ("bf16 in fp32", found["bf16 in fp32"][OWN].share, 0.336),
        ("fp32", found["fp32"][OWN].share, 0.766),
        ("the largest", max(one[OWN].share for one in found.values()), 1.001),
    ]
    if other := [half[name].share for name in coders.PIECES if name in half]:
        ratio = half[OWN].share / min(other)
        wanted.insert(0, ("bf16 to ZipNN", ratio, 1.003))
    return wanted


def rows(found: Mapping[str, Mapping[str, Result]]) -> list[Row]:
    """Return the figures for charts: bytes a second, shares of raw."""
    return [
        {
            "file": subject,
            "coder": name,
            "share": result.share,
            "encode_cpu": result.rate("encode_cpu_s", 1),
            "decode_cpu": result.rate("decode_cpu_s", 1),
            "encode_2": None if name == SLOW else result.rate("encode_s", 2),
            "decode_2": None if name == SLOW else result.rate("decode_s", 2),
        }
        for subject, results in found.items()
        for name, result in results.items()
    ]


HEADER = (
    "| bytes | coder | share of raw | encode, GB/CPU s | decode, GB/CPU s "
    "| encode, GB/s | decode, GB/s | encode ratio | decode ratio |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|--:|"
)


def main() -> None:
    """Run the rounds; print, or write, the table; check the sizes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slabs", type=int, default=48)
    parser.add_argument("--only", nargs="*", default=[], help="names of subjects")
    options(parser)
    given = parser.parse_args()
    if given.quick:
        given.rounds, given.slabs, given.only = 1, 2, ["bf16", "GGUF Q4_1"]
    where, found, lines = pythons(), {}, [HEADER]
    chosen = [one for one in subjects() if not given.only or one.name in given.only]
    for subject in chosen:
        found[subject.name] = run(
            subject, where, rounds=given.rounds, slabs=given.slabs
        )
        lines += table(subject, found[subject.name])
    broken = []
    if not given.only:
        lines.append("")
        least = bound(files()["w_bf16.safetensors"])
        lines.append(f"Order-0 bound of bf16: {least:.2%}.")
        for what, figure, limit in promises(found, least):
            lines.append(f"* {what}: {figure:.4f}, at most {limit}")
            if not figure <= limit or math.isnan(figure):
                broken.append(what)
    peers = versions((environment("zipnn"), environment("blosc2")))
    front = f"Medians of {given.rounds} rounds; {peers}; {machine()}."
    report("bench_codec", "\n".join([front, "", *lines]), rows(found), given)
    if broken:
        raise SystemExit(f"larger than promised: {', '.join(broken)}")


if __name__ == "__main__":
    main()
