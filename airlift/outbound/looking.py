"""Faces of files that may not be here: from the store, or in ranges from upstream.

Of weights only the header is asked for, never the file. What was seen is kept by the
digest that upstream states, so that a week without changes asks for nothing. It is what
upstream shows, for a person to read; an export checks every byte against the digest.
"""

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Final

from airlift import naming
from airlift.artifact import ContentClass, Pinned, PinnedFile, Release, ReleaseFile
from airlift.crew import Stop, work
from airlift.digest import Sha256, git_blob_hasher, sha256
from airlift.errors import FormatError, SourceError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.outbound.pulling import Tap, pull
from airlift.payload import face, portrait
from airlift.payload.face import Face, Tensor
from airlift.payload.portrait import Portrait
from airlift.sources.source import Source
from airlift.store.blobs import BlobStore
from airlift.store.durable import Disk, read_file

FORMAT: Final = "airlift/look/1"
FILES: Final = 400
"""Files of one artifact that are looked into; of more, the rest is named as unread."""
_WORKERS: Final = 4
_LIMIT: Final = 64 << 20
_TENSOR = re.compile(r"\w+( \d{1,19})*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looker:
    """Looks into files.

    Attributes:
        store: The connected store.
        folder: Where faces are kept.
        pause: Waits that many seconds before upstream is asked again.
    """

    store: BlobStore
    folder: Path
    pause: Callable[[float], None] = time.sleep

    def held(self, release: Release, pinned: Pinned) -> Portrait:
        """Return the portrait of a *release* as far as this host still knows it.

        Files that are the same in what was *pinned* are not looked into.

        Raises:
            StoreError: The store fails.
        """
        faces: dict[str, Face] = {}
        bare, names = portrait.of(release, {}), portrait.labels(release.files)
        same = portrait.same_paths(bare, portrait.of(pinned, {}))
        for file in release.files:
            if names[file.path] not in same and portrait.is_read(release.kind, file):
                found = self._stored(release, file) or self._kept(file)
                if found is not None:
                    faces[file.path] = found
        return portrait.of(release, faces)

    def shown(
        self, pinned: Pinned, old: Portrait | None, source: Source
    ) -> tuple[Portrait, tuple[str, ...]]:
        """Return the portrait of what was *pinned*, and what could not be read.

        Files that are the same as in *old* are not looked into again.

        Args:
            pinned: What *source* resolved.
            old: What it is compared with; None for nothing.
            source: Asked for what is not here.

        Raises:
            StoreError: The disk refuses.
        """
        bare = portrait.of(pinned, {})
        names = portrait.labels(pinned.files)
        same = portrait.same_paths(old, bare) if old else frozenset[str]()
        wanted = [
            file
            for file in pinned.files
            if names[file.path] not in same and portrait.is_read(pinned.kind, file)
        ]
        run = _Run(self, pinned, Tap(source=source, pause=self.pause, stop=Stop()))
        work(
            [partial(run.take, file) for file in wanted[:FILES]],
            workers=_WORKERS,
            stop=run.tap.stop,
        )
        return portrait.of(pinned, run.faces), tuple(sorted(run.problems))

    def _stored(
        self, artifact: Pinned | Release, file: PinnedFile | ReleaseFile
    ) -> Face | None:
        if file.sha256 is None or self.store.span(file.sha256) is None:
            return None
        assert file.size is not None
        read = partial(_from_store, self.store, file.sha256)
        known = portrait.role(artifact.kind, file)
        return face.look(file.path, file.size, read, known)

    def _kept(self, file: PinnedFile | ReleaseFile) -> Face | None:
        """Return what was seen of the bytes of *file* before; None if nothing."""
        for key in _keys(file):
            path = self._path(key)
            if path.exists():
                try:
                    return _decode(read_file(path, limit=_LIMIT), str(path))
                except FormatError:
                    continue  # it is only a copy: it is made again
        return None

    def _keep(self, file: PinnedFile, found: Face) -> None:
        for key in _keys(file)[:1]:
            disk = Disk()
            # A name that is no text (half a surrogate pair) cannot be kept; the file
            # is looked into again.
            with contextlib.suppress(ValueError):
                data = _encode(found)
                disk.make_folder(self.folder, mode=0o700)
                disk.write_file(self._path(key), data)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"


class _Run:
    """One look at what was pinned; from several threads."""

    def __init__(self, looker: Looker, pinned: Pinned, tap: Tap) -> None:
        self.tap = tap
        self.faces: dict[str, Face] = {}
        self.problems: list[str] = []
        self._looker, self._pinned = looker, pinned
        self._lock = Lock()

    def take(self, file: PinnedFile) -> None:
        """Look into *file*, here if it is here, else upstream."""
        looker = self._looker
        found = looker._stored(self._pinned, file) or looker._kept(file)  # noqa: SLF001 - one thing in two parts
        if found is None:
            try:
                found = self._ask(file)
            except SourceError as error:
                with self._lock:
                    self.problems.append(f"{naming.show(file.path)}: {error}")
                return
            looker._keep(file, found)  # noqa: SLF001
        with self._lock:
            self.faces[file.path] = found

    def _ask(self, file: PinnedFile) -> Face:
        assert file.size is not None
        seen = _Seen(self.tap, file)
        found = face.look(
            file.path, file.size, seen.read, portrait.role(self._pinned.kind, file)
        )
        seen.check()
        return found


class _Seen:
    """A file upstream, read in ranges; what was read from its start is kept."""

    def __init__(self, tap: Tap, file: PinnedFile) -> None:
        self._tap, self._file = tap, file
        self._front = bytearray()

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from *start* to *stop*."""
        front = self._front
        if start > len(front):
            return self._pull(start, stop)
        if stop > len(front):
            front += self._pull(len(front), stop)
        return bytes(front[start:stop])

    def check(self) -> None:
        """Refuse what was read whole and is not what upstream states.

        Raises:
            SourceError: It is not.
        """
        file, data = self._file, self._front
        if len(data) != file.size:
            return
        oid = git_blob_hasher(len(data))
        oid.update(data)
        stated = (file.sha256, sha256(data)), (file.git_oid, oid.hexdigest())
        for wanted, found in stated:
            if wanted is not None and wanted != found:
                problem = f"`{naming.show(file.path)}` arrived as {found}, "
                raise SourceError(problem + f"upstream states {wanted}")

    def _pull(self, start: int, stop: int) -> bytes:
        body = bytearray()

        def keep(chunk: bytes, at: int) -> None:
            body[at - start :] = chunk

        pull(self._tap, self._file, start, stop, keep)
        return bytes(body)


def _from_store(store: BlobStore, blob: Sha256, start: int, stop: int) -> bytes:
    return b"".join(store.read(blob, start=start, stop=stop))


def _keys(file: PinnedFile | ReleaseFile) -> list[str]:
    """Return what the bytes of *file* are known by; the first is what to keep them by."""
    named = (("sha256", file.sha256), ("git", file.git_oid))
    return [f"{word}-{digest}" for word, digest in named if digest is not None]


def _encode(one: Face) -> bytes:
    tensors = one.tensors
    return canonical.encode(
        {
            "format": FORMAT,
            "word": one.format,
            "class": one.content_class.value,
            "tensors": None
            if tensors is None
            else {name: _spell(one) for name, one in tensors.items()},
            "settings": one.settings,
            "templates": one.templates,
            "problem": one.problem,
        }
    )


def _decode(data: bytes, name: str) -> Face:
    top = Fields(canonical.decode(data, name=name, limit=_LIMIT), record=name)
    top.expect("format", FORMAT)
    tensors = None
    if top.has("tensors"):
        told = _texts(top, "tensors")
        tensors = {key: _tensor(top, value) for key, value in told.items()}
    return Face(
        format=top.text("word"),
        content_class=top.choice("class", ContentClass),
        tensors=tensors,
        settings=_texts(top, "settings"),
        templates=_texts(top, "templates"),
        problem=top.text("problem"),
    )


def _spell(one: Tensor) -> str:
    # As text: a header may claim lengths that no number of a record holds.
    return " ".join((one.dtype, *map(str, one.shape)))


def _tensor(top: Fields, value: str) -> Tensor:
    if _TENSOR.fullmatch(value) is None:
        top.refuse("tensors", "holds what is no tensor")
    dtype, *lengths = value.split(" ")
    return Tensor(dtype, tuple(map(int, lengths)))


def _texts(top: Fields, key: str) -> Mapping[str, str]:
    found = top.table(key)
    return {name: found.text(name) for name in found.names()}
