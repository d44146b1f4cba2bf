"""A site whose releases are installed into folders of runtimes."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from airlift.artifact import Json, Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.format import release as documents
from airlift.install import TARGETS, parcels
from airlift.install.installing import Installed, install
from airlift.install.layout import Order
from airlift.install.placing import Way
from airlift.progress import Progress, Silent
from shelves import git_oid
from sites import Site

NOW = "2026-11-23T12:00:00Z"
COMMIT = "c" * 40
BIG = bytes(range(256)) * 300
"""Large enough to be a file of its own in the store, and an LFS file of a hub."""


@dataclass
class Depot:
    """One site, its releases, and how they are installed.

    Args:
        folder: Where everything of it goes.
    """

    folder: Path
    progress: Progress = field(default_factory=Silent)

    def __post_init__(self) -> None:
        self.site = Site(self.folder)

    def bring(
        self,
        kind: Kind,
        name: str,
        files: Mapping[str, bytes],
        *,
        revision: str = COMMIT,
        counter: int = 1,
        refs: Sequence[str] = ("main",),
        upstream: Mapping[str, Json] | None = None,
        facts: Mapping[str, Mapping[str, Json]] | None = None,
        live: bool = True,
    ) -> Sha256:
        """Deliver a release of *files*, small ones as git keeps them; return its id."""
        listed = tuple(
            ReleaseFile(
                path=path,
                size=len(data),
                sha256=sha256(data),
                git_oid=git_oid(data) if len(data) < 1000 else None,
                facts=(facts or {}).get(path, {}),
            )
            for path, data in sorted(files.items())
        )
        made = documents.encode(
            Release(
                kind=kind,
                name=name,
                revision=revision,
                counter=counter,
                files=listed,
                refs=tuple(refs),
                upstream=upstream or {},
            )
        )
        self.site.hold(*files.values())
        self.site.bring(made, live=live)
        return documents.identify(made)

    def order(self, reference: str, to: str, root: Path, **more: object) -> Order:
        """Return the order to install *reference* into *root*."""
        registry, store = self.site.registry, self.site.store
        held = parcels.choose(registry, reference)
        parcel = parcels.parcel(registry, store, held, TARGETS[to])
        plain = Order(parcel=parcel, root=root, way=Way.CLONE, replace=False, now=NOW)
        return replace(plain, **more)  # type: ignore[arg-type]

    def install(self, reference: str, to: str, root: Path, **more: object) -> Installed:
        """Install *reference* into *root* of a runtime *to*."""
        order = self.order(reference, to, root, **more)
        held = parcels.choose(self.site.registry, reference)
        confirm = parcels.still_live(self.site.registry, held)
        return install(order, TARGETS[to], self.site.store, confirm, self.progress)


def tree(root: Path) -> dict[str, bytes | str]:
    """Return every file below *root*: its bytes, or what a link says after ``->``."""
    found: dict[str, bytes | str] = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            key = path.relative_to(root).as_posix()
            found[key] = (
                f"-> {path.readlink()}" if path.is_symlink() else path.read_bytes()
            )
    return dict(sorted(found.items()))
