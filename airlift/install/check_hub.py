"""What a cache of huggingface_hub holds."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from airlift.artifact import ReleaseFile
from airlift.digest import Sha256, is_sha256
from airlift.errors import RequestError
from airlift.install import hf_cache
from airlift.install.check_folder import stale
from airlift.install.checking import Claim, Finding, What, need_folder, walk
from airlift.install.records import Known
from airlift.install.tree import Tree
from airlift.store.durable import names

_GIT = re.compile(r"[0-9a-f]{40}", re.ASCII)


def claims(root: Path, known: Sequence[Known]) -> Iterator[Claim | Finding]:
    """Yield what the cache *root* (``$HF_HOME/hub``) holds, repository by repository.

    Every file a snapshot leads to is claimed; of repositories nobody knows, what the
    names of their blobs say.

    Raises:
        StoreError: The disk cannot be read.
    """
    need_folder(root)
    asked = any(one.asked for one in known)
    by_folder: dict[str, list[Known]] = {}
    for one in known:
        if one.release.kind in hf_cache.KINDS and (place := _folder(one)):
            by_folder.setdefault(place, []).append(one)
    there = [
        name
        for name in names(root)
        if name.startswith(("models--", "datasets--")) and (root / name).is_dir()
    ]
    for name in there:
        releases = by_folder.get(name, [])
        if not asked or any(one.asked for one in releases):
            yield from _repository(root, name, releases)
    for one in known:
        if one.asked and one.release.kind in hf_cache.KINDS:
            place = f"{_folder(one)}/snapshots/{one.release.revision}"
            if not (root / place).is_dir():
                problem = "there is no snapshot of this release"
                yield Finding(
                    what=What.MISSING, path=place, problem=problem, release=one.label
                )


def _folder(known: Known) -> str:
    try:
        return hf_cache.folder_of(known.release)
    except RequestError:
        return ""  # no hub client can have it


def _repository(
    root: Path, name: str, releases: Sequence[Known]
) -> Iterator[Claim | Finding]:
    asked = any(one.asked for one in releases)
    snapshots = root / name / "snapshots"
    commits = names(snapshots) if snapshots.is_dir() else []
    for commit in commits:
        made = [one for one in releases if one.release.revision == commit]
        if not asked or any(one.asked for one in made):
            yield from _snapshot(root, f"{name}/snapshots/{commit}", made)
    refs = root / name / "refs"
    for ref in walk(refs) if refs.is_dir() else ():
        led = (Tree(refs).read(ref) or b"").decode("ascii", "replace").strip()
        if led not in commits:
            yield Finding(
                what=What.MISSING,
                path=f"{name}/refs/{ref}",
                problem="it leads to a snapshot that is not here",
                needed=False,
            )


def _snapshot(
    root: Path, place: str, releases: Sequence[Known]
) -> Iterator[Claim | Finding]:
    there = set(walk(root / place))
    # Of one commit, several releases may have been carried and only one installed.
    present = [
        one
        for one in releases
        if one.asked or any(file.path in there for file in one.release.files)
    ]
    expected: dict[str, tuple[ReleaseFile, Known]] = {}
    for one in present:
        yield from stale(one, place)
        expected |= {file.path: (file, one) for file in one.release.files}
    for path in sorted(there | expected.keys()):
        full = f"{place}/{path}"
        if path in expected:
            file, one = expected[path]
            yield Claim(
                path=full,
                place=root / full,
                sha256=file.sha256,
                good=What.INTACT,
                release=one.label,
                needed=one.asked,
            )
        else:
            yield _other(root, full, What.EXTRA if present else What.UNKNOWN)


def _other(root: Path, path: str, what: What) -> Claim:
    """Return the claim of a file in no release: what its blob's name says of it."""
    place = root / path
    to = place.readlink() if place.is_symlink() else Path()
    # Newer clients may link to a store that goes by another hash.
    name = to.name if to.parent.name == "blobs" else ""
    return Claim(
        path=path,
        place=place,
        good=what,
        sha256=Sha256(name) if is_sha256(name) else None,
        git_oid=name if _GIT.fullmatch(name) else None,
        note="it is in none of the records",
    )
