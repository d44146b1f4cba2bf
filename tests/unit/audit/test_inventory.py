"""What is held, since when, from which delivery (Q1)."""

from pathlib import Path

import pytest

from airlift.audit.finding import Verdict
from airlift.digest import sha256
from airlift.format import release
from audited import NOW, World, model, rows, wheels

LATER = "2026-03-04T12:00:00Z"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_every_release_and_every_wheel_has_a_row(world: World) -> None:
    """An auditor asks for packages, not for sets of them."""
    m, tools = model(), wheels("demo-1.0-py3-none-any.whl", "other-2.0.tar.gz")
    world.bring(m, tools)
    found = world.ask("inventory")
    assert (found.verdict, found.as_of) == (Verdict.PASS, NOW)
    assert found.counts == {"model": 1, "wheel": 2, "wheels": 1}
    name = "demo-1.0-py3-none-any.whl"
    assert rows(found, "kind", "type", "name", "version", "digest", "bytes") == [
        ("model", "model", "org/model", "a" * 40, sha256(release.encode(m[0])), 2),
        (
            *("wheel", "wheels", "tools", tools[0].revision),
            *(sha256(release.encode(tools[0])), 41),
        ),
        ("wheel", "wheel", "demo", "1.0", sha256(name.encode()), len(name)),
        ("wheel", "wheel", "other", "2.0", sha256(b"other-2.0.tar.gz"), 16),
    ]


def test_since_when_has_three_values(world: World) -> None:
    """Approved, imported, first live: auditors mean the last."""
    world.bring(model(), live=False)
    with world.registry() as registry:
        (held,) = registry.releases()
        registry.activate([held.id], now=LATER, actor="bob")
    (row,) = world.ask("inventory", now="2026-03-10T00:00:00Z").rows
    assert {key: row[key] for key in ("approved", "imported", "first_live")} == {
        "approved": "",
        "imported": NOW,
        "first_live": LATER,
    }
    assert (row["state"], row["delivery"], row["signed_by"]) == ("live", 2, ("alice",))


def test_what_was_denied_is_shown_as_denied(world: World) -> None:
    """It is held, and never served."""
    world.bring(model())
    with world.registry() as registry:
        (held,) = registry.releases()
        registry.deny([held.id], why="bad", now=LATER, actor="bob")
    assert rows(world.ask("inventory"), "state") == [("denied",)]


def test_items_narrow_it_by_name_version_and_digest(world: World) -> None:
    """However somebody names a thing."""
    tools = wheels("demo-1.0-py3-none-any.whl")
    world.bring(model(), tools)
    digest = sha256(tools[1][0])
    for item in ("demo", "demo==1.0", digest, digest[:8]):
        assert rows(world.ask("inventory", item), "name") == [("demo",)], item
    assert rows(world.ask("inventory", f"org/model@{'a' * 40}"), "kind") == [("model",)]


def test_a_name_that_means_nothing_is_unknown(world: World) -> None:
    """A typing error must not read as "not affected"."""
    world.bring(model())
    found = world.ask("inventory", "org/modle", "org/model")
    assert found.verdict is Verdict.UNKNOWN
    assert found.unknown == ("org/modle: nothing of that name is held",)
    assert rows(found, "name") == [("org/model",)]
