"""Findings that were accepted for a while (Q13)."""

from pathlib import Path

import pytest

import policies
from airlift.audit import report
from airlift.audit.answer import Options
from airlift.audit.finding import Verdict
from airlift.audit.questions import find
from airlift.registry import waivers
from airlift.registry.waivers import Terms
from airlift.trust import approval
from audited import NOW, World, model, rows, told
from authority import SITE, key

DAY = "2026-03-10T12:00:00Z"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.bring(model(licence=""))
    return world


def waive(
    world: World, by: str = "bob", until: str = "2026-03-31", *, sign: bool = False
) -> str:
    """Accept the one finding about licences; return its id."""
    (one,) = world.ask("licences").findings
    terms = Terms(site=SITE, finding=one.id, reason="asked them", until=until)
    signed = approval.sign(key(by), waivers.subject(terms), at=NOW) if sign else None
    with world.registry() as registry:
        registry.log(
            waivers.event(
                terms,
                signed,
                by=by,
                title=one.title,
                actor="x",
                now="2026-03-05T06:00:00Z",
            )
        )
    return one.id


def verdict(world: World, now: str) -> Verdict:
    """Return what the question about licences comes to."""
    return world.ask("licences", now=now).verdict


def test_a_finding_is_accepted_until_its_day_and_open_again_after(world: World) -> None:
    """The waiver is in the answer, so that a reader sees who bears it."""
    assert verdict(world, DAY) is Verdict.FINDING
    waive(world)
    found = world.ask("licences", now=DAY)
    assert found.verdict is Verdict.ACCEPTED
    (one,) = found.findings
    assert one.waiver
    assert (one.waiver.by, one.waiver.reason) == ("bob", "asked them")
    assert verdict(world, "2026-03-31T23:00:00Z") is Verdict.ACCEPTED
    assert verdict(world, "2026-04-01T00:00:00Z") is Verdict.FINDING


def test_an_accepted_finding_is_worth_no_exit_code(world: World) -> None:
    """And its severity is kept for whoever counts."""
    waive(world)
    with world.site(DAY) as site:
        found = report.run(site, [find("licences")], Options())
        assert report.exit_code(found, found.findings[0].severity) == 0
    assert found.answers[0][1].severities == {}


def test_in_the_past_what_was_not_accepted_yet_is_open(world: World) -> None:
    """An auditor asks what was known to be open then."""
    waive(world)
    early = world.ask("licences", now=DAY, as_of="2026-03-04T00:00:00Z")
    assert early.verdict is Verdict.FINDING


def test_with_a_policy_too_few_signatures_accept_nothing(world: World) -> None:
    """The finding stays open, and the table says how many are missing."""
    policy = policies.document(policies.made())
    world.side.publisher.set_policy(policy, world.side.signers, NOW)
    world.bring()
    waive(world, "bob", sign=True)
    assert verdict(world, DAY) is Verdict.FINDING
    assert rows(world.ask("waivers", now=DAY), "state", "by") == [
        ("waits for 1 more", ("bob",))
    ]
    waive(world, "carol", sign=True)
    assert verdict(world, DAY) is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("now", "state", "left"),
    [
        (DAY, "counts", 21),
        ("2026-03-31T12:00:00Z", "counts", 0),
        ("2026-04-02T12:00:00Z", "over", -2),
    ],
)
def test_waivers_are_listed_with_what_is_left_of_them(
    world: World, now: str, state: str, left: int
) -> None:
    """Whoever gave one should look at it before it ends."""
    finding = waive(world)
    found = world.ask("waivers", now=now)
    assert rows(found, "finding", "state", "days_left", "reason") == [
        (finding, state, left, "asked them")
    ]
    ending = [title for _, _, title in told(found)]
    assert ending == (
        [
            f"the waiver of {finding} ends in 0 days: org/model@{'a' * 12} states no licence"
        ]
        if now.startswith("2026-03-31")
        else []
    )


def test_what_was_taken_back_is_open_and_told(world: World) -> None:
    """Taking a risk back needs nobody's leave."""
    finding = waive(world)
    with world.registry() as registry:
        registry.log(
            waivers.revocation(
                finding, by="dora", actor="x", now="2026-03-06T00:00:00Z"
            )
        )
    assert verdict(world, DAY) is Verdict.FINDING
    assert rows(world.ask("waivers", now=DAY), "state") == [("taken back 2026-03-06",)]
