"""What somebody means who asks where a thing came from: a name, a digest, or a path.

Of a path only the bytes count. A file of an installed package is looked for in the wheel
of its name and version; of a folder each file is hashed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airlift import naming
from airlift.artifact import Kind, ReleaseFile
from airlift.audit import wheel_records
from airlift.audit.site import Site
from airlift.digest import Sha256, is_sha256
from airlift.errors import AirliftError, RequestError
from airlift.install import observing
from airlift.install.checking import walk
from airlift.payload import installed
from airlift.progress import Advance, Progress
from airlift.registry.held import Delivered, Held
from airlift.store.durable import names, read_file

FOREIGN: Final = 1000
"""Most files of a folder that are named as not ours; the rest is counted."""
_SCHEME: Final = "sha256:"
_NOWHERE: Final = "no release that is held has these bytes"

Placed = tuple[Held, ReleaseFile | None]
"""A release, and the file of it that is meant; None for all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What was asked about, and what it turned out to be.

    Attributes:
        asked: As it was asked.
        digest: SHA-256 of the bytes, or the digest that was asked about; may be empty.
        releases: What has it here, with the file that does.
        delivery: The delivery that was meant; None for none.
        how: How a path's bytes were recognised; empty where no path was meant.
        why: Why it is not ours; empty where it is.
        unread: What could not be read, with its reason.
    """

    asked: str
    digest: str = ""
    releases: tuple[Placed, ...] = ()
    delivery: Delivered | None = None
    how: str = ""
    why: str = ""
    unread: tuple[str, ...] = ()

    @property
    def is_foreign(self) -> bool:
        """Whether nothing here has it."""
        return bool(self.why)


def find(site: Site, asked: str, progress: Progress) -> tuple[Origin, ...]:
    """Return what *asked* means.

    What begins with ``/``, ``.`` or ``~`` is a path; anything else a release or a digest
    if there is one, and then a path.

    Args:
        site: Open.
        asked: ``KIND:NAME@REVISION``, an id, a digest, or a path.
        progress: Told about bytes hashed.

    Raises:
        RequestError: Nothing is called so, or several things are.
        StoreError: A folder cannot be listed.
    """
    path = Path(asked).expanduser()
    if asked.startswith(("/", ".", "~")):
        return _path(site, asked, path, progress)
    if found := _digest(site, asked):
        return (found,)
    try:
        held = site.registry.find(asked)
    except RequestError:
        if path.exists():
            return _path(site, asked, path, progress)
        raise
    return (Origin(asked=asked, releases=((held, None),)),)


def _digest(site: Site, asked: str) -> Origin | None:
    """Return what has the digest *asked*; None where it is no whole digest."""
    text = asked.removeprefix(_SCHEME).lower()
    if not is_sha256(text):
        return None
    digest = Sha256(text)
    named = [one for one in site.releases if digest in (one.id, one.release.revision)]
    placed: list[Placed] = [(one, None) for one in named]
    placed += _having(site, digest)
    delivery = next((one for one in site.deliveries if one.id == digest), None)
    if placed or delivery:
        return Origin(
            asked=asked, digest=digest, releases=tuple(placed), delivery=delivery
        )
    why = "no release, delivery or file that is held has this digest"
    return Origin(asked=asked, digest=digest, why=why)


def _having(site: Site, digest: Sha256) -> Iterator[Placed]:
    """Yield the releases that have a blob, with its first path in each."""
    for held in site.registry.using(digest):
        yield held, next(one for one in site.files(held) if one.sha256 == digest)


def _path(site: Site, asked: str, path: Path, progress: Progress) -> tuple[Origin, ...]:
    if path.is_dir():
        return tuple(_folder(site, asked, path, progress))
    found = observing.look(path)
    if found is None:
        problem = f"there is no file {naming.show(asked)}"
        raise RequestError(problem, hint="name a release, a digest, a file or a folder")
    with progress.task("hashing", found[1]) as advance:
        return (_file(site, asked, path, advance),)


def _file(site: Site, asked: str, path: Path, advance: Advance) -> Origin:
    digest, size = observing.digest(path, advance)
    if digest is None:
        return Origin(asked=asked, unread=(f"{asked}: it cannot be read",))
    if placed := tuple(_having(site, digest)):
        how = f"its {size} bytes are those of the file"
        return Origin(asked=asked, digest=digest, releases=placed, how=how)
    manifests = [
        one
        for one in site.releases
        if one.release.kind in (Kind.OLLAMA, Kind.OCI)
        and one.release.revision == digest
    ]
    if manifests:
        how = "it is the manifest of the release"
        placed = tuple((one, None) for one in manifests)
        return Origin(asked=asked, digest=digest, releases=placed, how=how)
    return _packaged(site, asked, path, digest)


def _folder(site: Site, asked: str, root: Path, progress: Progress) -> Iterator[Origin]:
    """Yield what the files below *root* are: by release, and each that is not ours."""
    paths = list(walk(root))
    found = [observing.look(root / one) for one in paths]
    groups: dict[Sha256, list[Origin]] = defaultdict(list)
    foreign: list[Origin] = []
    with progress.task("hashing", sum(one[1] for one in found if one)) as advance:
        for path in paths:
            one = _file(site, f"{asked.rstrip('/')}/{path}", root / path, advance)
            if one.is_foreign or one.unread:
                foreign.append(one)
            else:
                groups[one.releases[0][0].id].append(one)
    for each in groups.values():
        held = each[0].releases[0][0]
        how = f"{len(each)} of {len(paths)} files here are of it"
        yield Origin(asked=asked, digest=held.id, releases=((held, None),), how=how)
    yield from foreign[:FOREIGN]
    if len(foreign) > FOREIGN:
        more = len(foreign) - FOREIGN
        yield Origin(asked=asked, why=f"{more} more files here are not ours")


# --- files of installed packages ------------------------------------------------------


def _packaged(site: Site, asked: str, path: Path, digest: Sha256) -> Origin:
    """Return which wheel the installed file *path* came in, if any."""
    owner = _owner(path.absolute())
    if owner is None:
        return Origin(asked=asked, digest=digest, why=_NOWHERE)
    name, version, place = owner
    wheels = wheel_records.by_package(site).get((name, version), [])
    for one in wheels:
        files = wheel_records.placed(site, one.file)
        if files is not None and files.get(place) == installed.spelt(digest):
            how = f"installed from {one.file.path}, as its RECORD says"
            return Origin(
                asked=asked, digest=digest, releases=((one.held, one.file),), how=how
            )
    package = f"{name} {version}"
    why = f"a file of {package}, and no wheel of that is held"
    if wheels:
        why = f"a file of {package}, with other bytes than in its wheels"
    return Origin(asked=asked, digest=digest, why=why)


def _owner(path: Path) -> tuple[str, str, str] | None:
    """Return package, version and path in it of an installed file; None for none."""
    for folder in path.parents:
        try:
            infos = [one for one in names(folder) if one.endswith(".dist-info")]
        except AirliftError:
            return None
        place = path.relative_to(folder).as_posix()
        for info in infos:
            if any(line.path == place for line in _record(folder / info / "RECORD")):
                return _named(info, place)
        if infos:
            return None
    return None


def _record(path: Path) -> Iterable[installed.Line]:
    try:
        return installed.read(read_file(path, limit=installed.LIMIT))
    except AirliftError:
        return ()


def _named(info: str, place: str) -> tuple[str, str, str] | None:
    named = installed.project(info)
    return None if named is None else (*named, place)
