"""An isolated side in the middle of an import that something breaks off."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from airlift.format.head import Codec
from airlift.inbound import log_check
from airlift.inbound.arrival import Gate
from airlift.inbound.own_key import Maker
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from airlift.trust import keys
from authority import CHEAP
from crossing import NOW, Crossing, Isolated, noise, weights
from handmade import Run, built, send, whole

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
PHRASE = "correct horse"
ZYGOTE = Path(__file__).parent / "zygote.py"


class Field:
    """An isolated side that has one release, a medium with the next, and copies.

    Args:
        folder: For all of it.
        library: Loaded into the processes that import; such as the shim.
    """

    def __init__(self, folder: Path, library: Path | None = None) -> None:
        self.folder = folder
        crossing = Crossing(folder / "made")
        crossing.connected.export(
            folder / "1", crossing.connected.folder("acme/a", {"a": b"a"})
        )
        crossing.isolated.land(folder / "1")
        self.before = live(crossing.isolated.home)
        home, registry = crossing.isolated.home, crossing.isolated.registry
        # From here on each change of the registry is signed in its transaction.
        Maker(home=home, registry=registry, now=NOW, actor="bob").make()
        registry.close()
        self.template = crossing.isolated.home
        self.medium = folder / "2"
        whole_ = [
            whole(data, Codec.BLOCKS if "model" in path else Codec.RAW)
            for path, data in FILES.items()
        ]
        files = {**FILES, "made.bin": MADE}
        made = built(MADE, PIECES)
        send(crossing.connected, "acme/m", files, [*whole_, made]).write(self.medium)
        keys.save(folder, crossing.connected.key, PHRASE, cost=CHEAP)
        self.key = folder / "alice.key"
        self.count = 0
        environment = {**os.environ, "PYTHONPATH": str(ZYGOTE.parent.parent)}
        if library:
            environment["LD_PRELOAD"] = str(library)
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

    def begin(
        self,
        home: Path,
        kill_at: int = 0,
        *,
        torn: bool = False,
        what: Path | None = None,
    ) -> int:
        """Start a process that will import; return its number.

        Args:
            home: Of the isolated side.
            kill_at: The change of the disk that it dies at, where it has the shim.
            torn: Whether half of that change is made.
            what: The file of a key, whose holder cosigns the log instead.
        """
        assert self.zygote.stdin
        assert self.zygote.stdout
        told = (home, what or self.medium, kill_at, int(torn))
        self.zygote.stdin.write("\t".join(map(str, told)) + "\n")
        self.zygote.stdin.flush()
        return int(self.zygote.stdout.readline())

    def end(self) -> int:
        """Let it import; return the exit status."""
        assert self.zygote.stdin
        assert self.zygote.stdout
        self.zygote.stdin.write("\n")
        self.zygote.stdin.flush()
        return int(self.zygote.stdout.readline())

    def close(self) -> None:
        """End the process that forks."""
        assert self.zygote.stdin
        assert self.zygote.stdout
        self.zygote.stdin.close()
        self.zygote.wait()
        self.zygote.stdout.close()


def live(home: Path) -> set[str]:
    """Return the names that are live."""
    registry = Registry.open(home)
    names = {one.release.name for one in registry.releases() if one.state == "live"}
    registry.close()
    return names


def check(field: Field, home: Path) -> None:
    """Check the invariants, then that trying again succeeds."""
    store = BlobStore(home / "store")
    for name, _ in store.all():
        store.check(name)
    registry = Registry.open(home)
    for held in registry.releases():
        assert not store.missing(file.sha256 for file in registry.files(held.id))
    registry.close()
    assert log_check.check(home).faults == ()
    assert live(home) in (field.before, {"acme/a", "acme/m"})
    isolated = Isolated.__new__(Isolated)
    isolated.home, isolated.store = home, store
    isolated.gate = Gate(
        store=store, registry=Registry.open(home), incoming=home / "incoming"
    )
    isolated.registry = isolated.gate.registry
    isolated.land(field.medium)
    assert live(home) == {"acme/a", "acme/m"}
    assert not list((home / "incoming").glob("*"))
    assert not list(store.partials())
    assert log_check.check(home).faults == ()
    isolated.registry.close()
    shutil.rmtree(home)
