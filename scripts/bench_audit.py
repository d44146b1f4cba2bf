"""What an audit costs: every question over a busy site, and hashing its store again.

    python scripts/bench_audit.py [--quick] [--folder DIR] [--write] [--json FILE]

A site holds 25 models of 4,000 files each, a set of 200 wheels, a catalogue about all of
them, and an observation of a host that has all packages; it got them by signed deliveries
and its own registry. Then ``airlift audit run`` asks every question that does not hash
the store (a process of its own, start included), cold and once more with what it keeps.
The peer is a program that opens and parses the same 100,000 files, laid out as files, and
keeps nothing: what looking at all of them costs at least.

Hashing is of files of weights' size, by ``airlift audit verify`` as a process of its own;
the peer is a program of two threads with Python's hashlib, 1 MiB at a time, over the same
files in the same order, and ends with the same digests. Rounds alternate; the ratio is the
peer's seconds divided by airlift's, of wall and of CPU time.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from report import Row, machine, options, report, tell
from runs import Cost, measure, median, ratio

sys.path.append(str(Path(__file__).parent.parent / "tests"))

import catalogues
from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.format.catalogue import Feed
from audited import World, model
from observed import environment, look, take
from wheelhouse import wheel

MODELS, FILES, PACKAGES = 25, 4_000, 200
QUICK = (3, 20, 5)
LARGE, SIZE = 16, 512 << 20
"""Blobs of the store that is hashed, and the bytes of each: 8 GiB."""
TINY = "org/tiny"
"""A model of two bytes: to hash it is to start and end a command."""
QUICK_LARGE, QUICK_SIZE = 4, 4 << 20
_PARSE = """
import json, os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(folder, name), 'rb') as stream:
            json.loads(stream.read())
"""
_PEER = """
import hashlib, sys
from concurrent.futures import ThreadPoolExecutor
def one(path):
    hasher = hashlib.sha256()
    with open(path, 'rb', buffering=0) as stream:
        while chunk := stream.read(1 << 20):
            hasher.update(chunk)
    return hasher.hexdigest() == path.rsplit('/', 1)[1]
with ThreadPoolExecutor(2) as pool:
    assert all(pool.map(one, sys.argv[1:]))
"""


def airlift(*arguments: str | Path) -> list[str]:
    """Return the command line of airlift with *arguments*."""
    return [sys.executable, "-m", "airlift", *map(str, arguments)]


def busy(folder: Path, models: int, files: int, packages: int) -> World:
    """Return a site that holds so much, by deliveries of today."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    world, year = World(folder / "site"), int(now[:4])
    chosen = random.Random(models)
    for number in range(models):
        contents = {
            f"part-{at // 500:03d}/file-{at:05d}.json": json.dumps(
                {"number": at, "noise": chosen.randbytes(50).hex()}
            ).encode()
            for at in range(files)
        }
        world.bring(model(f"org/model-{number:02d}", contents), now=now)
        _lay_out(folder / "plain" / str(number), contents)
    wheels = [wheel(f"package-{at:03d}", "1.0")[:2] for at in range(packages)]
    tools = model("tools", dict(wheels), kind=Kind.WHEELS)
    world.bring(tools, now=now)
    told = [catalogues.item(f"org/model-{at:02d}", as_of=now) for at in range(models)]
    world.hear(
        catalogues.of(
            *told,
            packages=tuple(
                catalogues.package(f"package-{at:03d}", as_of=now, advised=now)
                for at in range(packages)
            ),
            feed=Feed(as_of=now, problem="", records=0),
            issued=now,
            next_expected=f"{year + 1}{now[4:]}",
            valid_until=f"{year + 2}{now[4:]}",
        )
    )
    site = folder / "env"
    environment(site, *wheels)
    seen = look(pythons={"vllm": site}, time=now)
    take(world, replace(seen, host="gpu-1"), now=now)
    return world


def _lay_out(folder: Path, contents: Mapping[str, bytes]) -> None:
    for path, data in contents.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def asked(world: World) -> Cost:
    """Ask every question; return what it cost, whatever the verdict."""
    command = airlift("audit", "run", "--json", "--home", world.home)
    # Something is always unknown of a site made here: that has a code of its own.
    codes = "; case $? in 0|8|10) ;; *) exit 1 ;; esac"
    line = " ".join(f"'{one}'" for one in command) + " > /dev/null" + codes
    return measure(["sh", "-c", line], cwd=world.home)


def large(folder: Path, count: int, size: int) -> tuple[World, list[Path]]:
    """Return a site with *count* files of *size* bytes, and where they lie."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    world, chosen = World(folder / "large"), random.Random(count)
    block = chosen.randbytes(1 << 20)
    paths = []
    for number in range(count):
        data = number.to_bytes(8, "big") + block * (size >> 20)
        world.bring(model(f"org/large-{number}", {"model.safetensors": data}), now=now)
        span = world.store.span(sha256(data))
        assert span is not None
        paths.append(span.path)
    world.bring(model(TINY, {"config.json": b"{}"}), now=now)
    return world, paths


def hashed(world: World, paths: Sequence[Path], rounds: int) -> Iterator[Row]:
    """Yield what hashing the store costs, and what the peer needs."""
    own: list[Cost] = []
    peer: list[Cost] = []
    start: list[Cost] = []
    work = [sys.executable, "-c", _PEER, *map(str, paths)]
    verify = airlift("audit", "verify", "--json", "--home", world.home)
    measure(work, cwd=world.home)  # so that both find the files in memory
    for _ in range(rounds):
        peer.append(measure(work, cwd=world.home))
        own.append(measure(verify, cwd=world.home))
        start.append(measure([*verify, TINY], cwd=world.home))
    size = sum(path.stat().st_size for path in paths)
    rest = [
        Cost(one.wall - begun.wall, one.cpu - begun.cpu, one.rss)
        for one, begun in zip(own, start, strict=True)
    ]
    for who, costs in (("airlift", own), ("rest", rest), ("peer", peer)):
        one = median(costs)
        yield {
            "series": "hash",
            "who": who,
            "count": size,
            "wall": one.wall,
            "cpu": one.cpu,
            "rss": one.rss,
            "ratio": ratio(peer, costs),
            "cpu_ratio": median(peer).cpu / one.cpu,
        }


def audited(folder: Path, sizes: tuple[int, int, int], rounds: int) -> Iterator[Row]:
    """Yield what asking every question costs, and what the peer needs."""
    begun = time.monotonic()
    world = busy(folder, *sizes)
    tell("a busy site was made", begun)
    parse = [sys.executable, "-c", _PARSE, str(folder / "plain")]
    measure(parse, cwd=folder)  # so that the files lie in memory, as airlift's do
    first = [asked(world)]
    peer = [measure(parse, cwd=folder)]
    again = []
    for _ in range(rounds):
        again.append(asked(world))
        peer.append(measure(parse, cwd=folder))
    tell("every question was asked", begun)
    for who, costs, beside in (
        ("first", first, peer[:1]),
        ("again", again, peer[1:]),
        ("parse", peer, peer),
    ):
        one = median(costs)
        yield {
            "series": "audit",
            "who": who,
            "count": sizes[0] * sizes[1],
            "wall": one.wall,
            "cpu": one.cpu,
            "rss": one.rss,
            "ratio": ratio(beside, costs),
            "cpu_ratio": median(beside).cpu / one.cpu,
        }


def figures(given: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Yield every measurement."""
    rounds = 1 if given.quick else given.rounds
    sizes = QUICK if given.quick else (MODELS, FILES, PACKAGES)
    busy_folder = folder / "busy"
    busy_folder.mkdir()
    yield from audited(busy_folder, sizes, rounds)
    shutil.rmtree(busy_folder)
    count = (QUICK_LARGE, QUICK_SIZE) if given.quick else (LARGE, SIZE)
    begun = time.monotonic()
    world, paths = large(folder, *count)
    tell("a site of large files was made", begun)
    yield from hashed(world, paths, rounds)
    tell("its files were hashed", begun)


NAMES = {
    ("audit", "first"): "every question, {:,} files",
    ("audit", "again"): "every question once more, {:,} files",
    ("audit", "parse"): "open and parse {:,} files: Python",
    ("hash", "airlift"): "hash {:,} bytes again: airlift audit verify",
    ("hash", "rest"): "the same, less a run over two bytes: start and end",
    ("hash", "peer"): "hash {:,} bytes again: hashlib, two threads",
}


def table(rows: Sequence[Row], rounds: int) -> str:
    """Return the table of *rows*, as Markdown."""
    lines = [
        f"Medians of {rounds} rounds; {machine()}.",
        "",
        "| step | wall s | CPU s | peak MiB | ratio | ratio of CPU |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        name = NAMES[str(row["series"]), str(row["who"])].format(row["count"])
        told = f"{row['ratio']:.2f} | {row['cpu_ratio']:.2f}"
        lines.append(
            f"| {name} | {row['wall']:.2f} | {row['cpu']:.2f}"
            f" | {int(row['rss'] or 0) >> 20} | {told} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run every row and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    options(parser)
    parser.add_argument("--folder", type=Path, help="where to work; made and removed")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="audit-") as name:
        rows = list(figures(given, Path(name)))
    report("bench_audit", table(rows, 1 if given.quick else given.rounds), rows, given)


if __name__ == "__main__":
    main()
