"""What a site knows of upstream, read from its registry."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from airlift.cli.catalogue_view import View
from airlift.inbound import ages, news
from airlift.inbound.news import Owned
from airlift.registry.held import State
from airlift.registry.registry import Registry
from airlift.registry.upstream import Upstream


@contextlib.contextmanager
def upstream(home: Path, *, readonly: bool = False) -> Iterator[Upstream]:
    """Open what the registry in *home* knows of upstream, and close it.

    Raises:
        RegistryError: As ``Registry.open``.
    """
    found = Upstream.open(home, readonly=readonly)
    with contextlib.closing(found):
        yield found


def read(home: Path, *, now: str) -> View | None:
    """Return what the newest catalogue means here; None where none was taken in.

    Raises:
        RegistryError: The registry cannot be read.
    """
    with upstream(home, readonly=True) as known:
        taken = known.taken(newest=1)
        if not taken:
            return None
        made = known.read(taken[0])
        standing = tuple(one.withdrawal for one in known.standing())
        today = ages.today(
            now,
            issued=made.issued,
            floor=known.trust_state().floor,
            seen=known.last_seen(),
        )
    return View(
        taken=taken[0],
        made=made,
        findings=news.find(made, _owned(home), standing),
        standing=standing,
        today=today,
    )


def _owned(home: Path) -> tuple[Owned, ...]:
    registry = Registry.open(home, readonly=True)
    with contextlib.closing(registry):
        issued = {one.sequence: one.issued for one in registry.deliveries()}
        return tuple(
            Owned(
                id=one.id,
                release=replace(one.release, files=registry.files(one.id)),
                issued=issued[one.sequence],
                live=one.state is State.LIVE,
            )
            for one in registry.releases()
        )
