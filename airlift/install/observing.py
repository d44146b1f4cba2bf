"""What a runtime's host holds: models of a hub's cache and of Ollama, every byte hashed.

Nothing is believed that a file name says: a digest here is that of the bytes as they are.
What cannot be read is told as such; it never stops the rest from being looked at.
"""

import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final, TypeAlias

from airlift import naming
from airlift.digest import Sha256, sha256, sha256_of
from airlift.errors import AirliftError
from airlift.format import observation
from airlift.format.observation import Place, SeenFile, SeenModel
from airlift.install.checking import need_folder, walk
from airlift.install.tree import Tree, chunks
from airlift.lookahead import ahead
from airlift.payload import ollama
from airlift.progress import Advance, Progress
from airlift.store.durable import names

_REPOSITORIES: Final = {"models--": "", "datasets--": "datasets/"}
_DEPTH: Final = 4
"""Parts of the path of Ollama's manifests: registry, namespace, model, tag."""
_OWN: Final = "registry.ollama.ai/library/"
_Inode: TypeAlias = tuple[int, int]


@dataclass(slots=True)
class Notes:
    """What could not be read, gathered while a host is looked at."""

    lines: list[str] = field(default_factory=list)

    def add(self, where: str, problem: str) -> None:
        """Take down that something in the place *where* could not be read."""
        if len(self.lines) < observation.LINES:
            line = f"{naming.show(where)}: {naming.show(problem)}"
            self.lines.append(line[: observation.WORDS])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A file to hash: of which model, as what, and where it lies."""

    model: tuple[Place, str, str]
    path: str
    place: Path


def models(
    places: Sequence[tuple[Place, Path]], progress: Progress, notes: Notes
) -> tuple[SeenModel, ...]:
    """Return the models that lie in *places*, by place, name and revision.

    Args:
        places: What sort each is, and its folder: ``$HF_HOME/hub``, ``$OLLAMA_MODELS``.
        progress: Told about bytes hashed.
        notes: Takes what could not be read.

    Raises:
        StoreError: A place is no folder.
    """
    wanted: list[_Wanted] = []
    for sort, root in places:
        need_folder(root)
        wanted += _LISTS[sort](root, notes)
    if len(wanted) > observation.FILES:
        left = len(wanted) - observation.FILES
        notes.add("models", f"{left} more files are here than can be told")
        wanted = wanted[: observation.FILES]
    sizes = {
        key: size
        for one in wanted
        if (found := look(one.place))
        for key, size in [found]
    }
    with progress.task("hashing", sum(sizes.values())) as advance:
        bench = _Bench(advance)
        hashed = list(ahead(wanted, bench.look))
    pairs = sorted(
        zip(wanted, hashed, strict=True), key=lambda pair: (pair[0].model, pair[0].path)
    )
    return tuple(
        SeenModel(
            place=place,
            name=name,
            revision=revision,
            files=tuple(file for _, file in group),
        )
        for (place, name, revision), group in groupby(pairs, lambda pair: pair[0].model)
    )


def digest(place: Path, advance: Advance) -> tuple[Sha256 | None, int]:
    """Return the SHA-256 and the bytes of the regular file *place*; None if unreadable."""
    try:
        if look(place) is None:
            return None, 0

        def told() -> Iterator[bytes]:
            for chunk in chunks(place):
                advance(len(chunk))
                yield chunk

        return sha256_of(told())
    except AirliftError:
        return None, 0


def look(place: Path) -> tuple[_Inode, int] | None:
    """Return which regular file *place* leads to, and its bytes; None for none.

    A pipe or a device would be waited for, and is no file of a model.
    """
    try:
        found = place.stat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return (found.st_dev, found.st_ino), found.st_size


class _Bench:
    """Hashes files; one that several names lead to, once."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._known: dict[_Inode, tuple[Sha256 | None, int]] = {}

    def look(self, one: _Wanted) -> SeenFile:
        found = look(one.place)
        if found is None:
            return SeenFile(path=one.path, size=0, sha256=None)
        if found[0] not in self._known:
            self._known[found[0]] = digest(one.place, self._advance)
        hashed, size = self._known[found[0]]
        return SeenFile(path=one.path, size=size, sha256=hashed)


def _hub(root: Path, notes: Notes) -> Iterator[_Wanted]:
    """Yield the files that the snapshots of a hub's cache lead to."""
    for folder in names(root):
        start = next((one for one in _REPOSITORIES if folder.startswith(one)), "")
        snapshots = root / folder / "snapshots"
        if not start or not snapshots.is_dir():
            continue
        name = _REPOSITORIES[start] + folder.removeprefix(start).replace("--", "/")
        for commit in names(snapshots):
            try:
                paths = list(walk(snapshots / commit))
            except AirliftError:
                notes.add("hub", f"{name} {commit} cannot be listed")
                continue
            for path in paths:
                yield _Wanted(
                    model=(Place.HUB, _told(name), _told(commit)),
                    path=_told(path),
                    place=snapshots / commit / path,
                )


def _ollama(root: Path, notes: Notes) -> Iterator[_Wanted]:
    """Yield the blobs that the manifests of Ollama's folder name."""
    folder = root / "manifests"
    for path in walk(folder) if folder.is_dir() else ():
        if path.count("/") + 1 != _DEPTH:
            continue
        name, tag = path.removeprefix(_OWN).rsplit("/", 1)
        told = f"{name}:{tag}"
        try:
            content = Tree(folder).read(path) or b""
            image = ollama.decode(content)
        except AirliftError:
            notes.add("ollama", f"the manifest of {told} cannot be read")
            continue
        model = (Place.OLLAMA, _told(told), sha256(content))
        for blob in sorted({layer.sha256 for layer in image.blobs}):
            place = root / ollama.blob_path(blob)
            yield _Wanted(model=model, path=blob, place=place)


def _told(text: str) -> str:
    """Return *text* as a record can hold it, whatever bytes a file name has."""
    return naming.show(text)[: observation.WORDS]


_LISTS: Final[dict[Place, Callable[[Path, Notes], Iterable[_Wanted]]]] = {
    Place.HUB: _hub,
    Place.OLLAMA: _ollama,
}
