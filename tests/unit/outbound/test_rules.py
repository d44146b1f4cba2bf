"""The rules a catalogue carries: those that come with airlift, and a site's own."""

from pathlib import Path

import pytest

from airlift.errors import RequestError
from airlift.format import rule
from airlift.outbound import rules

RULE = """
[[rule]]
id = "{id}"
title = "it runs code"
severity = "high"
advisory = "CVE-2026-1"
advice = "do not"
model = {{ has = ["auto_map"] }}
runtime = {{ package = "demo" }}
"""


def test_the_rules_that_come_with_airlift_are_sound() -> None:
    """Each names what people know it by, and none has another's id."""
    found = rules.shipped()
    assert [(one.advisory, one.runtime.package) for one in found] == [
        ("CVE-2026-22807", "vllm"),
        ("CVE-2026-27893", "vllm"),
        ("CVE-2026-5760", "sglang"),
        ("CVE-2024-34359", "llama-cpp-python"),
        ("CVE-2025-32434", "torch"),
    ]
    assert len({one.id for one in found}) == len(found)
    assert all(one.advice and one.title and one.modified for one in found)
    # What is fixed is out of the range, and the last version of the range is in it.
    for one in found:
        assert not (one.fixed_in and one.runtime.matches(one.fixed_in))
        assert rule.as_advisory(one).id == one.id


def test_a_file_of_rules_is_read(tmp_path: Path) -> None:
    """In the order of their ids, whatever order they are written in."""
    path = tmp_path / "rules.toml"
    path.write_text(RULE.format(id="SITE-2") + RULE.format(id="SITE-1"))
    assert [one.id for one in rules.read(path)] == ["SITE-1", "SITE-2"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (RULE.format(id="SITE-1") * 2, ": two rules have the id `SITE-1`"),
        ("rule", " is not TOML: "),
        ("other = 1", ": `other` is not known here; known are `rule`"),
        ("[[rule]]", ": `rule[0].id` is missing"),
    ],
)
def test_a_file_that_is_none_is_refused(
    tmp_path: Path, text: str, problem: str
) -> None:
    """With the place at fault."""
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(RequestError) as caught:
        rules.read(path)
    assert caught.value.problem.startswith(f"{path}{problem}")
