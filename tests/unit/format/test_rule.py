"""Rules about a model and a runtime: a closed vocabulary, and no third answer lost."""

import json
import tomllib
from dataclasses import replace
from typing import Any

import pytest

import catalogues
from airlift.errors import RequestError
from airlift.format import catalogue, rule
from airlift.format.catalogue import Advisory
from airlift.format.fields import Fields
from airlift.format.rule import Model, Rule, Runtime, Traits

TEXT = """
id = "SITE-1"
title = "it runs code"
severity = "high"
advisory = "CVE-2026-1"
aliases = ["GHSA-b", "GHSA-a"]
advice = "do not"
fixed_in = "0.14.0"
modified = "2026-11-23"
model = { has = ["auto_map"], formats = ["gguf"], quantisations = ["q4_k_m"] }
runtime = { package = "vLLM", affected = ">=0.10.1,<0.14.0" }
"""


def read(text: str = TEXT, **changes: Any) -> Rule:
    """Return the rule that *text* states, with *changes* to its keys."""
    table = tomllib.loads(text) | changes
    return rule.read(Fields(table, record="rules.toml", error=RequestError))


def test_a_rule_is_read_as_it_is_written() -> None:
    """Every key means what the page says."""
    assert read() == Rule(
        id="SITE-1",
        title="it runs code",
        severity="high",
        advisory="CVE-2026-1",
        aliases=("GHSA-a", "GHSA-b"),
        advice="do not",
        fixed_in="0.14.0",
        modified="2026-11-23",
        model=Model(has=("auto_map",), formats=("gguf",), quantisations=("Q4_K_M",)),
        runtime=Runtime(package="vllm", affected=">=0.10.1,<0.14.0"),
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model": {"has": ["wings"]}}, "`model.has` asks for `wings`, known are"),
        ({"model": {"formats": ["doc"]}}, "`model.formats` asks for `doc`, known are"),
        (
            {"model": {"template": "dire"}},
            "`model.template` asks for `dire`, known are",
        ),
        ({"model": {}}, "`model.has` is missing, and nothing else is asked of a model"),
        ({"model": {"runs": ["x"]}}, "`model.runs` is not known here"),
        ({"severity": "dire"}, "`severity` is `dire`, expected one of `critical`"),
        ({"id": "no spaces"}, "`id` is `no spaces`, expected one like `SITE-1`"),
        (
            {"runtime": {"package": "vllm", "affected": "~=1.0"}},
            "`runtime.affected` has `~=1.0`, expected one like `>=0.10.1,<0.14.0`",
        ),
        (
            {"runtime": {"package": "vllm", "affected": "==1.*"}},
            "`runtime.affected` has `==1.*`, expected",
        ),
        (
            {"runtime": {"package": "vllm", "affected": "new ones"}},
            "`runtime.affected` has `new ones`, expected",
        ),
        ({"exec": "x"}, "`exec` is not known here"),
    ],
)
def test_what_is_outside_the_vocabulary_is_refused(
    changes: dict[str, Any], problem: str
) -> None:
    """A rule half understood would be followed half."""
    with pytest.raises(RequestError) as caught:
        read(**changes)
    assert caught.value.problem.startswith(f"rules.toml: {problem}")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.10.0", False),
        ("0.10.1", True),
        ("0.13.9+cu128", True),
        ("0.14.0rc1", True),
        ("0.14.0.dev7", True),
        ("0.14.0", False),
        ("0.14.0+cu128", False),
        ("nightly", None),
    ],
)
def test_versions_are_compared_by_their_order(
    version: str, *, expected: bool | None
) -> None:
    """A preview of the fixed release came before the fix."""
    assert read().runtime.matches(version) is expected


def test_without_a_range_every_version_is_meant() -> None:
    """Nobody has fixed it yet."""
    runtime = Runtime(package="sglang")
    assert [runtime.matches(one) for one in ("0.1", "99")] == [True, True]


@pytest.mark.parametrize(
    ("asked", "traits", "expected"),
    [
        (Model(has=("auto_map",)), Traits(features=frozenset({"auto_map"})), True),
        (Model(has=("auto_map",)), Traits(), False),
        (Model(has=("auto_map",)), Traits(unknown=frozenset({"auto_map"})), None),
        (
            Model(has=("auto_map", "pickle_weights")),
            Traits(features=frozenset({"auto_map"})),
            False,
        ),
        (Model(template="medium"), Traits(template="high"), True),
        (Model(template="medium"), Traits(template="medium"), True),
        (Model(template="medium"), Traits(template="low"), False),
        (Model(template="medium"), Traits(), False),
        (Model(template="medium"), Traits(unknown=frozenset({"template"})), None),
        (Model(formats=("gguf", "onnx")), Traits(formats=frozenset({"onnx"})), True),
        (Model(formats=("gguf",)), Traits(formats=frozenset({"onnx"})), False),
        (
            Model(quantisations=("Q4_K_M",)),
            Traits(quantisations=frozenset({"Q4_K_M"})),
            True,
        ),
        (
            Model(formats=("gguf",), has=("auto_map",)),
            Traits(formats=frozenset({"onnx"}), unknown=frozenset({"auto_map"})),
            False,
        ),
        (
            Model(formats=("gguf",), has=("auto_map",)),
            Traits(formats=frozenset({"gguf"}), unknown=frozenset({"auto_map"})),
            None,
        ),
    ],
)
def test_everything_that_is_asked_must_hold(
    asked: Model, traits: Traits, *, expected: bool | None
) -> None:
    """What could not be looked at is neither yes nor no, unless another part is no."""
    assert asked.matches(traits) is expected


def test_rules_travel_among_advisories() -> None:
    """In a catalogue, and out of it, each as it was written."""
    other = replace(read(), id="SITE-2", model=Model(template="high"), aliases=())
    carried = tuple(rule.as_advisory(one) for one in (read(), other))
    found = catalogue.decode(catalogue.encode(catalogues.of(advisories=carried)))
    assert rule.stated(found) == (read(), other)
    assert [rule.is_rule(one) for one in found.advisories] == [True, True]


def test_a_rule_of_a_later_airlift_is_said_to_be_there() -> None:
    """What cannot be followed must not look like what does not apply."""
    carried = rule.as_advisory(read())
    table = json.loads(json.dumps(carried.record))
    table["when"]["model"]["has"] = ["wings"]
    newer = Advisory(id=carried.id, record=table, sha256=carried.sha256)
    (found,) = rule.stated(catalogues.of(advisories=(newer,)))
    assert found.id == "SITE-1"
    assert found.problem == (
        "rule SITE-1: `model.has` asks for `wings`, known are `auto_map`,"
        " `pickle_weights`"
    )
