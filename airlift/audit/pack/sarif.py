"""Findings as SARIF 2.1.0, for what reads the results of scanners inside the enclave.

It carries findings alone: neither what is held nor where it came from. What could not be
answered is a notification of the run, so that an empty list is never mistaken for one
that was looked at.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
"""

import json
from typing import Any, Final
from urllib.parse import quote

from airlift import __version__
from airlift.audit.pack.made import Made, Told

VERSION: Final = "2.1.0"
_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
    "sarif-schema-2.1.0.json"
)
_LEVELS: Final = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "note",
    "info": "note",
}
FINGERPRINT: Final = "airliftFindingId/v1"
"""Stable across runs, so that tools know a finding again."""
_BASE: Final = "SITE"


def encode(made: Made) -> bytes:
    """Return ``findings.sarif``."""
    findings = made.told["findings"]
    kinds = sorted({one["kind"] for one in findings})
    driver = {
        "name": "airlift",
        "version": __version__,
        "rules": [_rule(kind, made.told) for kind in kinds],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {
            "id": f"airlift/audit/{made.told['site']}/{made.run_id}",
            "guid": made.serial("sarif"),
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {
            _BASE: {"description": {"text": "what the site holds, by kind and name"}}
        },
        "invocations": [_invocation(made)],
        "results": [_result(one, kinds) for one in findings],
    }
    told = {"$schema": _SCHEMA, "version": VERSION, "runs": [run]}
    return json.dumps(told, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _rule(kind: str, told: Told) -> Told:
    ids = {one["id"] for one in told["findings"] if one["kind"] == kind}
    asked = [one["title"] for one in told["questions"] if ids & {*one["findings"]}]
    text = f"{kind}: {'; '.join(asked)}" if asked else kind
    return {"id": kind, "shortDescription": {"text": text}}


def _invocation(made: Made) -> dict[str, Any]:
    unknown = [one for one in made.told["questions"] if one["verdict"] == "unknown"]
    return {
        "executionSuccessful": not unknown,
        "exitCode": made.told["exit_code"],
        "endTimeUtc": made.time,
        "toolExecutionNotifications": [
            {
                "level": "error",
                "message": {"text": f"{one['id']} {one['title']}: {why}"},
            }
            for one in unknown
            for why in one["unknown"] or [one["reason"]]
        ],
    }


def _result(one: Told, kinds: list[str]) -> Told:
    subject = one["subject"]
    found: Told = {
        "ruleId": one["kind"],
        "ruleIndex": kinds.index(one["kind"]),
        "level": _LEVELS[one["severity"]],
        "message": {"text": one["title"]},
        "locations": [_location(subject)],
        "partialFingerprints": {FINGERPRINT: one["id"]},
        "suppressions": [_suppression(one["waiver"])] if one["waiver"] else [],
        "properties": {
            "severity": one["severity"],
            "rule": one["rule"],
            "purl": subject["purl"],
            "hosts": subject["hosts"],
            "evidence": one["evidence"],
            "controls": one["controls"],
            "fix": one["fix"],
            "arrived_in": one["arrived_in"],
        },
    }
    if digest := subject["digest"]:
        found["fingerprints"] = {"sha256/v1": digest}
    return found


def _location(subject: Told) -> Told:
    parts = [subject["kind"], subject["name"]]
    if version := subject["version"]:
        parts.append(version)
    # No part of a name may lead above the base.
    uri = "/".join(quote(part, safe="/@+~") for part in parts)
    uri = uri.replace("..", "%2E%2E")
    label = "@".join(parts[1:])
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": _BASE}},
        "logicalLocations": [
            {"name": subject["name"], "fullyQualifiedName": label, "kind": "module"}
        ],
    }


def _suppression(waiver: Told) -> Told:
    why = f"accepted by {waiver['by']} until {waiver['until']}: {waiver['reason']}"
    return {"kind": "external", "status": "accepted", "justification": why}
