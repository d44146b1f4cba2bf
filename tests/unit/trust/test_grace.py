"""Taking late what has expired: who may say so, for how long, and that it is all."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from airlift.digest import Sha256, sha256
from airlift.errors import AirliftError, RequestError, TrustError
from airlift.trust import approval, denials, grace, verifier
from airlift.trust.approval import Approval, Subject
from airlift.trust.delivery import TrustState, VerifiedDelivery
from airlift.trust.denials import Denial, DenyList, What
from airlift.trust.plan import RolePlan
from authority import NOW, SITE, Authority, key, land, model
from policies import document, made

ANN, BOB, CAT, DAN = key("ann"), key("bob"), key("cat"), key("dan")
PLAN = RolePlan(
    approvers=tuple(one.public for one in (ANN, BOB, CAT)),
    approver_threshold=2,
    dispatchers=(DAN.public,),
)
LATE = "2026-06-01T12:00:00Z"
"""Three months after; the timestamp was good for 45 days."""
PROBLEM = (
    "`snapshot` of this delivery expired on 2026-05-30T12:00:00Z; this clock says"
    " 2026-06-01T12:00:00Z"
)


@pytest.fixture(name="side", scope="module")
def _side(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("side") / "side"
    return Authority(folder, plan=PLAN, signers=(ANN, BOB, CAT, DAN))


@pytest.fixture(name="offered", scope="module")
def _offered(side: Authority) -> Mapping[str, bytes]:
    return side.deliver(model())


@pytest.fixture(name="state", scope="module")
def _state(side: Authority, offered: Mapping[str, bytes]) -> TrustState:
    assert offered
    return side.state()


def late(
    offered: Mapping[str, bytes],
    state: TrustState,
    *approvals: Approval,
    now: str = LATE,
) -> VerifiedDelivery:
    """Import *offered* when it has expired."""
    return verifier.verify(offered, state, now=now, approvals=approvals)


def says(
    name: str, offered: Mapping[str, bytes], *, at: str = LATE, site: str = SITE
) -> Approval:
    """Return the word of *name* that *offered* may be taken late."""
    digest = _id(offered)
    subject = Subject(site=site, what=approval.EXPIRED, digest=digest)
    return approval.sign(key(name), subject, at=at)


def _id(offered: Mapping[str, bytes]) -> Sha256:
    (name,) = (one for one in offered if one.startswith("records/dispatch/"))
    return sha256(offered[name])


def refused(
    offered: Mapping[str, bytes],
    state: TrustState,
    *approvals: Approval,
    now: str = LATE,
) -> AirliftError:
    """Import what must not be taken."""
    with pytest.raises(AirliftError) as caught:
        late(offered, state, *approvals, now=now)
    return caught.value


def test_two_people_let_a_site_take_what_expired(
    offered: Mapping[str, bytes], state: TrustState
) -> None:
    """A clock years ahead, or a courier months late, need not end a site."""
    found = late(offered, state, says("bob", offered), says("ann", offered))
    assert sorted(found.graced) == ["ann", "bob"]
    in_time = land(offered, state)
    assert found.state == in_time.state
    assert found.releases == in_time.releases
    assert found.warnings[-1].startswith("`")
    assert found.warnings[-1].endswith(
        f"it is taken late by the word of {', '.join(found.graced)}"
    )


def test_without_them_it_is_refused_and_says_who_could(
    offered: Mapping[str, bytes], state: TrustState
) -> None:
    """Whoever stands there with the medium reads what to do."""
    error = refused(offered, state)
    assert isinstance(error, TrustError)
    assert "expired on" in error.problem
    assert error.hint.endswith("; or 2 of ann, bob, cat `airlift approve --expired` it")


def test_one_person_is_not_enough(
    offered: Mapping[str, bytes], state: TrustState
) -> None:
    """Nor is the same person twice, nor who sends deliveries, nor a stranger."""
    alone = says("ann", offered)
    for others in (
        (),
        (says("ann", offered, at="2026-05-31T12:00:00Z"),),
        (says("dan", offered),),
        (says("mallory", offered),),
        (says("bob", offered, site="plant8"),),
    ):
        assert "expired on" in refused(offered, state, alone, *others).problem


def test_the_word_for_one_delivery_is_none_for_another(
    side: Authority, offered: Mapping[str, bytes], state: TrustState, tmp_path: Path
) -> None:
    """It names what is taken by digest."""
    other = side.copied(tmp_path / "twin").deliver()
    given = (says("ann", offered), says("bob", offered))
    first = land(offered, state).state
    assert "expired on" in refused(other, first, *given).problem


def test_an_approval_of_a_release_is_no_word_for_what_expired(
    offered: Mapping[str, bytes], state: TrustState
) -> None:
    """Who approved content said nothing about time."""
    given = tuple(
        approval.sign(
            key(name),
            Subject(site=SITE, what=approval.RELEASE, digest=_id(offered)),
            at=LATE,
        )
        for name in ("ann", "bob")
    )
    assert "expired on" in refused(offered, state, *given).problem


@pytest.mark.parametrize(
    ("at", "taken"),
    [
        ("2026-05-18T12:00:00Z", True),
        ("2026-05-17T12:00:00Z", False),
        (LATE, True),
        ("2026-06-01T12:00:01Z", False),
        ("2027-01-01T00:00:00Z", False),
    ],
    ids=["14 days", "15 days", "now", "a second ahead", "months ahead"],
)
def test_a_word_counts_for_14_days(
    offered: Mapping[str, bytes], state: TrustState, at: str, *, taken: bool
) -> None:
    """Signed long ago, or dated ahead, it would lift expiry for ever."""
    given = (says("ann", offered, at=at), says("bob", offered))
    if taken:
        assert late(offered, state, *given).graced
    else:
        assert "expired on" in refused(offered, state, *given).problem


@pytest.mark.parametrize(
    ("now", "taken"),
    [("2027-03-02T12:00:00Z", True), ("2027-03-03T12:00:00Z", False)],
    ids=["366 days", "367 days"],
)
def test_nothing_signed_more_than_a_year_ago_is_taken(
    offered: Mapping[str, bytes], state: TrustState, now: str, *, taken: bool
) -> None:
    """By then what it says of the world is worth less than the risk."""
    given = (says("ann", offered, at=now), says("bob", offered, at=now))
    if taken:
        assert late(offered, state, *given, now=now).graced
    else:
        assert "expired on" in refused(offered, state, *given, now=now).problem


def test_nothing_but_the_expiry_is_lifted(
    side: Authority, offered: Mapping[str, bytes], state: TrustState, tmp_path: Path
) -> None:
    """Not a bit of any record may be another, nor may history be."""
    given = (says("ann", offered), says("bob", offered))
    passed = []
    for name, data in offered.items():
        for at in range(0, len(data) * 8, 997):
            changed = bytearray(data)
            changed[at // 8] ^= 1 << at % 8
            try:
                late({**offered, name: bytes(changed)}, state, *given)
            except AirliftError:
                continue
            passed.append((name, at))
    assert passed == []
    twin = side.copied(tmp_path / "twin")
    newer = land(twin.deliver(), state).state
    older = replace(newer, deliveries=newer.deliveries[:1], metadata=newer.metadata)
    assert "older than delivery" in refused(offered, older, *given).problem


def test_who_is_denied_says_nothing_more(
    offered: Mapping[str, bytes], state: TrustState
) -> None:
    """A stolen key must not be one of the two."""
    entry = Denial(
        what=What.KEY, digest=Sha256(ANN.public.key_id), since=NOW, why="stolen"
    )
    listed = DenyList(version=1, issued=NOW, entries=(entry,))
    held = replace(state, denials=denials.encode(listed))
    given = (says("ann", offered), says("bob", offered))
    assert grace.given(given, _id(offered), held, at=LATE) == ()
    assert len(grace.given(given, _id(offered), state, at=LATE)) == 2
    assert grace.possible(held) == "2 of bob, cat"


def test_where_a_policy_enrols_people_those_are_asked(
    offered: Mapping[str, bytes], state: TrustState
) -> None:
    """The people at the site, not those who sign for all sites."""
    held = replace(state, policy=document(made(threshold=1)))
    people, needed = grace.officers(held)
    assert (sorted(one.name for one in people.keys), needed) == (
        ["bob", "carol", "dora"],
        2,
    )
    assert grace.possible(held) == "2 of bob, carol, dora"
    given = (says("ann", offered), says("cat", offered))
    assert grace.given(given, _id(offered), held, at=LATE) == ()


def test_a_site_that_knows_one_person_takes_nothing_late(tmp_path: Path) -> None:
    """One person alone never waves anything through."""
    side = Authority(tmp_path / "side")
    offered, state = side.deliver(), side.state()
    assert grace.possible(state) == ""
    with pytest.raises(RequestError) as caught:
        grace.need_officers(state)
    assert caught.value.problem == (
        "2 people must say that a delivery may be taken late, this site knows 1"
    )
    error = refused(offered, state, says("alice", offered))
    assert "approve --expired" not in error.hint


def test_what_has_not_expired_needs_nobody(
    offered: Mapping[str, bytes], state: TrustState
) -> None:
    """Who asks for a word that is not needed is told so, and nothing is noted."""
    assert late(offered, state, says("ann", offered), now=NOW).graced == ()
    with pytest.raises(RequestError) as caught:
        verifier.overdue(offered, state, now=NOW)
    assert caught.value.problem == "nothing in delivery 1 has expired"
    digest, why = verifier.overdue(offered, state, now=LATE)
    assert (digest, "expired on" in why) == (_id(offered), True)
