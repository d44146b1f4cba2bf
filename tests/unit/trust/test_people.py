"""People with a key of each family: who counts, what a profile asks, what is refused."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from airlift.errors import FormatError, RequestError
from airlift.trust import metadata, profile, roster, strict
from airlift.trust.ceremony import describe
from airlift.trust.keys import UnlockedKey
from airlift.trust.plan import RolePlan, paired_quorum
from airlift.trust.public import PublicKey
from airlift.trust.publisher import Publisher
from airlift.trust.quorum import Quorum
from authority import NOW, Authority, envelope, key, signed_root

P384, MLDSA = "ecdsa-sha2-nistp384", "ml-dsa-87/1"


def both(name: str) -> tuple[UnlockedKey, UnlockedKey]:
    """Return the two keys of a person."""
    return key(name, P384), key(name, MLDSA)


def publics(*names: str) -> tuple[PublicKey, ...]:
    """Return the public halves of both keys of each person."""
    return tuple(one.public for name in names for one in both(name))


PEOPLE = ("ann", "bob", "cat")
SIX = publics(*PEOPLE)
STRICT = RolePlan(
    approvers=SIX, approver_threshold=2, dispatchers=publics("dan"), profile="strict"
)


def test_of_all_sets_of_six_keys_those_with_two_whole_people_suffice() -> None:
    """All 64 sets: the rule, stated once more in the plainest way."""
    one = paired_quorum(SIX, 2, "approvers")
    assert (one.threshold, one.people) == (4, 2)
    for count in range(7):
        for chosen in itertools.combinations(SIX, count):
            names = [key.name for key in chosen]
            whole = sum(names.count(name) == 2 for name in PEOPLE)
            enough = not one.missing(key.key_id for key in chosen)
            assert enough == (whole >= 2), names


def test_without_the_rule_any_four_of_six_suffice() -> None:
    """What stock TUF counts, for those who choose it."""
    plan = RolePlan(
        approvers=SIX, approver_threshold=2, dispatchers=publics("dan"), either=True
    )
    one = plan.roles()[metadata.ROOT]
    assert (one.threshold, one.people) == (4, 0)
    for chosen in itertools.combinations(SIX, 4):
        assert one.missing(key.key_id for key in chosen) == 0


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            (*publics("ann", "bob"), key("cat").public),
            "among the approvers, `cat` has 1 key(s)",
        ),
        (
            (*publics("ann"), key("Ann").public),
            "among the approvers, `ann` has 3 key(s)",
        ),
        (
            (key("ann").public, key("ANN", P384).public),
            "among the approvers, `ann` has 2 key(s)",
        ),
        (
            (*publics("ann"), publics("ann")[0]),
            "among the approvers, `ann` has 3 key(s)",
        ),
    ],
)
def test_equal_people_and_equal_keys_are_refused(
    keys: tuple[PublicKey, ...], message: str
) -> None:
    """One person must not be made to count for two, however the name is written."""
    with pytest.raises(RequestError) as caught:
        paired_quorum(keys, 1, "approvers")
    assert str(caught.value) == message


@pytest.mark.parametrize("count", [0, 4])
def test_a_number_of_people_nobody_can_meet_is_refused(count: int) -> None:
    """A root nobody can follow would be the end of every site."""
    with pytest.raises(RequestError) as caught:
        paired_quorum(SIX, count, "approvers")
    assert str(caught.value) == f"{count} of 3 approvers cannot sign"


def roles(keys: tuple[PublicKey, ...], threshold: int) -> dict[str, Quorum]:
    """Return the roles of a root that *threshold* people of *keys* sign."""
    plan = RolePlan(approvers=keys, approver_threshold=threshold, dispatchers=keys[:1])
    return dict(plan.roles())


def test_profiles_say_what_they_miss() -> None:
    """Whoever sets up a root learns what to change, not that something is wrong."""
    lone = roles((key("ann").public,), 1)
    assert profile.shortfalls(profile.STANDARD, lone) == (
        "1 can approve, 2 must",
        "1 may approve, 3 should",
    )
    three = tuple(key(name).public for name in PEOPLE)
    assert profile.met(roles(three, 2)) == profile.STANDARD
    assert profile.met(roles(three, 1)) is None
    assert profile.met(STRICT.roles()) == profile.STRICT
    assert profile.shortfalls(profile.STRICT, roles(three, 2))[-2:] == (
        "approvals are not signed with both families of keys",
        "deliveries are not signed with both families of keys",
    )


def test_a_plan_below_its_profile_is_refused_before_anything_is_signed(
    tmp_path: Path,
) -> None:
    """Thresholds below the profile never reach a signer."""
    plan = RolePlan(
        approvers=SIX, approver_threshold=1, dispatchers=SIX[:2], profile="strict"
    )
    with pytest.raises(RequestError) as caught:
        Publisher.create(tmp_path / "side", plan=plan, signers=(), now=NOW)
    assert str(caught.value) == (
        "this falls short of the profile strict: 1 can approve, 2 must"
    )
    assert not (tmp_path / "side").exists()


@pytest.fixture(name="side", scope="module")
def _side(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    signers = [one for name in (*PEOPLE, "dan") for one in both(name)]
    folder = tmp_path_factory.mktemp("strict") / "side"
    return Authority(folder, plan=STRICT, signers=signers)


def test_a_strict_root_reads_as_it_was_written(side: Authority) -> None:
    """Every reader sees the same people and the same promise."""
    data = side.publisher.root_bytes()
    document = strict.root(data, name="root")
    assert metadata.encode(document) == data
    assert (document.body.profile, document.body.roles) == ("strict", STRICT.roles())
    assert roster.promise(document.body) == "profile: promises strict, meets strict"


def _weaker(signed: dict[str, Any]) -> None:
    for role in ("root", "targets"):
        signed["roles"][role] |= {"threshold": 2, "x-airlift-people": 1}


def _bare(signed: dict[str, Any]) -> None:
    for role in ("root", "targets"):
        del signed["roles"][role]["x-airlift-people"]


def _odd(signed: dict[str, Any]) -> None:
    signed["roles"]["root"]["threshold"] = 3


def _unknown(signed: dict[str, Any]) -> None:
    signed["x-airlift-profile"] = "paranoid"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            _weaker,
            "root: `signed.x-airlift-profile` is strict, but 1 can approve, 2 must",
        ),
        (
            _bare,
            (
                "root: `signed.x-airlift-profile` is strict, but approvals are not signed"
                " with both families of keys"
            ),
        ),
        (
            _odd,
            (
                "root: `signed.roles.root.x-airlift-people` is 2, which the threshold does"
                " not match"
            ),
        ),
        (_unknown, "root: `signed.x-airlift-profile` has the unknown value `paranoid`"),
    ],
)
def test_a_root_that_breaks_its_promise_is_refused(
    side: Authority, edit: Any, message: str
) -> None:
    """Even with every signature good: a site must not be moved down unseen."""
    signed = signed_root(side.publisher.root_bytes())
    edit(signed)
    with pytest.raises(FormatError) as caught:
        strict.root(envelope(signed, side.signers), name="root")
    assert str(caught.value) == message


def test_who_signs_is_shown_that_a_promise_is_given_up(
    side: Authority, tmp_path: Path
) -> None:
    """The one change that makes every later change easier must be seen."""
    twin = side.copied(tmp_path / "side")
    plan = RolePlan(approvers=SIX, approver_threshold=1, dispatchers=SIX[:2])
    with pytest.raises(RequestError, match="more people must sign"):
        twin.publisher.rotate(plan, [], NOW)
    pending = twin.publisher.pending()
    assert pending
    lines = describe(pending)
    assert "the root promises the profile none instead of strict" in lines
    assert (
        "what is approved must be signed by 1 of `ann`, `bob`, `cat`, each with both"
        " keys instead of 2 of `ann`, `bob`, `cat`, each with both keys"
    ) in lines


def test_an_ml_dsa_signature_is_never_the_same_twice() -> None:
    """So nothing may compare signatures for equality."""
    one = key("ann", MLDSA)
    first, second = one.sign(b"x"), one.sign(b"x")
    assert first != second
    assert one.public.verifies(first, b"x")
    assert one.public.verifies(second, b"x")
    assert not one.public.verifies(first, b"y")
