"""Which releases of a delivery wait, by today's rules and by a site's policy."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from airlift.artifact import ContentClass, Kind, Release, ReleaseFile
from airlift.digest import sha256
from airlift.format import release
from airlift.inbound import holding
from airlift.inbound.arrival import Gate
from airlift.registry.held import Hold
from airlift.trust.delivery import VerifiedDelivery, VerifiedRelease
from authority import NOW
from crossing import Desk
from policies import approved, document, made
from policies import release as subject
from sites import Site

PICKLE = pickle.dumps({"weights": [1.0, 2.0]})
LATER = "2026-03-20T12:00:00Z"


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def _policy(site: Site, **rules: object) -> None:
    data = document(made(**rules))  # type: ignore[arg-type]
    site.side.publisher.set_policy(data, site.side.signers, NOW)


def _delivery(
    site: Site, content: ContentClass, data: bytes, path: str = "model.bin"
) -> VerifiedDelivery:
    """Deliver one file of *data*, which the signed document says is of *content*."""
    site.hold(data)
    file = ReleaseFile(
        path=path, size=len(data), sha256=sha256(data), content_class=content
    )
    found = Release(
        kind=Kind.MODEL,
        name=f"org/{content}",
        revision="0" * 40,
        counter=1,
        files=(file,),
    )
    return site.verified(release.encode(found))


def _judge(
    site: Site,
    delivery: VerifiedDelivery,
    *,
    wish: Callable[[VerifiedRelease], str] = lambda _: "",
    now: str = NOW,
) -> Hold | None:
    gate = Gate(store=site.store, registry=site.registry, incoming=site.home / "in")
    held = holding.judge(delivery, gate, Desk(held=wish), now=now)
    return held.get(delivery.releases[0].id)


def test_without_a_policy_what_can_run_waits_and_all_else_goes_live(site: Site) -> None:
    """The rule of the house, whoever imports."""
    hold = _judge(site, _delivery(site, ContentClass.CODE, b"x"))
    assert hold == Hold(by=Hold.OPERATOR, why="can run code when loaded: model.bin")
    assert _judge(site, _delivery(site, ContentClass.DATA, b"y")) is None


def test_a_policy_that_allows_code_lets_it_go_live(site: Site) -> None:
    """Its signers have said so; nobody has to say it again at each import."""
    _policy(site, classes=(ContentClass.CODE, ContentClass.DATA))
    delivery = _delivery(site, ContentClass.CODE, b"print(1)\n", "run.py")
    assert _judge(site, delivery) is None


def test_bytes_that_are_not_what_is_stated_wait(site: Site) -> None:
    """A pickle that is signed as data is looked at here, not believed."""
    _policy(site, threshold=1)
    hold = _judge(site, _delivery(site, ContentClass.DATA, PICKLE))
    assert hold
    odd = "model.bin: stated to be data, its bytes are pickle (pickle)"
    assert hold == Hold(
        by=Hold.POLICY,
        why=f"{odd}; approved by 0 of 1, 1 more of bob, carol, dora needed",
        odd=odd,
    )


def test_approvals_let_a_release_through_that_comes_again(site: Site) -> None:
    """What was approved once is not asked for with the next delivery of it."""
    _policy(site)
    site.bring()  # so that the policy is in force, and approvals can be given
    delivery = _delivery(site, ContentClass.CODE, b"x")
    one = delivery.releases[0].id
    custody = site.registry.custody()
    site.registry.record(delivery, site.store, live=[], now=NOW, actor="a")
    for name in ("bob", "carol"):
        given = approved(name, subject(one))
        site.registry.log(custody.admit(given, actor="a", now=NOW))
    again = site.verified(delivery.releases[0].document)
    assert _judge(site, again) is None
    assert _judge(site, again, wish=lambda _: "asked for") == Hold(
        by=Hold.OPERATOR, why="asked for"
    )


def test_a_clock_turned_back_makes_no_delivery_younger(site: Site) -> None:
    """Age counts from the newest time that was verified, whatever the clock says."""
    _policy(site, age_days=7)
    old = site.side.deliver(now=NOW)
    newer = site.side.deliver(now=LATER)
    assert old
    assert newer
    delivery = _delivery(site, ContentClass.DATA, b"x")
    assert _judge(site, delivery, now=NOW) is None
    hold = _judge(site, delivery, now=LATER)
    assert hold
    assert hold.why.startswith(f"its delivery was issued {NOW}, more than 7 days")


def test_what_will_wait_is_said_before_its_bytes_are_here(site: Site) -> None:
    """Who is asked to agree sees what they agree to."""
    _policy(site)
    delivery = _delivery(site, ContentClass.PICKLE, b"x")
    said = holding.foreseen(delivery, delivery.releases[0], Desk(), now=NOW)
    assert said == "content of class `pickle` is not allowed: model.bin"
