"""Which keys signed what is live, and when they end (Q10)."""

import sqlite3
from pathlib import Path

import pytest

import catalogues
import policies
from airlift.audit import report
from airlift.audit.answer import Options
from airlift.audit.finding import Verdict
from airlift.audit.questions import find
from airlift.digest import sha256
from airlift.trust.denials import Denial, What
from airlift.trust.plan import RolePlan
from airlift.trust.quorum import quorum
from audited import NOW, World, model, rows, told
from authority import key

ALICE, BOB = key("alice"), key("bob")


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_every_key_is_listed_with_what_it_signed(world: World) -> None:
    """In each role that it counts for, until when, and for how much that is live."""
    world.bring(model())
    found = world.ask("keys")
    assert found.verdict is Verdict.PASS
    columns = ("name", "role", "state", "until", "signed_live", "signed")
    assert rows(found, *columns) == [
        ("cat", "catalogue", "counts", "", 0, 0),
        ("alice", "root", "counts", "2029-02-28T12:00:00Z", 1, 2),
        ("alice", "site-plant7", "counts", "2026-08-30T12:00:00Z", 1, 2),
        ("alice", "snapshot", "counts", "2026-05-30T12:00:00Z", 1, 2),
        ("alice", "targets", "counts", "2027-03-01T12:00:00Z", 1, 2),
        ("alice", "timestamp", "counts", "2026-04-15T12:00:00Z", 1, 2),
    ]


def test_a_key_that_counts_no_longer_and_signed_what_is_live_is_a_finding(
    world: World,
) -> None:
    """It was believed at the time; by now somebody had a reason to replace it."""
    world.bring(model())
    plan = RolePlan.single(BOB.public)
    world.side.publisher.rotate(plan, [ALICE, BOB], NOW)
    world.side.signers = (BOB,)
    world.bring(model("org/other"))
    found = world.ask("keys")
    gone = [one for one in rows(found, "name", "state") if one[1] != "counts"]
    assert set(gone) == {("alice", "counts no longer")}
    titles = [title for _, severity, title in told(found) if severity == "medium"]
    assert (
        "the key of alice counts no longer for targets, and signed for 1 live release(s)"
        in titles
    )
    (one,) = (each for each in found.findings if each.rule.endswith("/targets"))
    assert one.evidence == {
        "key": ALICE.public.key_id,
        "gone_in": "root 2",
        "releases": ("org/model",),
    }


def test_a_replaced_key_that_signed_nothing_live_is_none(world: World) -> None:
    """Its deliveries were of nothing, or are retired."""
    plan = RolePlan.single(BOB.public)
    world.side.publisher.rotate(plan, [ALICE, BOB], NOW)
    world.side.signers = (BOB,)
    world.bring(model())
    assert told(world.ask("keys")) == []


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-03-10T00:00:00Z", []),
        ("2026-03-20T00:00:00Z", [("expires-soon", "low")]),
        ("2026-04-20T00:00:00Z", [("expired", "medium")]),
        (
            "2028-12-20T00:00:00Z",
            [("expires-soon", "medium"), *[("expired", "medium")] * 4],
        ),
        (
            "2029-03-20T00:00:00Z",
            [("expired", "high"), *[("expired", "medium")] * 4],
        ),
    ],
)
def test_what_ends_is_told_in_time(
    world: World, now: str, expected: list[tuple[str, str]]
) -> None:
    """The root in time for a ceremony, the rest in time for a delivery."""
    found = world.ask("keys", now=now)
    assert [(rule, severity) for rule, severity, _ in told(found)] == expected


def test_approvers_are_listed(world: World) -> None:
    """Who can let things go live here is somebody too."""
    told_policy = policies.made()
    world.side.publisher.set_policy(
        policies.document(told_policy), world.side.signers, NOW
    )
    world.bring()
    found = world.ask("keys")
    people = rows(found, "role", "name", "since")
    assert [row[1:] for row in people if row[0] == "approvals here"] == [
        (name, "policy 1")
        for name in sorted(policies.PEOPLE, key=lambda one: key(one).public.key_id)
    ]


def test_a_signature_that_is_not_valid_breaks_integrity(world: World) -> None:
    """Who writes the database must not be able to enrol a key unseen: exit code 4."""
    with sqlite3.connect(world.home / "registry.db") as database:
        name = "targets.json"
        query = "SELECT content FROM trusted WHERE name = ?"
        (content,) = database.execute(query, (name,)).fetchone()
        at = content.index(b'"sig":"') + 7
        digit = b"0" if content[at : at + 1] != b"0" else b"1"
        changed = content[:at] + digit + content[at + 1 :]
        database.execute(
            "UPDATE trusted SET content = ? WHERE name = ?", (changed, name)
        )
    database.close()
    with world.site() as site:
        found = report.run(site, [find("keys")], Options())
        assert report.exit_code(found) == 4
        ((_, answer),) = found.answers
    ((rule, severity, title),) = told(answer)
    assert (rule, severity) == ("not-valid", "critical")
    assert title.startswith("what this site believes is not validly signed: ")
    assert "`targets`" in title


def test_a_policy_that_nobody_signed_breaks_integrity(world: World) -> None:
    """Who writes the database must not be able to say who may approve."""
    signed = policies.document(policies.made())
    world.side.publisher.set_policy(signed, world.side.signers, NOW)
    world.bring()
    assert not world.ask("keys").broken
    looser = policies.document(policies.made(threshold=1))
    with sqlite3.connect(world.home / "registry.db") as database:
        database.execute("UPDATE setting SET value = ? WHERE key = 'policy'", (looser,))
    database.close()
    found = world.ask("keys")
    assert found.broken
    ((_, _, title),) = told(found)
    assert title == (
        "what this site believes is not validly signed: the policy in force has digest"
        f" {sha256(looser)[:16]}, the signed targets vouch for {sha256(signed)[:16]}"
    )


def test_a_catalogue_that_those_who_count_now_did_not_sign_is_a_finding(
    world: World,
) -> None:
    """Its key was replaced since, or it was put there by hand: nobody can tell."""
    world.hear(catalogues.of(catalogues.item()))
    assert told(world.ask("keys")) == []
    other = quorum([key("dog").public], 1)
    world.side.publisher.set_catalogue(other, world.side.signers, NOW)
    world.bring()
    found = world.ask("keys")
    assert not found.broken
    ((rule, severity, title),) = told(found)
    assert (rule.partition("/")[0], severity) == ("catalogue", "medium")
    assert title.startswith("nobody vouches for the newest catalogue any more: ")


def test_a_denied_key_that_signed_what_is_live_weighs_more(world: World) -> None:
    """It was stolen: what it signed may be the thief's."""
    world.bring(model())
    world.side.publisher.rotate(RolePlan.single(BOB.public), [ALICE, BOB], NOW)
    world.side.signers = (BOB,)
    stolen = Denial(
        what=What.KEY, digest=ALICE.public.key_id, since=NOW, why="stolen in May"
    )
    world.side.publisher.deny([stolen], [BOB], NOW)
    world.bring()
    found = world.ask("keys")
    assert {
        one[1:] for one in rows(found, "name", "state", "denied") if one[0] == "alice"
    } == {("denied", "2026-03-01: stolen in May")}
    assert ("denied/targets", "high") in [one[:2] for one in told(found)]
    assert (
        "the key of alice is denied (stolen in May), and signed for 1 live release(s)"
        " as targets"
    ) in [title for _, _, title in told(found)]
