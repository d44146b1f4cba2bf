"""What a registry costs as it grows: rows recorded, digests looked up, small files.

    python scripts/bench_registry.py [--quick] [--folder DIR] [--write] [--json FILE]

Rows are files of releases, recorded through SQLAlchemy with every index a site needs;
the peer is plain ``sqlite3.executemany`` of the same rows into one indexed table, the
floor of what any program pays. Look-ups ask which of 100,000 digests are missing, half
of which are; the peer asks an indexed table in batches. Then 2 KiB files cross from end
to end; the peer is ``tar`` with ``sha256sum``, and back. All rows of a round run one
after the other; ratios are the peer's seconds divided by airlift's.
"""

import argparse
import hashlib
import json
import multiprocessing
import random
import resource
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

from sqlalchemy import insert

from airlift.artifact import ReleaseFile
from airlift.digest import Sha256
from airlift.registry import bulk, migration, schema
from airlift.registry.engine import Database, make_file
from airlift.store.blobs import BlobStore
from gap import Gap
from report import Row, machine, options, report, tell
from runs import Cost, median, ratio, shell

ROWS = (1_000, 10_000, 100_000, 1_000_000)
A_RELEASE = 100_000
"""Most files of one release here, as of a folder that is carried."""
ASKED = 100_000
SMALL_FILES = 100_000
SMALL_SIZE = 2048

LONG = 1_000_000
"""Rows that are recorded in one round only: it takes a minute."""
CROSSINGS = 2
"""Most rounds of files that cross: each takes a minute."""

QUICK_ROWS, QUICK_ASKED, QUICK_FILES = (1_000, 10_000), 1_000, 1_000

_PEER_TABLE = (
    "CREATE TABLE file (release INTEGER, path TEXT, sha256 BLOB, size INTEGER,"
    " git_oid TEXT, format TEXT, class TEXT, facts TEXT,"
    " PRIMARY KEY (release, path)) WITHOUT ROWID"
)


def digest(number: int) -> Sha256:
    """Return the digest of the blob of that *number*."""
    return Sha256(hashlib.sha256(b"%d" % number).hexdigest())


def releases(count: int) -> Iterator[tuple[ReleaseFile, ...]]:
    """Yield the files of releases, *count* of them in all."""
    for start in range(0, count, A_RELEASE):
        yield tuple(
            ReleaseFile(
                path=f"part-{number // 1000:04d}/file-{number:07d}.json",
                size=SMALL_SIZE,
                sha256=digest(number),
                format="json",
            )
            for number in range(start, min(count, start + A_RELEASE))
        )


def timed(act: Callable[[], object]) -> Cost:
    """Run *act* in this process; return its cost, memory with all that was before."""
    wall, cpu = time.monotonic(), time.process_time()
    act()
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Cost(wall, cpu, peak)


def record(folder: Path, count: int) -> Cost:
    """Record *count* files in a new registry's tables, in one transaction."""
    path = folder / "registry.db"
    made = list(releases(count))
    make_file(path)
    database = Database(path)
    with database.write() as connection:
        migration.upgrade(connection)
        connection.execute(insert(schema.delivery).values(_delivery()))

    def act() -> None:
        with database.write() as connection:
            numbers = range(1, len(made) + 1)
            for number, files in zip(numbers, made, strict=True):
                told = {"number": number, "id": digest(-number), "files": len(files)}
                connection.execute(insert(schema.release).values(_release() | told))
                bulk.add_files(connection, number, files)
            bulk.name_blobs(connection, numbers)

    cost = timed(act)
    database.close()
    return cost


def _delivery() -> dict[str, object]:
    words = dict.fromkeys(("issued", "imported", "operator", "actor", "version"), "x")
    return {"sequence": 1, "id": digest(0), "signed_by": {}, "record": b"", **words}


def _release() -> dict[str, object]:
    words = dict.fromkeys(("kind", "name", "revision", "imported"), "x")
    return {"counter": 1, "header": {}, "size": 0, "delivery": 1, **words}


def record_plainly(folder: Path, count: int) -> Cost:
    """Write the same rows with Python's sqlite3 alone, as durably."""
    made = list(releases(count))
    database = sqlite3.connect(folder / "plain.db", isolation_level=None)
    for statement in (
        "PRAGMA synchronous=EXTRA",
        _PEER_TABLE,
        "CREATE INDEX by_sha256 ON file (sha256)",
    ):
        database.execute(statement)

    def act() -> None:
        database.execute("BEGIN IMMEDIATE")
        for number, files in enumerate(made, 1):
            left = iter(files)
            while some := list(islice(left, bulk.ROWS)):
                database.executemany(
                    "INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [_plain_row(number, one) for one in some],
                )
        database.execute("COMMIT")

    cost = timed(act)
    database.close()
    return cost


def _plain_row(release: int, one: ReleaseFile) -> tuple[object, ...]:
    place = (release, one.path, bytes.fromhex(one.sha256), one.size)
    return (*place, one.git_oid, one.format, one.content_class.value, None)


def _asked(count: int, asked: int) -> list[Sha256]:
    """Return digests, half of them of the first *count* blobs; shuffled the same."""
    chosen = random.Random(count)
    held = [digest(chosen.randrange(count)) for _ in range(asked // 2)]
    absent = [digest(count + number) for number in range(asked - len(held))]
    found = [*held, *absent]
    chosen.shuffle(found)
    return found


def missing(folder: Path, count: int, asked: int) -> Cost:
    """Ask a store of *count* small blobs which of *asked* it lacks."""
    store = BlobStore(folder / "store")
    store.add_small((digest(number), b"%d" % number) for number in range(count))
    wanted = _asked(count, asked)
    found: set[Sha256] = set()
    cost = timed(lambda: found.update(store.missing(wanted)))
    assert len(found) == asked - asked // 2
    return cost


def missing_plainly(folder: Path, count: int, asked: int) -> Cost:
    """Ask an indexed table of *count* digests the same, 500 in a statement."""
    database = sqlite3.connect(folder / "digests.db", isolation_level=None)
    database.execute("CREATE TABLE blob (sha256 BLOB PRIMARY KEY) WITHOUT ROWID")
    database.execute("BEGIN")
    rows = ((bytes.fromhex(digest(number)),) for number in range(count))
    database.executemany("INSERT INTO blob VALUES (?)", rows)
    database.execute("COMMIT")
    wanted = _asked(count, asked)
    found: set[bytes] = set()

    def act() -> None:
        for start in range(0, len(wanted), 500):
            some = [bytes.fromhex(one) for one in wanted[start : start + 500]]
            marks = ",".join("?" * len(some))
            query = f"SELECT sha256 FROM blob WHERE sha256 IN ({marks})"
            found.update(set(some) - {one for (one,) in database.execute(query, some)})

    cost = timed(act)
    assert len(found) == asked - asked // 2
    database.close()
    return cost


class Crossing:
    """Small files that cross a gap, and the way without airlift.

    Args:
        folder: Everything is in it.
        count: How many files.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.gap, self._folder, self.count = Gap(folder), folder, count
        self.source, self._tar = folder / "files", folder / "files.tar"
        chosen = random.Random(count)
        for number in range(count):
            place = self.source / f"part-{number // 1000:04d}"
            place.mkdir(parents=True, exist_ok=True)
            words = json.dumps({"number": number, "noise": chosen.randbytes(990).hex()})
            (place / f"file-{number:07d}.json").write_text(words.ljust(SMALL_SIZE))

    def ways(self) -> dict[tuple[str, str], Callable[[], Cost]]:
        """Return every row by what is done and who does it, in the order to run."""
        out, sums = self._folder / "out", self._folder / "sums"
        make = (
            f"cd {self.source} && find . -type f -print0 | xargs -0 sha256sum > {sums}"
            f" && tar -cf {self._tar} . && sync {self._tar}"
        )
        take = (
            f"mkdir {out} && cd {out} && tar -xf {self._tar}"
            f" && sha256sum --quiet -c {sums} && sync -f ."
        )
        run = self.gap.run
        return {
            ("make", "airlift"): lambda: run(self.gap.export(self.source)),
            ("make", "peer"): lambda: run(shell(make)),
            ("take in", "airlift"): lambda: run(self.gap.take_in()),
            ("take in", "peer"): lambda: run(shell(take)),
        }

    def rounds(self, count: int, begun: float) -> dict[tuple[str, str], list[Cost]]:
        """Run every row *count* times; *begun* is when the bench began."""
        found: dict[tuple[str, str], list[Cost]] = {key: [] for key in self.ways()}
        for _ in range(count):
            shutil.rmtree(self._folder / "out", ignore_errors=True)
            self.gap.begin()
            for key, way in self.ways().items():
                found[key].append(way())
                tell(" of ".join(key), begun)
        return found


def alone(act: Callable[..., Cost], folder: Path, *arguments: int) -> Cost:
    """Run *act* in a process and a folder of its own, so that memory is its own."""
    place = Path(tempfile.mkdtemp(dir=folder))
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(act, place, *arguments).result()
    finally:
        shutil.rmtree(place)


def compared(
    name: str, count: int, own: Sequence[Cost], peer: Sequence[Cost]
) -> Iterator[Row]:
    """Yield the figures of airlift and of its peer."""
    for who, costs, share in (("airlift", own, ratio(peer, own)), ("peer", peer, 1.0)):
        one = median(costs)
        yield {
            "series": name,
            "who": who,
            "count": count,
            "wall": one.wall,
            "cpu": one.cpu,
            "rss": one.rss,
            "ratio": share,
        }


def figures(given: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Yield every measurement."""
    most, begun = 1 if given.quick else given.rounds, time.monotonic()
    asked = QUICK_ASKED if given.quick else ASKED
    for count in QUICK_ROWS if given.quick else ROWS:
        rounds = range(1 if count >= LONG else most)
        pairs = [
            (alone(record, folder, count), alone(record_plainly, folder, count))
            for _ in rounds
        ]
        yield from compared("record", count, *zip(*pairs, strict=True))
        pairs = [
            (
                alone(missing, folder, count, asked),
                alone(missing_plainly, folder, count, asked),
            )
            for _ in rounds
        ]
        yield from compared("missing", count, *zip(*pairs, strict=True))
        tell(f"{count:,} rows", begun)
    crossing = Crossing(folder, QUICK_FILES if given.quick else SMALL_FILES)
    tell("files to cross were made", begun)
    found = crossing.rounds(min(most, CROSSINGS), begun)
    for name in ("make", "take in"):
        costs = found[name, "airlift"], found[name, "peer"]
        yield from compared(name, crossing.count, *costs)


NAMES = {
    ("record", "airlift"): "record {} rows: airlift",
    ("record", "peer"): "record {} rows: sqlite3.executemany",
    ("missing", "airlift"): "which of {asked} are missing, of {} blobs: airlift",
    ("missing", "peer"): "which of {asked} are missing, of {} blobs: sqlite3, IN",
    ("make", "airlift"): "make, {} files: airlift export",
    ("make", "peer"): "make, {} files: sha256sum, tar",
    ("take in", "airlift"): "take in, {} files: airlift import",
    ("take in", "peer"): "take in, {} files: tar x, sha256sum -c",
}


def table(rows: Sequence[Row], asked: int, rounds: int) -> str:
    """Return the table of *rows*, as Markdown."""
    few = f"of {min(rounds, CROSSINGS)} of files that cross, of one of a million rows"
    where = f"{machine()}, SQLite {sqlite3.sqlite_version}"
    lines = [
        f"Medians of {rounds} rounds, {few}; {where}.",
        "",
        "| step | wall s | CPU s | peak MiB | ratio |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in rows:
        name = NAMES[str(row["series"]), str(row["who"])]
        told = name.format(f"{row['count']:,}", asked=f"{asked:,}")
        lines.append(
            f"| {told} | {row['wall']:.2f} | {row['cpu']:.2f}"
            f" | {int(row['rss'] or 0) >> 20} | {row['ratio']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run every row and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    options(parser)
    parser.add_argument("--folder", type=Path, help="where to work; made and removed")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="registry-") as name:
        rows = list(figures(given, Path(name)))
    asked, rounds = (QUICK_ASKED, 1) if given.quick else (ASKED, given.rounds)
    report("bench_registry", table(rows, asked, rounds), rows, given)


if __name__ == "__main__":
    main()
