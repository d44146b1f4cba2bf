"""A served world: one small model on a shelf behind a real server on loopback."""

import io
import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.serve.dialect import Dialect
from airlift.serve.http.server import running
from airlift.serve.http.settings import ServeSettings
from airlift.store.span import Span
from shelves import MemoryShelf, cargo
from wire import clock

BIG = random.Random(1).randbytes(300_007)
SMALL = b'{"hidden_size": 64}\n'
COMMIT = "c" * 40
BIG_PATH = f"/org/tiny/resolve/{COMMIT}/model.safetensors"
SMALL_PATH = f"/org/tiny/resolve/{COMMIT}/config.json"
CONTENTS = {
    "config.json": SMALL,
    "model.safetensors": BIG,
    "empty.bin": b"",
    "odd name+\u00fc.txt": b"odd",
}


@dataclass(frozen=True, kw_only=True)
class World:
    """A running server, what it serves, and what it wrote to its log."""

    url: str
    shelf: MemoryShelf
    log: io.StringIO

    def entries(self, least: int = 0) -> list[dict[str, object]]:
        """Return the log's lines so far, once there are *least*.

        The server writes a line after the answer has gone out.
        """
        ends = time.monotonic() + 5
        while self.log.getvalue().count("\n") < least:
            assert time.monotonic() < ends, f"only {self.log.getvalue()!r}"
            time.sleep(0.005)
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def settled(self) -> list[dict[str, object]]:
        """Return the log's lines once half a second has added none."""
        found: list[dict[str, object]] = []
        while len(found) < len(later := self.entries(least=1)):
            found = later
            time.sleep(0.5)
        return found


@contextmanager
def serving(
    shelf: MemoryShelf,
    settings: ServeSettings,
    table: Sequence[Dialect] | None = None,
) -> Iterator[World]:
    """Serve *shelf* while the context is open."""
    log = io.StringIO()
    with running(shelf, settings, log=log, clock=clock, table=table) as url:
        yield World(url=url, shelf=shelf, log=log)


def grow(shelf: MemoryShelf, size: int) -> Path:
    """Make the big model a sparse file of *size* zero bytes; return its path."""
    sparse = shelf.folder / "sparse"
    sparse.touch()
    os.truncate(sparse, size)
    for held in shelf._files.values():
        held["model.safetensors"] = replace(held["model.safetensors"], size=size)
    shelf.replace_span(sha256(BIG), Span(path=sparse, offset=0, length=size))
    return sparse


def small_world(folder: Path) -> MemoryShelf:
    """Return a shelf with ``org/tiny`` at ``COMMIT``."""
    model = cargo(Kind.MODEL, "org/tiny", CONTENTS, revision=COMMIT, refs=["v1"])
    return MemoryShelf(folder, [model])
