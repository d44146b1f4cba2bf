"""Waivers: lines of the log, signed by as many as the policy says."""

from dataclasses import replace

import pytest

import policies
from airlift.artifact import Json
from airlift.errors import RequestError
from airlift.registry import waivers
from airlift.registry.held import Event
from airlift.registry.waivers import Given, Terms
from airlift.trust import approval
from authority import NOW, SITE, key

TERMS = Terms(
    site=SITE, finding="0123456789abcdef", reason="not reachable", until="2026-03-31"
)
LATER = "2026-03-02T12:00:00Z"
POLICY = policies.made()


def line(
    name: str = "bob", terms: Terms = TERMS, *, at: str = NOW, signed: bool = True
) -> Event:
    """Return the line of the log by which *name* accepts a finding."""
    given = approval.sign(key(name), waivers.subject(terms), at=at) if signed else None
    return waivers.event(
        terms, given, by=name, title="torch runs code", actor=f"{name}@host", now=at
    )


def told(*lines: Event, policy: bool = True) -> tuple[Given, ...]:
    """Return the waivers of a log of *lines*."""
    return waivers.told_by(lines, POLICY if policy else None, SITE)


def test_without_a_policy_one_person_is_enough() -> None:
    """Nobody is enrolled, and the log says who it was."""
    assert told(line(signed=False), policy=False) == (
        Given(terms=TERMS, title="torch runs code", by=("bob",), since=NOW),
    )


def test_with_a_policy_as_many_must_sign_as_approve_a_release() -> None:
    """What lets a risk stand weighs as much as what lets a model in."""
    (one,) = told(line())
    assert (one.by, one.since, one.lacking) == (("bob",), "", 1)
    (two,) = told(line(), line("carol", at=LATER))
    assert (two.by, two.since, two.lacking) == (("bob", "carol"), LATER, 0)


def test_one_person_counts_once() -> None:
    """However often they sign."""
    (one,) = told(line(), line(at=LATER))
    assert (one.by, one.since, one.lacking) == (("bob",), "", 1)


@pytest.mark.parametrize(
    "other",
    [
        line("eve"),
        line("carol", signed=False),
        line("carol", replace(TERMS, until="2026-04-01")),
        line("carol", replace(TERMS, reason="another")),
        line("carol", replace(TERMS, finding="f" * 16)),
    ],
)
def test_only_approvers_and_only_the_same_words_count(other: Event) -> None:
    """Nobody's signature of one thing is moved to another."""
    found = told(line(), other)
    assert all(one.lacking for one in found)
    assert not any(one.since for one in found)


def test_a_line_that_was_changed_counts_for_nothing() -> None:
    """Who writes the database cannot make a waiver last longer."""
    lines = [line(), line("carol")]
    longer: dict[str, Json] = {**TERMS.table(), "until": "2027-01-01"}
    changed = [replace(one, detail={**one.detail, "waiver": longer}) for one in lines]
    (one,) = told(*changed)
    assert (one.terms.until, one.by, one.since, one.lacking) == (
        *("2027-01-01", (), "", 2),
    )


def test_a_waiver_of_another_site_counts_for_nothing() -> None:
    """Two sites bear two risks."""
    other = replace(TERMS, site="other")
    assert told(line("bob", other), line("carol", other)) == ()


def test_what_was_taken_back_is_told_so() -> None:
    """And can be given again, by everybody anew."""
    back = waivers.revocation(TERMS.finding, by="dora", actor="dora@host", now=LATER)
    lines = [line(), line("carol"), back]
    (one,) = told(*lines)
    assert (one.since, one.revoked) == (NOW, LATER)
    (again,) = told(*lines, line(at="2026-03-03T12:00:00Z"))
    assert (again.by, again.since, again.lacking, again.revoked) == (
        *(("bob",), "", 1, ""),
    )


def test_a_line_of_a_later_airlift_is_passed_over() -> None:
    """It accepts nothing here: the finding stays open."""
    detail: dict[str, Json] = {"waiver": {**TERMS.table(), "hosts": "all"}}
    later = Event(time=NOW, actor="x", action=waivers.ACTION, detail=detail)
    assert told(later, policy=False) == ()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"reason": ""}, "the reason is empty or longer than 500 characters"),
        ({"reason": "x" * 501}, "the reason is empty or longer than 500 characters"),
        ({"reason": "a\nb"}, "the reason is not one line of plain text"),
        ({"until": "soon"}, "`soon` is no day"),
        ({"until": "2026-02-30"}, "`2026-02-30` is no day"),
        (
            {"until": "2026-02-28"},
            "2026-02-28 is -1 days from today; a waiver lasts 0 to 366",
        ),
        (
            {"until": "2027-03-03"},
            "2027-03-03 is 367 days from today; a waiver lasts 0 to 366",
        ),
    ],
)
def test_what_cannot_be_accepted_is_refused(
    changes: dict[str, str], problem: str
) -> None:
    """Without a reason or an end, nobody looks at it again."""
    terms = replace(TERMS, **changes)
    with pytest.raises(RequestError) as refused:
        waivers.check(terms, now=NOW)
    assert refused.value.problem == problem


@pytest.mark.parametrize("until", ["2026-03-01", "2027-03-02"])
def test_today_and_a_year_from_today_can_be_given(until: str) -> None:
    """The first and the last day that are allowed."""
    waivers.check(replace(TERMS, until=until), now=NOW)
