"""Advisories in OSV's form: what is kept of a record, and which versions it is about.

Only PyPI's ecosystem is read. What is kept has the same meaning for every version of a
kept package as the whole record: versions that a range covers are not listed again.

A version is affected where it is listed **or** a range covers it. What cannot be told,
because a version or a bound has no place in the order of versions, is said to be
undecided: nobody may read it as "not affected".

Source: OSV schema 1.7, "Evaluation"; PEP 440.
"""

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Final

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from airlift import naming
from airlift.artifact import Json
from airlift.errors import FormatError
from airlift.format import canonical
from airlift.format.fields import Fields

ECOSYSTEM: Final = "PyPI"
SUMMARY: Final = 200
"""Most characters of a summary that are kept."""
_EVENTS: Final = ("introduced", "fixed", "last_affected")
_TIMES: Final = ("published", "modified", "withdrawn")
_RATINGS: Final = ("CRITICAL", "HIGH", "MODERATE", "MEDIUM", "LOW")
"""What GitHub's records say of themselves, beside a vector or in place of one."""


class Reach(StrEnum):
    """Whether a record is about a version."""

    AFFECTED = "affected"
    CLEAR = "clear"
    UNDECIDED = "undecided"
    """Nobody can tell: something in it has no place in the order of versions."""


def identity(record: Mapping[str, object], *, name: str) -> str:
    """Return the id of *record*.

    Raises:
        FormatError: It has none that can be shown.
    """
    found = record.get("id")
    if not isinstance(found, str) or not found or naming.show(found) != found:
        problem = f"{name} has no id"
        raise FormatError(problem, hint="is it a record in OSV's form?")
    return found


def reduced(
    record: Mapping[str, object], packages: Collection[str], *, name: str
) -> Mapping[str, Json] | None:
    """Return what is kept of *record*; None where it touches none of *packages*.

    Args:
        record: A record as decoded.
        packages: Names in PyPA's normal form.
        name: What to call it in an error.

    Raises:
        FormatError: What it says of one of *packages* is not in OSV's form.
    """
    top = Fields(record, record=name)
    affected: list[Json] = [
        one for entry in top.tables("affected") for one in _affected(entry, packages)
    ]
    if not affected:
        return None
    severity: list[Json] = [
        {"type": one.text("type"), "score": one.text("score")[:SUMMARY]}
        for one in top.tables("severity")
    ]
    kept: dict[str, Json] = {
        "aliases": tuple(sorted({naming.show(one) for one in top.texts("aliases")})),
        "summary": naming.show(top.text("summary", ""))[:SUMMARY],
        "severity": severity,
        "affected": affected,
    }
    kept |= {key: top.text(key)[:40] for key in _TIMES if top.has(key)}
    kept |= _rated(record)
    try:
        canonical.encode(kept)
    except ValueError as error:
        problem = f"{name} cannot be carried: {error}"
        raise FormatError(problem) from error
    return kept


def _rated(record: Mapping[str, object]) -> Mapping[str, Json]:
    own = record.get("database_specific")
    said = own.get("severity") if isinstance(own, Mapping) else None
    rated = said.upper() if isinstance(said, str) else ""
    return {"database_specific": {"severity": rated}} if rated in _RATINGS else {}


def _affected(entry: Fields, packages: Collection[str]) -> Iterator[Mapping[str, Json]]:
    if not entry.has("package"):
        return  # of a git repository only
    package = entry.table("package")
    if package.text("ecosystem").partition(":")[0] != ECOSYSTEM:
        return
    project = str(canonicalize_name(package.text("name")))
    if project not in packages:
        return
    ranges: list[Json] = [
        {"events": [_event(one) for one in found.tables("events")]}
        for found in entry.tables("ranges")
        if found.text("type") != "GIT"
    ]
    kept: dict[str, Json] = {"package": project, "ranges": ranges, "versions": ()}
    listed = sorted(set(entry.texts("versions")))
    covered: Mapping[str, Json] = {"affected": (kept,)}
    rest = tuple(one for one in listed if not affects(covered, project, one))
    yield {**kept, "versions": rest}


def _event(entry: Fields) -> Mapping[str, Json]:
    return {key: entry.text(key) for key in _EVENTS if entry.has(key)}


def reach(record: Mapping[str, Json], package: str, version: str) -> Reach:
    """Say whether a kept *record* is about *version* of *package*.

    A local version (``2.1.0+cu121``) is what its public one is as well: who builds a
    release again builds its faults again.
    """
    found = {_reach(entry, version) for entry in _of(record, package)}
    if Reach.AFFECTED in found:
        return Reach.AFFECTED
    return Reach.UNDECIDED if Reach.UNDECIDED in found else Reach.CLEAR


def _reach(entry: Mapping[str, Json], version: str) -> Reach:
    listed, ranges = _texts(entry, "versions"), list(_ranges(entry))
    if version in listed:
        return Reach.AFFECTED
    own = _number(version)
    if own is None or not (listed or ranges):
        # The second: of a repository's commits only, which no version says.
        return Reach.UNDECIDED
    numbers = {own, Version(own.public)}
    if numbers & {_number(one) for one in listed}:
        return Reach.AFFECTED
    covered = {_covers(events, one) for events in ranges for one in numbers}
    if True in covered:
        return Reach.AFFECTED
    return Reach.UNDECIDED if None in covered else Reach.CLEAR


def affects(record: Mapping[str, Json], package: str, version: str) -> bool:
    """Say whether a kept *record* is, for all that can be told, about *version*."""
    return reach(record, package, version) is Reach.AFFECTED


def fixed_in(record: Mapping[str, Json], package: str, version: str) -> str:
    """Return the lowest version above *version* that a kept *record* calls fixed.

    Empty where it calls none so.
    """
    return next(iter(fixes(record, package, version)), "")


def fixes(record: Mapping[str, Json], package: str, version: str) -> tuple[str, ...]:
    """Return the versions above *version* that a kept *record* calls fixed, in order."""
    number = _number(version)
    if number is None:
        return ()
    found = {
        fixed
        for entry in _of(record, package)
        for events in _ranges(entry)
        for event in events
        if (fixed := _number(event.get("fixed", ""))) is not None and fixed > number
    }
    return tuple(str(one) for one in sorted(found))


def _of(record: Mapping[str, Json], package: str) -> Iterator[Mapping[str, Json]]:
    for entry in _tables(record, "affected"):
        if entry.get("package") == package:
            yield entry


def _ranges(entry: Mapping[str, Json]) -> Iterator[list[Mapping[str, str]]]:
    for found in _tables(entry, "ranges"):
        yield [
            {key: value for key, value in event.items() if isinstance(value, str)}
            for event in _tables(found, "events")
        ]


def _covers(events: list[Mapping[str, str]], number: Version) -> bool | None:
    """Say whether a range, given as its events in any order, covers *number*.

    None where nobody can tell: one of its bounds has no place in the order.
    """
    placed = []
    for event in events:
        for kind, text in event.items():
            at = None if text == "0" and kind == "introduced" else _number(text)
            if at is None and text != "0":
                return None
            placed.append((at is not None, at or number, _EVENTS.index(kind)))
    inside = False
    for is_bound, at, kind_index in sorted(placed):
        if not is_bound or at <= number:
            inside = kind_index == 0 or (
                _EVENTS[kind_index] == "last_affected" and inside and at == number
            )
    return inside


def _number(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _tables(table: Mapping[str, Json], key: str) -> Iterator[Mapping[str, Json]]:
    value = table.get(key)
    for one in value if isinstance(value, list | tuple) else ():
        if isinstance(one, Mapping):
            yield one


def _texts(table: Mapping[str, Json], key: str) -> tuple[str, ...]:
    value = table.get(key)
    found = value if isinstance(value, list | tuple) else ()
    return tuple(one for one in found if isinstance(one, str))
