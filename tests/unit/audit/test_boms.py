"""Bills of material and SARIF: what others read has to be what they expect."""

import io
import json
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from packageurl import PackageURL
from referencing import Registry, Resource
from spdx_python_model import v3_0_1 as spdx

import advised
import catalogues
from airlift.audit.pack import boms, sarif
from airlift.format.catalogue import Feed
from airlift.registry import waivers
from airlift.registry.waivers import Terms
from audited import NOW
from evidence import HOSTILE, Audited

FRESH = "2026-03-02T06:00:00Z"
ADVISORY = "GHSA-aaaa-bbbb-cccc"
_FILES = ("spdx", "jsf-0.82", "cryptography-defs")


@pytest.fixture(name="audited", scope="module")
def _audited(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    """A site that holds a wheel with a known vulnerability."""
    audited = Audited(tmp_path_factory.mktemp("audited"))
    carried = advised.carried(
        advised.osv(ADVISORY, severity=advised.scored(advised.V8_8))
    )
    audited.hear(
        catalogues.item(as_of=FRESH),
        packages=(catalogues.package(as_of=FRESH, advised=FRESH),),
        advisories=(carried,),
        feed=Feed(as_of=FRESH, problem="", records=1),
    )
    return audited


def bill(audited: Audited, version: str = "1.6") -> dict[str, Any]:
    """Return the CycloneDX bill of the site."""
    with audited.world.site() as site:
        found: dict[str, Any] = json.loads(boms.cyclonedx(audited.made(site), version))
    return found


def validator(version: str) -> Draft7Validator:
    """Return the schema that CycloneDX publishes, with those it refers to."""
    folder = resources.files("cyclonedx.schema") / "_res"

    def schema(name: str) -> Any:
        return json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text("utf-8"))

    base = "http://cyclonedx.org/schema/"
    known: Registry[Any] = Registry().with_resources(
        (f"{base}{name}.SNAPSHOT.schema.json", Resource.from_contents(schema(name)))
        for name in _FILES
    )
    return Draft7Validator(schema(f"bom-{version}"), registry=known)


@pytest.mark.parametrize("version", boms.CYCLONEDX)
def test_cyclonedx_is_valid_and_a_field_that_is_not_its_own_is_found(
    version: str, audited: Audited
) -> None:
    """The model cards are added to what the library wrote: its checks saw none."""
    told, strict = bill(audited, version), validator(version)
    assert [one.message for one in strict.iter_errors(told)] == []
    assert told["specVersion"] == version
    models = [one for one in told["components"] if "modelCard" in one]
    assert len(models) == 2
    models[0]["modelCard"]["bogus"] = 1
    assert len(list(strict.iter_errors(told))) == 1


def test_a_model_is_one_with_its_files_and_what_it_was_made_from(
    audited: Audited,
) -> None:
    """That is what a buyer asks of a bill of models."""
    (one,) = (c for c in bill(audited)["components"] if c["name"] == "org/hostile")
    assert one["type"] == "machine-learning-model"
    assert one["purl"] == f"pkg:huggingface/org/hostile@{'a' * 40}"
    assert [file["name"] for file in one["components"]] == ["config.json"]
    assert [base["name"] for base in one["pedigree"]["ancestors"]] == ["org/base"]
    assert one["licenses"] == [{"license": {"name": HOSTILE}}]


def test_a_vulnerability_points_at_what_it_is_about(audited: Audited) -> None:
    """A consumer follows references; names in prose it cannot."""
    told = bill(audited)
    (one,) = told["vulnerabilities"]
    assert (one["id"], one["ratings"]) == (ADVISORY, [{"severity": "high"}])
    assert one["analysis"] == {"state": "in_triage"}
    ((ref,),) = ([each["ref"]] for each in one["affects"])
    inside = [w for c in told["components"] for w in c.get("components", ())]
    (wheel,) = (w for w in inside if w["bom-ref"] == ref)
    assert (wheel["name"], wheel["version"], wheel["type"]) == (
        *("demo", "1.0"),
        "library",
    )


def test_a_waiver_is_told_as_a_risk_that_is_borne(tmp_path: Path) -> None:
    """It does not say that the vulnerability is none: `not_affected` would."""
    audited = Audited(tmp_path)
    carried = advised.carried(advised.osv(ADVISORY))
    audited.hear(
        packages=(catalogues.package(as_of=FRESH, advised=FRESH),),
        advisories=(carried,),
        feed=Feed(as_of=FRESH, problem="", records=1),
    )
    (before,) = bill(audited)["vulnerabilities"]
    terms = Terms(
        site="plant7", finding=before["bom-ref"], reason="no caller", until="2026-06-30"
    )
    with audited.world.registry() as registry:
        told = waivers.event(terms, None, by="bob", title="it", actor="bob", now=NOW)
        registry.log(told)
    (after,) = bill(audited)["vulnerabilities"]
    assert after["analysis"] == {
        "state": "exploitable",
        "response": ["will_not_fix"],
        "detail": "accepted by bob until 2026-06-30: no caller",
    }


def test_every_reference_of_a_bill_is_to_one_thing(audited: Audited) -> None:
    """Two things with one name cannot be told apart."""
    found: list[str] = []

    def walk(one: Any) -> None:
        if isinstance(one, dict):
            found.extend([one["bom-ref"]] if "bom-ref" in one else [])
            one = list(one.values())
        if isinstance(one, list):
            for each in one:
                walk(each)

    walk(bill(audited))
    assert sorted(found) == sorted(set(found))
    assert all(PackageURL.from_string(one) for one in found if one.startswith("pkg:"))


def test_spdx_reads_back_as_what_was_written(audited: Audited) -> None:
    """The library's own reader checks types, cardinalities and references."""
    with audited.world.site() as site:
        data = boms.spdx3(audited.made(site))
    found = spdx.SHACLObjectSet()
    spdx.JSONLDDeserializer().read(io.BytesIO(data), found)
    models = {str(one.name): one for one in found.foreach_type(spdx.ai_AIPackage)}
    assert sorted(models) == ["org/base", "org/hostile", "org/model"]
    wheels = [
        one.software_packageUrl
        for one in found.foreach_type(spdx.software_Package)
        if one.name == "demo"
    ]
    assert wheels == ["pkg:pypi/demo@1.0"]
    (hole,) = found.foreach_type(spdx.security_Vulnerability)
    assert hole.name == ADVISORY
    assert not found.missing_ids
    (document,) = found.foreach_type(spdx.SpdxDocument)
    assert len(document.profileConformance) == 5


def test_sarif_has_each_finding_with_its_id(audited: Audited) -> None:
    """Tools know a finding again by its fingerprint, in every run."""
    with audited.world.site() as site:
        made = audited.made(site)
        told = json.loads(sarif.encode(made))
        findings = {one["id"]: one for one in made.told["findings"]}
        unknown = [q for q in made.told["questions"] if q["verdict"] == "unknown"]
    (run,) = told["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert told["version"] == "2.1.0"
    assert len(run["results"]) == len(findings) > 0
    for one in run["results"]:
        finding = findings[one["partialFingerprints"][sarif.FINGERPRINT]]
        assert one["ruleId"] == rules[one["ruleIndex"]]["id"] == finding["kind"]
        assert one["message"]["text"] == finding["title"]
        assert one["level"] in ("error", "warning", "note")
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is not bool(unknown)
    notified = invocation["toolExecutionNotifications"]
    assert len(notified) == sum(len(q["unknown"]) or 1 for q in unknown)


def test_without_the_extra_it_is_said_which_to_install(tmp_path: Path) -> None:
    """On the isolated host it has to be carried over first: before, not during."""
    program = (
        "import sys; sys.modules['cyclonedx'] = None\n"
        "from airlift.audit.pack import boms\n"
        "from airlift.errors import RequestError\n"
        "try: boms.cyclonedx(None)\n"
        "except RequestError as error: print(error.problem, error.hint, sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines() == [
        "bills of material need the package `cyclonedx`",
        "`pip install 'airlift[bom]'`, or leave them out: --no-bom",
    ]


def test_the_command_imports_no_library_of_bills(tmp_path: Path) -> None:
    """They take a quarter of a second that every other audit would pay."""
    program = (
        "import sys, airlift.cli.audit_export\n"
        "print([m for m in sys.modules if m in ('cyclonedx', 'spdx_python_model')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "[]\n"
