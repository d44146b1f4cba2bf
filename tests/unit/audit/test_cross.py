"""Models and runtimes that are dangerous together (Q6b): both halves, or a doubt."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import catalogues
from airlift.audit.finding import Fix, Severity, Verdict
from airlift.format import rule as rules
from airlift.format.catalogue import Advisory, Catalogue, Feed
from airlift.format.observation import Environment, Observation, SeenPackage
from airlift.format.rule import Model, Rule, Runtime
from audited import TODAY, World, model, rows, told, wheels
from observed import take

ISSUED = "2026-03-02T06:00:00Z"
RULE = Rule(
    id="SITE-1",
    title="it runs the model's code",
    severity="high",
    advisory="CVE-2026-22807",
    aliases=("GHSA-1",),
    advice="move on",
    model=Model(has=("auto_map",)),
    runtime=Runtime(package="vllm", affected=">=0.10.1,<0.14.0"),
    fixed_in="0.14.0",
    modified="2026-03-01",
)
CODE = {
    "config.json": json.dumps({"auto_map": {"AutoModel": "m.Model"}}).encode(),
    "m.py": b"class Model: pass\n",
}
PLAIN = {"config.json": b'{"hidden_size": 4}'}


def made(*carried: Rule, **changes: Any) -> Catalogue:
    """Return a catalogue that carries rules, and has a fixed vllm."""
    found: dict[str, Any] = {
        "packages": (catalogues.package("vllm", "0.14.0", as_of=ISSUED),),
        "feed": Feed(as_of="2026-03-01T00:00:00Z", problem="", records=9_000),
        "advisories": tuple(rules.as_advisory(one) for one in carried),
        "issued": ISSUED,
        "next_expected": "2026-03-09T06:00:00Z",
        "valid_until": "2026-05-01T06:00:00Z",
    }
    return catalogues.of(**(found | changes))


def vllm(version: str, name: str = "tools") -> Any:
    """Return a wheel set with one version of vllm."""
    return wheels(f"vllm-{version}-py3-none-any.whl", name=name)


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.hear(made(RULE))
    return world


def test_a_model_and_a_runtime_are_found_together(world: World) -> None:
    """Neither is a finding alone; no other tool knows both halves."""
    world.bring(
        model("org/code", CODE), model("org/plain", PLAIN), vllm("0.11.0+cu128")
    )
    found = world.ask("cross")
    assert (found.verdict, found.as_of, found.unknown) == (Verdict.FINDING, ISSUED, ())
    (one,) = found.findings
    assert (one.kind, one.rule, one.severity) == (
        "cross-finding",
        "SITE-1",
        Severity.HIGH,
    )
    assert one.title == (
        "org/code with vllm 0.11.0+cu128: CVE-2026-22807: it runs the model's code"
    )
    assert one.subject.name == "org/code"
    assert one.fix == Fix(to="vllm 0.14.0", in_catalogue=True)
    assert one.evidence["runtimes"] == [
        {"package": "vllm", "version": "0.11.0+cu128", "state": "live", "hosts": ()}
    ]
    assert one.evidence["asks_for"] == {"has": ("auto_map",)}
    assert rows(found, "model", "rule", "id", "runtime", "installed", "advice") == [
        ("org/code", "SITE-1", "CVE-2026-22807", "vllm", "0.11.0+cu128", "move on")
    ]


@pytest.mark.parametrize(
    ("files", "version"), [(CODE, "0.14.0"), (CODE, "0.10.0"), (PLAIN, "0.11.0")]
)
def test_one_half_alone_is_no_finding(
    world: World, files: dict[str, bytes], version: str
) -> None:
    """A rule that cries wolf is switched off."""
    world.bring(model("org/code", files), vllm(version))
    found = world.ask("cross")
    assert (found.verdict, found.rows) == (Verdict.PASS, ())


def test_a_model_whose_runtime_nobody_knows_is_unknown(world: World) -> None:
    """It may run on a host that nobody has looked at; once one was, it is answered."""
    world.bring(model("org/code", CODE), model("org/more", CODE, counter=2))
    found = world.ask("cross")
    (why,) = found.unknown
    assert why == (
        "org/code and 1 more: SITE-1 (CVE-2026-22807): nobody knows whether vllm runs"
        " here: no host was ever observed"
    )
    assert found.verdict is Verdict.UNKNOWN


def test_several_versions_are_one_finding(world: World) -> None:
    """About one model and one rule; whoever waives it has seen them all."""
    world.bring(model("org/code", CODE), vllm("0.11.0"), vllm("0.12.0", "more"))
    found = world.ask("cross")
    (one,) = found.findings
    assert one.title.startswith("org/code with vllm 0.11.0, vllm 0.12.0: ")
    assert rows(found, "installed") == [("0.11.0",), ("0.12.0",)]


def test_a_hostile_template_meets_its_runtime(world: World) -> None:
    """How bad a template looks is asked for by level."""
    asked = replace(
        RULE,
        id="SITE-2",
        model=Model(template="medium"),
        runtime=Runtime(package="sglang"),
        fixed_in="",
        severity="critical",
    )
    world.hear(
        catalogues.after(
            made(RULE), "2026-03-03T06:00:00Z", advisories=made(RULE, asked).advisories
        )
    )
    hostile = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    config = json.dumps({"chat_template": hostile}).encode()
    plain = json.dumps({"chat_template": "{{ messages[0].content }}"}).encode()
    world.bring(
        model("org/bad", {"tokenizer_config.json": config}),
        model("org/good", {"tokenizer_config.json": plain}),
        wheels("sglang-0.5.1-py3-none-any.whl"),
    )
    found = world.ask("cross")
    assert [(one.subject.name, one.rule, one.fix) for one in found.findings] == [
        ("org/bad", "SITE-2", None)
    ]
    assert told(found)[0][1] == "critical"


def test_pickles_meet_their_runtime(world: World) -> None:
    """Weights that are pickles, whatever their ending."""
    asked = replace(
        RULE, model=Model(has=("pickle_weights",)), runtime=Runtime(package="torch")
    )
    later = catalogues.after(made(RULE), "2026-03-03T06:00:00Z")
    world.hear(replace(later, advisories=made(asked).advisories))
    pickled = b"\x80\x02}q\x00."
    world.bring(
        model("org/pickled", {"pytorch_model.bin": pickled}),
        wheels("torch-2.5.1-py3-none-any.whl"),
    )
    found = world.ask("cross")
    assert [one.subject.name for one in found.findings] == ["org/pickled"]


def test_a_rule_this_airlift_cannot_follow_is_unknown(tmp_path: Path) -> None:
    """What is not understood must not look like what does not apply."""
    record = json.loads(json.dumps(rules.as_advisory(RULE).record))
    record["when"]["model"]["has"] = ["wings"]
    newer = Advisory(id="SITE-9", record=record, sha256=catalogues.digest("x"))
    world = World(tmp_path)
    world.hear(made(advisories=(newer,)))
    found = world.ask("cross")
    (why,) = found.unknown
    assert why == (
        "SITE-9: rule SITE-9: `model.has` asks for `wings`, known are `auto_map`,"
        " `pickle_weights`"
    )


@pytest.mark.parametrize("heard", [False, True])
def test_without_rules_nothing_is_answered(tmp_path: Path, *, heard: bool) -> None:
    """A catalogue of an older airlift has none: that is not "no danger"."""
    world = World(tmp_path)
    world.bring(model("org/code", CODE))
    if heard:
        world.hear(made())
    found = world.ask("cross")
    assert (found.verdict, found.findings) == (Verdict.UNKNOWN, ())
    assert found.why == (
        "catalogue 1 carries no rules"
        if heard
        else "no catalogue was ever imported: nothing is known of upstream"
    )


def test_what_was_denied_or_retired_is_left_out(world: World) -> None:
    """It is served to nobody."""
    world.bring(model("org/code", CODE), model("org/bad", CODE), vllm("0.11.0"))
    with world.registry() as registry:
        ids = {one.release.name: one.id for one in registry.releases()}
        registry.deactivate([ids["org/code"]], now=TODAY, actor="ann")
        registry.deny([ids["org/bad"]], why="bad", now=TODAY, actor="ann")
    assert world.ask("cross").findings == ()


def test_a_host_that_was_looked_at_answers_for_its_runtime(world: World) -> None:
    """What runs there counts like a wheel; what does not run there is no doubt any more."""
    world.bring(model("org/code", CODE))
    take(world, seen("gpu-1", "0.14.0"))
    assert world.ask("cross").verdict is Verdict.PASS
    take(world, seen("gpu-2", "0.11.0"))
    take(world, seen("gpu-3", "from-git"))
    found = world.ask("cross")
    assert rows(found, "model", "installed", "state", "hosts") == [
        ("org/code", "0.11.0", "observed", ("gpu-2",))
    ]
    (why,) = found.unknown
    assert why == (
        "org/code: SITE-1 (CVE-2026-22807) with vllm from-git: `from-git` has no place in"
        " the order of versions"
    )


def seen(host: str, version: str) -> Observation:
    """Return what a host with one version of vllm holds."""
    package = SeenPackage(name="vllm", version=version, content=None, files=1)
    place = Environment(label="serving", python="3.12.1", packages=(package,))
    return Observation(
        host=host,
        time=TODAY,
        tool="airlift test",
        looked=("serving",),
        environments=(place,),
    )
