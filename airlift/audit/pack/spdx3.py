"""What is held as SPDX 3.0.1: packages, models by the AI profile, vulnerabilities.

A smaller mapping than CycloneDX's: each release and wheel with digests, licence and where
it came from, files as they lie in it, and what is known to be wrong with them.

Source: https://spdx.github.io/spdx-spec/v3.0.1/.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from spdx_python_model import v3_0_1 as spdx

from airlift import __version__
from airlift.artifact import Kind, ReleaseFile
from airlift.audit import subjects
from airlift.audit.pack.made import Made
from airlift.digest import sha256
from airlift.payload import licence_facts
from airlift.registry.held import Held

_SPEC: Final = "3.0.1"
_MODELS: Final = (Kind.MODEL, Kind.GGUF, Kind.OLLAMA)
_ID_DIGITS: Final = 32
Element = Any
"""An object of the generated model, whose classes have no common typed base."""


@dataclass(slots=True)
class _Book:
    """The elements written so far.

    Attributes:
        made: The audit.
        base: What every id begins with.
        about: Who made them, and when.
        elements: In the order they were made.
        by_purl: What has a package URL, for what is said of it.
    """

    made: Made
    base: str
    about: Element
    elements: list[Element] = field(default_factory=list)
    by_purl: dict[str, list[Element]] = field(default_factory=dict)

    def add(self, kind: Any, *name: str, **told: object) -> Element:
        """Make an element whose id is of its *name* alone, and keep it."""
        digits = sha256("\0".join(name).encode())[:_ID_DIGITS]
        one = kind()
        one.set_id(f"{self.base}{digits}")
        one.creationInfo = self.about
        for key, value in told.items():
            setattr(one, key, value)
        self.elements.append(one)
        return one

    def relate(self, start: Element, kind: str, targets: list[Element]) -> None:
        """Say how *start* is related to *targets*; nothing of none."""
        if targets:
            one = self.add(spdx.Relationship, "relationship", str(start.get_id()), kind)
            one.from_ = start
            one.to = targets
            one.relationshipType = getattr(spdx.RelationshipType, kind)


def encode(made: Made) -> bytes:
    """Return the bill as JSON-LD, a line feed at the end."""
    base = f"urn:uuid:{made.serial('spdx')}#"
    about = spdx.CreationInfo()
    about.specVersion = _SPEC
    about.created = datetime.fromisoformat(made.time)
    book = _Book(made=made, base=base, about=about)
    agent = book.add(spdx.Agent, "agent", name=f"site {made.told['site']}")
    tool = book.add(spdx.Tool, "tool", name=f"airlift {__version__}")
    about.createdBy = [agent]
    about.createdUsing = [tool]
    held = [_release(book, one) for one in made.site.releases]
    for one in made.told["findings"]:
        if one["kind"] == "vulnerability":
            _vulnerability(book, one)
    bill = book.add(spdx.software_Sbom, "sbom", name=made.name, rootElement=held)
    bill.software_sbomType = [spdx.software_SbomType.deployed]
    profiles = spdx.ProfileIdentifierType
    document = book.add(spdx.SpdxDocument, "document", name=made.name)
    document.rootElement = [bill]
    document.profileConformance = [
        *(profiles.core, profiles.software, profiles.ai),
        *(profiles.simpleLicensing, profiles.security),
    ]
    return _written(book)


def _written(book: _Book) -> bytes:
    found = spdx.SHACLObjectSet()
    for one in book.elements:
        found.add(one)
    stream = io.BytesIO()
    spdx.JSONLDSerializer().write(found, stream)
    told = json.loads(stream.getvalue())
    return json.dumps(told, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _release(book: _Book, held: Held) -> Element:
    one = held.release
    kind = spdx.ai_AIPackage if one.kind in _MODELS else spdx.software_Package
    found = book.add(
        kind,
        *("release", str(held.id)),
        name=one.name,
        software_packageVersion=one.revision,
        software_packageUrl=subjects.purl(one),
    )
    found.software_primaryPurpose = _purpose(one.kind)
    found.comment = (
        f"release {held.id}, {held.state.value}, of delivery {held.sequence}"
    )
    book.by_purl.setdefault(subjects.purl(one), []).append(found)
    book.relate(found, "contains", list(_inside(book, held)))
    _licence(book, found, one.licence)
    bases = [
        book.add(spdx.ai_AIPackage, "base", str(held.id), name, name=name)
        for name in one.base_models
    ]
    book.relate(found, "descendantOf", bases)
    return found


def _purpose(kind: Kind) -> str:
    purposes = spdx.software_SoftwarePurpose
    if kind in _MODELS:
        return str(purposes.model)
    told = {Kind.DATASET: purposes.data, Kind.OCI: purposes.container}
    return str(told.get(kind, purposes.archive))


def _inside(book: _Book, held: Held) -> Iterator[Element]:
    wheels = {w.file.path: w for w in book.made.site.wheels if w.held.id == held.id}
    for file in book.made.site.files(held):
        wheel = wheels.get(file.path)
        if wheel is None:
            yield _file(book, held, file)
            continue
        purl = subjects.wheel(wheel.name, wheel.version).purl
        found = book.add(
            spdx.software_Package,
            *("wheel", str(held.id), file.path),
            name=wheel.name,
            software_packageVersion=wheel.version,
            software_packageUrl=purl,
            software_primaryPurpose=spdx.software_SoftwarePurpose.library,
        )
        found.verifiedUsing = [_hash(str(file.sha256))]
        book.by_purl.setdefault(purl, []).append(found)
        yield found


def _file(book: _Book, held: Held, file: ReleaseFile) -> Element:
    found = book.add(
        spdx.software_File, "file", str(held.id), file.path, name=file.path
    )
    found.verifiedUsing = [_hash(str(file.sha256))]
    return found


def _hash(digest: str) -> Element:
    found = spdx.Hash()
    found.algorithm = spdx.HashAlgorithm.sha256
    found.hashValue = digest
    return found


def _licence(book: _Book, found: Element, stated: str) -> None:
    expression = licence_facts.spdx(stated) if stated else ""
    if expression:
        told = book.add(
            spdx.simplelicensing_LicenseExpression,
            *("licence", str(found.get_id())),
            simplelicensing_licenseExpression=expression,
        )
        book.relate(found, "hasDeclaredLicense", [told])


def _vulnerability(book: _Book, one: dict[str, Any]) -> None:
    about = book.by_purl.get(one["subject"]["purl"], [])
    found = book.add(
        spdx.security_Vulnerability,
        *("finding", one["id"]),
        name=one["rule"],
        summary=one["title"],
    )
    for each in about:
        book.relate(each, "hasAssociatedVulnerability", [found])
