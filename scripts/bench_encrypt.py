"""What encryption to a site costs, beside age.

    python scripts/bench_encrypt.py [--quick] [--gb 1] [--rounds 5] [--folder DIR]
                                    [--write] [--json FILE]

One delivery of bytes that do not shrink, written to a medium again and again, and
imported into a fresh registry each time: in the open, encrypted by airlift on the way,
and in the open with age (one X25519 recipient) over every volume before and after, which
is what people do who have age. Rounds are interleaved; age's files are decrypted to
volumes that are then imported like the others.
"""

import argparse
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from corpus import CACHE
from gap import Gap
from peers import Peer, program, versions
from report import Row, machine, options, report
from runs import Cost, median

WAYS = ("in the open", "encrypted", "in the open, age")
_VOLUMES = 4


class Field:
    """A delivery, the keys, and the ways to carry it."""

    def __init__(self, folder: Path, size: int, age: Peer | None) -> None:
        self.folder, self.age = folder, age
        self.gap = Gap(folder)
        self.gap.begin()
        source = folder / "source"
        source.mkdir()
        rng = random.Random(5)
        with (source / "noise.bin").open("wb") as file:
            for at in range(0, size, 1 << 20):
                file.write(rng.randbytes(min(1 << 20, size - at)))
        self.room = str(size // _VOLUMES + (2 << 20))
        self._enrol()
        self.gap.run(self.gap.export(source, "--volume-size", self.room))
        shutil.rmtree(source)
        self.size = self.gap.carried()
        shutil.rmtree(self.gap.medium)
        self.fresh = folder / "fresh"
        shutil.move(self.gap.store, self.fresh)

    def _enrol(self) -> None:
        key = self.folder / "site.json"
        self.gap.run(self._airlift("isolated", "trust", "encryption-key", str(key)))
        enrol = ("site", "enrol", "bench", str(key), "--yes")
        self.gap.run(self._airlift("connected", *enrol))
        if self.age:
            made = [*self._age("-keygen"), "-o", str(self.folder / "age.key")]
            told = subprocess.run(made, check=True, capture_output=True, text=True)
            self.recipient = told.stderr.split()[-1]

    def write(self, way: str) -> Cost:
        """Write the volumes to an empty medium; return what that cost."""
        shutil.rmtree(self.gap.medium, ignore_errors=True)
        again = ("export", "--again", "1", "--to", str(self.gap.medium))
        cut = ("--volume-size", self.room, "--passphrase-file")
        encrypt = ("--encrypt",) if way == WAYS[1] else ()
        phrase = str(self.folder / "phrase")
        commands = [self._airlift("connected", *again, *cut, phrase, *encrypt)]
        cost = self.gap.run(*commands)
        if way == WAYS[2]:
            done = [
                self.gap.run(
                    [*self._age(), "-r", self.recipient, "-o", f"{one}.age", one]
                )
                for one in map(str, self._volumes())
            ]
            cost = _sum([cost, *done])
            for one in self._volumes():
                one.unlink()
        return cost

    def take_in(self, way: str) -> Cost:
        """Import what `write` wrote; return what that cost."""
        shutil.rmtree(self.gap.store, ignore_errors=True)
        shutil.copytree(self.fresh, self.gap.store)
        done = []
        if way == WAYS[2]:
            key = str(self.folder / "age.key")
            done = [
                self.gap.run(
                    [*self._age(), "-d", "-i", key, "-o", str(one)[:-4], str(one)]
                )
                for one in sorted(self.gap.medium.glob("*.age"))
            ]
        return _sum([*done, self.gap.run(self.gap.take_in())])

    def _volumes(self) -> list[Path]:
        return sorted(self.gap.medium.glob("*.tar"))

    def _age(self, suffix: str = "") -> list[str]:
        assert self.age
        return [self.age.path + suffix]

    def _airlift(self, side: str, *arguments: str) -> list[str]:
        home = ("--home", str(self.folder / side))
        return [sys.executable, "-m", "airlift", *arguments, *home]


def _sum(costs: Sequence[Cost]) -> Cost:
    return Cost(
        wall=sum(one.wall for one in costs),
        cpu=sum(one.cpu for one in costs),
        rss=max(one.rss for one in costs),
    )


def rounds(field: Field, count: int) -> dict[tuple[str, str], list[Cost]]:
    """Return the costs of every step and way, a round after the other."""
    costs: dict[tuple[str, str], list[Cost]] = {}
    for _ in range(count):
        for way in WAYS if field.age else WAYS[:2]:
            costs.setdefault(("write", way), []).append(field.write(way))
            costs.setdefault(("import", way), []).append(field.take_in(way))
    return costs


def rows(costs: dict[tuple[str, str], list[Cost]], size: int) -> Iterator[Row]:
    """Yield one row for each step and way."""
    for step in ("write", "import"):
        for way in WAYS:
            if (step, way) not in costs:
                continue
            cost, plain = median(costs[step, way]), median(costs[step, WAYS[0]])
            yield {
                "step": step,
                "way": way,
                "bytes": size,
                "wall": cost.wall,
                "cpu": cost.cpu,
                "rss": cost.rss,
                "added_cpu_per_gb": (cost.cpu - plain.cpu) / size * 1e9,
                "cpu_ratio": cost.cpu / plain.cpu,
            }


def table(found: Sequence[Row]) -> Iterator[str]:
    """Yield the results as lines of Markdown."""
    yield "| step | way | wall s | CPU s | added CPU s for a GB | CPU to open | peak MiB |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for row in found:
        yield (
            f"| {row['step']} | {row['way']} | {float(row['wall'] or 0):.2f} "
            f"| {float(row['cpu'] or 0):.2f} | {float(row['added_cpu_per_gb'] or 0):.2f} "
            f"| {float(row['cpu_ratio'] or 0):.2f} | {int(row['rss'] or 0) >> 20} |"
        )


def main() -> None:
    """Run the rounds and print, or write, the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=CACHE / "encrypt")
    options(parser)
    given = parser.parse_args()
    if given.quick:
        given.gb, given.rounds = 0.1, 1
    folder = given.folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    age = program("age")
    field = Field(folder, int(given.gb * 1e9), age)
    found = list(rows(rounds(field, given.rounds), field.size))
    shutil.rmtree(folder)
    text = (
        f"{_VOLUMES} volumes, {field.size / 1e9:.2f} GB; medians of {given.rounds} "
        f"rounds; {versions([age])}; {machine()}.\n\n" + "\n".join(table(found))
    )
    report("bench_encrypt", text, found, given)


if __name__ == "__main__":
    main()
