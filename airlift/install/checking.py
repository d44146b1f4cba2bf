"""Hash what a runtime holds and say what is wrong.

A runtime's checker (``check_hub``, ``check_ollama``, ``check_folder``) says what it
found and what each file should be, as ``Claim``s; here they are judged. Clients of
hubs look at lengths only, so a file of the right length with wrong bytes is what this
is for.
"""

import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from airlift import naming
from airlift.digest import Sha256, git_blob_hasher
from airlift.errors import StoreError
from airlift.install.tree import chunks
from airlift.lookahead import ahead
from airlift.progress import Advance, Progress
from airlift.store.durable import failing


class What(StrEnum):
    """What a file turned out to be."""

    INTACT = "intact"
    """As it was signed."""
    DAMAGED = "damaged"
    """Of other bytes than its name or its release says."""
    MISSING = "missing"
    """In the release, and not here."""
    EXTRA = "extra"
    """Among the files of a release, and not in it."""
    UNKNOWN = "unknown"
    """Of no release in the records; whole, as far as its own name tells."""
    STALE = "stale"
    """A release that should no longer be in use: retired, or in quarantine."""
    DENIED = "denied"
    """A release that nobody may use."""
    UNREADABLE = "unreadable"
    """There, and the disk or its owner does not give it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a file is said to be.

    Attributes:
        path: Below the runtime's folder, as it is told.
        place: Where it lies.
        sha256: What it must hash to; None where a git id or nothing is stated.
        git_oid: Git's id that it must have, where no SHA-256 is stated.
        good: What it is when it is as stated.
        release: The release it is of; empty for none.
        needed: Whether it counts when it is missing.
        note: Said of it in any case.
    """

    path: str
    place: Path
    good: What
    sha256: Sha256 | None = None
    git_oid: str | None = None
    release: str = ""
    needed: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a file is.

    Attributes:
        what: The verdict.
        path: Below the runtime's folder.
        problem: In a line; empty where there is none.
        release: The release meant; empty for none.
        needed: Whether it counts.
        size: Bytes that were hashed.
    """

    what: What
    path: str
    problem: str = ""
    release: str = ""
    needed: bool = True
    size: int = 0


def judge(claims: Iterable[Claim | Finding], progress: Progress) -> Iterator[Finding]:
    """Yield the verdict on each of *claims*, in order; findings pass as they are.

    A file that several names lead to is hashed once.

    Raises:
        StoreError: A folder cannot be looked at.
    """
    listed = list(claims)
    with progress.task("checking", _total(listed)) as advance:
        bench = _Bench(advance)
        yield from ahead(listed, bench.judge)


def _total(listed: Sequence[Claim | Finding]) -> int:
    sizes = {}
    for one in listed:
        if isinstance(one, Claim) and (one.sha256 or one.git_oid):
            found = _look(one.place)
            if found:
                sizes[found.st_dev, found.st_ino] = found.st_size
    return sum(sizes.values())


def _look(place: Path) -> os.stat_result | None:
    """Return what the regular file *place* leads to is; None where there is none."""
    with failing("look at", place):
        try:
            found = place.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    return found if stat.S_ISREG(found.st_mode) else None


_Key: TypeAlias = tuple[int, int, str]
"""Device, inode and kind of digest."""


class _Bench:
    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._lock = threading.Lock()
        self._known: dict[_Key, Future[tuple[str, int]]] = {}

    def judge(self, claim: Claim | Finding) -> Finding:
        if isinstance(claim, Finding):
            return claim
        found = _look(claim.place)
        if found is None:
            return _found(claim, What.MISSING, "there is no file")
        if claim.sha256 is None and claim.git_oid is None:
            return _found(claim, claim.good, claim.note)
        key = (found.st_dev, found.st_ino, "sha256" if claim.sha256 else "git")
        try:
            digest, size = self._once(key, claim, found.st_size)
        except StoreError as error:
            # One bad sector, or one file of another user, must not hide the rest.
            return _found(claim, What.UNREADABLE, error.problem)
        return _compared(claim, digest, size)

    def _once(self, key: _Key, claim: Claim, size: int) -> tuple[str, int]:
        """Hash a file, or wait for the thread that does so already."""
        with self._lock:
            mine = key not in self._known
            told = self._known.setdefault(key, Future())
        if mine:
            try:
                told.set_result(self._digest(claim, size))
            except BaseException as error:
                told.set_exception(error)
                raise
        return told.result()

    def _digest(self, claim: Claim, size: int) -> tuple[str, int]:
        hasher = hashlib.sha256() if claim.sha256 else git_blob_hasher(size)
        length = 0
        for chunk in chunks(claim.place):
            hasher.update(chunk)
            length += len(chunk)
            self._advance(len(chunk))
        return hasher.hexdigest(), length


def _compared(claim: Claim, digest: str, size: int) -> Finding:
    wanted = claim.sha256 or claim.git_oid or ""
    if digest == wanted:
        return _found(claim, claim.good, claim.note, size)
    problem = f"its {size} bytes hash to {digest}, expected {naming.show(wanted)}"
    return _found(claim, What.DAMAGED, problem, size)


def _found(claim: Claim, what: What, problem: str, size: int = 0) -> Finding:
    return Finding(
        what=what,
        path=claim.path,
        problem=problem,
        release=claim.release,
        needed=claim.needed,
        size=size,
    )


def walk(root: Path) -> Iterator[str]:
    """Yield the paths of all files below *root*, sorted; links to folders are files.

    Raises:
        StoreError: A folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        with failing("list", error.filename or root):
            raise error

    found = []
    for folder, folders, files in os.walk(root, onerror=refuse):
        place = Path(folder)
        linked = [name for name in folders if (place / name).is_symlink()]
        found += [(place / n).relative_to(root).as_posix() for n in (*files, *linked)]
    yield from sorted(found)


def need_folder(root: Path) -> None:
    """Refuse a *root* that is no folder.

    Raises:
        StoreError: It is none, or cannot be looked at.
    """
    with failing("look at", root):
        if root.is_dir():
            return
    problem = f"there is no folder {naming.show(str(root))}"
    raise StoreError(problem, hint="name the runtime's folder")
