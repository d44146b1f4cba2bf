"""Approvals: whose count, and what no set of them can do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.digest import sha256
from airlift.errors import AirliftError, FormatError, RequestError, TrustError
from airlift.trust import approval, policy
from airlift.trust.approval import Approval, Subject
from airlift.trust.policy import Policy
from airlift.trust.quorum import Quorum
from authority import NOW, SITE, key
from policies import PEOPLE, approved, made, release

IT = release(sha256(b"this revision"))
OTHER = release(sha256(b"another revision"))
ELSEWHERE = replace(IT, site="plant8")
LOCK = replace(IT, what=approval.LOCK)
SCHEMES = ("ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384")


def _quorum(threshold: int) -> Quorum:
    return made(threshold=threshold).approvers


subjects = st.sampled_from([IT, OTHER, ELSEWHERE, LOCK])
anybody = st.sampled_from([*PEOPLE, "mallory"])


@st.composite
def _approvals(draw: st.DrawFn) -> Approval:
    """Draw an approval: right or wrong in who, of what, where, or said by whom."""
    one = approved(draw(anybody), draw(subjects), note=draw(st.sampled_from(["", "n"])))
    match draw(st.integers(0, 5)):
        case 0:
            return replace(one, by=draw(anybody))
        case 1:
            return replace(one, key_id=key(draw(anybody)).public.key_id)
        case 2:
            return replace(one, subject=IT)
        case 3:
            return replace(one, at="2027-01-01T00:00:00Z")
        case _:
            return one


@given(st.lists(_approvals(), max_size=8), st.integers(1, 3))
def test_no_set_of_too_few_approvals_passes(
    given_: list[Approval], threshold: int
) -> None:
    """Whatever is presented, what counts is how many enrolled people really signed."""
    people = _quorum(threshold)
    honest = {
        one.by
        for one in given_
        if one.by in PEOPLE
        and any(approved(one.by, IT, at=NOW, note=note) == one for note in ("", "n"))
    }
    counted = approval.counted(given_, IT, people)
    assert {one.by for one in counted} == honest
    assert len(counted) == len(honest)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_any_flipped_bit_of_an_approval_is_refused(scheme: str) -> None:
    """There is no byte in an approval that says nothing."""
    pen = key(f"eve-{scheme}", scheme)
    people = Quorum(keys=(pen.public,), threshold=1)
    data = approval.encode(approval.sign(pen, IT, at=NOW, note="seen"))
    approval.check(approval.decode(data), IT, people)
    passed = []
    for at in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        try:
            approval.check(approval.decode(bytes(flipped)), IT, people)
        except AirliftError:
            continue
        passed.append(at)
    assert passed == []


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        (OTHER, f"is of release {OTHER.digest[:16]}, not of release {IT.digest[:16]}"),
        (ELSEWHERE, "is for site `plant8`, not `plant7`"),
        (LOCK, f"is of lock {IT.digest[:16]}, not of release {IT.digest[:16]}"),
    ],
)
def test_an_approval_is_of_one_thing_at_one_site(subject: Subject, why: str) -> None:
    """What was read there says nothing of what is here."""
    with pytest.raises(TrustError) as caught:
        approval.check(approved("bob", subject), IT, _quorum(1))
    assert caught.value.problem == f"the approval by `bob` {why}"


def test_a_person_counts_once_however_often_they_sign() -> None:
    """Two approvals by one person are one pair of eyes."""
    several = [
        approved("bob", IT, at=f"2026-03-0{day}T12:00:00Z", note=note)
        for day in (3, 1, 2)
        for note in ("", "again")
    ]
    counted = approval.counted(several, IT, _quorum(2))
    assert [one.by for one in counted] == ["bob"]


def test_a_stranger_and_a_borrowed_name_are_refused_by_name() -> None:
    """Whoever reads the refusal knows whose key it was."""
    people = _quorum(1)
    stranger = key("mallory").public.key_id[:16]
    with pytest.raises(TrustError) as caught:
        approval.check(approved("mallory", IT), IT, people)
    assert caught.value.problem == (
        f"the approval by `mallory` is by key {stranger}, which is not enrolled to"
        " approve"
    )
    with pytest.raises(TrustError) as caught:
        approval.check(replace(approved("bob", IT), by="carol"), IT, people)
    assert caught.value.problem == "the approval by `carol` is by the key of `bob`"
    with pytest.raises(TrustError) as caught:
        approval.check(replace(approved("bob", IT), note="fine"), IT, people)
    assert caught.value.problem == (
        "the approval by `bob` has a signature that is not valid"
    )


def test_a_key_taken_out_of_the_policy_counts_no_longer() -> None:
    """Who leaves takes their approvals along, also those given before."""
    given_ = [approved("bob", IT), approved("carol", IT)]
    later = made(2, people=("bob", "dora")).approvers
    assert [one.by for one in approval.counted(given_, IT, later)] == ["bob"]


def test_a_long_note_is_refused_before_it_is_signed() -> None:
    """A note is one line in a list; a book belongs elsewhere."""
    with pytest.raises(RequestError) as caught:
        approved("bob", IT, note="x" * 201)
    assert (
        caught.value.problem == "the note is longer than 200 characters or not one line"
    )


def test_nobody_can_be_enrolled_twice() -> None:
    """With two keys enrolled, one person would be two."""
    twin = replace(key("bob-second").public, name="BOB ")
    for name in ("Bob", "\uff42\uff4f\uff42"):
        twin = replace(twin, name=name)
        keys = sorted((key("bob").public, twin), key=lambda one: one.key_id)
        told = replace(made(), approvers=Quorum(keys=tuple(keys), threshold=2))
        with pytest.raises(FormatError) as caught:
            policy.decode(policy.encode(told))
        assert caught.value.problem == "policy: `approvers` name `bob` twice"


def test_one_key_cannot_be_enrolled_twice() -> None:
    """One key under two names would meet a threshold of two alone."""
    one = key("bob").public
    told = replace(
        made(),
        approvers=Quorum(keys=(one, replace(one, name="robert")), threshold=2),
    )
    with pytest.raises(FormatError) as caught:
        policy.decode(policy.encode(told))
    assert caught.value.problem == (
        "policy: `approvers` are not sorted by `key_id`, at least one, each once"
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"site": "Plant 7"}, "`site` is not a site name: `Plant 7`"),
        ({"issued": "yesterday"}, "`issued` is not `YYYY-MM-DDThh:mm:ssZ`"),
        ({"version": 0}, "`version` is 0, expected at least 1"),
        ({"departures": 4}, "`departures` is 4 of 3 people"),
        ({"licences": ("MIT", "MIT")}, "`licences` is not sorted, each once"),
        ({"kinds": ("models",)}, "`kinds` has the unknown value `models`"),
        ({"file_bytes": -1}, "`file_bytes` is -1, expected at least 0"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(
    change: dict[str, object], problem: str
) -> None:
    """A rule that is passed over because it is misspelt lets everything through."""
    told: Policy = replace(made(), **change)  # type: ignore[arg-type]
    with pytest.raises(FormatError) as caught:
        policy.decode(policy.encode(told))
    assert caught.value.problem == f"policy: {problem}"


def test_a_policy_reads_back_as_it_was_written() -> None:
    """Both sides judge by the same rules."""
    told = made(7, licences=("Apache-2.0", "MIT"), age_days=3, departures=1)
    assert policy.decode(policy.encode(told)) == told
    assert told.site == SITE
