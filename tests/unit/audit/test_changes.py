"""What is otherwise than in an earlier report, and because of what (Q14)."""

import json
from pathlib import Path
from typing import Any

import pytest

import catalogues
import policies
from airlift.audit import changes, report
from airlift.audit.answer import Options
from airlift.audit.changes import Cause, Change
from airlift.audit.questions import QUESTIONS, find
from airlift.digest import sha256
from airlift.errors import FormatError, RequestError
from airlift.format import canonical
from airlift.format.catalogue import Catalogue, Feed
from airlift.format.observation import Environment, Observation, SeenPackage
from airlift.registry import waivers
from airlift.registry.waivers import Terms
from audited import NOW, TODAY, World, model
from authority import SITE
from observed import take

NONE = sha256(b"")
WEEK, NEXT = "2026-03-02T06:00:00Z", "2026-03-04T06:00:00Z"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def written(world: World, now: str = TODAY, *names: str) -> bytes:
    """Return the report of *world*, as it is written."""
    asked = [find(one) for one in names] or list(QUESTIONS)
    with world.site(now) as site:
        return report.encode(report.run(site, asked, Options()))


def read(data: bytes) -> changes.Told:
    """Return a report that was written."""
    return changes.read(data, name="it")


def catalogue(revision: str = "a" * 40) -> Catalogue:
    """Return a catalogue that knows ``org/model`` at *revision*."""
    return catalogues.of(
        catalogues.item(as_of=WEEK, revision=revision, licence="mit"),
        feed=Feed(as_of=WEEK, problem="", records=1),
        issued=WEEK,
        next_expected="2026-03-09T06:00:00Z",
        valid_until="2026-05-01T06:00:00Z",
    )


def found(before: bytes, after: bytes) -> list[tuple[str, str, str, str]]:
    """Return question, before, after and cause of what has changed of findings."""
    return [
        (one.question, one.before, one.after, one.cause.value)
        for one in changes.between(read(before), read(after))
        if one.finding
    ]


def test_nothing_is_otherwise_where_nothing_is(world: World) -> None:
    """A day later, and all as it was."""
    world.bring(model())
    world.hear(catalogue())
    assert found(written(world), written(world, "2026-03-06T06:00:00Z")) == []


def test_a_finding_that_came_with_a_release_came_with_the_inventory(
    world: World,
) -> None:
    """We have changed, not the world."""
    world.hear(catalogue())
    before = written(world)
    world.bring(model(licence=""))
    after = written(world)
    assert found(before, after) == [("Q7", "absent", "finding", "inventory")]
    (one,) = (
        each for each in changes.between(read(before), read(after)) if each.finding
    )
    assert one == Change(
        finding=one.finding,
        question="Q7",
        severity="medium",
        title=f"org/model@{'a' * 12} states no licence",
        before="absent",
        after="finding",
        cause=Cause.INVENTORY,
    )
    assert one.is_new


def test_a_finding_that_came_with_a_catalogue_came_with_the_feed(world: World) -> None:
    """Upstream has moved, and we have not."""
    world.bring(model())
    first = catalogue()
    world.hear(first)
    before = written(world)
    item = catalogues.item(as_of=NEXT, revision="b" * 40, licence="mit")
    world.hear(catalogues.after(first, NEXT, items=(item,)))
    assert found(before, written(world)) == [("Q4a", "absent", "finding", "feed")]


def test_a_finding_that_grew_with_nothing_else_came_with_time(world: World) -> None:
    """A catalogue is late: nobody did anything, and that is the finding."""
    world.hear(catalogue())
    after = written(world, "2026-03-10T06:00:00Z")
    assert found(written(world), after) == [("Q4b", "absent", "finding", "time")]


def test_what_grew_old_while_something_came_grew_old(world: World) -> None:
    """A delivery makes no catalogue late."""
    world.hear(catalogue())
    before = written(world)
    world.bring(model())
    after = written(world, "2026-03-10T06:00:00Z")
    assert ("Q4b", "absent", "finding", "time") in found(before, after)


def test_a_file_that_came_came_with_the_inventory(world: World) -> None:
    """Also where a scanner was updated meanwhile: there was nothing to look at."""
    before = json.loads(written(world, TODAY, "models"))
    before["knowledge"]["scanners"] = []
    world.bring(model(files={"modeling_x.py": b"pass"}))
    after = written(world, TODAY, "models")
    rest = {key: value for key, value in before.items() if key != "run_id"}
    assert found(signed(**rest), after) == [("Q6", "absent", "finding", "inventory")]


def test_what_was_seen_on_a_host_came_with_the_inventory(world: World) -> None:
    """Nothing was delivered, and no advisory is new: somebody installed something."""
    take(world, seen())
    before = written(world, TODAY, "hosts")
    take(world, seen(SeenPackage(name="demo", version="1.0", files=1, content=NONE)))
    after = written(world, TODAY, "hosts")
    assert found(before, after) == [("Q1b", "absent", "finding", "inventory")]


def seen(*packages: SeenPackage) -> Observation:
    """Return what a host holds: these packages."""
    environment = Environment(label="vllm", python="3.12", packages=packages)
    return Observation(
        host="gpu-1",
        time=f"2026-03-0{4 + len(packages)}T05:00:00Z",
        tool="airlift test",
        looked=("vllm",),
        environments=(environment,),
    )


def test_a_finding_that_was_accepted_changed_by_a_waiver(world: World) -> None:
    """It is still there, and somebody bears it."""
    world.bring(model(licence=""))
    before = written(world)
    ((finding, *_),) = [
        (one["id"],) for one in read(before)["findings"] if one["kind"] == "licence"
    ]
    terms = Terms(site=SITE, finding=finding, reason="r", until="2026-03-31")
    line = waivers.event(terms, None, by="bob", title="t", actor="x", now=TODAY)
    with world.registry() as registry:
        registry.log(line)
    after = written(world)
    assert found(before, after) == [("Q7", "finding", "accepted", "waiver")]
    over = written(world, "2026-04-02T00:00:00Z")
    assert ("Q7", "accepted", "finding", "waiver") in found(after, over)


def test_a_finding_that_came_with_a_policy_is_told_so(world: World) -> None:
    """What is held and known is as it was; what is allowed is not."""
    world.bring(model())
    before = written(world, TODAY, "licences")
    told = policies.made(licences=("Apache-2.0",))
    world.side.publisher.set_policy(policies.document(told), world.side.signers, NOW)
    world.bring()
    after = written(world, TODAY, "licences")
    assert found(before, after) == [("Q7", "absent", "finding", "policy")]


def test_what_was_not_asked_is_no_change_of_the_world(world: World) -> None:
    """A shorter audit makes no finding go away."""
    world.bring(model(licence=""))
    before, after = written(world), written(world, TODAY, "inventory")
    assert found(before, after) == [("Q7", "finding", "not asked", "question")]
    unasked = [
        (one.question, one.before, one.after)
        for one in changes.between(read(before), read(after))
        if not one.finding
    ]
    assert ("Q7", "asked", "not asked") in unasked
    assert len(unasked) == len(QUESTIONS) - 1


def test_what_can_be_answered_by_now_is_told(world: World) -> None:
    """The first catalogue is news by itself."""
    before = written(world, TODAY, "outdated")
    world.hear(catalogue())
    (one,) = changes.between(read(before), read(written(world, TODAY, "outdated")))
    assert (one.title, one.before, one.after) == (
        *("no catalogue was ever imported: nothing is known of upstream", "unknown"),
        "answered",
    )


def edited(data: bytes, **changed: Any) -> bytes:
    """Return a report with *changed* in it, spelt as reports are."""
    told = {**json.loads(data), **changed}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() + b"\n"


def test_a_report_that_was_edited_is_refused(world: World) -> None:
    """Else whoever dislikes a finding takes it out of the last report."""
    data = written(world, TODAY, "inventory")
    assert read(edited(data)) == json.loads(data)
    with pytest.raises(FormatError) as refused:
        read(edited(data, exit_code=1))
    assert refused.value.problem == (
        "it was changed since it was written: its id is not that of it"
    )


def signed(**told: Any) -> bytes:
    """Return what has the id of itself, as reports have, and may be anything."""
    data = canonical.encode(told)
    return canonical.encode({**told, "run_id": sha256(data)[:16]})


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"site": "a", "generated_at": "b", "findings": [], "questions": {}},
        {"site": 1, "generated_at": 2, "findings": [3], "questions": [4]},
        {
            "site": "a",
            "generated_at": "b",
            "findings": [],
            "questions": [{"id": "Q1", "findings": ["f"], "unknown": [], "reason": ""}],
        },
    ],
)
def test_a_report_that_somebody_made_up_is_refused(told: dict[str, Any]) -> None:
    """Anybody can make an id; what is missing must not look like a fault of ours."""
    with pytest.raises(FormatError) as refused:
        read(signed(schema="airlift.audit/1", **told))
    assert refused.value.problem.startswith("it is no whole report: ")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"schema":"x"}'])
def test_what_is_no_report_is_refused(data: bytes) -> None:
    """Whatever was named by mistake."""
    with pytest.raises(FormatError):
        read(data)


def test_a_report_that_was_cut_off_is_refused(world: World) -> None:
    """The finding that matters may be in the rest."""
    data = written(world, TODAY, "inventory")
    with pytest.raises(FormatError):
        read(data[:-20])


def test_reports_of_two_sites_or_in_the_wrong_order_are_refused(world: World) -> None:
    """They would be compared, and mean nothing."""
    one, two = written(world), written(world, "2026-03-06T06:00:00Z")
    with pytest.raises(RequestError) as refused:
        changes.between(read(two), read(one))
    assert refused.value.problem == "the first report is later than the second"
    other = {**read(one), "site": "other"}
    with pytest.raises(RequestError) as refused:
        changes.between(other, read(two))
    assert refused.value.problem == "the reports are of two sites, other and plant7"
