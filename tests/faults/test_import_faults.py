"""Kills, full disks and I/O errors at every storage call of an import.

strace makes the n-th call of a kind fail, or kills the process at it, for every n. After
each: what is named is whole, the live set is the old or the new one, and trying again
succeeds.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift.errors import EXIT_CODES
from airlift.format.head import Codec
from airlift.inbound.arrival import Gate
from airlift.registry.catalog import Catalog
from airlift.store.blobs import BlobStore
from crossing import Crossing, Isolated, noise, weights
from handmade import Run, built, send, whole

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not shutil.which("strace"), reason="needs strace"),
]

CALLS = (
    *("write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "unlinkat"),
    *("rmdir", "mkdir", "ftruncate", "fallocate", "fchmod", "chmod", "link"),
)
NOISE = noise(9 << 20)
MADE = b"front" + NOISE[: 5 << 20] + NOISE[100:2100]
FILES = {
    "config.json": b"{}",
    "model.safetensors": weights(300_000),
    "noise.bin": NOISE,
    "tokenizer.json": noise(70_000),
}
"""Small, coded, and of several slabs, so that several workers write at once."""
PIECES = (Run(5), Run(5 << 20, NOISE), Run(2000, NOISE, 100, 4))
"""One more file is put together of one that comes with it."""
ZYGOTE = Path(__file__).parent / "zygote.py"


class Field:
    """An isolated side that has one release, a medium with the next, and copies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        crossing = Crossing(folder / "made")
        crossing.connected.export(
            folder / "1", crossing.connected.folder("acme/a", {"a": b"a"})
        )
        crossing.isolated.land(folder / "1")
        self.before = live(crossing.isolated.home)
        crossing.isolated.catalog.close()
        self.template = crossing.isolated.home
        self.medium = folder / "2"
        whole_ = [
            whole(data, Codec.BLOCKS if "model" in path else Codec.RAW)
            for path, data in FILES.items()
        ]
        files = {**FILES, "made.bin": MADE}
        made = built(MADE, PIECES)
        send(crossing.connected, "acme/m", files, [*whole_, made]).write(self.medium)
        self.count = 0
        environment = {**os.environ, "PYTHONPATH": str(ZYGOTE.parent.parent)}
        self.zygote = subprocess.Popen(
            [sys.executable, ZYGOTE],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def fresh(self) -> Path:
        """Return a copy of the isolated side."""
        self.count += 1
        home = self.folder / f"home{self.count}"
        shutil.copytree(self.template, home)
        return home

    def run(self, home: Path, *strace: str) -> int:
        """Import once under strace; return the exit status."""
        assert self.zygote.stdin
        assert self.zygote.stdout
        self.zygote.stdin.write(f"{home}\t{self.medium}\n")
        self.zygote.stdin.flush()
        child = int(self.zygote.stdout.readline())
        tracer = subprocess.Popen(
            ["strace", "-f", "-p", str(child), *strace],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert tracer.stderr
        assert "attached" in tracer.stderr.readline()
        self.zygote.stdin.write("\n")
        self.zygote.stdin.flush()
        status = int(self.zygote.stdout.readline())
        tracer.communicate()
        return status

    def calls(self) -> Counter[str]:
        """Return how often the busiest thread of an import makes each call.

        strace counts for each thread by itself: a fault at the n-th call of a kind
        comes to every thread that makes as many.
        """
        trace = self.folder / "trace"
        status = self.run(
            self.fresh(), "-o", str(trace), "-e", "trace=" + ",".join(CALLS)
        )
        assert status == 0
        made: Counter[tuple[str, str]] = Counter()
        for line in trace.read_text().splitlines():
            thread, rest = line.split(None, 1)
            if call := re.match(r"(\w+)\(", rest):
                made[thread, call[1]] += 1
        most: Counter[str] = Counter()
        for (_, name), count in made.items():
            most[name] = max(most[name], count)
        return most

    def close(self) -> None:
        """End the process that forks."""
        assert self.zygote.stdin
        assert self.zygote.stdout
        self.zygote.stdin.close()
        self.zygote.wait()
        self.zygote.stdout.close()


def live(home: Path) -> set[str]:
    """Return the names that are live."""
    catalog = Catalog.open(home)
    names = {one.release.name for one in catalog.releases() if one.state == "live"}
    catalog.close()
    return names


def check(field: Field, home: Path) -> None:
    """Check the invariants, then that trying again succeeds."""
    store = BlobStore(home / "store")
    for name, _ in store.all():
        store.check(name)
    catalog = Catalog.open(home)
    for held in catalog.releases():
        assert not store.missing(file.sha256 for file in catalog.files(held.id))
    catalog.close()
    assert live(home) in (field.before, {"acme/a", "acme/m"})
    isolated = Isolated.__new__(Isolated)
    isolated.home, isolated.store = home, store
    isolated.gate = Gate(
        store=store, catalog=Catalog.open(home), incoming=home / "incoming"
    )
    isolated.catalog = isolated.gate.catalog
    isolated.land(field.medium)
    assert live(home) == {"acme/a", "acme/m"}
    assert not list((home / "incoming").glob("*"))
    assert not list(store.partials())
    isolated.catalog.close()
    shutil.rmtree(home)


@pytest.fixture(scope="module", name="field")
def _field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("faults"))
    yield field
    field.close()


def points(field: Field) -> Iterator[tuple[str, int]]:
    """Yield every storage call of an import."""
    for name, count in sorted(field.calls().items()):
        for number in range(1, count + 1):
            yield name, number


FAULTS = {
    "kill": "signal=SIGKILL",
    "full disk": "error=ENOSPC",
    "bad disk": "error=EIO",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_storage_call_leaves_the_old_state_or_the_new(
    field: Field, fault: str
) -> None:
    """Power cut, full disk, dying disk: at no moment is anything half there."""
    every = list(points(field))
    assert len(every) > 40
    outcomes: Counter[int] = Counter()
    for name, number in every:
        home = field.fresh()
        inject = f"inject={name}:{FAULTS[fault]}:when={number}"
        status = field.run(home, "-o", os.devnull, "-e", f"trace={name}", "-e", inject)
        place = f"{fault} at {name} {number}"
        assert status in (*EXIT_CODES, -signal.SIGKILL), f"{place}: {status}"
        outcomes[status] += 1
        try:
            check(field, home)
        except BaseException as error:
            error.add_note(place)
            raise
    print(f"{fault}: {len(every)} points, {dict(outcomes)}")
