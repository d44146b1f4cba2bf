"""Findings: ids that stay, severities in order, waivers that end."""

import re
from dataclasses import replace

import pytest

from airlift.artifact import Kind
from airlift.audit import subjects
from airlift.audit.finding import Finding, Severity, Subject, Verdict, Waiver
from audited import model, wheels

SUBJECT = subjects.wheel("torch", "2.1.0")
ONE = Finding(
    kind="vulnerability",
    rule="CVE-2026-1",
    severity=Severity.HIGH,
    subject=SUBJECT,
    title="torch 2.1.0 runs code",
)


def test_an_id_stays_when_only_what_is_said_changes() -> None:
    """Waivers and histories hang on it: a better title must not lose them."""
    again = Finding(
        kind="vulnerability",
        rule="CVE-2026-1",
        severity=Severity.LOW,
        subject=subjects.wheel("torch", "2.1.0", hosts=("gpu1",)),
        title="another",
        evidence={"more": "now"},
    )
    assert ONE.id == again.id == "5169d7742e252e74"


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, kind="cross-finding"),
        replace(ONE, rule="CVE-2026-2"),
        replace(ONE, subject=subjects.wheel("torch", "2.1.1")),
    ],
)
def test_another_thing_or_rule_has_another_id(other: Finding) -> None:
    """A waiver for one version must not cover the next."""
    assert other.id != ONE.id


def test_severities_are_in_order() -> None:
    """``--fail-on`` and every list rest on it."""
    order = sorted(Severity, key=lambda one: one.rank)
    assert order == ["critical", "high", "medium", "low", "info"]
    assert [one.reaches(Severity.MEDIUM) for one in order] == [
        *(True, True, True, False, False)
    ]


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        ("2026-02-28T23:59:59Z", False),
        ("2026-03-01T12:00:00Z", True),
        ("2026-03-31T23:59:59Z", True),
        ("2026-04-01T00:00:00Z", False),
    ],
)
def test_a_waiver_counts_from_its_giving_through_its_last_day(
    at: str, *, counts: bool
) -> None:
    """An hour too long is a finding that nobody sees."""
    waiver = Waiver(
        finding=ONE.id,
        by="bob",
        reason="not reachable",
        until="2026-03-31",
        given="2026-03-01T12:00:00Z",
    )
    assert waiver.counts(at) is counts
    assert ONE.verdict is Verdict.FINDING
    assert ONE.accepted(waiver).verdict is Verdict.ACCEPTED
    assert ONE.accepted(waiver).id == ONE.id


def test_releases_have_package_urls() -> None:
    """What other tools know them by; two of one repository are told apart."""
    made, _ = model("org/My model", revision="b" * 40)
    assert subjects.purl(made) == f"pkg:huggingface/org/My%20model@{'b' * 40}"
    chosen, _ = model(kind=Kind.GGUF, upstream={"quantisation": "Q4_K_M"})
    assert subjects.purl(chosen) == (
        f"pkg:huggingface/org/model@{'a' * 40}?kind=gguf&quantisation=Q4_K_M"
    )
    tools, _ = wheels("demo-1.0-py3-none-any.whl")
    assert subjects.purl(tools) == f"pkg:generic/wheels/tools@{tools.revision}"
    assert SUBJECT.purl == "pkg:pypi/torch@2.1.0"


def test_what_has_no_address_is_told_apart_by_kind_and_name() -> None:
    """A key and a host of one name are two things."""
    key, host = Subject(kind="key", name="a"), Subject(kind="host", name="a")
    assert (key.identity, host.identity) == ("key:a", "host:a")
    assert re.fullmatch("[0-9a-f]{16}", ONE.id)
