"""Kept advisories in OSV's wire form, and questions in it.

What is sent says of every version what is held here. Its times end in ``Z``, because a
client in wide use refuses any other spelling of an offset of zero.

Source: OSV schema 1.7; the API of osv.dev, version 1.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from airlift.artifact import Json
from airlift.errors import FormatError
from airlift.format import advice, advisory
from airlift.format.catalogue import Advisory

SCHEMA: Final = "1.7.0"
BATCH: Final = 1_000
"""Most questions in one request; as osv.dev."""
_PURL: Final = re.compile(r"pkg:pypi/([^@?#/]+)(?:@([^?#]+))?(?:[?#].*)?", re.ASCII)
_ENCODED: Final = re.compile(r"%([0-9A-Fa-f]{2})", re.ASCII)
_TIME: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.\d+)?(?:[Zz]|[+-]00:?00)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question: what is known against a version of a package of PyPI's.

    Attributes:
        package: In PyPA's normal form.
        version: As it was sent.
    """

    package: str
    version: str


def queries(body: bytes, *, batch: bool) -> tuple[Query, ...]:
    """Return the questions of a request.

    Args:
        body: As it was sent.
        batch: Whether it may hold several.

    Raises:
        FormatError: It is none that can be answered. What cannot be answered must not
            get an answer that says "nothing is known against it".
    """
    try:
        table = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FormatError("the request is not JSON") from error  # noqa: EM101, TRY003
    if not batch:
        return (_query(table, "the request"),)
    several = table.get("queries") if isinstance(table, Mapping) else None
    if not isinstance(several, list) or len(several) > BATCH:
        problem = f"the request has no list `queries` of at most {BATCH}"
        raise FormatError(problem)
    return tuple(_query(one, f"query {n}") for n, one in enumerate(several))


def _query(table: object, what: str) -> Query:
    asked = table if isinstance(table, Mapping) else {}
    package = asked.get("package")
    package = package if isinstance(package, Mapping) else {}
    name, version = package.get("name"), asked.get("version", "")
    ecosystem, purl = package.get("ecosystem"), package.get("purl")
    if isinstance(purl, str) and (found := _PURL.fullmatch(purl)):
        ecosystem, name = advisory.ECOSYSTEM, _plain(found[1])
        version = _plain(found[2]) if found[2] else version
    if ecosystem != advisory.ECOSYSTEM:
        problem = f"{what} is not about a package of {advisory.ECOSYSTEM}"
        raise FormatError(
            problem, hint="advisories of other ecosystems are not carried"
        )
    if not (isinstance(name, str) and name and isinstance(version, str) and version):
        problem = f"{what} names no package and version"
        raise FormatError(problem)
    return Query(package=str(canonicalize_name(name)), version=version)


def _plain(text: str) -> str:
    """Return *text* with its percent-encoded characters as they are."""
    return _ENCODED.sub(lambda found: chr(int(found[1], 16)), text)


def wire(one: Advisory, *, issued: str) -> dict[str, Json]:
    """Return a kept record in OSV's form.

    Args:
        one: The record.
        issued: When the catalogue was made: no record in it was changed later.
    """
    record = one.record
    found: dict[str, Json] = {
        "schema_version": SCHEMA,
        "id": one.id,
        "modified": moment(record.get("modified")) or issued,
        "aliases": tuple(sorted(advice.names(one) - {one.id})),
        "summary": str(record.get("summary", "")),
        "affected": [_affected(entry) for entry in _tables(record, "affected")],
    }
    for key in ("published", "withdrawn"):
        if text := moment(record.get(key)):
            found[key] = text
    for key in ("severity", "database_specific"):
        if record.get(key):
            found[key] = record[key]
    return found


def unknown(query: Query, why: str, *, issued: str) -> dict[str, Json]:
    """Return what stands for not knowing: a record about just this version.

    A client has no other way to be told: an empty answer means that all is well, and an
    error ends its work on every other package.
    """
    return {
        "schema_version": SCHEMA,
        "id": advice.UNKNOWN,
        "modified": issued,
        "aliases": (),
        "summary": f"{query.package} {query.version}: nobody knows whether anything is"
        f" known against it: {why}",
        "affected": [
            {
                "package": _package(query.package),
                "ranges": (),
                "versions": [query.version],
            }
        ],
    }


def moment(value: object) -> str:
    """Return a time of a record with a ``Z`` at its end; empty where it is none."""
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    return f"{found[1]}T{found[2]}Z" if found else ""


def _package(name: str) -> dict[str, Json]:
    return {"ecosystem": advisory.ECOSYSTEM, "name": name, "purl": f"pkg:pypi/{name}"}


def _affected(entry: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "package": _package(str(entry.get("package"))),
        "ranges": [
            {
                "type": "ECOSYSTEM",
                "events": [
                    event
                    for event in _tables(found, "events")
                    if _is_readable(event.get("fixed"))
                ],
            }
            for found in _tables(entry, "ranges")
        ],
        "versions": entry.get("versions", ()),
    }


def _is_readable(fixed: object) -> bool:
    """Say whether a client can read *fixed*: one that cannot be ordered ends its work."""
    if fixed is None:
        return True
    try:
        Version(str(fixed))
    except InvalidVersion:
        return False
    return True


def _tables(table: Mapping[str, Json], key: str) -> list[Mapping[str, Json]]:
    value = table.get(key)
    return [
        one
        for one in (value if isinstance(value, list | tuple) else ())
        if isinstance(one, Mapping)
    ]
