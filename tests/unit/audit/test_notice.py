"""What an audit says to those who did not run it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import catalogues
from airlift.audit import notice
from airlift.audit.finding import Severity
from airlift.audit.report import Report
from airlift.registry import hashed
from airlift.registry.hashed import State
from audited import NOW, TODAY, World, model

FRESH = "2026-03-02T06:00:00Z"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.bring(model())
    world.hear(
        catalogues.of(
            catalogues.item(as_of=FRESH),
            issued=FRESH,
            next_expected="2026-03-09T06:00:00Z",
            valid_until="2026-05-01T06:00:00Z",
        )
    )
    return world


def numbers(found: Report) -> dict[tuple[str, ...], float]:
    """Return what a monitor reads, by name and labels."""
    text = notice.metrics(found, Severity.HIGH).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_summary_says_what_is_broken_unknown_and_open(world: World) -> None:
    """It is what stands in a mail: the worst first, and no verdict left out."""
    looks = [(one.blob, State.CHANGED) for one in hashed.known(world.home)]
    hashed.record(world.home, looks, time=TODAY)
    with world.report("verify", "hosts") as found:
        told = json.loads(notice.summary(found, Severity.HIGH))
        (finding,) = found.findings
    assert told == {
        "schema": "airlift.audit-summary/1",
        "site": "plant7",
        "generated_at": TODAY,
        "exit_code": 4,
        "broken": ["Q3"],
        "unknown": [
            {
                "question": "Q1b",
                "name": "hosts",
                "reason": told["unknown"][0]["reason"],
            }
        ],
        "findings": {"critical": 1, "high": 0, "medium": 0, "low": 0, "info": 0},
        "worst": [{"id": finding.id, "severity": "critical", "title": finding.title}],
    }
    assert told["unknown"][0]["reason"].startswith("no host was ever observed")


def test_a_summary_stays_small(world: World) -> None:
    """A thousand findings are counted; a mail holds the fifty worst."""
    looks = [(one.blob, State.CHANGED) for one in hashed.known(world.home)]
    hashed.record(world.home, looks, time=TODAY)
    with world.report("verify") as found:
        question, answer = found.answers[0]
        (finding,) = answer.findings
        many = tuple(replace(finding, rule=f"r{n}") for n in range(1000))
        crowded = replace(found, answers=((question, replace(answer, findings=many)),))
        told = json.loads(notice.summary(crowded, Severity.HIGH))
    assert len(told["worst"]) == notice.WORST
    assert told["findings"]["critical"] == 1000


def test_a_monitor_gets_ages_counts_and_the_code(world: World) -> None:
    """Alarms are made of numbers: each is what the report says."""
    with world.report("verify", "freshness", "hosts") as found:
        read = numbers(found)
    day = 86_400
    assert read["airlift_audit_exit_code",] == 8
    assert read["airlift_audit_question", "verify", "pass"] == 1
    assert read["airlift_audit_question", "hosts", "unknown"] == 1
    assert read["airlift_findings", "critical"] == 0
    assert read["airlift_catalogue_age_seconds",] == 3 * day
    assert read["airlift_knowledge_age_seconds", "https://hub.example"] == 3 * day
    assert read["airlift_oldest_hash_age_seconds",] == 3.75 * day
    assert NOW < TODAY
    assert read["airlift_key_expiry_seconds", "root"] > 0


def test_a_clock_set_back_makes_nothing_young_for_a_monitor(world: World) -> None:
    """The ages are counted to the latest time that anything proves."""
    with world.report("verify", now="2025-03-05T06:00:00Z") as found:
        read = numbers(found)
    assert read["airlift_catalogue_age_seconds",] >= 0
