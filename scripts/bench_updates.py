"""What an update carries, and how long it takes, against tools made for updates.

    python scripts/bench_updates.py [--quick] [--only NAME ...] [--write] [--json FILE]

Both sides hold a model of 108.7 M parameters (bfloat16; the last row fp32) of which the
publisher then makes a new version, in ten ways. Each tool carries the new version to
where the old one is; what counts is the bytes on the medium, all of them. Taking in ends
with synced files whose SHA-256 were compared. Changes of weights are synthetic: see
scripts/updates.py. ``--quick`` takes one of the six models, 22.7 M parameters.
"""

import argparse
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from airlift.format import block, difference
from corpus import CACHE, masters
from gap import Gap, files_in
from peers import versions
from report import Row, machine, options, report
from runs import Cost, Failed, measure, shell
from updates import UPDATES, Update, write_new, write_old
from ways import LIMIT_S, SUMS, Patch, patches
from weights import Tensors

OWN = "airlift"
LATE = 124  # how `timeout` ends when it was up
SLAB = 4 << 20
WIDTHS = {"bf16": 2, "fp32": 4}
"""Bytes of an element, by type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one tool did with one update; costs are missing where time was up."""

    carried: int | None = None
    make: Cost | None = None
    take: Cost | None = None


# --- versions of the model ------------------------------------------------------------


@cache
def _tensors(*, quick: bool) -> Tensors:
    """Return the old version in fp32; kept by the process that writes versions."""
    return {
        name: array.astype(np.float32)
        for name, array in masters().items()
        if name.startswith("minilm." if quick else "")
    }


def _version(name: str, folder: Path, *, quick: bool) -> None:
    """Write the version *name*: an update's, or ``old-`` and an element type."""
    tensors = _tensors(quick=quick)
    if name.startswith("fp32") or name == "old-fp32":
        tensors = {k: v for k, v in tensors.items() if not k.startswith("whisper.")}
    if name.startswith("old-"):
        write_old(name.removeprefix("old-"), tensors, folder)
    else:
        (update,) = (one for one in UPDATES if one.name == name)
        write_new(update, tensors, folder)


def _apply_rate(old: Path, new: Path, width: int) -> float:
    """Return bytes a CPU second of decoding and restoring, in one thread, no disk."""
    limit = 16 * SLAB
    was, now = (memoryview(path.read_bytes())[-limit:] for path in (old, new))
    starts = range(0, len(now) - SLAB + 1, SLAB)
    stored = [
        block.encode_slab(
            difference.difference(
                now[start : start + SLAB], was[start : start + SLAB], width
            )
        )
        for start in starts
    ]
    raw, rates = memoryview(bytearray(SLAB)), []
    for _ in range(4):
        spent = 0.0
        for start, slab in zip(starts, stored, strict=True):
            begun = time.process_time()
            block.decode_slab_into(memoryview(slab), raw)
            difference.restore(raw, was[start : start + SLAB], raw, width)
            spent += time.process_time() - begun
            if raw != now[start : start + SLAB]:
                raise SystemExit("the difference gives other bytes")
        rates.append(len(starts) * SLAB / spent)
    return statistics.median(rates[1:])  # the first touches its memory


# --- tools ----------------------------------------------------------------------------


class Bench:
    """All tools over one old version, in one folder."""

    def __init__(self, folder: Path, old: Path) -> None:
        self._folder, self._old = folder, old
        self._gap = Gap(folder / "gap")
        self._places = {
            "OLD": str(old / "model.safetensors"),
            "BASE": str(old),
            "SUMS": str(folder / "sums"),
        }
        self._gap.begin()
        self._gap.run(self._gap.export(old), self._gap.take_in())
        shutil.rmtree(self._gap.medium)
        self._gap.medium.mkdir()
        self._keep(self._gap.folder)

    def airlift(self, new: Path) -> Outcome:
        """Carry *new* with airlift, building on the delivery of the old version."""
        gap = self._gap
        self._back(gap.folder)
        os.sync()
        make = gap.run(gap.export(new, "--build-on", "last"))
        os.sync()
        return Outcome(carried=gap.carried(), make=make, take=gap.run(gap.take_in()))

    def other(self, patch: Patch, new: Path) -> Outcome:
        """Carry *new* with another tool, whose store holds the old version."""
        place = self._folder / patch.name.split()[0].strip(",")
        there, out = place / "there", self._folder / "out"
        env = {
            **self._places,
            "SOURCE": str(new),
            "THERE": str(there),
            "STATE": str(place / "state"),
            "OUT": str(out),
        }
        if not there.exists():
            there.mkdir(parents=True)
            measure(shell(patch.base), cwd=self._folder, env=env)
            self._keep(place)
        self._back(place)
        measure(shell(SUMS), cwd=self._folder, env=env)
        before = _size(there)
        os.sync()
        try:
            make = measure(shell(patch.make), cwd=self._folder, env=env)
        except Failed as failed:
            if failed.status != LATE:
                raise
            return Outcome()
        carried = _size(there) - before
        out.mkdir()
        os.sync()
        take = measure(shell(patch.take), cwd=self._folder, env=env)
        shutil.rmtree(out)
        return Outcome(carried=carried, make=make, take=take)

    def end(self) -> None:
        """Remove all but the versions."""
        shutil.rmtree(self._folder)

    def _keep(self, folder: Path) -> None:
        shutil.copytree(folder, folder.with_suffix(".kept"), symlinks=True)

    def _back(self, folder: Path) -> None:
        shutil.rmtree(folder)
        shutil.copytree(folder.with_suffix(".kept"), folder, symlinks=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in files_in(folder))


def measured(folder: Path, chosen: Sequence[Update], *, quick: bool) -> Iterator[Row]:
    """Yield one row for each tool and each of the *chosen* updates."""
    # Versions are written in a process of its own: a child's memory begins with ours.
    with ProcessPoolExecutor(1) as pool:
        for dtype, width in WIDTHS.items():
            updates = [update for update in chosen if update.dtype == dtype]
            if not updates:
                continue
            old = folder / "versions" / f"old-{dtype}"
            pool.submit(_version, old.name, old, quick=quick).result()
            bench = Bench(folder / dtype, old)
            for update in updates:
                new = folder / "versions" / update.name
                pool.submit(_version, new.name, new, quick=quick).result()
                row: dict[str, str | int | float | None] = {
                    "update": update.name,
                    "title": update.title,
                    "raw": _size(new),
                }
                outcomes = {OWN: bench.airlift(new)}
                for patch in patches():
                    outcomes[patch.name] = bench.other(patch, new)
                rate = None
                if "sigma-" in update.name:
                    paths = (old / "model.safetensors", new / "model.safetensors")
                    rate = pool.submit(_apply_rate, *paths, width).result()
                for tool, outcome in outcomes.items():
                    yield (
                        row
                        | _columns(tool, outcome)
                        | {"apply_rate": rate if tool == OWN else None}
                    )
                shutil.rmtree(new)
            bench.end()
            shutil.rmtree(old)


def _columns(tool: str, outcome: Outcome) -> dict[str, str | int | float | None]:
    make, take = outcome.make, outcome.take
    print(f"{tool}: {outcome}", file=sys.stderr)
    return {
        "tool": tool,
        "carried": outcome.carried,
        "make": make.wall if make else None,
        "make_cpu": make.cpu if make else None,
        "take": take.wall if take else None,
        "take_cpu": take.cpu if take else None,
    }


# --- tables ---------------------------------------------------------------------------


def tables(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the results as lines of Markdown."""
    tools = list(dict.fromkeys(str(row["tool"]) for row in rows))
    for title, column, digits in (
        ("bytes to carry, % of the new version", "carried", 2),
        ("seconds to make", "make", 1),
        ("seconds to take in, compared and synced", "take", 1),
    ):
        yield f"| {title} | " + " | ".join(tools) + " |"
        yield "|---|" + "--:|" * len(tools)
        for name in dict.fromkeys(row["title"] for row in rows):
            cells = [_cell(row, column, digits) for row in rows if row["title"] == name]
            yield f"| {name} | " + " | ".join(cells) + " |"
        yield ""
    yield "| airlift, GB of new version a CPU second | make | take in | codec alone |"
    yield "|---|--:|--:|--:|"
    for row in rows:
        if row["tool"] == OWN:
            raw = float(row["raw"] or 0) / 1e9
            make, take = (float(row[one] or 0) for one in ("make_cpu", "take_cpu"))
            rate = f"{float(row['apply_rate']) / 1e9:.2f}" if row["apply_rate"] else ""
            yield f"| {row['title']} | {raw / make:.2f} | {raw / take:.2f} | {rate} |"


def _cell(row: Row, column: str, digits: int) -> str:
    value = row[column]
    if value is None:
        return f"over {LIMIT_S} s"
    share = 100 / float(row["raw"] or 0) if column == "carried" else 1
    return f"{float(value) * share:.{digits}f}"


def main() -> None:
    """Measure, and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=CACHE / "updates")
    parser.add_argument("--only", nargs="*", default=[], help="names of updates")
    options(parser)
    given = parser.parse_args()
    folder = given.folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    chosen = [one for one in UPDATES if not given.only or one.name in given.only]
    rows = list(measured(folder, chosen, quick=given.quick))
    shutil.rmtree(folder)
    raw = float(rows[0]["raw"] or 0) / 1e6
    tools = [tool for patch in patches() for tool in patch.tools]
    head = f"A model of {raw:.0f} MB in bfloat16; {versions(tools)}; {machine()}."
    report("bench_updates", "\n".join([head, "", *tables(rows)]), rows, given)


if __name__ == "__main__":
    main()
