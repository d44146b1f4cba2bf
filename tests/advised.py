"""Advisories in OSV's form, and catalogues that carry them."""

import json
from collections.abc import Mapping
from typing import Any

from airlift.artifact import Json
from airlift.digest import sha256
from airlift.format import advisory
from airlift.format.catalogue import Advisory

V8_8 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H"
V9_8 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
V5_3 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L"


def osv(
    name: str,
    package: str = "demo",
    *,
    fixed: str = "1.5",
    introduced: str = "0",
    **changes: Any,
) -> dict[str, Any]:
    """Return a record as OSV publishes it; without *fixed* it is about every version."""
    events = [{"introduced": introduced}, *([{"fixed": fixed}] if fixed else [])]
    return {
        "id": name,
        "modified": "2026-02-28T01:02:03.456Z",
        "published": "2026-01-28T01:02:03Z",
        "summary": f"{package} breaks",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": package},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
                "versions": [],
            }
        ],
        **changes,
    }


def scored(vector: str) -> list[Json]:
    """Return a list of one CVSS vector."""
    kind = {"3": "CVSS_V3", "4": "CVSS_V4"}.get(vector[5:6], "CVSS_V2")
    return [{"type": kind, "score": vector}]


def carried(
    record: Mapping[str, Any], own: Mapping[str, Json] | None = None
) -> Advisory:
    """Return *record* as a catalogue carries it, with *own* as what was found out."""
    names = {one["package"]["name"] for one in record["affected"]}
    kept = advisory.reduced(record, names, name=str(record["id"]))
    assert kept is not None
    told = dict(kept) | ({"database_specific": dict(own)} if own else {})
    digest = sha256(json.dumps(record).encode())
    return Advisory(id=record["id"], record=told, sha256=digest)


def listed(*records: Advisory) -> tuple[Advisory, ...]:
    """Return *records* in the order of a catalogue."""
    return tuple(sorted(records, key=lambda one: one.id))
