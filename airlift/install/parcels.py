"""Choose what may be installed, and make it ready."""

from collections.abc import Callable
from dataclasses import replace

from airlift import naming
from airlift.artifact import ReleaseFile
from airlift.errors import RequestError
from airlift.install import refs
from airlift.install.layout import Parcel, Target
from airlift.install.tree import SMALL
from airlift.registry import finding
from airlift.registry.held import Held, State
from airlift.registry.registry import Registry
from airlift.store.store import Store


def choose(registry: Registry, reference: str) -> Held:
    """Return the live release that *reference* means.

    Raises:
        RequestError: It means none, or several, or one that may not be installed.
        RegistryError: The database cannot answer.
    """
    held = registry.find(reference)
    check_live(held)
    return held


def check_live(held: Held) -> None:
    """Refuse a release that may not be handed out.

    Raises:
        RequestError: It is denied, retired or in quarantine.
    """
    name = finding.label(held)
    if held.denied:
        problem = f"{name} is denied: {naming.show(held.denied)}"
        raise RequestError(problem, hint="`airlift list` shows what is live")
    if held.state is not State.LIVE:
        problem = f"{name} is not live but {held.state.value}"
        raise RequestError(problem, hint=f"`airlift activate {held.id[:12]}` first")


def still_live(registry: Registry, held: Held) -> Callable[[], None]:
    """Return what raises ``RequestError`` once *held* may no longer be installed."""

    def check() -> None:
        check_live(registry.find(held.id))

    return check


def parcel(registry: Registry, store: Store, held: Held, target: Target) -> Parcel:
    """Return *held*, ready to be laid out for *target*.

    Raises:
        RequestError: The target has no place for its kind.
        RegistryError: The database cannot answer.
    """
    release = held.release
    if release.kind not in target.kinds:
        kinds = ", ".join(sorted(target.kinds))
        problem = f"{finding.label(held)} is not for {target.noun}, which takes {kinds}"
        raise RequestError(problem, hint="choose another `--to`")
    kinds_of_name = refs.together(release.kind)
    named = [
        one
        for one in registry.releases(name=release.name)
        if one.release.kind in kinds_of_name
    ]
    live = [one for one in named if one.state is State.LIVE and not one.denied]
    ours = {file.sha256 for one in named for file in registry.files(one.id)}
    tree = {
        file.path: file
        for one in (*reversed(live), held)
        if one.release.revision == release.revision
        for file in registry.files(one.id)
    }
    return Parcel(
        id=held.id,
        release=replace(release, files=registry.files(held.id)),
        refs=refs.leading_to(held, live),
        ours=frozenset(ours | {one.release.revision for one in named}),
        tree=tuple(tree[path] for path in sorted(tree)),
        read=_reader(store),
    )


def _reader(store: Store) -> Callable[[ReleaseFile, int, int], bytes]:
    def read(file: ReleaseFile, start: int, stop: int) -> bytes:
        end = min(stop, file.size, start + SMALL)
        return b"".join(store.read(file.sha256, start=min(start, end), stop=end))

    return read
