"""How a policy reaches a site, and that it only ever goes forward there."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.errors import AirliftError, RequestError, TrustError
from airlift.trust import policy, records, strict, succession
from airlift.trust.metadata import VersionedTarget
from airlift.trust.publisher import Publisher
from authority import NOW, SITE, Authority, key, land, model, resign
from policies import document, made

NAME = f"records/policy/{SITE}/1.json"


@pytest.fixture(name="side")
def _side(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "side", sites=(SITE, "plant8"))


def _set(side: Authority, version: int = 1, **rules: object) -> bytes:
    data = document(made(version, **rules))  # type: ignore[arg-type]
    side.publisher.set_policy(data, side.signers, NOW)
    return data


def _vouched(offered: Mapping[str, bytes]) -> VersionedTarget:
    (data,) = (offered[name] for name in offered if ".targets." in name)
    return strict.targets(data, name="targets").body.policies[SITE]


def test_a_policy_travels_and_is_in_force_with_the_delivery(side: Authority) -> None:
    """A site needs no other way for it than the one it has."""
    data = _set(side)
    offered = side.deliver(model())
    assert offered[NAME] == data
    assert land(offered, side.state()).state.policy == data


def test_without_a_policy_nothing_of_one_travels(side: Authority) -> None:
    """Whoever wants none sees no difference, to the byte."""
    offered = side.deliver(model())
    assert [name for name in offered if "policy" in name] == []
    assert land(offered, side.state()).state.policy == b""


def test_a_policy_goes_to_its_own_site_only(side: Authority) -> None:
    """What one site allows is nobody else's business."""
    _set(side)
    there = side.deliver(model(), site="plant8")
    assert [name for name in there if "policy" in name] == []
    assert land(there, side.state("plant8")).state.policy == b""


def test_any_flipped_bit_of_a_policy_is_refused(side: Authority) -> None:
    """A courier who could change one limit would need no other attack."""
    data = _set(side)
    offered = side.deliver(model())
    vouched = _vouched(offered)
    passed = []
    for at in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        offer = records.sort({**offered, NAME: bytes(flipped)}, site=SITE)
        try:
            succession.brought(offer, vouched, SITE)
        except AirliftError:
            continue
        passed.append(at)
    assert passed == []
    assert succession.brought(records.sort(offered, site=SITE), vouched, SITE) == data


def test_a_policy_cannot_be_left_out_or_added(side: Authority) -> None:
    """It is there exactly where its signers put it."""
    bare = side.deliver(model())
    data = _set(side)
    offered = side.deliver(model())
    left_out = {name: offered[name] for name in offered if name != NAME}
    with pytest.raises(TrustError) as caught:
        land(left_out, side.state())
    assert caught.value.problem == f"the delivery lacks `{NAME}`"
    with pytest.raises(TrustError) as caught:
        land({**bare, NAME: data}, side.state())
    assert caught.value.problem == f"the delivery was not meant to bring `{NAME}`"


def test_a_policy_of_another_site_is_refused(side: Authority) -> None:
    """Its name says whose it is before anything is read."""
    _set(side)
    offered = side.deliver(model())
    foreign = {**offered, "records/policy/plant8/1.json": offered[NAME]}
    with pytest.raises(TrustError) as caught:
        land(foreign, side.state())
    assert caught.value.problem == (
        "this delivery is for site `plant8`, this host is site `plant7`"
    )


def test_a_later_policy_takes_the_place_of_an_earlier_one(side: Authority) -> None:
    """Rules change; the newest that came is in force."""
    _set(side)
    state = land(side.deliver(model()), side.state()).state
    data = _set(side, 2, age_days=7)
    assert land(side.deliver(), state).state.policy == data


def test_an_earlier_policy_never_comes_back(side: Authority, tmp_path: Path) -> None:
    """A side put back from a copy, or a thief, cannot loosen what was tightened."""
    _set(side)
    twin = side.copied(tmp_path / "twin")
    state = land(side.deliver(), side.state()).state
    data = _set(side, 5, classes=())
    held = replace(state, policy=data)
    with pytest.raises(TrustError) as caught:
        land(
            twin.deliver(model(), now="2026-03-02T12:00:00Z"),
            replace(held, deliveries=()),
        )
    assert caught.value.problem == (
        "the delivery brings policy version 1, this site has version 5"
    )


@pytest.mark.parametrize(
    ("after", "problem"),
    [
        (b"", "the delivery brings no policy, this site has version 3 of its"),
        (
            document(made(3, age_days=1)),
            "there are two policies of version 3: a forked history",
        ),
        (
            document(made(2)),
            "the delivery brings policy version 2, this site has version 3",
        ),
        (
            document(made(10_004)),
            "the policy's version jumps from 3 to 10004, more than 10000",
        ),
    ],
)
def test_a_policy_may_not_step_back_fork_leap_or_vanish(
    after: bytes, problem: str
) -> None:
    """Each would be a way to rules that nobody decided on last."""
    with pytest.raises(TrustError) as caught:
        succession.check_follows(document(made(3)), after)
    assert caught.value.problem == problem


def test_a_policy_may_stay_rise_and_begin() -> None:
    """What is ordinary passes."""
    three = document(made(3))
    for before, after in ((three, three), (three, document(made(4))), (b"", three)):
        succession.check_follows(before, after)


def test_two_policies_of_one_site_are_refused(side: Authority) -> None:
    """The dispatcher could choose between them."""
    _set(side)
    offered = side.deliver(model())

    def twice(signed: dict[str, object]) -> None:
        targets = signed["targets"]
        assert isinstance(targets, dict)
        targets[f"policy/{SITE}/2.json"] = targets[f"policy/{SITE}/1.json"]

    forged = resign(offered, {"targets": twice}, [key("alice")])
    with pytest.raises(AirliftError) as caught:
        land(forged, side.state())
    assert "no such site, or a second policy" in caught.value.problem


def test_a_dispatcher_cannot_sign_a_policy(tmp_path: Path) -> None:
    """Who sends would otherwise decide what is looked at on arrival."""
    from airlift.trust.plan import RolePlan  # noqa: PLC0415 - of this test alone

    alice, dave = key("alice"), key("dave")
    plan = RolePlan(approvers=(alice.public,), dispatchers=(dave.public,))
    side = Authority(tmp_path / "side", plan=plan, signers=(alice, dave))
    with pytest.raises(RequestError) as caught:
        side.publisher.set_policy(document(made()), [dave], NOW)
    assert "`targets` needs" in caught.value.problem
    assert side.publisher.policy(SITE) == b""


def test_the_signing_side_keeps_the_order_too(side: Authority) -> None:
    """What no site would take is not signed."""
    _set(side, 3)
    with pytest.raises(TrustError) as caught:
        _set(side, 2)
    assert caught.value.problem == (
        "the delivery brings policy version 2, this site has version 3"
    )
    assert Publisher.open(side.folder).policy(SITE) == document(made(3))


def test_a_site_that_is_not_there_has_no_policy(side: Authority) -> None:
    """A policy for a mistyped site would protect nobody."""
    with pytest.raises(RequestError) as caught:
        side.publisher.set_policy(document(made(site="plant9")), side.signers, NOW)
    assert caught.value.problem == (
        "there is no site `plant9`; known are `plant7`, `plant8`"
    )


def test_an_earlier_delivery_keeps_the_policy_it_had(side: Authority) -> None:
    """Written again, it is the same to the byte, whatever was decided since."""
    first = _set(side)
    offered = side.deliver(model())
    _set(side, 2, age_days=9)
    side.deliver()
    again = side.publisher.delivered(SITE, 1)
    assert dict(again) == offered
    assert again[NAME] == first


def test_the_policy_is_a_target_of_the_targets_role(side: Authority) -> None:
    """Any client of TUF finds it, by name and digest."""
    data = _set(side)
    offered = side.deliver(model())
    (targets,) = (offered[name] for name in offered if ".targets." in name)
    listed = json.loads(targets)["signed"]["targets"]
    assert listed[f"policy/{SITE}/1.json"]["length"] == len(data)
    assert policy.decode(data).site == SITE
