"""A plain folder, served on the other side as if it were a model repository.

Also the simplest example of a source: two methods, no network. Only regular files are
carried, under the names they have; what is not one is refused by name rather than
left out, because a model without the file behind a link is another model.
"""

import fnmatch
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from airlift import lanes, naming
from airlift.artifact import Json, Pinned, PinnedFile, Wish
from airlift.crew import Stop, work
from airlift.digest import sha256, sha256_of
from airlift.errors import RequestError, SourceError
from airlift.fetch import Settings
from airlift.format import canonical
from airlift.sources.source import NearSource, Taking

FILES: Final = 100_000
"""Most files of a folder: more is a mistaken path (a home folder, ``/``)."""
_CHUNK: Final = 1 << 20
_SMALL: Final = 64 << 10
"""Bytes below which opening a file takes longer than hashing it."""
_REVISION_DIGITS: Final = 40  # clients of the hub protocol expect a git commit's length
_WHAT: Final = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


class Folder(NearSource):
    """The source of folders.

    Args:
        settings: Not needed here; every source is made with them.
    """

    def __init__(self, settings: Settings) -> None:
        del settings
        self.taking: Taking | None = None

    def resolve(self, wish: Wish) -> Pinned:
        """Read every file of the folder once and pin what was there.

        The revision is made of paths, sizes and digests alone: the same content
        gives the same revision on any machine at any time.

        Args:
            wish: ``path`` must be absolute, or relative to the working folder.

        Raises:
            RequestError: Nothing is left to carry, or something cannot be.
            SourceError: The folder is missing or not readable, or a file changed
                while it was read.
        """
        root = Path(_text(wish, "path")).absolute()
        paths = sorted(_chosen(wish, _walk(wish, root)))
        _check(wish, paths)
        files = self._pin(root, paths)
        listed: list[Json] = [[file.path, file.size, file.sha256] for file in files]
        return Pinned(
            kind=wish.kind,
            name=wish.name,
            revision=sha256(canonical.encode(listed))[:_REVISION_DIGITS],
            files=files,
            refs=("main",),
            licence=_text(wish, "licence"),
            base_models=_texts(wish, "base-models"),
        )

    def _pin(self, root: Path, paths: list[str]) -> tuple[PinnedFile, ...]:
        """Pin several files at once: each digest keeps one processor busy."""
        found = {path: _found(root / path, path) for path in paths}
        taken = self.taking(self, list(found.values())) if self.taking else {}

        def pin(some: list[str]) -> None:
            for path in some:
                found[path] = _pin(root / path, path)

        left = [path for path in paths if path not in taken]
        # Small ones by one thread: several would only wait for each other.
        small = [path for path in left if (found[path].size or 0) < _SMALL]
        tasks = [partial(pin, small)]
        large = [path for path in left if (found[path].size or 0) >= _SMALL]
        tasks += [partial(pin, [path]) for path in large]
        work(tasks, workers=lanes.PROCESSORS, stop=Stop())
        for path, digest in taken.items():
            found[path] = replace(found[path], sha256=digest)
        return tuple(found[path] for path in paths)

    @contextmanager
    def read(
        self, file: PinnedFile, *, start: int = 0, stop: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        """Open *file* from byte *start* to *stop*.

        Raises:
            SourceError: It is gone, or no longer what was pinned.
        """
        with _opened(Path(file.location)) as (handle, before):
            if before.st_size != file.size:
                raise _changed(Path(file.location), file.size, before.st_size)
            yield _chunks(handle, start, before.st_size if stop is None else stop)
            _refuse_change(handle, before, Path(file.location))

    def open(self, file: PinnedFile) -> "_File":
        """Open *file* to read it anywhere.

        Raises:
            SourceError: It is gone, or no longer what was pinned.
        """
        return _File(Path(file.location), file.size)


class _File:
    """A file of a folder."""

    def __init__(self, place: Path, size: int | None) -> None:
        self._place, self._stack = place, ExitStack()
        self._handle, self._before = self._stack.enter_context(_opened(place))
        if self._before.st_size != size:
            self._stack.close()
            raise _changed(place, size, self._before.st_size)

    def into(self, view: memoryview, offset: int, length: int) -> None:
        """Read *length* bytes at byte *offset* to the front of *view*."""
        done = 0
        while done < length:
            some = view[done:length]
            try:
                got = os.preadv(self._handle, [some], offset + done)
            except OSError as error:
                raise _unreadable(error) from error
            if not got:
                raise _changed(self._place, self._before.st_size, offset + done)
            done += got

    def close(self) -> None:
        """Let go of it, and see whether it is still what it was."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            with self._stack:
                _refuse_change(handle, self._before, self._place)


def _walk(wish: Wish, root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield what lies below *root* and is no folder; excluded folders are not entered."""
    left, count = [""], 0
    exclude = _texts(wish, "exclude")
    while left:
        folder = left.pop()
        try:
            with os.scandir(root / folder) as entries:
                found = [(f"{folder}{entry.name}", entry) for entry in entries]
        except OSError as error:
            shown = naming.show(str(root / folder))
            problem = f"`{naming.show(wish.name)}`: cannot read `{shown}`"
            hint = "check `path`; it is taken from the manifest's folder"
            text = f"{problem}: {(error.strerror or '').lower()}"
            raise SourceError(text, hint=hint) from error
        for path, entry in found:
            if not entry.is_dir(follow_symlinks=False):
                count += 1
                yield path, entry
            elif not _matches(f"{path}/", exclude):
                left.append(f"{path}/")
        if count > FILES:
            problem = f"`{naming.show(str(root))}` holds more than {FILES} files"
            raise RequestError(problem, hint="name the model's own folder as `path`")


def _chosen(wish: Wish, found: Iterable[tuple[str, os.DirEntry[str]]]) -> Iterator[str]:
    include, exclude = _texts(wish, "include"), _texts(wish, "exclude")
    for path, entry in found:
        if (include and not _matches(path, include)) or _matches(path, exclude):
            continue
        if not entry.is_file(follow_symlinks=False):
            kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
            what = _WHAT.get(kind, "no regular file")
            problem = f"`{naming.show(wish.name)}`: `{naming.show(path)}` is {what}"
            hint = "put the file itself there, or leave it out with `exclude`"
            raise RequestError(problem, hint=hint)
        yield path


def _matches(path: str, patterns: Iterable[str]) -> bool:
    # As for repositories of the hub: `*` crosses folders, `folder/` means all of it.
    return any(
        fnmatch.fnmatchcase(path, f"{pattern}*" if pattern.endswith("/") else pattern)
        for pattern in patterns
    )


def _check(wish: Wish, paths: list[str]) -> None:
    shown = naming.show(wish.name)
    if not paths:
        problem = f"`{shown}`: no file of the folder is asked for"
        raise RequestError(problem, hint="check `path`, `include` and `exclude`")
    for path in paths:
        if problem := naming.path_problem(path):
            text = f"`{shown}`: `{naming.show(path)}` {problem}"
            raise RequestError(text, hint="rename it, or use `exclude`")
    if pair := naming.collision(paths):
        both = " and ".join(f"`{naming.show(path)}`" for path in pair)
        text = f"`{shown}`: some file systems confuse {both}"
        raise RequestError(text, hint="rename one of them, or use `exclude`")


def _found(place: Path, path: str) -> PinnedFile:
    """Return a file of unknown content."""
    with _opened(place) as (_, before):
        return PinnedFile(path=path, size=before.st_size, location=str(place))


def _pin(place: Path, path: str) -> PinnedFile:
    with _opened(place) as (handle, before):
        digest, size = sha256_of(_chunks(handle, 0, before.st_size))
        _refuse_change(handle, before, place)
    return PinnedFile(path=path, size=size, sha256=digest, location=str(place))


@contextmanager
def _opened(place: Path) -> Iterator[tuple[int, os.stat_result]]:
    try:
        # Not following, not blocking: it may have become a link or a pipe meanwhile.
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        reason = (error.strerror or "").lower()
        problem = f"cannot read `{naming.show(str(place))}`: {reason}"
        raise SourceError(problem, hint="give back the file, or lock again") from error
    try:
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            problem = f"`{naming.show(str(place))}` is no longer a regular file"
            raise SourceError(problem, hint="give back the file, or lock again")
        yield handle, before
    finally:
        os.close(handle)


def _chunks(handle: int, start: int, stop: int) -> Iterator[bytes]:
    while start < stop:
        try:
            chunk = os.pread(handle, min(_CHUNK, stop - start), start)
        except OSError as error:
            raise _unreadable(error) from error
        if not chunk:
            break
        start += len(chunk)
        yield chunk


def _unreadable(error: OSError) -> SourceError:
    problem = f"reading a file of the folder failed: {error.strerror}"
    return SourceError(problem, hint="check the disk it lies on")


def _refuse_change(handle: int, before: os.stat_result, place: Path) -> None:
    after = os.fstat(handle)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise _changed(place, before.st_size, after.st_size)


def _changed(place: Path, expected: int | None, found: int) -> SourceError:
    problem = (
        f"`{naming.show(str(place))}` changed while it was read: {expected} bytes "
        f"before, {found} now"
    )
    return SourceError(problem, hint="let nobody write to the folder, then lock again")


def _text(wish: Wish, key: str) -> str:
    value = wish.options.get(key, "")
    return value if isinstance(value, str) else ""


def _texts(wish: Wish, key: str) -> tuple[str, ...]:
    value = wish.options.get(key, ())
    found = value if isinstance(value, list | tuple) else ()
    return tuple(text for text in found if isinstance(text, str))
