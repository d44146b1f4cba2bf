"""What a manifest or a lock on the command line asks for, pinned."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from airlift import naming
from airlift.artifact import Json, Kind, Pinned, Wish
from airlift.cli import config, output
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.fetch import Settings
from airlift.format import lock, manifest
from airlift.outbound.fetching import resolve
from airlift.progress import Progress
from airlift.sources import connect
from airlift.sources.source import NearSource, Source, Taking

_LIMIT = 256 << 20
_PATH_KEYS = ("path", "requirements-file")
"""Options that name a file: relative to the manifest, as its writer meant them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Artifacts at exact revisions.

    Attributes:
        manifest_sha256: Of the manifest they come from.
        locked: Whether they come from a lock.
    """

    pinned: tuple[Pinned, ...]
    manifest_sha256: Sha256
    locked: bool


def sources() -> "Sources":
    """Return the table of sources, set up from the environment."""
    return Sources(Settings.from_environment(os.environ))


class Sources:
    """Sources by kind, each connected when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connected: dict[Kind, Source] = {}
        self._taking: Taking | None = None

    def take_in(self, taking: Taking) -> None:
        """Let *taking* have what lies at hand as soon as it is pinned."""
        self._taking = taking

    def __call__(self, kind: Kind) -> Source:
        """Return the source of *kind*."""
        if kind not in self._connected:
            source = self._connected[kind] = connect(kind, self._settings)
            if isinstance(source, NearSource):
                source.taking = self._taking
        return self._connected[kind]


def read(path: Path, table: Sources, progress: Progress) -> Wanted:
    """Return what the manifest or lock at *path* asks for.

    A lock is taken as it is; a manifest is resolved upstream.

    Raises:
        RequestError: It cannot be read, or asks for what cannot be meant.
        SourceError: Upstream does not have it.
    """
    text = _text(path)
    if text.lstrip().startswith("{"):
        found = lock.decode(text, name=str(path))
        return Wanted(
            pinned=found.pinned, manifest_sha256=found.manifest_sha256, locked=True
        )
    wishes = _wishes(text, path)
    pinned = []
    with progress.task("resolving", len(wishes), unit="artifacts") as advance:
        for wish in wishes:
            pinned.append(resolve(wish, table(wish.kind), pause=time.sleep))
            advance(1)
            for text in pinned[-1].notes:
                output.note(f"{naming.show(pinned[-1].name)}: {text}")
    digest = sha256(text.encode())
    return Wanted(pinned=tuple(pinned), manifest_sha256=digest, locked=False)


def stated(path: Path) -> tuple[tuple[Wish, ...], tuple[Pinned, ...]]:
    """Return what the manifest or lock at *path* says, asking nobody.

    Returns:
        The entries of a manifest; the artifacts of a lock. One of them is empty.

    Raises:
        RequestError: It cannot be read, or asks for what cannot be meant.
    """
    text = _text(path)
    if text.lstrip().startswith("{"):
        return (), lock.decode(text, name=str(path)).pinned
    return _wishes(text, path), ()


def entries(path: Path) -> tuple[tuple[Wish, ...], Sha256]:
    """Return what the manifest at *path* asks for, not resolved, and its SHA-256.

    Raises:
        RequestError: It cannot be read, is a lock, or asks for what cannot be meant.
    """
    text = _text(path)
    if text.lstrip().startswith("{"):
        problem = f"{path} is a lock: what it pins never changes"
        raise RequestError(problem, hint="name the manifest it was made from")
    return _wishes(text, path), sha256(text.encode())


def _wishes(text: str, path: Path) -> tuple[Wish, ...]:
    found = manifest.decode(text, name=str(path)).entries
    return tuple(_anchored(wish, path.parent) for wish in found)


def _text(path: Path) -> str:
    return config.text(
        path,
        limit=_LIMIT,
        hint="is it a manifest or a lock? `manifests/` holds examples",
    )


def _anchored(wish: Wish, folder: Path) -> Wish:
    """Return *wish* with its file names made absolute from the manifest's folder."""
    options: Mapping[str, Json] = {
        key: str((folder / value).absolute())
        if key in _PATH_KEYS and isinstance(value, str) and value
        else value
        for key, value in wish.options.items()
    }
    return replace(wish, options=options)
