"""What a policy keeps back, and what it takes to let it go live."""

from collections.abc import Callable
from pathlib import Path

import pytest

from airlift.artifact import ContentClass, Kind, Release, ReleaseFile
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError, TrustError
from airlift.format import release
from airlift.registry.held import Hold, State
from airlift.registry.rebuild import rebuild
from airlift.registry.registry import Registry
from airlift.trust.approval import Approval
from airlift.trust.verifier import verify
from authority import NOW, key
from policies import approved, document, made
from policies import release as subject
from sites import DAY, Site

BYTES = b"import os\n"


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.hold(BYTES)
    _policy(site)
    return site


def _policy(site: Site, version: int = 1, **rules: object) -> None:
    data = document(made(version, **rules))  # type: ignore[arg-type]
    site.side.publisher.set_policy(data, site.side.signers, NOW)


def _bring(
    site: Site,
    name: str = "org/acting",
    *,
    counter: int = 1,
    content: ContentClass = ContentClass.CODE,
    live: bool = False,
    odd: str = "",
) -> Sha256:
    file = ReleaseFile(
        path="run.py", size=len(BYTES), sha256=sha256(BYTES), content_class=content
    )
    found = release.encode(
        Release(
            kind=Kind.MODEL,
            name=name,
            revision=f"{counter:040x}",
            counter=counter,
            files=(file,),
        )
    )
    delivery, one = site.verified(found), release.identify(found)
    held = {} if live else {one: Hold(by=Hold.POLICY, why="looked at", odd=odd)}
    site.registry.record(
        delivery,
        site.store,
        live=[one] if live else [],
        now=DAY.format(next(site.days)),
        actor="importer",
        held=held,
    )
    return one


def _approve(site: Site, given: Approval) -> None:
    custody = site.registry.custody()
    site.registry.log(custody.admit(given, actor="root@host", now=NOW))


def _state(registry: Registry, one: Sha256) -> State:
    return next(held.state for held in registry.releases() if held.id == one)


def _activate(site: Site, *ids: Sha256) -> int:
    return site.registry.activate(ids, now=NOW, actor="root")


def test_what_waits_cannot_be_activated_before_enough_people_approve(
    site: Site,
) -> None:
    """The rule holds for every number of approvals below the threshold."""
    one = _bring(site)
    for name, count, could in (
        ("", 0, "2 more of bob, carol, dora"),
        ("bob", 1, "1 more of carol, dora"),
    ):
        if name:
            _approve(site, approved(name, subject(one)))
        with pytest.raises(TrustError) as caught:
            _activate(site, one)
        assert caught.value.problem == (
            "policy 1 keeps back model:org/acting@000000000000: content of class `code`"
            f" is not allowed: run.py; approved by {count} of 2, {could} needed"
        )
        assert _state(site.registry, one) is State.QUARANTINE
    _approve(site, approved("carol", subject(one)))
    _activate(site, one)
    assert _state(site.registry, one) is State.LIVE


def test_the_same_person_cannot_approve_twice(site: Site) -> None:
    """They are told so at once, not when it fails to count."""
    one = _bring(site)
    _approve(site, approved("bob", subject(one)))
    with pytest.raises(RequestError) as caught:
        _approve(site, approved("bob", subject(one), note="again"))
    assert caught.value.problem == f"`bob` approved it on {NOW} already"


def test_an_approval_of_one_revision_is_none_of_the_next(site: Site) -> None:
    """What was read is what was approved, and nothing that came later."""
    first = _bring(site)
    for name in ("bob", "carol"):
        _approve(site, approved(name, subject(first)))
    second = _bring(site, counter=2)
    _activate(site, first)
    with pytest.raises(TrustError, match="approved by 0 of 2"):
        _activate(site, second)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda one: approved("mallory", subject(one)),
        lambda one: approved("bob", subject(one, site="plant8")),
        lambda _: approved("bob", subject(sha256(b"nothing here"))),
    ],
)
def test_what_does_not_count_is_not_logged(
    site: Site, wrong: Callable[[Sha256], Approval]
) -> None:
    """A log of approvals that are none would be read as if they were."""
    one = _bring(site)
    with pytest.raises((TrustError, RequestError)):
        _approve(site, wrong(one))
    assert site.registry.events(action="approve") == ()


def test_what_is_written_into_the_log_by_hand_does_not_count(site: Site) -> None:
    """Who can write the database can not approve."""
    one = _bring(site)
    _approve(site, approved("bob", subject(one)))
    (event,) = site.registry.events(action="approve")
    for detail in (
        event.detail,
        {**event.detail, "approval": {**event.detail["approval"], "by": "carol"}},  # type: ignore[dict-item]
        {"approval": "carol"},
        {},
    ):
        forged = type(event)(
            time=NOW, actor="thief", action="approve", subject="carol", detail=detail
        )
        site.registry.log(forged)
    with pytest.raises(TrustError, match="approved by 1 of 2"):
        _activate(site, one)


def test_an_import_cannot_put_live_what_the_policy_keeps_back(site: Site) -> None:
    """The rule stands where live sets are made, whichever command makes them."""
    before = site.registry.generations()
    with pytest.raises(TrustError, match="policy 1 keeps back"):
        _bring(site, live=True)
    assert site.registry.generations() == before
    assert site.registry.deliveries() == ()


def test_a_rollback_brings_back_nothing_the_policy_keeps_back(site: Site) -> None:
    """An earlier live set is of an earlier day and its rules."""
    _policy(site, 2, classes=None)
    one = _bring(site, live=True)
    site.registry.deactivate([one], now=NOW, actor="root")
    _policy(site, 3)
    _bring(site, "org/plain", content=ContentClass.DATA, live=True)
    with pytest.raises(TrustError, match="policy 3 keeps back"):
        site.registry.rollback(1, now=NOW, actor="root")


def test_a_stricter_policy_takes_nothing_down_and_says_what_it_would_not_let_in(
    site: Site,
) -> None:
    """A new rule must not stop a plant at night; it is shown instead."""
    _policy(site, 2, classes=None)
    one = _bring(site, live=True)
    _policy(site, 3)
    _bring(site, "org/plain", content=ContentClass.DATA, live=True)
    assert _state(site.registry, one) is State.LIVE
    standing = site.registry.custody().standings([one])[one]
    assert not standing.cleared
    assert standing.objections == ("content of class `code` is not allowed: run.py",)


def test_an_approval_ends_with_the_enrolment_of_who_gave_it(site: Site) -> None:
    """The people in force decide, not those of yesterday."""
    one = _bring(site)
    for name in ("bob", "carol"):
        _approve(site, approved(name, subject(one)))
    _policy(site, 2, people=("bob", "dora"))
    _bring(site, "org/plain", content=ContentClass.DATA, live=True)
    with pytest.raises(TrustError, match="approved by 1 of 2, 1 more of dora needed"):
        _activate(site, one)


def test_bytes_that_were_odd_need_approvals_even_where_rules_do_not(
    site: Site,
) -> None:
    """A file that is not what its document says is nobody's ordinary case."""
    one = _bring(site, content=ContentClass.DATA, odd="run.py: stated to be data")
    with pytest.raises(TrustError, match=r"run\.py: stated to be data; approved by 0"):
        _activate(site, one)


def test_what_only_the_operator_held_needs_no_approval(site: Site) -> None:
    """Who asked for it to wait may let it go."""
    one = _bring(site, content=ContentClass.DATA)
    _activate(site, one)
    assert _state(site.registry, one) is State.LIVE


def test_a_rebuilt_registry_knows_policy_and_approvals(site: Site) -> None:
    """They come from signed records and from the log, both beside the database."""
    one = _bring(site)
    for name in ("bob", "carol"):
        _approve(site, approved(name, subject(one)))
    before = site.registry.custody().policy()
    site.registry.close()
    rebuild(site.home, site.store, verify=verify, now=NOW, actor="root")
    site.reopen()
    assert site.registry.custody().policy() == before
    _activate(site, one)
    assert _state(site.registry, one) is State.LIVE


def test_without_a_policy_one_person_activates(tmp_path: Path) -> None:
    """A site that never heard of policies works as it always did."""
    site = Site(tmp_path)
    site.hold(BYTES)
    one = _bring(site)
    assert site.registry.custody().policy() is None
    assert site.registry.custody().standings([one]) == {}
    _activate(site, one)
    assert _state(site.registry, one) is State.LIVE
    with pytest.raises(RequestError) as caught:
        _approve(site, approved("bob", subject(one)))
    assert caught.value.problem == (
        "this site has no policy, so nobody is enrolled to approve"
    )


def test_the_list_says_why_a_release_waits(site: Site) -> None:
    """Whoever looks sees what is missing, without trying to activate."""
    one = _bring(site)
    _approve(site, approved("bob", subject(one)))
    waiting = site.registry.custody().waiting(site.registry.releases())
    assert waiting == {
        one: "content of class `code` is not allowed: run.py; approved by 1 of 2,"
        " 1 more of carol, dora needed"
    }
    _approve(site, approved("carol", subject(one)))
    waiting = site.registry.custody().waiting(site.registry.releases())
    assert waiting == {one: "cleared by the policy; waits for `airlift activate`"}
    assert key("bob").public.name == "bob"
