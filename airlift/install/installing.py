"""Put a release into a runtime's folder while the runtime may be using it.

The law: **content first, names last, each by rename.** A reader finds what was there
before or what is there now, whole; an interruption or a power cut at any moment leaves
nothing that looks finished and is not. What is there already is hashed: identical
files stay, and other people's files are never changed.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from airlift import naming
from airlift.artifact import ReleaseFile
from airlift.errors import StoreError
from airlift.install import survey
from airlift.install.layout import Blob, Layout, Name, Order, Target, Text
from airlift.install.owner import Owner
from airlift.install.placing import Placer, Way
from airlift.install.tree import Tree, folder_mode, make_folder, stage
from airlift.progress import Progress
from airlift.store.durable import Disk, failing, free_bytes
from airlift.store.store import Store

_NAME_MODE = 0o644
"""Names belong to the runtime, which moves and deletes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What an installation did.

    Attributes:
        ways: How many files came in which way.
        written: Bytes of them.
        present: How many files were there already, identical.
        names: Paths of the names that were made or moved, in order.
        notes: What the user is to know.
    """

    ways: Mapping[Way, int]
    written: int
    present: int
    names: tuple[str, ...]
    notes: tuple[str, ...]


def install(
    order: Order,
    target: Target,
    store: Store,
    confirm: Callable[[], None],
    progress: Progress,
) -> Installed:
    """Install a release.

    Args:
        order: What, where and how.
        target: The runtime.
        store: Where the blobs are.
        confirm: Called when all content is in place, before any name leads to it;
            raises where the release may no longer be installed.
        progress: Told about bytes checked and written.

    Raises:
        RequestError: The runtime has no place for it, or files of others stand there.
        StoreError: The disk is too full or refused, or a blob of the store is not
            what its name says; no name leads to anything then.
    """
    owner = Owner.of(order.root)
    read = order.parcel.read

    def read_aside(file: ReleaseFile, start: int, stop: int) -> bytes:
        with owner.aside():
            return read(file, start, stop)

    parcel = replace(order.parcel, read=read_aside)
    with owner.acting():
        tree = Tree(Path(os.path.abspath(order.root)))  # noqa: PTH100 - links stay
        layout = target.layout(parcel, tree, order.now)
        wanted = survey.wanted(order, layout, tree, progress)
        with _private(layout, tree) if wanted else nullcontext(tree.root) as private:
            work = _Work(order, layout, tree, owner, private)
            return work.do(store, wanted, confirm, progress)


@contextmanager
def _private(layout: Layout, tree: Tree) -> Iterator[Path]:
    """Give a folder for what is not finished, on the disk it will lie on."""
    disk, base = Disk(), tree.root / layout.base
    if layout.whole == "" and not tree.there(""):
        base = tree.root.parent  # the root itself is what appears at once
    make_folder(disk, base)
    with stage(disk, base) as folder:
        yield folder


class _Work:
    """One installation under way.

    Args:
        order: What, where and how.
        layout: What is to be where.
        tree: The folder it goes to.
        owner: Whose rights are in force.
        private: A folder that nobody looks into, on the same disk.
    """

    def __init__(
        self, order: Order, layout: Layout, tree: Tree, owner: Owner, private: Path
    ) -> None:
        self._order, self._layout = order, layout
        self._root, self._tree, self._private = tree.root, tree, private
        self._owner, self._disk = owner, Disk()
        self._count = 0
        self._moves: list[tuple[Path, Path]] = []
        self._built: Path | None = None
        if layout.whole is not None and not tree.there(layout.whole):
            self._built = private / "whole"

    def do(
        self,
        store: Store,
        wanted: frozenset[str],
        confirm: Callable[[], None],
        progress: Progress,
    ) -> Installed:
        """Place the blobs, then make the names."""
        layout = self._layout
        seconds = int(datetime.fromisoformat(self._order.now).timestamp())
        placer = Placer(store, self._order.way, self._owner, seconds)
        blobs = [one for one in layout.blobs if one.path in wanted]
        names = [one for one in layout.names if one.path in wanted]
        self._forecast(placer, blobs)
        self._make_folders()
        ways = self._place(placer, blobs, progress)
        with self._owner.aside():
            confirm()
        self._name(names, Placer(store, Way.COPY, self._owner, seconds))
        # A runtime that starts meanwhile deletes content that no name led to yet.
        if lost := self._lost():
            self._place(placer, lost, progress)
            self._move_in()
        if lost := self._lost():
            raise _vanished(self._root, lost)
        return Installed(
            ways=ways,
            written=sum(one.size for one in blobs),
            present=len(layout.blobs) - len(blobs),
            names=tuple(one.path for one in names),
            notes=layout.notes,
        )

    def _forecast(self, placer: Placer, blobs: Sequence[Blob]) -> None:
        """Refuse what cannot fit, before the first byte is written."""
        largest = max(blobs, key=lambda one: one.size, default=None)
        if largest is None or self._order.way is Way.LINK:
            return
        if placer.shares(largest.sha256, self._fresh_path()):
            return
        needed = sum(one.size for one in blobs)
        with failing("look at", self._private):
            free = free_bytes(self._private)
        if needed > free:
            shown = naming.show(str(self._root))
            problem = f"{needed} bytes are to be copied to {shown}, {free} are free"
            raise StoreError(problem, hint="make room there, then run it again")

    def _make_folders(self) -> None:
        for folder in self._layout.folders:
            make_folder(self._disk, self._root / folder)
        if self._built is not None:
            assert self._layout.whole is not None
            parent = (self._root / self._layout.whole).parent
            make_folder(self._disk, parent)
            self._disk.make_folder(self._built, mode=folder_mode(parent))

    def _fresh_path(self) -> Path:
        self._count += 1
        return self._private / str(self._count)

    # --- content ----------------------------------------------------------------

    def _place(
        self, placer: Placer, blobs: Sequence[Blob], progress: Progress
    ) -> Counter[Way]:
        ways: Counter[Way] = Counter()
        total = sum(one.size for one in blobs)
        with progress.task("installing", total) as advance:
            for blob in blobs:
                fresh = self._fresh_path()
                ways[placer.place(blob.sha256, fresh, advance)] += 1
                target = self._target(blob.path)
                if self._layout.in_view and self._built is None:
                    self._moves.append((fresh, target))
                else:
                    self._rename(fresh, target)
        return ways

    def _target(self, path: str) -> Path:
        """Return where *path* is to be made: in what is yet to appear, or at once."""
        if self._built is not None:
            inside = Path(path).parts[len(Path(self._layout.whole or "").parts) :]
            if self._is_inside(path):
                return self._built.joinpath(*inside)
        return self._root / path

    def _is_inside(self, path: str) -> bool:
        whole = self._layout.whole
        return whole is not None and Path(path).is_relative_to(whole)

    def _rename(self, fresh: Path, target: Path) -> None:
        make_folder(self._disk, target.parent)
        self._disk.rename(fresh, target)
        self._disk.sync_folder(target.parent)

    def _lost(self) -> list[Blob]:
        return [
            one for one in self._layout.blobs if self._tree.size(one.path) != one.size
        ]

    # --- names ------------------------------------------------------------------

    def _name(self, names: Sequence[Name], placer: Placer) -> None:
        inside = [one for one in names if self._is_inside(one.path)]
        outside = [one for one in names if not self._is_inside(one.path)]
        made = [(self._made(one, placer), one.path) for one in (*inside, *outside)]
        self._move_in()
        for fresh, path in made[: len(inside)]:
            self._rename(fresh, self._target(path))
        if self._built is not None:
            assert self._layout.whole is not None
            self._rename(self._built, self._root / self._layout.whole)
            self._built = None
        for fresh, path in made[len(inside) :]:
            self._rename(fresh, self._root / path)

    def _move_in(self) -> None:
        for fresh, target in self._moves:
            self._rename(fresh, target)
        self._moves.clear()

    def _made(self, name: Name, placer: Placer) -> Path:
        """Make *name* under a private name, durable; return that."""
        fresh = self._fresh_path()
        if isinstance(name, Blob):
            placer.place(name.sha256, fresh, lambda _: None, mode=_NAME_MODE)
        elif isinstance(name, Text):
            self._disk.write_file(fresh, name.content, mode=_NAME_MODE)
        else:
            with failing("link to", fresh):
                fresh.symlink_to(name.to)
        return fresh


def _vanished(root: Path, lost: Sequence[Blob]) -> StoreError:
    shown = naming.show(lost[0].path)
    problem = (
        f"`{shown}` in {naming.show(str(root))} was deleted while it was installed"
    )
    hint = "another program cleans up there: stop it, then run the same command again"
    return StoreError(problem, hint=hint)
