"""Replay, freezing and clocks: what a courier and a clock can and cannot do."""

import itertools
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airlift.cli import health_site
from airlift.cli.health import Verdict
from airlift.errors import TrustError
from airlift.registry.rebuild import rebuild
from airlift.registry.registry import Registry
from airlift.trust import approval, grace
from airlift.trust.plan import RolePlan
from airlift.trust.site import accept_root
from airlift.trust.verifier import verify
from authority import NOW, SITE, Authority, key, land, model
from crossing import Isolated
from handmade import written

DELIVERIES = 20
DAY = timedelta(days=1)


def days(count: float, since: str = NOW) -> str:
    """Return the time *count* days after *since*."""
    then = datetime.fromisoformat(since) + count * DAY
    return then.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(name="history", scope="module")
def _history(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Authority, list[Mapping[str, bytes]]]:
    """A signing side and the deliveries it has made, one a day."""
    side = Authority(tmp_path_factory.mktemp("history") / "side")
    return side, [side.deliver(now=days(one)) for one in range(DELIVERIES)]


def test_a_host_set_up_anew_takes_nothing_older_than_it_is_told(
    history: tuple[Authority, list[Mapping[str, bytes]]],
) -> None:
    """The root alone cannot tell: every delivery of the last weeks is signed well."""
    side, deliveries = history
    now, taken, told = days(DELIVERIES), [], set()
    for least in range(1, DELIVERIES + 1):
        state = replace(side.state(), least=least)
        for number, offered in enumerate(deliveries, start=1):
            try:
                land(offered, state, now=now)
                taken.append((least, number))
            except TrustError as error:
                told.add(error.problem == _too_old(number, least))
    assert told == {True}
    assert taken == [
        (least, number)
        for least, number in itertools.product(range(1, DELIVERIES + 1), repeat=2)
        if number >= least
    ]


def _too_old(number: int, least: int) -> str:
    return (
        f"delivery {number} is older than delivery {least}, the oldest that this site"
        " takes since it was set up"
    )


def test_a_host_set_up_anew_remembers_that_after_a_rebuild(tmp_path: Path) -> None:
    """What it was told once must not be lost with a database."""
    side = Authority(tmp_path / "side")
    first, second = side.deliver(), side.deliver()
    state = replace(side.state(), least=2)
    home = tmp_path / "home"
    Registry.create(home, state=state, now=NOW, actor="tester").close()
    site = Isolated.at(home)
    (home / "registry.db").unlink()
    rebuild(home, site.store, verify=verify, now=NOW, actor="tester")
    site = Isolated.at(home)
    with pytest.raises(TrustError):
        site.land(written(first, tmp_path / "first"), now=NOW)
    assert not site.land(written(second, tmp_path / "second"), now=NOW).repeat


def test_the_freeze_alarm_rings_on_its_day(tmp_path: Path) -> None:
    """A courier who brings nothing, or the same again, is found out by the calendar.

    Every day from the delivery to 400 days after it, with three limits: the alarm is
    silent before its day and never after it, and only says so by the exit code where
    a limit was asked for.
    """
    side = Authority(tmp_path / "side")
    site = Isolated(tmp_path / "home", side.publisher.root_bytes())
    offered = side.deliver()
    site.land(written(offered, tmp_path / "medium"), now=NOW)
    registry = site.registry
    wrong = []
    for limit in (7, 30, None):
        rings = health_site.QUIET_DAYS if limit is None else limit
        loud = Verdict.WARNING if limit is None else Verdict.PROBLEM
        for day in range(401):
            found = health_site.freshness(registry, days(day), limit)
            if found.verdict is not (loud if day > rings else Verdict.OK):
                wrong.append((limit, day, found))
    assert wrong == []
    again = site.land(written(offered, tmp_path / "again"), now=days(40))
    assert again.repeat
    found = health_site.freshness(registry, days(40), 30)
    assert found.text == (
        f"the newest is 1, issued {NOW}, 40 days ago; nothing newer has come"
    )
    registry.close()


def test_no_clock_makes_an_expired_delivery_good(
    history: tuple[Authority, list[Mapping[str, bytes]]],
) -> None:
    """A clock from 20 years back to 20 years ahead, after a delivery of day 100.

    What had expired by the newest time that was verified stays so; what the clock
    says matters only where it is later.
    """
    side, deliveries = history
    first = deliveries[0]
    expires = days(45)
    after = replace(side.state(), floor=days(100))
    wrong = []
    for year in range(-20, 21):
        now = days(365 * year)
        for state in (side.state(), after):
            at = max(now, state.floor)
            try:
                land(first, state, now=now)
                taken = True
            except TrustError:
                taken = False
            if taken != (at < expires):
                wrong.append((year, state.floor, taken))
    assert wrong == []


ANN, BOB, CAT = key("ann"), key("bob"), key("cat")
PLAN = RolePlan(
    approvers=tuple(one.public for one in (ANN, BOB, CAT)),
    approver_threshold=2,
    dispatchers=(key("dan").public,),
)


def test_what_is_taken_late_is_in_the_log_and_can_be_rebuilt(tmp_path: Path) -> None:
    """Who took it late is known for ever, and a rebuild takes it late by their word."""
    side = Authority(tmp_path / "side", plan=PLAN, signers=(ANN, BOB, CAT, key("dan")))
    site = Isolated(tmp_path / "home", side.publisher.root_bytes())
    medium, late = written(side.deliver(), tmp_path / "medium"), days(60)
    before = site.fingerprint()
    with pytest.raises(TrustError):
        site.land(medium, now=late)
    assert site.fingerprint() == before
    state = site.registry.trust_state()
    digest = side.publisher.deliveries(SITE)[0].sha256
    for name in ("ann", "bob"):
        given = approval.sign(key(name), grace.subject(digest, SITE), at=late)
        custody = site.registry.custody()
        site.registry.log(custody.admit_late(given, state, actor="tester", now=late))
    landed = site.land(medium, now=late)
    assert sorted(landed.arrival.delivery.graced) == ["ann", "bob"]
    (line,) = [
        one for one in site.registry.events(action="import") if one.outcome == "late"
    ]
    assert line.detail["delivery"] == digest
    assert line.detail["by"] in (["ann", "bob"], ["bob", "ann"])
    site.registry.close()
    done = rebuild(site.home, site.store, verify=verify, now=late, actor="tester")
    assert done.deliveries == 1


def test_a_site_that_accepted_a_new_root_believes_the_old_no_more(
    tmp_path: Path,
) -> None:
    """Where thieves have as many root keys as must sign, only people can help.

    The site is set up again under a root that somebody compared; whatever the thieves
    sign for it from then on, old or new, is the word of strangers.
    """
    old, new = Authority(tmp_path / "old"), _stranger(tmp_path / "new")
    stale = old.deliver(model())
    state = accept_root(new.publisher.root_bytes(), site=SITE)
    for offered in (stale, old.deliver()):
        with pytest.raises(TrustError) as caught:
            land(offered, state)
        assert caught.value.problem == (
            "`metadata/1.root.json` is not the root that this site trusts"
        )
    with closing(Isolated(tmp_path / "home", new.publisher.root_bytes()).registry):
        assert land(new.deliver(), state).state.site == SITE


def _stranger(folder: Path) -> Authority:
    return Authority(
        folder, plan=RolePlan.single(key("zoe").public), signers=(key("zoe"),)
    )
