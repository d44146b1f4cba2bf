"""What was denied, and what of it lies here still (Q9b)."""

from pathlib import Path

import pytest

from airlift.audit.finding import Verdict
from airlift.digest import Sha256, sha256
from airlift.trust.denials import Denial, What
from audited import NOW, TODAY, World, model, rows
from authority import key

BAD = b"poisoned"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def deny(world: World, *denied: tuple[What, Sha256, str]) -> None:
    """Put entries on the deny list, and send it."""
    entries = [
        Denial(what=what, digest=digest, since=NOW, why=why)
        for what, digest, why in denied
    ]
    world.side.publisher.deny(entries, world.side.signers, NOW)
    world.bring()


def test_a_site_where_nothing_was_denied_says_so(world: World) -> None:
    """An empty list is an answer here: it is the site's own knowledge."""
    found = world.ask("denied")
    assert (found.verdict, found.rows, found.as_of) == (Verdict.PASS, (), "")
    assert found.counts == {"key": 0, "release": 0, "file": 0}


def test_the_signed_list_is_shown_with_what_it_keeps_from_use(world: World) -> None:
    """An auditor asks what was revoked, why, and whether it is still on the disk."""
    world.bring(model("org/bad", {"model.safetensors": BAD}), model("org/good"))
    stolen = Sha256(key("mallory").public.key_id)
    deny(
        world,
        (What.FILE, sha256(BAD), "weights were poisoned"),
        (What.KEY, stolen, "stolen in May"),
    )
    found = world.ask("denied")
    assert found.verdict is Verdict.PASS
    assert sorted(rows(found, "what", "digest", "why", "by", "held", "bytes")) == [
        (
            *("file", sha256(BAD), "weights were poisoned", "deny list 1"),
            *(("org/bad@aaaaaaaaaaaa",), len(BAD)),
        ),
        ("key", stolen, "stolen in May", "deny list 1", (), 0),
    ]
    assert found.counts == {"key": 1, "release": 0, "file": 1}
    assert rows(world.ask("denied", "org/bad"), "what") == [("file",)]


def test_what_the_site_denied_by_itself_is_told_apart(world: World) -> None:
    """Nobody signed that: it counts here alone, and is no part of the list."""
    world.bring(model("org/bad"))
    with world.registry() as registry:
        (held,) = registry.releases()
        registry.deny([held.id], why="it lies", now=TODAY, actor="ann")
    found = world.ask("denied")
    assert rows(found, "what", "digest", "why", "by", "held") == [
        ("release", held.id, "it lies", "this site", ("org/bad@aaaaaaaaaaaa",))
    ]
