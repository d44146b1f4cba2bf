"""Which deliveries came, never came or were refused (Q11)."""

from pathlib import Path

import pytest

from airlift.artifact import Json
from airlift.audit import bundles
from airlift.audit.answer import Options
from airlift.audit.finding import Verdict
from airlift.digest import sha256
from airlift.registry.held import Event
from audited import NOW, TODAY, World, model, rows, told


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def refuse(world: World, sequence: int, at: str) -> None:
    """Let the log say that delivery *sequence* was refused."""
    detail: dict[str, Json] = {
        "problem": "no such key",
        "reason": "trust",
        "sequence": sequence,
    }
    with world.registry() as registry:
        registry.log(
            Event(
                time=at, actor="ann", action="import", outcome="refused", detail=detail
            )
        )


def test_what_came_is_listed_the_newest_first(world: World) -> None:
    """From which medium a byte came, by whose hand, and who signed for it."""
    world.bring(model())
    found = world.ask("bundles")
    assert found.verdict is Verdict.PASS
    columns = ("sequence", "result", "issued", "imported", "items", "held", "bytes")
    assert rows(found, *columns) == [
        (2, "taken", NOW, NOW, 1, 1, 2),
        (1, "taken", NOW, NOW, 0, 0, 0),
    ]
    assert rows(found, "carries", "live")[0] == ("all it names", 1)
    assert rows(found, "signed_by", "operator", "actor")[0] == (
        *(("alice",), "alice", "ann"),
    )


def test_what_was_collected_was_brought_all_the_same(world: World) -> None:
    """A delivery of a model is not one of nothing because the model is gone."""
    world.bring(model())
    with world.registry() as registry:
        (held,) = registry.releases()
        for live in (model("org/b"), model("org/c")):
            registry.deactivate([held.id], now=NOW, actor="bob")
            world.bring(live)
        plan = registry.doomed(world.store)
        registry.collect(plan, world.store, now=NOW, actor="bob")
    found = world.ask("bundles", "2")
    assert rows(found, "sequence", "items", "held") == [(2, 1, 0)]


def test_a_number_that_never_came_is_a_finding(world: World) -> None:
    """A medium lies somewhere, and nobody knows who reads it."""
    for _ in range(2):
        world.side.deliver()
    world.bring(model())
    found = world.ask("bundles")
    assert rows(found, "sequence", "result") == [
        (4, "taken"),
        (3, "never came"),
        (2, "never came"),
        (1, "taken"),
    ]
    assert told(found) == [
        ("never-came", "medium", "deliveries 2 to 3 never came: where are the media")
    ]


def test_gaps_alone_can_be_asked_for(world: World) -> None:
    """Of a thousand deliveries the one that matters."""
    world.side.deliver()
    world.bring(model())
    with world.site() as site:
        found = bundles.ask(site, Options(), only_gaps=True)
    assert rows(found, "sequence", "result") == [(2, "never came")]


def test_a_refusal_is_a_finding_until_the_delivery_is_taken(world: World) -> None:
    """Tried with a damaged copy and then with a good one: that is settled."""
    refuse(world, 2, "2026-03-01T11:00:00Z")
    refuse(world, 0, "2026-03-02T11:00:00Z")
    before = world.ask("bundles")
    assert [title for _, _, title in told(before)] == [
        "delivery 2 was refused on 2026-03-01T11:00:00Z: no such key",
        "delivery of unknown number was refused on 2026-03-02T11:00:00Z: no such key",
    ]
    world.bring(model())
    after = world.ask("bundles")
    assert [title for _, _, title in told(after)] == [
        "delivery of unknown number was refused on 2026-03-02T11:00:00Z: no such key",
    ]
    assert ("refused", "no such key") in rows(after, "result", "reason")


def test_which_came_last_within_a_second_is_told_by_the_log(world: World) -> None:
    """The second copy may be taken, or tried once more, before the clock moves on."""
    refuse(world, 2, NOW)
    world.bring(model())
    assert not told(world.ask("bundles"))
    refuse(world, 2, NOW)
    assert [rule for rule, _, _ in told(world.ask("bundles"))] == [f"refused/{NOW}"]


def test_one_waiver_does_not_cover_the_next_refusal(world: World) -> None:
    """Each is another attempt to bring something in."""
    refuse(world, 0, "2026-03-02T11:00:00Z")
    refuse(world, 0, "2026-03-03T11:00:00Z")
    assert len({one.id for one in world.ask("bundles").findings}) == 2


def test_half_a_delivery_is_told(world: World) -> None:
    """The rest of its volumes lies somewhere."""
    digest = sha256(b"half")
    (world.home / "incoming" / digest).mkdir(parents=True)
    found = world.ask("bundles", now=TODAY)
    assert rows(found, "result") == [("taken",), ("incomplete",)]
    assert found.rows[1]["delivery"] == digest
    assert told(found) == [
        ("incomplete", "low", f"of delivery {digest[:12]} volumes have yet to come")
    ]
