"""A site that was told who signs catalogues, and catalogues carried to it."""

from pathlib import Path

from airlift.format.catalogue import Catalogue
from airlift.inbound import hearing
from airlift.registry.registry import Registry
from airlift.registry.upstream import Upstream
from airlift.store.blobs import BlobStore
from airlift.trust import catalogue as trusted
from airlift.trust.quorum import quorum
from authority import NOW, Authority, key, land

CAT = key("cat")
ROLE = quorum([CAT.public], 1)


def site(folder: Path) -> Path:
    """Return the home of a site that has had one delivery, of nothing, at ``NOW``."""
    side = Authority(folder / "side")
    side.publisher.set_catalogue(ROLE, side.signers, NOW)
    home = folder / "home"
    registry = Registry.create(home, state=side.state(), now=NOW, actor="ann")
    verified = land(side.deliver(), side.state())
    registry.record(verified, BlobStore(home / "store"), live=(), now=NOW, actor="ann")
    registry.close()
    return home


def take(upstream: Upstream, made: Catalogue) -> None:
    """Carry *made* over and take it in, on the day it was issued."""
    data = trusted.sign(made, ROLE, [CAT])
    hearing.take_in(data, upstream, name="it", now=made.issued, actor="bob")
