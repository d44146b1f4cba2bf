"""Loading: what of a delivery's files travels, how, and what stays where it is.

files -> held by the site: they stay, and the record names them
      -> like a base: a recipe
      -> all others: whole
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from airlift.artifact import Release, ReleaseFile
from airlift.digest import Sha256
from airlift.format.dispatch import Need
from airlift.outbound.bases import Holdings
from airlift.outbound.opened import OpenedBlobs
from airlift.outbound.planning import LEAST_FILE, Planner
from airlift.outbound.recipe import Recipe
from airlift.progress import Progress
from airlift.registry.places import PassingPlaces, Places
from airlift.store.blobs import BlobStore

NEEDS = 100_000
"""Most blobs that stay because the site holds them, the largest ones: the record that
names them has a limit, and a small file costs little more than its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a delivery carries and what it builds on.

    Attributes:
        carried: The files whose blobs travel, each blob once, in travelling order.
        recipes: By blob, of those that travel as pieces.
        needs: Blobs the site must hold, for the dispatch record.
    """

    carried: tuple[ReleaseFile, ...]
    recipes: Mapping[Sha256, Recipe] = field(default_factory=dict)
    needs: tuple[Need, ...] = ()


def load(  # noqa: PLR0913 - one step of the export, with all it has
    releases: Sequence[Release],
    holdings: Holdings,
    store: BlobStore,
    pieces: Path,
    progress: Progress,
    *,
    needs: int = NEEDS,
) -> Load:
    """Return what travels of *releases* to a site that has *holdings*.

    Args:
        releases: Whose blobs *store* holds.
        holdings: What may be built on; nothing of it is taken for granted elsewhere.
        store: The connected store; it need not hold the holdings.
        pieces: Folder of the index of pieces.
        progress: Who watches.
        needs: Most blobs that may stay.

    Raises:
        StoreError: A blob cannot be read, or a base is rotten.
        RegistryError: The index of pieces cannot answer.
    """
    staying = _staying(releases, holdings, needs)
    owners: dict[Sha256, tuple[ReleaseFile, Release]] = {}
    for one in releases:
        for file in one.files:
            if file.sha256 not in staying:
                owners.setdefault(file.sha256, (file, one))
    recipes = _plan(owners.values(), holdings, store, pieces, progress)
    bases = {base for one in recipes.values() for base in one.bases} - owners.keys()
    with progress.task("checking bases", len(bases), unit="blobs") as advance:
        for base in sorted(bases):
            # A base that rotted here would give wrong bytes there: found only at the
            # far end of the trip.
            store.check(base)
            advance(1)
    return Load(
        carried=tuple(file for file, _ in owners.values()),
        recipes=recipes,
        needs=tuple(
            Need(sha256=one, sequence=holdings.brought[one])
            for one in sorted(staying | bases)
        ),
    )


def _staying(releases: Sequence[Release], holdings: Holdings, most: int) -> set[Sha256]:
    sizes = {
        file.sha256: file.size
        for one in releases
        for file in one.files
        if file.sha256 in holdings.brought
    }
    if len(sizes) <= most:
        return set(sizes)
    return set(sorted(sizes, key=lambda one: (-sizes[one], one))[:most])


def _plan(
    files: Iterable[tuple[ReleaseFile, Release]],
    holdings: Holdings,
    store: BlobStore,
    pieces: Path,
    progress: Progress,
) -> dict[Sha256, Recipe]:
    """Return the recipes of those *files* that have one; each may build on those before."""
    large = [one for one in files if one[0].size >= LEAST_FILE]
    if not large:
        return {}
    recipes: dict[Sha256, Recipe] = {}
    total = sum(file.size for file, _ in large)
    with (
        closing(_index(holdings, pieces)) as index,
        OpenedBlobs(store) as blobs,
        progress.task("comparing", total) as advance,
    ):
        planner = Planner(blobs, index, chunked=bool(holdings.brought))
        travelling = {file.sha256 for file, _ in large}
        for file, owner in holdings.files:
            # What travels again may be built on by what travels after it only.
            if file.sha256 not in travelling:
                planner.offer(file, owner)
        for file, owner in large:
            if plan := planner.plan(file, owner):
                recipes[file.sha256] = plan.recipe
            planner.offer(file, owner, here=True)
            advance(file.size)
    return recipes


def _index(holdings: Holdings, pieces: Path) -> Places:
    """Return the index that stays, where there is anything in it to look for."""
    if not holdings.files:
        return PassingPlaces()
    from airlift.registry.pieces import PieceIndex  # noqa: PLC0415 - see places.py

    return PieceIndex.open(pieces)
