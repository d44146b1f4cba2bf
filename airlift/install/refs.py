"""Which names lead to which release on this site."""

from collections.abc import Sequence

from airlift.artifact import Kind
from airlift.registry.held import Held

HUB = frozenset({Kind.MODEL, Kind.GGUF, Kind.FOLDER})
"""Kinds that are one model repository where their names are equal."""


def together(kind: Kind) -> frozenset[Kind]:
    """Return the kinds that share names with *kind*."""
    return HUB if kind in HUB else frozenset({kind})


def leading_to(held: Held, live: Sequence[Held]) -> tuple[str, ...]:
    """Return the branches and tags that mean the revision of *held*, sorted.

    As clients of the server find them: a ref is the revision of the newest live
    release that claims it. Where no release claims ``main``, it is the newest.

    Args:
        held: A live release.
        live: All live releases of its name and of kinds that share names with it.
    """
    newest = sorted(
        live,
        key=lambda one: (one.release.counter, one.imported, one.release.revision),
        reverse=True,
    )
    found: dict[str, str] = {}
    for one in newest:
        for ref in one.release.refs:
            found.setdefault(_plain(ref), one.release.revision)
    if held.release.kind in HUB | {Kind.DATASET}:
        found.setdefault("main", newest[0].release.revision)
    return tuple(sorted(ref for ref in found if found[ref] == held.release.revision))


def _plain(ref: str) -> str:
    """Return *ref* as it is written after ``revision=``."""
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
