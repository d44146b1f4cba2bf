"""What a folder has already of that which is to be installed there."""

from collections.abc import Sequence
from enum import Enum, auto
from pathlib import Path

from airlift import naming
from airlift.errors import RequestError
from airlift.install.layout import Blob, Layout, Link, Name, Order, Text
from airlift.install.tree import Tree
from airlift.progress import Advance, Progress

_LISTED = 5


class _State(Enum):
    ABSENT = auto()
    SAME = auto()
    OURS = auto()
    FOREIGN = auto()


def wanted(
    order: Order, layout: Layout, tree: Tree, progress: Progress
) -> frozenset[str]:
    """Return the paths that are to be made or replaced.

    Args:
        order: What is installed.
        layout: Where it goes.
        tree: The folder as it is.
        progress: Told about bytes hashed.

    Raises:
        RequestError: Something stands there that is not to be replaced.
    """
    sizes = (tree.size(one.path) for one in layout.blobs)
    total = sum(size for size in sizes if size is not None)
    found, refused = set(), []
    with progress.task("checking", total) as advance:
        look = _Look(order, layout, tree, advance)
        for item in (*layout.blobs, *layout.names):
            state = look.at(item)
            if state is not _State.SAME:
                found.add(item.path)
            if state is _State.FOREIGN and not order.replace:
                refused.append(item.path)
    if refused:
        raise _foreign(tree.root, refused)
    return frozenset(found)


def _foreign(root: Path, refused: Sequence[str]) -> RequestError:
    shown = ", ".join(f"`{naming.show(path)}`" for path in refused[:_LISTED])
    more = len(refused) - _LISTED
    rest = f" and {more} more" if more > 0 else ""
    problem = (
        f"{naming.show(str(root))} has files of other content where this release's "
        f"belong: {shown}{rest}"
    )
    hint = (
        "look at them (`airlift verify-client` tells damage), then move them away or "
        "add --replace"
    )
    return RequestError(problem, hint=hint)


class _Look:
    """Compares what is there with what is to be there."""

    def __init__(
        self, order: Order, layout: Layout, tree: Tree, advance: Advance
    ) -> None:
        self._ours = order.parcel.ours
        self._hidden = frozenset(
            () if layout.in_view else (one.path for one in layout.blobs)
        )
        self._tree, self._advance = tree, advance

    def at(self, item: Name) -> _State:
        if not self._tree.there(item.path):
            return _State.ABSENT
        if isinstance(item, Text):
            return self._text(item)
        if isinstance(item, Link):
            place = self._tree.root / item.path
            if place.is_symlink() and str(place.readlink()) == item.to:
                return _State.SAME  # what it leads to is an item of its own
            return self._bytes(item.shows, item.path)
        return self._bytes(item, item.path)

    def _text(self, item: Text) -> _State:
        if self._tree.size(item.path) is None:
            return _State.FOREIGN
        found = self._tree.read(item.path)
        if found == item.content:
            return _State.SAME
        ours = found is not None and item.replaces(found)
        return _State.OURS if ours else _State.FOREIGN

    def _bytes(self, blob: Blob, path: str) -> _State:
        size = self._tree.size(path)
        if size is None:
            return _State.FOREIGN
        hidden = path in self._hidden
        if hidden and size != blob.size:
            return _State.FOREIGN
        found = self._tree.digest(path, self._advance)
        if found == blob.sha256:
            return _State.SAME
        # A file under another one's digest is damage, whoever wrote it.
        return _State.OURS if found in self._ours and not hidden else _State.FOREIGN
