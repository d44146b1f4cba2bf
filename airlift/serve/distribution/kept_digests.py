"""Digests of derived bytes, kept between runs of the server.

A cache that may be deleted at any time, and whose content is not believed blindly:
each line carries a check of itself, and a client that pulls by a digest checks every
byte against it. One process writes; another serving the same home, or one that may
not write there, keeps what it computes in memory.
"""

import contextlib
import re
from pathlib import Path
from typing import Final, Self

from airlift.digest import Sha256, sha256
from airlift.errors import AirliftError
from airlift.registry.lock import WriterLock
from airlift.store.durable import Disk, let_go, read_file

LIMIT: Final = 100_000
"""Most digests kept: some 20 MB of memory. The oldest half goes first."""

_FILE, _LOCK = "digests", "lock"
_LINE = re.compile(rb"([0-9a-f]{64}) ([0-9a-f]{64}) ([0-9a-f]{16})\n")
_LINE_BYTES: Final = 64 + 1 + 64 + 1 + 16 + 1


class KeptDigests:
    """What was computed so far, by recipe; a context manager.

    Args:
        folder: Where to keep it, made if need be; None for memory alone.
        limit: Most digests.

    Attributes:
        problem: Why nothing is written; empty while it is.
    """

    def __init__(self, folder: Path | None, *, limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit
        self._disk = Disk()
        self._known: dict[str, Sha256] = {}
        self._resources = contextlib.ExitStack()
        self._fd, self._size = -1, 0
        self.problem = "" if folder else "no folder was given"

    def __enter__(self) -> Self:
        if self._folder is None:
            return self
        path = self._folder / _FILE
        with contextlib.suppress(AirliftError):  # unreadable is as good as empty
            self._known = _decode(read_file(path, limit=4 * LIMIT * _LINE_BYTES))
        self._trim()
        try:
            self._disk.make_folder(self._folder, mode=0o700)
            lock = WriterLock(self._folder / _LOCK)
            self._resources.enter_context(lock.held("serve"))
            self._rewrite(path)
        except AirliftError as error:
            self._stop(error)
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            let_go(self._fd)
            self._fd = -1
        self._resources.close()

    def get(self, recipe: str) -> Sha256 | None:
        """Return the digest of what *recipe* makes, or None."""
        return self._known.get(recipe)

    def put(self, recipe: str, digest: Sha256) -> None:
        """Keep *digest*. Where the disk refuses, it is kept in memory alone."""
        self._known[recipe] = digest
        if self._fd < 0 or self._folder is None:
            self._trim()
            return
        path, line = self._folder / _FILE, _encode(recipe, digest)
        try:
            if self._trim():
                self._rewrite(path)
                return
            self._disk.write(self._fd, path, line, self._size)
            self._size += len(line)
            self._disk.sync(self._fd, path)
        except AirliftError as error:
            self._stop(error)

    def _trim(self) -> bool:
        if len(self._known) <= self._limit:
            return False
        # Replaced whole, never changed under a reader in another thread.
        kept = list(self._known.items())[-self._limit // 2 :]
        self._known = dict(kept)
        return True

    def _rewrite(self, path: Path) -> None:
        """Write what is known anew: no damaged line stays, none is glued to one."""
        content = b"".join(_encode(*one) for one in self._known.items())
        self._disk.write_file(path, content)
        if self._fd >= 0:
            let_go(self._fd)
        self._fd, self._size = self._disk.create(path, fresh=False), len(content)

    def _stop(self, error: AirliftError) -> None:
        self.problem = str(error)
        if self._fd >= 0:
            let_go(self._fd)
            self._fd = -1


def _encode(recipe: str, digest: Sha256) -> bytes:
    line = f"{recipe} {digest}"
    return f"{line} {sha256(line.encode())[:16]}\n".encode()


def _decode(content: bytes) -> dict[str, Sha256]:
    """Return the lines of *content* that are whole."""
    found: dict[str, Sha256] = {}
    for line in content.splitlines(keepends=True):
        if (match := _LINE.fullmatch(line)) is None:
            continue
        recipe, digest = match[1].decode(), Sha256(match[2].decode())
        if _encode(recipe, digest) == line:
            found[recipe] = digest
    return found
