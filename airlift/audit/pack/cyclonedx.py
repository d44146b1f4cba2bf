"""What is held as a CycloneDX bill of material, vulnerabilities and waivers (VEX) too.

A model is a ``machine-learning-model`` with its files inside, a wheel a ``library``.
References are digests and ids of findings: the same in every run.

Source: CycloneDX 1.6 and 1.7 (ECMA-424).
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType, Pedigree
from cyclonedx.model.impact_analysis import ImpactAnalysisResponse, ImpactAnalysisState
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.model.vulnerability import (
    BomTarget,
    Vulnerability,
    VulnerabilityAnalysis,
    VulnerabilityRating,
    VulnerabilitySeverity,
)
from cyclonedx.output.json import BY_SCHEMA_VERSION
from cyclonedx.schema import SchemaVersion
from packageurl import PackageURL

from airlift import __version__
from airlift.artifact import Kind, ReleaseFile
from airlift.audit import subjects
from airlift.audit.pack.made import Made, Told
from airlift.registry.held import Held

_MODELS: Final = (Kind.MODEL, Kind.GGUF, Kind.OLLAMA)
_KINDS: Final = {
    Kind.DATASET: ComponentType.DATA,
    Kind.OCI: ComponentType.CONTAINER,
    Kind.FOLDER: ComponentType.DATA,
    Kind.WHEELS: ComponentType.APPLICATION,
}
_VERSIONS: Final = {"1.6": SchemaVersion.V1_6, "1.7": SchemaVersion.V1_7}
_VULNERABLE: Final = "vulnerability"


def encode(made: Made, version: str) -> bytes:
    """Return the bill in CycloneDX *version*, a line feed at the end."""
    bom = Bom(serial_number=UUID(made.serial("cyclonedx")), version=1)
    bom.metadata.timestamp = datetime.fromisoformat(made.time)
    bom.metadata.tools.components.add(
        Component(name="airlift", version=__version__, type=ComponentType.APPLICATION)
    )
    root = Component(
        name=made.told["site"], type=ComponentType.PLATFORM, bom_ref="site"
    )
    bom.metadata.component = root
    held = [_release(made, one) for one in made.site.releases]
    found = [*held, *_elsewhere(made, held)]
    for one in found:
        bom.components.add(one)
    bom.register_dependency(root, found)
    for each in _vulnerabilities(made, found):
        bom.vulnerabilities.add(each)
    text = BY_SCHEMA_VERSION[_VERSIONS[version]](bom).output_as_string()
    told = json.loads(text)
    _add_cards(told, made)
    return json.dumps(told, ensure_ascii=False, sort_keys=True).encode() + b"\n"


# --- what is held -----------------------------------------------------------------


def _release(made: Made, held: Held) -> Component:
    one = held.release
    files = made.site.files(held)
    if one.kind is Kind.WHEELS:
        wheels = {w.file.path: w for w in made.site.wheels if w.held.id == held.id}
        inside = [
            _wheel(held, file, wheels[file.path].name, wheels[file.path].version)
            if file.path in wheels
            else _file(held, file)
            for file in files
        ]
    else:
        inside = [_file(held, file) for file in files]
    bases = [_base(held, name) for name in one.base_models]
    return Component(
        name=one.name,
        version=one.revision,
        type=ComponentType.MACHINE_LEARNING_MODEL
        if one.kind in _MODELS
        else _KINDS[one.kind],
        bom_ref=str(held.id),
        purl=PackageURL.from_string(subjects.purl(one)),
        licenses=[DisjunctiveLicense(name=one.licence)] if one.licence else [],
        properties=_properties(
            kind=one.kind.value,
            state="denied" if held.denied else held.state.value,
            release=held.id,
            delivery=held.sequence,
            imported=held.imported,
            bytes=held.size,
        ),
        pedigree=Pedigree(ancestors=bases) if bases else None,
        components=inside,
    )


def _base(held: Held, name: str) -> Component:
    kind = ComponentType.MACHINE_LEARNING_MODEL
    return Component(name=name, type=kind, bom_ref=f"{held.id}<{name}")


def _file(held: Held, file: ReleaseFile) -> Component:
    return Component(
        name=file.path,
        type=ComponentType.FILE,
        bom_ref=f"{held.id}/{file.path}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=str(file.sha256))],
        properties=_about_file(file),
    )


def _wheel(held: Held, file: ReleaseFile, name: str, version: str) -> Component:
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{held.id}/{file.path}",
        purl=PackageURL.from_string(subjects.wheel(name, version).purl),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=str(file.sha256))],
        properties=[*_about_file(file), Property(name="airlift:path", value=file.path)],
    )


def _about_file(file: ReleaseFile) -> list[Property]:
    return _properties(
        **{
            "bytes": file.size,
            "format": file.format,
            "class": file.content_class.value,
        }
    )


def _properties(**told: object) -> list[Property]:
    return [Property(name=f"airlift:{key}", value=str(told[key])) for key in told]


# --- vulnerabilities --------------------------------------------------------------


def _found(made: Made) -> list[Told]:
    return [one for one in made.told["findings"] if one["kind"] == _VULNERABLE]


def _elsewhere(made: Made, held: Iterable[Component]) -> Iterator[Component]:
    """Yield what a vulnerability is about that runs on a host and is not held."""
    known = set(_references(held))
    seen: set[str] = set()
    for one in _found(made):
        subject = one["subject"]
        purl = _spelled(subject["purl"])
        if purl and purl not in known and purl not in seen:
            seen.add(purl)
            yield Component(
                name=subject["name"],
                version=subject["version"] or None,
                type=ComponentType.LIBRARY,
                bom_ref=purl,
                purl=PackageURL.from_string(purl),
                properties=_properties(state="not held", hosts=subject["hosts"]),
            )


def _spelled(purl: str) -> str:
    """Return a package URL as the library spells it; empty for none."""
    return str(PackageURL.from_string(purl)) if purl else ""


def _references(found: Iterable[Component]) -> dict[str, list[str]]:
    """Return by package URL the references of what has it."""
    listed: dict[str, list[str]] = {}
    for one in found:
        if one.purl is not None:
            listed.setdefault(str(one.purl), []).append(str(one.bom_ref.value))
        for key, refs in _references(one.components).items():
            listed.setdefault(key, []).extend(refs)
    return listed


def _vulnerabilities(
    made: Made, components: Iterable[Component]
) -> Iterator[Vulnerability]:
    refs = _references(components)
    for one in _found(made):
        targets = refs.get(_spelled(one["subject"]["purl"]), [])
        fix = one["fix"]
        yield Vulnerability(
            bom_ref=one["id"],
            id=one["rule"],
            description=one["title"],
            ratings=[VulnerabilityRating(severity=_severity(one["severity"]))],
            recommendation=f"move to {fix['to']}" if fix else None,
            analysis=_analysis(one["waiver"]),
            affects=[BomTarget(ref=ref) for ref in sorted(targets)],
            properties=_properties(finding=one["id"]),
        )


def _severity(word: str) -> VulnerabilitySeverity:
    return VulnerabilitySeverity(word)


def _analysis(waiver: Told | None) -> VulnerabilityAnalysis:
    # A waiver bears a risk; it does not say that there is none (`not_affected`).
    if waiver is None:
        return VulnerabilityAnalysis(state=ImpactAnalysisState.IN_TRIAGE)
    why = f"accepted by {waiver['by']} until {waiver['until']}: {waiver['reason']}"
    return VulnerabilityAnalysis(
        state=ImpactAnalysisState.EXPLOITABLE,
        responses=[ImpactAnalysisResponse.WILL_NOT_FIX],
        detail=why,
    )


# --- model cards ------------------------------------------------------------------


def _add_cards(told: dict[str, Any], made: Made) -> None:
    """Add to each model its card; the library has no place for one yet.

    Only what is known is said: architecture and data sets are not guessed.
    """
    held = {str(one.id): one for one in made.site.releases}
    for component in told.get("components", ()):
        one = held.get(component["bom-ref"])
        if one is None or one.release.kind not in _MODELS:
            continue
        formats = sorted({file.format for file in made.site.files(one)})
        stated = {
            "formats": " ".join(formats),
            "base_models": " ".join(one.release.base_models),
            "quantisation": str(one.release.upstream.get("quantisation", "")),
        }
        component["modelCard"] = {
            "bom-ref": f"{one.id}#card",
            "properties": [
                {"name": f"airlift:{key}", "value": value}
                for key, value in stated.items()
                if value
            ],
        }
