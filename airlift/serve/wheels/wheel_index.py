"""The union of all live wheel sets, by project, as the simple index lists it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from airlift.artifact import Kind, LiveRelease, ReleaseFile
from airlift.digest import Sha256
from airlift.payload import wheel_names
from airlift.serve.dialect import Shelf

KINDS = frozenset({Kind.WHEELS})
METADATA = ".metadata"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One file that an installer can choose.

    Attributes:
        file: Its path is the file's name, exactly as upstream spells it.
        metadata: The file of its METADATA, or None where it was not carried.
        version: As the file's name states it, local part included.
        release: Id of the release it is served from.
    """

    file: ReleaseFile
    metadata: ReleaseFile | None
    version: Version
    release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelIndex:
    """What one generation of the live set offers to installers.

    Attributes:
        projects: Normalised name to its files, oldest version first.
        files: Every live file, listed or not, with its release, by its name and the
            SHA-256 of the distribution: a page fetched a moment ago stays
            installable. Metadata goes by its distribution's SHA-256 (PEP 658).
        statuses: What upstream says of projects that it says anything of, with its
            reason (PEP 792). Those in quarantine have no files here.
    """

    projects: Mapping[NormalizedName, tuple[Distribution, ...]]
    files: Mapping[tuple[str, Sha256], tuple[ReleaseFile, str]]
    statuses: Mapping[NormalizedName, tuple[str, str]]


def build(shelf: Shelf) -> WheelIndex:
    """Read all live wheel sets from *shelf*.

    Where two sets hold different bytes under one file name, the set taken in last
    is listed: an index may not offer one name twice. So is what that set says of a
    project.
    """
    newest_first = sorted(
        shelf.releases(KINDS),
        key=lambda live: (live.imported, live.release.counter, live.id),
        reverse=True,
    )
    every = [
        found
        for live in newest_first
        for found in _distributions(
            {file.path: file for file in shelf.files(live.id)}, live
        )
    ]
    statuses: dict[NormalizedName, tuple[str, str]] = {}
    for project, one in every:
        statuses.setdefault(project, wheel_names.status(one.file))
    listed: dict[str, tuple[NormalizedName, Distribution]] = {}
    files: dict[tuple[str, Sha256], tuple[ReleaseFile, str]] = {}
    for project, one in every:
        # Installers ignore the status: only what they cannot get, they leave alone.
        if statuses[project][0] == wheel_names.QUARANTINED:
            continue
        listed.setdefault(one.file.path, (project, one))
        for file in filter(None, (one.file, one.metadata)):
            files.setdefault((file.path, one.file.sha256), (file, one.release))
    projects: dict[NormalizedName, list[Distribution]] = {}
    for project, one in listed.values():
        projects.setdefault(project, []).append(one)
    return WheelIndex(
        projects={name: _sorted(projects[name]) for name in sorted(projects)},
        files=files,
        statuses={
            name: said
            for name, said in statuses.items()
            if said[0] != wheel_names.ACTIVE
        },
    )


def _sorted(found: list[Distribution]) -> tuple[Distribution, ...]:
    return tuple(sorted(found, key=lambda one: (one.version, one.file.path)))


def _distributions(
    held: Mapping[str, ReleaseFile], live: LiveRelease
) -> Iterator[tuple[NormalizedName, Distribution]]:
    for path, file in held.items():
        if (parsed := wheel_names.parse(path)) is not None:
            project, version = parsed
            one = Distribution(
                file=file,
                metadata=held.get(path + METADATA),
                version=version,
                release=live.id,
            )
            yield project, one


def normalised(name: str) -> NormalizedName:
    """Return *name* as PEP 503 spells it."""
    return canonicalize_name(name)
